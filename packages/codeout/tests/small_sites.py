"""Small pages and sites, and what converts and builds them."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from markdown import Extension, Markdown
from markdown_exec import formatter, validator

from codeout.markdown.extension import CodeoutExtension

CONFIG = """
site_name: Small
theme: material
markdown_extensions:
  - pymdownx.superfences
  - pymdownx.tabbed: {alternate_style: true}
  - pymdownx.snippets: {base_path: [snippets], check_paths: true}
  - codeout: {paths: [snippets]}
plugins:
  - codeout
  - markdown-exec: {languages: [python]}
"""
TABS = 'source="tabbed-left" tabs="Code|Out"'
PAGE = f"""---
title: First
---
# First

```python exec="on" session="first" {TABS}
--8<-- "first.py:one"
```

```python exec="on" session="first" {TABS}
--8<-- "first.py:two"
```
"""
FENCE = '```python exec="on" {options}\n{code}\n```\n'
SNIPPET = """import helper

# --8<-- [start:one]
import helper
x = helper.VALUE
# --8<-- [end:one]

# --8<-- [start:two]
print("x is", x)
# --8<-- [end:two]
"""


def page(*blocks: tuple[str, str]) -> str:
    """Return a page whose blocks have these options and this code."""
    return "# Title\n\n" + "\n".join(FENCE.format(options=options, code=code) for options, code in blocks)


def convert(text: str, root: Path, **options: Any) -> str:
    """Convert a page as markdown-exec is set up without its MkDocs plugin."""
    fences = [{"name": name, "class": name, "validator": validator, "format": formatter} for name in ("python", "bash")]
    extensions: list[str | Extension] = [
        "pymdownx.superfences",
        "pymdownx.highlight",
        "pymdownx.tabbed",
        "toc",
        CodeoutExtension(root=root, **options),
    ]
    settings: dict[str, dict[str, object]] = {
        "pymdownx.superfences": {"custom_fences": fences},
        "pymdownx.tabbed": {"alternate_style": True},
    }
    return Markdown(extensions=extensions, extension_configs=settings).convert(text)


def plain(fragment: str) -> str:
    """Return the text of a piece of HTML."""
    return html.unescape(re.sub(r"<[^>]+>", "", fragment))


def write_site(folder: Path, files: Mapping[str, str]) -> Path:
    """Write the files of a site, by their paths below its folder, and return the folder."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, encoding="utf8")
    return folder


def build(
    project: Path, *arguments: str, generator: str = "mkdocs", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Build a site in a process of its own, as an author does; a failure is for the caller to judge."""
    command = [sys.executable, "-m", generator, "build", *arguments]
    return subprocess.run(
        command, cwd=project, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def page_html(project: Path, page: str = "first") -> str:
    """Return the HTML of a page of a built site."""
    return (project / "site" / page / "index.html").read_text(encoding="utf8")


def select_tag(parent: Tag, selector: str) -> Tag:
    """Return the first element that a CSS selector selects; there must be one."""
    tag = parent.select_one(selector)
    assert tag is not None, f"{selector} selects nothing"
    return tag


def block_tabs(project: Path, number: int = 0) -> dict[str, Tag]:
    """Return what a page shows in each tab of one of its blocks, by the tab's title; none of a block without tabs."""
    (*blocks,) = BeautifulSoup(page_html(project), "html.parser").select(".codeout-block")
    labels = [tab.get_text() for tab in blocks[number].select(".tabbed-labels > label")]
    inputs = blocks[number].select(".tabbed-set > input")
    assert len(labels) == len(inputs) == len({tag["id"] for tag in inputs})
    return dict(zip(labels, blocks[number].select(".tabbed-block"), strict=True))


def site_config(*plugins: str, codeout: str = "", snippets: str = "[.]", rest: str = "") -> str:
    """Return the configuration of a site in which these plugins precede codeout.

    Args:
        plugins: each as an item of the list, in YAML.
        codeout: the engine's options, in YAML.
        snippets: where snippets are, in YAML.
        rest: further settings, in YAML.
    """
    return "\n".join(
        [
            "site_name: Case",
            "theme: {name: material, font: false}",
            "markdown_extensions:",
            "  - attr_list",
            "  - admonition",
            "  - toc: {permalink: true}",
            f"  - pymdownx.snippets: {{base_path: {snippets}, check_paths: true}}",
            "  - pymdownx.highlight",
            "  - pymdownx.superfences",
            "  - pymdownx.tabbed: {alternate_style: true}",
            f"  - codeout: {{{codeout}}}",
            "plugins:",
            *(f"  - {plugin}" for plugin in plugins),
            "  - codeout",
            "  - markdown-exec: {languages: [python, pycon, md]}",
            rest,
        ]
    )


def fence(code: str, options: str = 'session="a" source="above"', language: str = "python") -> str:
    """Return an executable fence."""
    return f'```{language} exec="on" {options}\n{code}\n```'


def indent(text: str, by: str = "    ") -> str:
    """Return text whose lines are indented."""
    return "\n".join(f"{by}{line}".rstrip() for line in text.split("\n"))


def article_text(project: Path, page: str = "") -> str:
    """Return the text of a page of a built site, with single spaces."""
    soup = BeautifulSoup((project / "site" / page / "index.html").read_text(encoding="utf8"), "html.parser")
    return " ".join(select_tag(soup, "article").get_text(" ").split())


def codeout(project: Path, *arguments: str, status: int = 0) -> str:
    """Run a command of codeout in a site, which must end with this status; return what it prints."""
    command = [sys.executable, "-m", "codeout", *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout
