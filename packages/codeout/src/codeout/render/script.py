"""Write a page as a Python script whose comments are its prose, in `# %%` cells that editors know."""

from __future__ import annotations

import textwrap

from codeout.render.cells import Cell, Page, exported_code, imported_modules, split_page


def script(page: Page) -> str:
    """Return a page as a script that gives the page's results."""
    cells = list(split_page(page))
    parts = []
    if modules := imported_modules("\n".join(cell.text for cell in cells if cell.block), page.modules):
        files = ", ".join(f"{name}.py" for name in modules)
        parts.append(f"# This script needs these files in its folder: {files}\n")
    if page.prelude:
        parts.append(f"# %%\n{exported_code(page.prelude)}\n")
    return "\n".join([*parts, *map(_cell_text, cells)])


def _cell_text(cell: Cell) -> str:
    if cell.block:
        return f"# %%\n{cell.text}\n"
    comment = textwrap.indent(cell.text, "# ", lambda line: True).replace("# \n", "#\n")
    return f"# %% [markdown]\n{comment}\n"
