"""Predict the blocks of pages that have not been converted yet, so that their sessions can start ahead.

A wrong prediction costs time, never correctness: what a page shows is decided when it is converted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markdown import Markdown
from markdown_exec import MARKDOWN_EXEC_AUTO, validator
from pymdownx.snippets import SnippetMissingError

from codeout.config import Config
from codeout.errors import PageError
from codeout.markdown.fences import LANGUAGES, STAMP_OPTION, find_comments, read_stamp, stamp
from codeout.markdown.options import read_block, split_prompts
from codeout.markdown.snippets import find_preprocessor
from codeout.markdown.sources import Sources
from codeout.model.blocks import Block


class Predictor:
    """Predicts blocks with the snippets and fences of the site, as one of its Markdown instances has them."""

    def __init__(self, md: Markdown, config: Config) -> None:
        """Take a Markdown instance of the site, and its settings."""
        self._snippets = find_preprocessor(md)
        self._config, root = config, config.root.resolve()
        self._root, self._folders = root, [root, root / config.docs_dir]
        self._fences: list[tuple[str, dict[str, Any]]] = []
        has_fences = "fenced_code_block" in md.preprocessors
        site_fences: Any = md.preprocessors["fenced_code_block"] if has_fences else None
        names = [fence["name"] for fence in site_fences.extension.superfences] if has_fences else []
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
        sources = Sources(
            page=page,
            text=text,
            root=self._root,
            folders=self._folders,
            snippets=self._snippets,
            has_checks=self._config.section_checks,
        )
        try:
            lines = _without_comments(stamp(text, page)).split("\n")
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
        options = {**options, "extra": dict(options["extra"])}
        stamped = read_stamp(options["extra"].pop(STAMP_OPTION, ""))
        location = sources.locate(code, stamped=stamped)
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


def _without_comments(text: str) -> str:
    """Return text with empty lines in place of its HTML comments."""
    for start, end in reversed(find_comments(text)):
        text = text[:start] + "\n" * text.count("\n", start, end) + text[end:]
    return text
