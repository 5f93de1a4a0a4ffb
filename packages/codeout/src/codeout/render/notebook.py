"""A page and its runs as a notebook that runs by itself, or as a script. Values in, text out."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from codeout.cache.environment import imports
from codeout.model import prose
from codeout.model.blocks import MARK, Block
from codeout.model.outputs import Error, Figure, Output, Provenance, Run, Stream, Value

HIDDEN = "# markdown-exec: hide"
FENCE = re.compile(r"^(?P<indent>[ >]*)(?P<fence>`{3,}|~{3,})")
FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
BOX = re.compile(r"""^(?P<indent>\s*)(?:!!!|\?\?\?\+?)\s+(?P<kind>[\w-]+)[^"]*(?:"(?P<title>[^"]*)")?\s*$""")
TAB = re.compile(r"""^(?P<indent>\s*)===[!+]?\s+"(?P<title>[^"]*)"\s*$""")
LINK = re.compile(r"(?<=\]\()(?P<page>[\w./-]*?)(?P<name>[\w-]+)\.md(?P<anchor>#[\w-]+)?(?=[)\s])")
ATTRIBUTES = re.compile(r"\s?\{:?\s*[.#][^{}\n]*\}")
VALUE = re.compile(rf"(?s)^ *```.*?^ *```|`[^`\n]*`|{prose.NAMED.pattern}", re.MULTILINE)  # code is left as it is
HOLE = "\0"  # stands where a block was, while prose is made readable
ELSEWHERE = "*What stands here is made for the page in the browser.*"  # for a block whose code is hidden whole
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """What a notebook is made from."""

    text: str  # the Markdown, as written
    blocks: Sequence[Block]
    runs: Sequence[Run]
    modules: Mapping[str, str] = field(default_factory=dict)  # the author's own, that blocks import: name → source
    prelude: str = ""  # what ran first in every session
    url: str = ""  # of the site, ends in /; links to other pages lead there
    gpu: bool = False  # a GPU is worth having


@dataclass(frozen=True, slots=True)
class Cell:
    """Prose, or the code of a block with its run."""

    text: str
    block: Block | None = None
    run: Run | None = None


def notebook(page: Page) -> str:
    """Return a page as a notebook (nbformat 4.5) that runs from top to bottom with the packages alone.

    Written without the library: a build makes one at each edit of its prose, and importing the library takes longer
    than all the rest. `checked` has the library read what this writes.
    """
    cells = list(_setup(page))
    count = 0
    for cell in split(page):
        if cell.block is None or cell.run is None:
            cells.append(_markdown(cell.text))
            continue
        count += 1
        outputs = [_output(output, count) for output in cell.run.outputs]
        tags = {"tags": ["raises-exception"]} if cell.block.raises else {}
        cells.append(_code(cell.text, tags, count, outputs))
    if page.runs:
        cells.append(_markdown(_made(page.runs[-1].provenance)))
    metadata: Json = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python", "version": page.runs[-1].provenance.python if page.runs else "3"},
    }
    if page.gpu:  # what Google Colab reads
        metadata |= {"accelerator": "GPU", "colab": {"gpuType": "T4"}}
    numbered = [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells)]  # the same at each export
    made = {"cells": numbered, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(made, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def checked(text: str) -> str:
    """Return a notebook as it is, once `nbformat` has found it valid.

    Raises:
        nbformat.ValidationError: it is not, which is a mistake of ours.
    """
    import nbformat

    nbformat.validate(nbformat.reads(text, 4))
    return text


def script(page: Page) -> str:
    """Return a page as a script whose comments are its prose, in cells that editors know (`# %%`).

    A block whose code the page does not show is left out, unless something that is shown needs it.
    """
    apart = [number for number, block in enumerate(page.blocks) if not block.shown]
    cells = list(split(page, apart))
    parts = []
    if any(imports(cell.text) & {*page.modules} for cell in cells if cell.block):
        parts.append(f"# It needs these files beside it: {', '.join(f'{name}.py' for name in page.modules)}\n")
    if page.prelude:
        parts.append(f"# %%\n{without_hidden([page.prelude])[0]}\n")
    for cell in cells:
        comment = textwrap.indent(cell.text, "# ", lambda line: True).replace("# \n", "#\n")
        parts.append(f"# %%\n{cell.text}\n" if cell.block else f"# %% [markdown]\n{comment}\n")
    return "\n".join(parts)


def split(page: Page, apart: Sequence[int] = ()) -> Iterator[Cell]:
    """Yield the prose and the blocks of a page, in order; blocks that stand `apart` are hidden whole."""
    shown = without_hidden([block.code for block in page.blocks], apart)
    codes = [MARK.sub(r"# (\1)", code) for code in shown]  # the numbers of the notes, which follow as text
    lines = FRONT.sub(lambda match: "\n" * match[0].count("\n"), page.text).split("\n")
    for number in reversed(range(len(page.blocks))):  # from the last: what is above keeps its lines
        opening = page.blocks[number].place.line - 1
        indent = lines[opening][: len(lines[opening]) - len(lines[opening].lstrip())]
        lines[opening : _end(lines, opening) + 1] = [f"{indent}{HOLE}{number}"]
    parts = re.split(rf"^.*{HOLE}\d+$", readable("\n".join(lines), page.url), flags=re.MULTILINE)
    for above, part in enumerate(parts):
        text = VALUE.sub(partial(_value, runs=page.runs, above=above), part)
        text = re.sub(r"\A[>\s]*\n|[>\s]*\Z", "", text)
        if text:
            yield Cell(text)
        if above < len(codes) and codes[above]:
            yield Cell(codes[above], page.blocks[above], page.runs[above])
        elif above < len(codes) and page.runs[above].outputs:
            yield Cell(ELSEWHERE)


def _end(lines: Sequence[str], opening: int) -> int:
    """Return the place of the line that closes a fence."""
    match = FENCE.match(lines[opening])
    closing = re.compile(rf"^[ >]*{match['fence']}\s*$") if match else re.compile("$^")
    return next((n for n in range(opening + 1, len(lines)) if closing.match(lines[n])), len(lines) - 1)


def _value(match: re.Match[str], runs: Sequence[Run], above: int) -> str:
    value = prose.find(match["name"], runs, above) if match["name"] else None
    return match[0] if value is None else prose.formatted(value, (match["format"] or "")[1:])


def readable(text: str, url: str = "") -> str:
    """Return Markdown of MkDocs as every notebook shows it: boxes are quotations, links lead to the site."""
    text = COMMENT.sub("", text)
    lines: list[str] = []
    boxes: list[tuple[int, str]] = []  # (column of its content, what stands before it)
    closing = ""
    for line in text.split("\n"):
        column = len(line) - len(line.lstrip())
        while boxes and line.strip() and column < boxes[-1][0]:
            boxes.pop()
        before = boxes[-1][1] if boxes else ""
        bare = line[boxes[-1][0] :] if boxes else line
        if closing or FENCE.match(bare):
            match = FENCE.match(bare)
            closing = ("" if bare.strip() == closing else closing) if closing else (match["fence"] if match else "")
            lines.append(before + bare)
        elif found := BOX.match(line) or TAB.match(line):
            quote = before + ("> " if found.re is BOX else "")
            title = found["title"] if found["title"] is not None else found.groupdict().get("kind", "").capitalize()
            lines += [f"{quote}**{title}**", quote.rstrip()]
            boxes.append((len(found["indent"]) + 4, quote))
        else:
            lines.append((before + _line(bare, url)).rstrip())
    text = re.sub(r"(?m)^[> ]*>$\n(?=[^>])", "\n", "\n".join(lines))  # an empty line after a box is outside of it
    return re.sub(r"(?m)^([> ]*)$(?:\n^\1$)+", r"\1", text)  # one empty line is enough


def _line(line: str, url: str) -> str:
    line = ATTRIBUTES.sub("", line)
    if not url:
        return line

    def absolute(match: re.Match[str]) -> str:
        page = "" if match["name"] == "index" else f"{match['name']}/"
        return f"{url}{match['page']}{page}{match['anchor'] or ''}"

    return LINK.sub(absolute, line)


def without_hidden(codes: Sequence[str], apart: Sequence[int] = ()) -> list[str]:
    """Return codes that run one after the other, without the lines that a page hides; `apart` are hidden whole.

    A hidden statement stays if a line that is shown, or a hidden one that stays, uses a name that it alone binds. All
    lines of a block stay if the rest is no Python.
    """
    return [*_without_hidden(tuple(codes), frozenset(apart))]


@cache  # a notebook, its script and what both import are made of the same blocks
def _without_hidden(codes: Sequence[str], apart: Set[int]) -> tuple[str, ...]:
    statements = [
        _Statement(number, node, code, number in apart) for number, code in enumerate(codes) for node in _body(code)
    ]
    kept = [statement for statement in statements if not statement.hidden]
    waiting = list(kept)
    while waiting:
        user = waiting.pop()
        for statement in statements:
            if statement in kept or not statement.before(user) or not statement.binds & user.uses:
                continue
            names = statement.binds & user.uses
            if not any(other.binds & names and other.before(user) for other in statements if not other.hidden):
                kept.append(statement)
                waiting.append(statement)
    found = []
    for number, code in enumerate(codes):
        stay = {n for s in kept if s.block == number and s.hidden for n in s.lines}
        lines = code.split("\n")
        hides = number in apart and _parses(code)
        shown = [
            _bare(line)
            for n, line in enumerate(lines, start=1)
            if n in stay or not (hides or line.rstrip().endswith(HIDDEN))
        ]
        text = "\n".join(shown).strip("\n")
        found.append(text if _parses(text) else "\n".join(_bare(line) for line in lines).strip("\n"))
    return tuple(found)


class _Statement:
    """A statement of a block: the lines that it takes, the names that it binds, and those that it uses."""

    def __init__(self, block: int, node: ast.stmt, code: str, apart: bool = False) -> None:
        self.block = block
        self.lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        lines = code.split("\n")
        self.hidden = apart or all(lines[n - 1].rstrip().endswith(HIDDEN) for n in self.lines)
        names = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
        self.uses = {name.id for name in names if isinstance(name.ctx, ast.Load)}
        inner = {n for each in ast.walk(node) if isinstance(each, ast.comprehension) for n in ast.walk(each.target)}
        self.binds = {name.id for name in names if not isinstance(name.ctx, ast.Load) and name not in inner}
        for each in ast.walk(node):
            if isinstance(each, ast.Import | ast.ImportFrom):
                self.binds |= {(alias.asname or alias.name).split(".")[0] for alias in each.names}
            elif isinstance(each, ast.FunctionDef | ast.ClassDef):
                self.binds.add(each.name)

    def before(self, other: _Statement) -> bool:
        """Return whether it runs before another."""
        return (self.block, self.lines[0]) < (other.block, other.lines[0])


def _body(code: str) -> list[ast.stmt]:
    try:
        return ast.parse(code).body
    except SyntaxError:  # a block that shows one, with `raises`
        return []


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def _bare(line: str) -> str:
    return line.rstrip().removesuffix(HIDDEN).rstrip() if line.rstrip().endswith(HIDDEN) else line


def _markdown(text: str) -> Json:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def _code(text: str, metadata: Json, count: int | None = None, outputs: Sequence[Json] = ()) -> Json:
    told = {"metadata": metadata, "execution_count": count, "outputs": list(outputs)}
    return {"cell_type": "code", "source": text, **told}


def _setup(page: Page) -> Iterator[Json]:
    """Yield the cells that put in place what the blocks find on the site's own machine."""
    folded: Json = {"jupyter": {"source_hidden": True}, "cellView": "form"}
    if page.modules or page.prelude:
        yield _markdown("*The folded cells set up what all pages of the site share. Run them first.*")
    for name, source in page.modules.items():
        yield _code(f"%%writefile {name}.py\n{source}", folded)
    if page.prelude:
        yield _code(without_hidden([page.prelude])[0], folded)


def _output(output: Output, count: int) -> Json:
    match output:
        case Stream(name, text):
            return {"output_type": "stream", "name": name, "text": text}
        case Value(data):
            told = {"execution_count": count, "metadata": {}}
            return {"output_type": "execute_result", "data": _bundle(data), **told}
        case Figure(data, _):
            return {"output_type": "display_data", "data": _bundle(data), "metadata": {}}
        case Error(kind, message, traceback):
            lines = traceback.rstrip().split("\n")
            return {"output_type": "error", "ename": kind, "evalue": message, "traceback": lines}


def _bundle(data: Mapping[str, str]) -> dict[str, str]:
    """Return a MIME bundle whose pictures can be read on a dark page, too: theirs is white."""
    paper = r'\1<rect width="100%" height="100%" fill="white"/>'
    return {mime: re.sub(r"(<svg\b[^>]*>)", paper, part, count=1) for mime, part in data.items()}


def _made(provenance: Provenance) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in provenance.packages)
    sources = "".join(f" {source.name}: {source.note}." for source in provenance.sources)
    day = provenance.date.partition("T")[0]
    return f"*The outputs were made on {provenance.device}, Python {provenance.python}, {packages}, on {day}.{sources}*"
