"""The files that a page is exported as."""

from __future__ import annotations

from pathlib import PurePosixPath

from codeout.render.cells import Page
from codeout.render.markdown_page import markdown_page
from codeout.render.notebook import notebook, validated
from codeout.render.script import script


def exported_files(page: Page, kind: str, docs_dir: str) -> dict[str, str]:
    """Return the files of a page as a notebook, a script or Markdown: path → content.

    Args:
        page: a page with at least one block.
        kind: "ipynb", "md", or "py"; a script comes with the modules of the site.
        docs_dir: the folder of the site's pages; paths are relative to it.
    """
    source = PurePosixPath(page.blocks[0].place.path)
    path = source.relative_to(docs_dir) if source.is_relative_to(docs_dir) else PurePosixPath(source.name)
    target = path.with_suffix(f".{kind}")
    if kind == "ipynb":
        return {str(target): validated(notebook(page))}
    if kind == "md":
        return {str(target): markdown_page(page)}
    modules = {str(target.with_name(f"{name}.py")): text for name, text in page.modules.items()}
    return {str(target): script(page), **modules}
