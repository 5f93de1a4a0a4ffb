"""Write cells as a page, with the snippet whose sections it includes; it returns what the files will hold."""

from __future__ import annotations

import ast
import contextlib
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from html import unescape
from typing import TypeAlias
from urllib.parse import unquote

import msgspec

from codeout.importers.text import TextWriter, fence_around, write_code

IDLE_MAGICS = (
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
MATH_SETTING, MAGICS_SETTING = "pymdownx.arithmatex", "magics: true"
MAX_NAME = 100
"""Characters of the name of an exception."""
PICTURES = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpg": re.compile(rb"\xff\xd8\xff"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}
"""The extension of a picture → how its content begins. SVG is none of them: opened by its address, it runs scripts."""
REMOTE = re.compile(r"(?:https?:)?//|data:image/", re.IGNORECASE)
SHOWN_APART = {"all": "output", "code": "nothing"}
"""The option `show` of a block → what it is if a fence of its own shows the code: markdown-exec converts shown code
once more, as a page that may include files, in a fence of eight backticks."""
LONGEST_FENCE = "`" * 8
# As `pymdownx.snippets` finds what includes a file …
DIRECTIVE = re.compile(r"""(?m)^[ \t]*(?=;*-+8<-+(?:[ \t]+(?:"(?:\\"|[^"\n])+?"|'(?:\\'|[^'\n])+?'))?$)""")
# … and what begins or ends a section:
SECTION_MARKER = re.compile(
    r"(?mi)^(.*?)(?<!;)(?!(?<=-)-)(?=;*-+8<-+[ \t]+\[[ \t]*(?:start|end)[ \t]*:[ \t]*[a-z][-_0-9a-z]*[ \t]*\])"
)


class TextCell(msgspec.Struct, frozen=True):
    """Markdown."""

    text: str
    attachments: Mapping[str, bytes] = msgspec.field(default_factory=dict)
    """Pictures that the text refers to as `attachment:NAME`, by name."""


class CodeCell(msgspec.Struct, frozen=True):
    """Code that runs."""

    code: str
    tags: frozenset[str] = frozenset()
    """What its author has said about it, such as `hide-input`."""
    error: str = ""
    """The type of the exception that it raised when it was saved."""


Cell: TypeAlias = TextCell | CodeCell


class ImportedPage(msgspec.Struct, kw_only=True):
    """What one notebook or script becomes."""

    page: str = ""
    """The Markdown."""
    snippet: str = ""
    """The Python file whose sections the page includes."""
    pictures: dict[str, bytes] = msgspec.field(default_factory=dict)
    """The pictures of the text, by the names that the page gives them."""
    notes: list[str] = msgspec.field(default_factory=list)
    """What an author should look at, each beginning with the number of its cell."""
    settings: dict[str, str] = msgspec.field(default_factory=dict)
    """What it takes for this page to look right, by what the site's settings then contain."""
    blocks: int = 0
    """How many blocks the page has."""


def make_page(
    cells: Sequence[Cell], name: str, source: str, read_picture: Callable[[str], bytes | None]
) -> ImportedPage:
    """Return the page and the snippet of a notebook or a script, both of a name, which is also that of the session.

    The cells are not trusted: what is text stays text, and what names a file names none. Notes name the file `source`.
    `read_picture` returns the content of a file beside the notebook by its name; None if there is none.
    """
    writer = _PageWriter(name=name, source=source, read_picture=read_picture)
    parts = [
        writer.text(cell, number) if isinstance(cell, TextCell) else writer.code(cell, number)
        for number, cell in enumerate(cells, start=1)
    ]
    page = "\n\n".join(part for part in parts if part.strip()).lstrip()
    title = "" if page.startswith("# ") else f"# {name.replace('_', ' ').replace('-', ' ').capitalize()}\n\n"
    writer.result.page = f"{title}{page}\n"  # a title of either kind keeps the text from being front matter
    return writer.result


class _PageWriter(msgspec.Struct, kw_only=True):
    name: str
    source: str
    read_picture: Callable[[str], bytes | None]
    result: ImportedPage = msgspec.field(default_factory=ImportedPage)

    def text(self, cell: TextCell, number: int) -> str:
        writer = TextWriter(lambda url: self._picture(url, cell, number))
        text = writer.write(cell.text)
        if writer.has_formulas:
            self.result.settings[MATH_SETTING] = (
                "formulas need the extension `pymdownx.arithmatex: {generic: true}`, and MathJax or KaTeX on the pages"
            )
        return text

    def code(self, cell: CodeCell, number: int) -> str:
        """Return the block of a cell, and add its code to the snippet; an empty string if it has none."""
        code = self._without_dropped(cell.code, number)
        if not code.strip():
            return ""
        self.result.blocks += 1
        section = f"cell_{self.result.blocks}"
        # `pymdownx.snippets` drops these semicolons.
        escaped = SECTION_MARKER.sub(r"\1;", DIRECTIVE.sub(r"\g<0>;", code))
        separator = "\n" if self.result.snippet else ""
        self.result.snippet += f"{separator}# --8<-- [start:{section}]\n{escaped}\n# --8<-- [end:{section}]\n"
        if escaped != code:
            self._note(number, f"`--8<--` in its code is `;--8<--` in {self.name}.py; the page runs it as it was")
        if _is_changed_by_markdown(code):
            self._note(number, "Markdown changes tabs or blank lines in its strings; write `\\t` or `\\n`")
        options, shown = _options(cell), ""
        if (escaped != code or LONGEST_FENCE in code) and (show := options.get("show", "all")) in SHOWN_APART:
            options["show"], shown = SHOWN_APART[show], write_code(code, "python")
        if shown and "skip" in options:
            return shown
        words = " ".join(f'{name}="{value}"' for name, value in options.items())
        fence, directive = fence_around(code), f'--8<-- "{self.name}.py:{section}"'
        block = f'{fence}python exec="on" session="{self.name}" {words}\n{directive}\n{fence}'
        return f"{shown}\n\n{block}" if shown else block

    def _note(self, number: int, note: str) -> None:
        if (line := f"cell {number}: {note}") not in self.result.notes:
            self.result.notes.append(line)

    def _picture(self, url: str, cell: TextCell, number: int) -> str | None:
        """Return the address by which the page shows a picture; note one that is left out."""
        if REMOTE.match(url):
            return url
        link = unquote(re.split("[?#]", unescape(url), maxsplit=1)[0])
        attached = link.startswith("attachment:")
        content = cell.attachments.get(link.removeprefix("attachment:")) if attached else self.read_picture(link)
        if content is None:
            where = "attached" if attached else f"beside {self.source}"
            self._note(number, f"the picture {link.removeprefix('attachment:'):.100} is not {where}")
            return None
        kind = next((kind for kind, start in PICTURES.items() if start.match(content)), None)
        if kind is None:
            self._note(number, f"left out {link:.100}, which is no PNG, JPEG, GIF or WebP; SVG may contain scripts")
            return None
        pictures = self.result.pictures
        known = (name for name, other in pictures.items() if other == content)
        name = next(known, f"picture-{len(pictures) + 1}.{kind}")
        pictures[name] = content
        return f"{self.name}_files/{name}"

    def _without_dropped(self, code: str, number: int) -> str:
        """Return code without the lines that mean nothing on a page; note them, and the magics that stay."""
        kept = []
        for line in re.sub(r"\r\n?", "\n", code).split("\n"):
            if INSTALLING.match(line):
                self._note(number, f"left out `{line.strip()}`; install it in the environment of the site")
            elif not line.strip().startswith(IDLE_MAGICS):
                kept.append(line)
        rest = "\n".join(kept).strip("\n")
        if match := MAGIC.search(rest):
            line = rest[match.start() :].strip().split("\n")[0]
            needs = f"`{line}` in cell {number} needs the setting `{MAGICS_SETTING}`"
            self.result.settings.setdefault(MAGICS_SETTING, needs)
        return rest


def _is_changed_by_markdown(code: str) -> bool:
    """Return whether code means something else once Python-Markdown has normalized its white space."""
    text = re.sub(r"(?<=\n) +\n", "\n", re.sub(r"[\x02\x03]", "", code).expandtabs(4))
    if text == code:
        return False
    # It has magics, or fails when it runs:
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.dump(ast.parse(text)) != ast.dump(ast.parse(code))
    return False


def _options(cell: CodeCell) -> dict[str, str]:
    is_name = len(cell.error) <= MAX_NAME and all(part.isidentifier() for part in cell.error.split("."))
    raises = cell.error if is_name else "Exception"
    options = {
        "source": "above",
        "show": next((SHOW_BY_TAG[tag] for tag in sorted(cell.tags) if tag in SHOW_BY_TAG), ""),
        "raises": raises if cell.error else "Exception" if "raises-exception" in cell.tags else "",
        "skip": "true" if "skip-execution" in cell.tags else "",
    }
    return {name: value for name, value in options.items() if value}
