"""Write cells as a page, with the snippet whose sections it includes. Pure: it returns what the files will hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from codeout.importers.cells import Cell, CodeCell, TextCell
from codeout.importers.lists import indent_lists

DROPPED_MAGICS = (
    "%matplotlib",
    "%config InlineBackend",
    "%load_ext autoreload",
    "%autoreload",
    "%reload_ext autoreload",
)
"""Magics that change nothing here: figures are shown, and changed modules are noticed."""
INSTALLING = re.compile(r"^\s*[%!]\s*(pip|conda|mamba|apt|apt-get|uv)\b")
MAGIC = re.compile(r"^\s*(?:[%!]|[\w, ]+=\s*[%!])|\?\s*$", re.MULTILINE)
SHOW_BY_TAG = {
    **dict.fromkeys(("hide-input", "hide_input", "remove-input", "remove_input"), "output"),
    **dict.fromkeys(("hide-output", "hide_output", "remove-output", "remove_output"), "code"),
    **dict.fromkeys(("remove-cell", "remove_cell", "hide-cell", "hide_cell"), "nothing"),
}
"""Tags of notebooks that Jupyter Book and nbconvert know → the option `show` of a block."""
VALUE = re.compile(r"(?<![\\{$])\{(?=[A-Za-z_]\w*(?:[:!][^{}\s]*)?\})")
KEPT = re.compile(
    r"(?P<formula>\$\$.+?\$\$|\$[^$\n]+\$|\\begin\{(?P<name>\w+\*?)\}.*?\\end\{(?P=name)\})"
    r"|`[^`\n]+`|^\s*(?:```|~~~).*?^\s*(?:```|~~~)",
    re.DOTALL | re.MULTILINE,
)
"""Formulas and code, in which braces mean something else than a value."""
MATH_SETTING, MAGICS_SETTING = "pymdownx.arithmatex", "magics: true"


class ImportedPage(msgspec.Struct):
    """What one notebook or script becomes."""

    page: str
    """The Markdown."""
    snippet: str
    """The Python file whose sections the page includes."""
    files: dict[str, bytes] = msgspec.field(default_factory=dict)
    """Attachments, by their name."""
    notes: list[str] = msgspec.field(default_factory=list)
    """What an author should look at, each beginning with the number of its cell."""
    settings: dict[str, str] = msgspec.field(default_factory=dict)
    """What it takes for this page to look right, by what the site's settings then contain."""
    blocks: int = 0
    """How many blocks the page has."""


def make_page(cells: Sequence[Cell], name: str) -> ImportedPage:
    """Return the page and the snippet of a notebook or a script.

    Args:
        cells: what it consists of.
        name: of the page, the snippet and the session.
    """
    result = ImportedPage("", "")
    parts, sections = list[str](), list[str]()
    if not any(isinstance(cell, TextCell) and re.match(r"\s*# ", cell.text) for cell in cells[:1]):
        parts.append(f"# {name.replace('_', ' ').replace('-', ' ').capitalize()}")
    for number, cell in enumerate(cells, start=1):
        if isinstance(cell, TextCell):
            parts.append(_text(cell, name, result))
            continue
        code = _without_dropped(cell.code, number, result)
        if not code.strip():
            continue
        result.blocks += 1
        section = f"cell_{result.blocks}"
        sections.append(f"# --8<-- [start:{section}]\n{code}\n# --8<-- [end:{section}]\n")
        parts.append(f'```python exec="on" session="{name}" {_options(cell)}\n--8<-- "{name}.py:{section}"\n```')
    result.page = "\n\n".join(part for part in parts if part.strip()) + "\n"
    result.snippet = "\n".join(sections)
    return result


def _text(cell: TextCell, name: str, result: ImportedPage) -> str:
    text = cell.text
    for attachment, content in cell.attachments.items():
        result.files[attachment] = content
        text = text.replace(f"attachment:{attachment}", f"{name}_files/{attachment}")
    if any(match["formula"] for match in KEPT.finditer(text)):
        result.settings[MATH_SETTING] = (
            "formulas need the extension `pymdownx.arithmatex: {generic: true}`, and MathJax or KaTeX on the pages"
        )
    return _escape_values(indent_lists(text))


def _escape_values(text: str) -> str:
    """Return text in which `{name}` stays what it is; in formulas and code it does so anyway."""
    parts, start = [], 0
    for match in KEPT.finditer(text):
        parts += [VALUE.sub(r"\\{", text[start : match.start()]), match[0]]
        start = match.end()
    return "".join([*parts, VALUE.sub(r"\\{", text[start:])])


def _without_dropped(code: str, number: int, result: ImportedPage) -> str:
    """Return code without the lines that mean nothing on a page; note them, and the magics that stay."""
    kept = []
    for line in code.split("\n"):
        if INSTALLING.match(line):
            result.notes.append(f"cell {number}: left out `{line.strip()}`; install it in the environment of the site")
        elif not line.strip().startswith(DROPPED_MAGICS):
            kept.append(line)
    rest = "\n".join(kept).strip("\n")
    if match := MAGIC.search(rest):
        line = rest[match.start() :].strip().split("\n")[0]
        result.settings.setdefault(MAGICS_SETTING, f"`{line}` in cell {number} needs the setting `{MAGICS_SETTING}`")
    return rest


def _options(cell: CodeCell) -> str:
    options: Mapping[str, str] = {
        "source": "above",
        "show": next((SHOW_BY_TAG[tag] for tag in sorted(cell.tags) if tag in SHOW_BY_TAG), ""),
        "raises": cell.error or ("Exception" if "raises-exception" in cell.tags else ""),
        "skip": "true" if "skip-execution" in cell.tags else "",
    }
    return " ".join(f'{name}="{value}"' for name, value in options.items() if value)
