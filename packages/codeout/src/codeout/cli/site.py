"""A site as its `mkdocs.yml` describes it, read without a site generator: its settings, and the blocks of its pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from markdown import Markdown

from codeout.config import Config
from codeout.errors import PageError
from codeout.markdown.finder import Finder
from codeout.model.blocks import Block


class _Loader(yaml.SafeLoader):
    """Reads `mkdocs.yml` past the tags that only MkDocs understands (`!ENV`, `!!python/name`)."""


_Loader.add_multi_constructor("", lambda loader, suffix, node: None)


class SiteConfig:
    """A site as its `mkdocs.yml` describes it: settings, pages, and how snippets are put in."""

    def __init__(self, path: Path) -> None:
        try:
            content = yaml.load(path.read_text(encoding="utf8"), _Loader)  # noqa: S506 (a SafeLoader)
        except (OSError, yaml.YAMLError) as problem:
            raise PageError(f"{path}:1: can't be read: {problem}") from problem
        extensions = dict(_named(content.get("markdown_extensions") or []))
        if "codeout" not in extensions:
            raise PageError(f"{path}:1: has no `- codeout` under `markdown_extensions`")
        docs = str(content.get("docs_dir") or "docs")
        self.config = Config.from_options({"root": path.parent.resolve(), "docs_dir": docs, **extensions["codeout"]})
        name = "pymdownx.snippets"
        md = Markdown(extensions=[name], extension_configs={name: extensions.get(name, {})})
        snippets = md.preprocessors["snippet"] if name in extensions else None
        self._finder = Finder(snippets, self.config.root)
        self.url = str(content.get("site_url") or "")

    def blocks(self, pages: Sequence[Path]) -> list[Block]:
        """Return the blocks of these pages, or of all."""
        folder = self.config.path(self.config.docs_dir)
        found: list[Block] = []
        for page in pages or sorted(folder.rglob("*.md")):
            path = page if page.is_absolute() else Path.cwd() / page
            if not path.is_file():
                known = ", ".join(file.relative_to(folder.parent).as_posix() for file in sorted(folder.rglob("*.md")))
                raise PageError(f"{page}:1: is not there, but {known}")
            root = self.config.root
            shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
            found += self._finder.find(path.read_text(encoding="utf8"), shown)
        if not pages:
            self.config.check_patterns(block.session for block in found)
        return found


def _named(extensions: Sequence[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for extension in extensions:
        if isinstance(extension, str):
            yield extension, {}
        else:
            yield from ((str(name), options or {}) for name, options in extension.items())
