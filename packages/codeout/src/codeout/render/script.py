"""Write a page as a Python script whose comments are its prose, in `# %%` cells that editors know."""

from __future__ import annotations

import textwrap

from codeout.cache.environment import imports
from codeout.render.cells import Cell, Page, split_page
from codeout.render.hidden_lines import visible_code


def script(page: Page) -> str:
    """Return a page as a script.

    A block whose code the page does not show is left out, unless visible code needs it.
    """
    cells = list(split_page(page, [number for number, block in enumerate(page.blocks) if not block.shown]))
    parts = []
    if any(imports(cell.text) & {*page.modules} for cell in cells if cell.block):
        files = ", ".join(f"{name}.py" for name in page.modules)
        parts.append(f"# This script needs these files in its folder: {files}\n")
    if page.prelude:
        parts.append(f"# %%\n{visible_code([page.prelude])[0]}\n")
    return "\n".join([*parts, *map(_cell_text, cells)])


def _cell_text(cell: Cell) -> str:
    if cell.block:
        return f"# %%\n{cell.text}\n"
    comment = textwrap.indent(cell.text, "# ", lambda line: True).replace("# \n", "#\n")
    return f"# %% [markdown]\n{comment}\n"
