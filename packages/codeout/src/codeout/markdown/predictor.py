"""Predict the blocks of pages that have not been converted yet, so that their sessions can start ahead.

A wrong prediction costs time, never correctness: what a page shows is decided when it is converted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from markdown import Markdown
from markdown_exec import MARKDOWN_EXEC_AUTO, validator
from pymdownx.snippets import SnippetMissingError

from codeout.config import Config
from codeout.errors import PageError
from codeout.markdown.fences import LANGUAGES, STAMP_OPTION, find_comments, read_stamp, stamp
from codeout.markdown.options import read_block, split_prompts
from codeout.markdown.snippets import find_preprocessor, find_processor
from codeout.markdown.sources import Sources
from codeout.model.blocks import Block


class Predictor:
    """Predicts blocks with the snippets and fences of the site, as one of its Markdown instances has them."""

    def __init__(self, md: Markdown, config: Config) -> None:
        self._snippets, self._config = find_preprocessor(md), config
        self._fences: list[tuple[str, dict[str, Any]]] = []
        fences = find_processor(md.preprocessors, "fenced_code_block")
        names = {fence["name"] for fence in fences.extension.superfences} if fences else {*()}
        self._converter = self._recorder(names.intersection(LANGUAGES))

    def predict(self, page: str, text: str) -> list[Block]:
        """Return the blocks that a page will probably have; none if its fences or snippets cannot be read."""
        if "exec" not in text and "8<" not in text and not MARKDOWN_EXEC_AUTO[0]:
            return []
        sources = Sources.from_config(self._config, self._snippets, page=page, text=text)
        self._fences.clear()
        preprocessors = self._converter.preprocessors
        try:
            lines = _without_comments(stamp(text, page)).split("\n")
            lines = self._snippets.run(lines) if self._snippets else lines
            preprocessors["fenced_code_block"].run(preprocessors["normalize_whitespace"].run(lines))
            return [_read_fence(sources, code, options) for code, options in self._fences]
        except (SnippetMissingError, PageError, OSError):  # the conversion reports it
            return []

    def _recorder(self, languages: Iterable[str]) -> Markdown:

        def record(source: str, language: str, css_class: str, options: dict[str, Any], md: Markdown, **_: Any) -> str:
            self._fences.append((source, {**options, "language": language}))
            return ""

        fences = [{"name": "*", "class": "", "validator": lambda *_: True, "format": lambda *_, **__: ""}]
        fences += [{"name": name, "class": "", "validator": validator, "format": record} for name in languages]
        settings = {"pymdownx.superfences": {"custom_fences": fences}}
        return Markdown(extensions=["pymdownx.superfences"], extension_configs=settings)


def _read_fence(sources: Sources, code: str, options: dict[str, Any]) -> Block:
    extra = dict(options["extra"])
    location = sources.locate(code, stamped=read_stamp(extra.pop(STAMP_OPTION, "")))
    code = split_prompts(code)[0] if options["language"] == "pycon" else code
    return read_block(code, {**options, "extra": extra}, location)


def _without_comments(text: str) -> str:
    for start, end in reversed(find_comments(text)):
        text = text[:start] + "\n" * text.count("\n", start, end) + text[end:]
    return text
