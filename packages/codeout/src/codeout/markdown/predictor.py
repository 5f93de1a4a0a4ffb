"""Predict the blocks of pages that have not been converted yet, so that their sessions can start ahead.

A wrong prediction costs time, never correctness: what a page shows is decided when it is converted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markdown import Markdown
from markdown.preprocessors import Preprocessor
from markdown_exec import MARKDOWN_EXEC_AUTO, validator
from pymdownx.snippets import SnippetMissingError, SnippetPreprocessor

from codeout.config import Config
from codeout.errors import PageError
from codeout.markdown.fences import LANGUAGES
from codeout.markdown.options import read_block
from codeout.markdown.prompts import split_prompts
from codeout.markdown.sources import Sources, find_comments
from codeout.model.blocks import Block


class Predictor:
    """Predicts blocks with the snippets and fences of the site, as one of its Markdown instances has them."""

    def __init__(self, md: Markdown, config: Config) -> None:
        """Take a Markdown instance of the site, and its settings."""
        preprocessor = _find_preprocessor(md, "snippet")
        self._snippets = preprocessor if isinstance(preprocessor, SnippetPreprocessor) else None
        self._config, root = config, config.root.resolve()
        self._root, self._folders = root, [root, root / config.docs_dir]
        self._fences: list[tuple[str, dict[str, Any]]] = []
        site_fences: Any = _find_preprocessor(md, "fenced_code_block")
        names = [fence["name"] for fence in site_fences.extension.superfences] if site_fences else []
        self._languages = [name for name in LANGUAGES if name in names]
        self._converter = self._recorder()

    def predict(self, page: str, text: str) -> list[Block]:
        """Return the blocks that a page will probably have; none if its fences or snippets cannot be read.

        Args:
            page: its path.
            text: its Markdown, front matter included.
        """
        if "exec" not in text and "8<" not in text and not MARKDOWN_EXEC_AUTO[0]:
            return []
        sources = Sources(page, text, self._root, self._folders, self._snippets, self._config.section_checks)
        try:
            lines = _without_comments(text).split("\n")
            return [self._block(sources, code, options) for code, options in self._record(lines)]
        except (SnippetMissingError, PageError, OSError):  # the conversion reports it
            return []

    def _record(self, lines: list[str]) -> Sequence[tuple[str, dict[str, Any]]]:
        self._fences.clear()
        expanded = self._snippets.run(lines) if self._snippets else lines
        preprocessors = self._converter.preprocessors
        preprocessors["fenced_code_block"].run(preprocessors["normalize_whitespace"].run(expanded))
        return list(self._fences)

    def _block(self, sources: Sources, code: str, options: dict[str, Any]) -> Block:
        location = sources.locate(code)
        code = split_prompts(code)[0] if options["language"] == "pycon" else code
        return read_block(code, options, location)

    def _recorder(self) -> Markdown:
        """Return a converter that records each executable Python fence, and passes over all others."""

        def record(source: str, language: str, css_class: str, options: dict[str, Any], md: Markdown, **_: Any) -> str:
            self._fences.append((source, {**options, "language": language}))
            return ""

        fences = [{"name": "*", "class": "", "validator": lambda *_: True, "format": lambda *_, **__: ""}]
        fences += [{"name": name, "class": "", "validator": validator, "format": record} for name in self._languages]
        settings = {"pymdownx.superfences": {"custom_fences": fences}}
        return Markdown(extensions=["pymdownx.superfences"], extension_configs=settings)


def _find_preprocessor(md: Markdown, name: str) -> Preprocessor | None:
    """Return the preprocessor of a Markdown instance with this name, if it has one."""
    return md.preprocessors[name] if name in md.preprocessors else None  # noqa: SIM401 (not a dict)


def _without_comments(text: str) -> str:
    """Return text with empty lines in place of its HTML comments."""
    for start, end in reversed(find_comments(text)):
        text = text[:start] + "\n" * text.count("\n", start, end) + text[end:]
    return text
