"""Write a page as a Python script whose comments are its prose, in `# %%` cells that editors know.

A reader has only this file, so it brings the modules of the site that it imports.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from codeout.render.cells import Cell, Page, exported_code, imported_modules, split_page


def script(page: Page) -> str:
    """Return a page as a script that gives the page's results."""
    cells = list(split_page(page))
    parts = []
    if modules := imported_modules("\n".join(cell.text for cell in cells if cell.block), page.modules):
        parts.append("\n".join(_module_lines(modules)))
    if page.prelude:
        parts.append(f"# %%\n{exported_code(page.prelude)}\n")
    return "\n".join([*parts, *map(_cell_text, cells)])


def _module_lines(modules: Mapping[str, str]) -> Iterator[str]:
    """Yield code that writes modules into a folder of its own, where the cells below import them from."""
    yield "# %% Modules of the site that the code below imports"
    yield "import atexit, pathlib, shutil, sys, tempfile"
    yield ""
    yield "_modules = pathlib.Path(tempfile.mkdtemp())"
    yield "atexit.register(shutil.rmtree, _modules)"
    yield "sys.path.insert(0, str(_modules))"
    for name, source in modules.items():
        literal = source.rstrip("\n").replace("\\", r"\\").replace('"""', r"\"\"\"")
        yield f'(_modules / "{name}.py").write_text("""\\\n{literal}\n""", encoding="utf8")'
    yield ""


def _cell_text(cell: Cell) -> str:
    if cell.block:
        return f"# %%\n{cell.text}\n"
    comment = textwrap.indent(cell.text, "# ", lambda line: True).replace("# \n", "#\n")
    return f"# %% [markdown]\n{comment}\n"
