"""Cut a page into cells, for a notebook or a script: prose in Markdown that every notebook shows, and blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import msgspec

from codeout.model import prose
from codeout.model.blocks import ANNOTATION, HOLE, Block
from codeout.model.outputs import Run

REFERENCE = re.compile(rf"(?sm)^ *```.*?^ *```|`[^`\n]*`|{prose.REFERENCE.pattern}")  # or code, which stays as it is
HIDE_COMMENT = re.compile(r"[ \t]*# markdown-exec: hide[ \t]*$", re.MULTILINE)
FENCE = re.compile(r"^(?P<indent>[ >]*)(?P<fence>`{3,}|~{3,})")
ADMONITION = re.compile(r"""^(?P<indent>\s*)(?:!!!|\?\?\?\+?)\s+(?P<kind>[\w-]+)[^"]*(?:"(?P<title>[^"]*)")?\s*$""")
TAB = re.compile(r"""^(?P<indent>\s*)===[!+]?\s+"(?P<title>[^"]*)"\s*$""")
LINK = re.compile(r"(?<=\]\()(?P<page>[\w./-]*?)(?P<name>[\w-]+)\.md(?P<anchor>#[\w-]+)?(?=[)\s])")
ATTRIBUTES = re.compile(r"\s?\{:?\s*[.#][^{}\n]*\}")
FILLED_IN = re.compile(r'^<div class="codeout-[\w-]+"></div>$')
"""What a site fills in when it is built: a list of all outputs, for instance."""
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What a notebook or a script is made from."""

    text: str
    """The Markdown of the page as it was converted, with `HOLE` and a number in place of each block."""
    blocks: Sequence[Block]
    runs: Sequence[Run]
    modules: Mapping[str, str] = msgspec.field(default_factory=dict)
    """The site's own modules that blocks import: name → source."""
    prelude: str = ""
    """The script that runs first in every session."""
    site_url: str = ""
    """URL of the published site, ending in a slash; links to other pages lead there."""
    gpu: bool = False
    """Whether a block uses a GPU if there is one."""


class Cell(msgspec.Struct, frozen=True):
    """Prose, or the code of a block with its run."""

    text: str
    """Markdown or Python."""
    block: Block | None = None
    run: Run | None = None


def split_page(page: Page) -> Iterator[Cell]:
    """Yield the prose and the blocks of a page, in order. Cells contain the code that ran, hidden lines included."""
    text = portable_markdown(page.text, page.site_url)
    for number, part in enumerate(re.split(rf"^.*{HOLE}\d+$", text, flags=re.MULTILINE)):
        prose_markdown = re.sub(r"\A[>\s]*\n|[>\s]*\Z", "", part)
        if prose_text := REFERENCE.sub(partial(_value_text, runs=page.runs, blocks_above=number), prose_markdown):
            yield Cell(prose_text)
        if number < len(page.blocks):
            yield Cell(exported_code(page.blocks[number].code), page.blocks[number], page.runs[number])


def imported_modules(code: str, modules: Mapping[str, str]) -> dict[str, str]:
    """Return those of some modules that code imports by name, or that these import; name → source."""
    names: set[str] = set()
    texts = [code]
    while texts:
        text = texts.pop()
        for name, source in modules.items():
            if name not in names and re.search(rf"^[ \t]*(?:import|from)\b.*\b{re.escape(name)}\b", text, re.MULTILINE):
                names.add(name)
                texts.append(source)
    return {name: modules[name] for name in modules if name in names}


def exported_code(code: str) -> str:
    """Return code without what only the site understands: annotations become comments, their text follows as prose."""
    return HIDE_COMMENT.sub("", ANNOTATION.sub(r"# (\1)", code)).strip("\n")


def _value_text(match: re.Match[str], runs: Sequence[Run], blocks_above: int) -> str:
    """Return the value that `{name:format}` refers to; the text itself where it is code, or refers to nothing."""
    value = prose.find_value(match["name"], runs[:blocks_above], runs[blocks_above:]) if match["name"] else None
    return match[0] if value is None else value.marked((match["format"] or "")[1:])


def portable_markdown(text: str, site_url: str = "") -> str:
    """Return Markdown in which admonitions are quotations, tabs are titles, and links lead to the published site.

    The address of the site ends in a slash; without it, links stay as they are.
    """
    converter = _Converter(site_url=site_url)
    for line in COMMENT.sub("", text).split("\n"):
        converter.add(line)
    markdown = re.sub(r"(?m)^[> ]*>$\n(?=[^>])", "\n", "\n".join(converter.lines))  # a box ends before a blank line
    return re.sub(r"(?m)^([> ]*)$(?:\n^\1$)+", r"\1", markdown)  # one blank line is enough


class _Converter(msgspec.Struct, kw_only=True):
    """Converts a page line by line."""

    site_url: str
    lines: list[str] = msgspec.field(default_factory=list)
    boxes: list[tuple[int, str]] = msgspec.field(default_factory=list)
    """Open admonitions and tabs, outermost first: the column of their content, and what precedes it when converted."""
    closing: str = ""
    """What closes the open code fence; empty outside of one."""

    def add(self, line: str) -> None:
        """Convert the next line."""
        column = len(line) - len(line.lstrip())
        while self.boxes and line.strip() and column < self.boxes[-1][0]:
            self.boxes.pop()
        content_column, prefix = self.boxes[-1] if self.boxes else (0, "")
        content = line[content_column:]
        if self.closing or FENCE.match(content):
            self._add_code(prefix, content)
        elif match := ADMONITION.match(line) or TAB.match(line):
            self._open_box(prefix, match)
        else:
            self.lines.append((prefix + self._convert_line(content)).rstrip())

    def _add_code(self, prefix: str, content: str) -> None:
        if not self.closing and (match := FENCE.match(content)):
            self.closing = match["fence"]
        elif content.strip() == self.closing:
            self.closing = ""
        self.lines.append(prefix + content)

    def _open_box(self, prefix: str, match: re.Match[str]) -> None:
        """Add the title of an admonition or a tab."""
        quote = prefix + ("> " if match.re is ADMONITION else "")
        title = match["title"] if match["title"] is not None else match["kind"].capitalize()
        if self.lines and self.lines[-1].startswith(quote.rstrip()) and not self.lines[-1].strip("> "):
            self.lines[-1] = prefix.rstrip()  # a box below a box is a quotation of its own
        self.lines += [f"{quote}**{title}**", quote.rstrip()]
        self.boxes.append((len(match["indent"]) + 4, quote))

    def _convert_line(self, line: str) -> str:
        if FILLED_IN.match(line):
            return "*Not shown here: a table that only the site has.*"
        line = ATTRIBUTES.sub("", line)
        return LINK.sub(self._absolute, line) if self.site_url else line

    def _absolute(self, link: re.Match[str]) -> str:
        page = "" if link["name"] == "index" else f"{link['name']}/"
        return f"{self.site_url}{link['page']}{page}{link['anchor'] or ''}"
