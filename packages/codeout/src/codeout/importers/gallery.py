"""Read the scripts of sphinx-gallery: a docstring with a title, and comments in reStructuredText between the code.

The text becomes Markdown: headings, links, roles, literals, and common directives. What is not known stays as it is, so
that a reader of the page sees it and can mend it.
"""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path

from codeout.errors import PageError
from codeout.importers.pages import Cell, CodeCell, TextCell

SEPARATOR = re.compile(r"^#(\s*%%.*|#{19,}\s*)$")
"""The line above a text: `# %%`, or at least twenty number signs."""
TITLE = re.compile(r"^([=\-~#*^]{3,})?\s*\n?[^\n]+\n[=\-~#*^]{3,}\s*$", re.MULTILINE)
UNDERLINE = re.compile(r"^([=\-~^\"'#*+`:.])\1{2,}\s*$")
DIRECTIVE = re.compile(r"^(?P<indent>\s*)\.\. (?P<name>[\w-]+)::[ ]?(?P<argument>.*)$")
FIELD = re.compile(r"^\s*:[\w-]+:")
ADMONITIONS = ("note", "warning", "tip", "important", "hint", "caution", "danger", "seealso", "admonition", "topic")
DROPPED = ("contents", "currentmodule", "meta", "tags", "highlight", "include", "index", "container")
INLINE = (
    (re.compile(r"``([^`\n]+(?:\n[^`\n]+)?)``"), r"`\1`"),
    (re.compile(r":math:`([^`]+)`"), r"$\1$"),
    (re.compile(r":(?:\w+:)?\w+:`~?([^`<]*?)\s*<[^`>]+>`"), r"`\1`"),
    (re.compile(r":(?:\w+:)?\w+:`!?~(?:[\w.]*\.)?(\w+)`"), r"`\1`"),
    (re.compile(r":(?:\w+:)?\w+:`([^`]+)`"), r"`\1`"),
    (re.compile(r"`([^`<]+?)\s*<([^`>]+)>`__?"), r"[\1](\2)"),
)
TARGET = re.compile(r"^\.\. _([^:`]+|`[^`]+`):\s*(\S.*)?$")


def is_gallery_script(text: str) -> bool:
    """Return whether a script begins with a docstring that has a title, as sphinx-gallery demands."""
    try:
        docstring = ast.get_docstring(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError):
        return False
    return bool(docstring and TITLE.search(docstring))


def read_gallery_script(path: Path) -> list[Cell]:
    """Return the cells of a script.

    Raises:
        PageError: it is not valid Python.
    """
    text = path.read_text(encoding="utf8")
    try:
        tree = ast.parse(text)
    except SyntaxError as problem:
        raise PageError(f"{path}:{problem.lineno or 1}: not valid Python: {problem.msg}") from problem
    docstring = ast.get_docstring(tree)
    start = 0 if docstring is None else tree.body[0].end_lineno
    parts, is_in_text = [((docstring or "").split("\n"), list[str]())], False  # each has lines of text, and of code
    for line in text.split("\n")[start:]:
        if SEPARATOR.match(line):
            heading = line.partition("%%")[2].strip()
            parts.append(([heading, "-" * len(heading), ""] if heading else [], []))
            is_in_text = True
        elif is_in_text and line.startswith("#"):
            parts[-1][0].append(line.removeprefix("#").removeprefix(" "))
        else:
            parts[-1][1].append(line)
            is_in_text = False
    cells, levels = list[Cell](), list[str]()
    for text_lines, code_lines in parts:
        if any(text_lines):
            cells.append(TextCell(to_markdown("\n".join(text_lines), levels)))
        if code := "\n".join(code_lines).strip("\n"):
            cells.append(CodeCell(code))
    return cells


def to_markdown(text: str, levels: list[str] | None = None) -> str:
    """Return the Markdown for a text in reStructuredText; styles of headings are appended to `levels`, top first."""
    levels = [] if levels is None else levels
    blocks, targets = list[str](), dict[str, str]()
    lines = text.expandtabs().split("\n")
    number = 0
    while number < len(lines):
        line, after, below = [*lines[number : number + 3], "", ""][:3]
        if after.strip() and UNDERLINE.match(line) and UNDERLINE.match(below):
            blocks.append(_heading(after, "over" + line[0], levels))
            number += 3
        elif _is_title(line, after):
            blocks.append(_heading(line, after[0], levels))
            number += 2
        elif target := TARGET.match(line):
            if target[2]:
                targets[target[1].strip("`").lower()] = target[2].strip()
            number += 1
        elif directive := DIRECTIVE.match(line):
            body, number = _indented(lines, number + 1, len(directive["indent"]))
            blocks.append(_directive(directive["name"], directive["argument"].strip(), body))
        elif line.rstrip().endswith("::") and not line.lstrip().startswith(".."):
            blocks.append(_inline(re.sub(r"\s*::$", "" if line.strip() == "::" else ":", line.rstrip())))
            body, number = _indented(lines, number + 1, len(line) - len(line.lstrip()))
            blocks.append(_fence("\n".join(body), "python") if any(body) else "")
        elif line.startswith(".. "):  # a comment
            _, number = _indented(lines, number + 1, 0)
        else:
            paragraph, number = _paragraph(lines, number)
            blocks.append(_inline(paragraph))
    markdown = "\n".join(blocks)
    for name, url in targets.items():
        pattern = rf"(?i)`({re.escape(name)})`_\b|\b({re.escape(name)})_\b"
        markdown = re.sub(pattern, rf"[\1\2]({url})", markdown)
    return re.sub(r"\n{3,}", "\n\n", markdown).strip()


def _is_title(line: str, after: str) -> bool:
    return bool(line.strip()) and not line.startswith(" ") and UNDERLINE.match(after) is not None


def _heading(title: str, style: str, levels: list[str]) -> str:
    if style not in levels:
        levels.append(style)
    return f"{'#' * min(levels.index(style) + 1, 6)} {_inline(title.strip())}\n"


def _paragraph(lines: list[str], number: int) -> tuple[str, int]:
    """Return the lines up to the next one that begins something else."""
    paragraph = [lines[number]]
    number += 1
    while number < len(lines) and lines[number - 1].strip():
        line, after = [*lines[number : number + 2], ""][:2]
        if _is_title(line, after) or DIRECTIVE.match(line) or TARGET.match(line) or line.rstrip().endswith("::"):
            break
        paragraph.append(line)
        number += 1
    return "\n".join(paragraph), number


def _indented(lines: list[str], number: int, indent: int) -> tuple[list[str], int]:
    """Return the lines that are indented more than a directive, without that, and the number of the next one."""
    body = []
    for line in lines[number:]:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        body.append(line)
    number += len(body)
    return textwrap.dedent("\n".join(body)).strip("\n").split("\n"), number


def _directive(name: str, argument: str, body: list[str]) -> str:
    options = [line for line in body if FIELD.match(line)]
    content = "\n".join(line for line in body if not FIELD.match(line)).strip("\n")
    if name in DROPPED:
        return ""
    if name == "math":
        return f"$$\n{argument or content}\n$$\n"
    if name in ("code-block", "code", "sourcecode", "parsed-literal", "prompt"):
        return _fence(content, argument or "text")
    if name in ("image", "figure"):
        alt = next((line.partition(":alt:")[2].strip() for line in options if ":alt:" in line), "")
        return f"![{alt}]({argument})\n" + (f"\n{to_markdown(content)}\n" if content else "")
    if name in ADMONITIONS:
        title = f' "{argument}"' if name in ("admonition", "topic") and argument else ""
        first = "" if title else argument
        kind = {"seealso": "info", "topic": "note", "admonition": "note", "important": "warning"}.get(name, name)
        text = to_markdown(f"{first}\n{content}")
        return f"!!! {kind}{title}\n\n{textwrap.indent(text, '    ')}\n"
    return _fence("\n".join([f".. {name}:: {argument}", *(f"   {line}".rstrip() for line in body)]), "rst")


def _fence(text: str, language: str) -> str:
    return f"\n```{language}\n{text}\n```\n"


def _inline(text: str) -> str:
    for pattern, replacement in INLINE:
        text = pattern.sub(replacement, text)
    return text
