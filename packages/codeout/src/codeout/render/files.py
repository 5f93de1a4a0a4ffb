"""The file that a page is exported as."""

from __future__ import annotations

from pathlib import PurePosixPath

from codeout.render.cells import Page
from codeout.render.markdown_page import markdown_page
from codeout.render.notebook import notebook, validated
from codeout.render.script import script


def exported_file(page: Page, kind: str, docs_dir: str) -> tuple[str, str]:
    """Return the path and the content of a page as a notebook, a script or Markdown.

    Args:
        page: a page with at least one block.
        kind: "ipynb", "py" or "md".
        docs_dir: the folder of the site's pages; paths are relative to it.
    """
    source = PurePosixPath(page.blocks[0].place.path)
    path = source.relative_to(docs_dir) if source.is_relative_to(docs_dir) else PurePosixPath(source.name)
    target = path.with_suffix(f".{kind}")
    write = {"ipynb": lambda page: validated(notebook(page)), "py": script, "md": markdown_page}
    return str(target), write[kind](page)
