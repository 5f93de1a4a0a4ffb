"""Write the text of a notebook so that it stays text: a page shows what Jupyter shows, and nothing in it acts.

Plugins that include files or run templates read a page before Markdown does, and do not care what is code. So what they
act on is spelled differently wherever it is, and code is written in one way, on which all parsers agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape

import msgspec

ITEM = re.compile(r" *(?:[-*+]|\d+\.) +(?=\S)")
FENCE = re.compile(r" *(?P<fence>`{3,}|~{3,})")
NO_PARAGRAPH = re.compile(r" *(?:#|>|\||<|\$\$|---|\*\*\*|```|~~~)")
LEVEL = 4
"""Columns by which Python-Markdown wants what is in a list to be indented."""
CONTAINER = re.compile(rf"{ITEM.pattern}|!!! |\?\?\?|=== |\[\^")
"""The beginning of a list, an admonition, a tab or a footnote: what is indented below is no code."""
OPENING = re.compile(
    r"(?P<prefix>[> \t]*)(?P<fence>`{3,}|~{3,})[ \t]*\{?[ \t]*\.?(?P<language>(?a:[\w+#-]*))(?P<options>.*)"
)
INERT_LANGUAGES = {
    **dict.fromkeys(("python", "py", "pyodide"), "python3"),
    **dict.fromkeys(("bash", "sh"), "shell"),
    **dict.fromkeys(("md", "markdown", "tree"), "text"),
    "pycon": "python-console",
    "console": "shell-session",
}
"""Languages whose fences markdown-exec runs (`tree` and `pyodide` always, others if MARKDOWN_EXEC_AUTO has them) →
other names, by which they are highlighted alike."""
TEMPLATE = re.compile(r"\{[{%!#]|8<-")
"""What is replaced in code as well: by templates, and by snippets."""
JAVASCRIPT = r"(?i:" + r"\s*".join("javascript") + r")\s*(?=:)"
ACTIVE = re.compile(
    r"\{(?=[{%!#])|<(?=[A-Za-z/!?-])|&(?!(?:lt|gt|amp);)(?=[#\w])|(?i:\bon\w+)(?==)|:(?=::)|/(?=//)|`(?=``)|~(?=~~)|"
    + JAVASCRIPT
)
"""What could act if code or a formula were taken for text: templates, HTML, blocks, fences, links."""
TAGS = (
    *("a", "abbr", "b", "big", "blockquote", "br", "caption", "center", "cite", "code", "dd", "del", "details", "dfn"),
    *("div", "dl", "dt", "em", "figcaption", "figure", "font", "h[1-6]", "hr", "i", "img", "ins", "kbd", "li", "mark"),
    *("ol", "p", "pre", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "summary", "sup", "table"),
    *("tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var"),
)
ATTRIBUTES = {
    *("align", "alt", "border", "cellpadding", "cellspacing", "class", "color", "colspan", "dir", "height", "href"),
    *("id", "lang", "name", "rowspan", "size", "src", "start", "style", "title", "valign", "width"),
}
VALUES = {
    "href": re.compile(r"(?i:https?:|mailto:).*|[^:]*"),
    "style": re.compile(r"(?!.*position)[\w\s:;#%.,!-]*"),
}
"""What HTML of a text may have; whatever else it has is shown as text, or left out."""
ATTRIBUTE = re.compile(
    r"""\s+(?P<name>[^\s"'<>/=]+)(?:\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"'=<>`]+)))?"""
)
NOT_IN_CODE, NOT_IN_VALUES = re.compile(r"[^\w ]|_"), re.compile(r"[^\w .,:;/?=%#-]")
"""Characters that are spelled as references, lest Markdown reads them: in code, and in the value of an attribute."""
_ANONYMOUS = re.sub(r"\?P<\w+>", "?:", ATTRIBUTE.pattern)
PARTS = re.compile(
    r"(?P<formula>\$\$.+?\$\$|\$[^$\n]+\$|\\begin\{(?P<environment>\w+\*?)\}.{0,5000}?\\end\{(?P=environment)\})"
    r"|(?P<kept>\\(?:[\\`*_}\[\]()>#+.!$|-]|\{(?![%!#]))|<https?://[^\s<>\"'`{}]*>|<[\w.+-]+@[\w.-]+>)"
    r"|(?P<comment><!--.{0,5000}?-->)"
    r"|(?P<ticks>`+)(?!`)(?P<code>[^\n]*?[^`\n])(?P=ticks)(?!`)"
    r"|!\[(?P<alt>[^\[\]]*)\]\(\s*(?:<(?P<long>[^<>\n]*)>|(?P<url>[^()\[\]<>\s]*))"
    rf"|<(?P<tag>/?(?i:{'|'.join(TAGS)}))(?P<attributes>(?:{_ANONYMOUS})*)\s*/?>"
    rf"|(?P<active>\{{[%!#]?|<(?![\s\d=])|&\#?\w+;?|(?<!:)///|:::|`{{3,}}|~{{3,}}|{JAVASCRIPT})",
    re.DOTALL,
)
"""What is more than text in Markdown; the first alternative that matches counts."""


class TextWriter(msgspec.Struct):
    """Writes the texts of one notebook."""

    picture: Callable[[str], str | None]
    """Returns the address by which the page shows a picture; None if it may not."""
    has_formulas: bool = False
    """Whether one of the texts had any."""

    def write(self, text: str) -> str:
        """Return Markdown that means to Python-Markdown what a text means to Jupyter, as far as it does not act."""
        # Python-Markdown drops or converts these characters when others have looked for fences and snippets already.
        text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", re.sub(r"\r\n?", "\n", text))
        parts = _split(indent_lists(text).split("\n"))
        return "\n".join(part if is_code else self._prose(part) for part, is_code in parts)

    def _prose(self, text: str) -> str:
        """Return text without fences, with what could act in it spelled otherwise."""
        return PARTS.sub(self._part, text)

    def _part(self, match: re.Match[str]) -> str:
        if match["formula"]:
            self.has_formulas = True
            return ACTIVE.sub(r"\g<0> ", match[0])  # a space means nothing to TeX
        if match["code"]:
            is_plain = len(match["ticks"]) < 3 and not ACTIVE.search(match["code"])
            return match[0] if is_plain else f"<code>{_spell(match['code'])}</code>"
        if match["alt"] is not None:
            return self._image(match)
        if match["tag"]:
            return f"<{match['tag'].lower()}{''.join(map(self._attribute, ATTRIBUTE.finditer(match['attributes'])))}>"
        if match["active"]:
            return _inert(match["active"])
        return match["kept"] or " "  # a comment

    def _image(self, match: re.Match[str]) -> str:
        url = match["url"] or match["long"] or ""
        address = self.picture(url)
        if address is None:
            return "\\!" + self._prose(match[0][1:])  # a link, which nothing embeds
        return "!" + self._prose(match[0][1:]) if address == url else f"![{self._prose(match['alt'])}]({address}"

    def _attribute(self, match: re.Match[str]) -> str:
        """Return an attribute of HTML, quoted; nothing if a page may not have it."""
        name = match["name"].lower()
        value = " ".join(unescape(match["double"] or match["single"] or match["bare"] or "").split())
        if name not in ATTRIBUTES or (name in VALUES and not VALUES[name].fullmatch(value)):
            return ""
        address = self.picture(value) if name == "src" else value
        return "" if address is None else f' {name}="{_spell(address, NOT_IN_VALUES)}"'


def fence_around(code: str) -> str:
    """Return a fence that no line of some code closes."""
    return "`" * max(3, *(len(run) + 1 for run in re.findall("`+", code)), 3)


def write_code(code: str, language: str, prefix: str = "") -> str:
    """Return Markdown that shows some code, which may be anything, and does not run it.

    The prefix precedes each line: the indentation of a list, the marks of a quotation.
    """
    if TEMPLATE.search(code):
        return f"{prefix}<pre><code>{_spell(code)}</code></pre>"
    fence = fence_around(code)
    lines = (fence + INERT_LANGUAGES.get(language.lower(), language), *code.split("\n"), fence)
    return "\n".join((prefix + line).rstrip() for line in lines)


class _Code(msgspec.Struct, frozen=True):
    markdown: str
    """What a page has in its place."""
    end: int
    """The index of the line below."""
    is_indented: bool = False
    """Whether it may be part of a list."""


def _split(lines: list[str]) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a text, each with whether it is code, which is written as a page may have it."""
    prose, number, is_inside = list[str](), 0, False
    while number < len(lines):
        line = lines[number]
        code = _fence(lines, number) or (None if is_inside else _indented_code(lines, number))
        if code is None:
            if line.strip() and not line.startswith(" "):
                goes_on = is_inside and bool(lines[number - 1].strip())  # without being indented
                is_inside = bool(CONTAINER.match(line)) or goes_on
            prose.append(line)
            number += 1
            continue
        if prose:
            yield "\n".join(prose), False
            prose = []
        yield code.markdown, True
        number, is_inside = code.end, is_inside and code.is_indented
    if prose:
        yield "\n".join(prose), False


def _fence(lines: list[str], start: int) -> _Code | None:
    """Return the fenced code that begins with a line, if any does; it ends with its list item, quotation or text."""
    match = OPENING.fullmatch(lines[start])
    if match is None or (match["fence"][0] == "`" and "`" in match["options"]):  # that would be code in running text
        return None
    prefix, is_quoted = match["prefix"].expandtabs(LEVEL), ">" in match["prefix"]
    before = re.compile(rf"[{'> ' if is_quoted else ' '}]{{0,{len(prefix)}}}")
    closing = re.compile(rf" {{0,3}}{match['fence']}{match['fence'][0]}*\s*")
    body, end, column = list[str](), start + 1, len(prefix) // LEVEL * LEVEL
    is_inside = re.compile(r"\s*>" if is_quoted else rf"\s*$| {{{column}}}")
    while end < len(lines) and is_inside.match(lines[end]):
        line = before.sub("", lines[end], count=1)
        end += 1
        if closing.fullmatch(line):
            break
        body.append(line)
    return _Code(write_code("\n".join(body), match["language"], prefix), end, prefix.startswith(" "))


def _indented_code(lines: list[str], start: int) -> _Code | None:
    """Return the indented code that begins with a line, if any does."""
    is_below_text = start > 0 and bool(lines[start - 1].strip())
    if is_below_text or not lines[start].strip() or not lines[start].startswith(" " * LEVEL):
        return None
    end = start
    while end < len(lines) and (not lines[end].strip() or lines[end].startswith(" " * LEVEL)):
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    return _Code(write_code("\n".join(line[LEVEL:] for line in lines[start:end]), ""), end)


def _spell(text: str, characters: re.Pattern[str] = NOT_IN_CODE) -> str:
    """Return text in which some characters are character references."""
    return characters.sub(lambda match: f"&#{ord(match[0])};", text)


def _inert(active: str) -> str:
    """Return what could act in running text, spelled so that it does not."""
    match active[0]:
        case "{":
            return "\\{" if active == "{" else _spell(active)
        case "&":
            # A letter or a colon that is spelled this way hides the scheme of an address.
            plain = unescape(active)
            is_hidden = plain.isascii() and (plain.isalnum() or plain.isspace() or plain == ":")
            return f"&amp;{active[1:]}" if is_hidden else active
        case "<":
            return "&lt;"
        case "j" | "J":
            return f"{active} "
        case _:
            return _spell(active)


def indent_lists(text: str) -> str:
    """Return Markdown whose lists mean the same to Python-Markdown as they do to CommonMark."""
    writer = _ListWriter()
    for line in text.split("\n"):
        content = line.lstrip()
        writer.add(line.removesuffix(content).expandtabs(LEVEL) + content)
    return "\n".join(writer.lines)


class _ListWriter(msgspec.Struct):
    lines: list[str] = msgspec.field(default_factory=list)
    _levels: list[tuple[int, int]] = msgspec.field(default_factory=list)
    """Of the lists around a line: the columns of the marker and of the text of the last item."""
    _fence: str = ""
    """What has opened the code block around a line."""

    def add(self, line: str) -> None:
        indent = len(line) - len(line.lstrip())
        item = None if self._fence else ITEM.match(line)
        if not line.strip():
            self.lines.append("")
        elif item and (self._levels or indent < LEVEL):  # else it is indented code
            self._add_item(line, indent, item.end())
        else:
            self._add_other(line, indent)

    def _add_item(self, line: str, indent: int, text: int) -> None:
        while self._levels and indent < self._levels[-1][1]:
            self._levels.pop()  # beside the last item, or beside one around it
        above = self.lines[-1] if self.lines else ""
        is_in_list = self._levels or ITEM.match(above) or above.startswith(" " * LEVEL)
        # Python-Markdown takes an item below a code block for text.
        if FENCE.match(above) or (above.strip() and not above.startswith("#") and not is_in_list):
            self.lines.append("")
        self.lines.append(" " * (LEVEL * len(self._levels)) + line[indent:])
        self._levels.append((indent, text))

    def _add_other(self, line: str, indent: int) -> None:
        above = self.lines[-1] if self.lines else ""
        goes_on = above.strip() and not NO_PARAGRAPH.match(line)  # a paragraph, though it is not indented
        while self._levels and indent < self._levels[-1][1] and not self._fence and not goes_on:
            self._levels.pop()
        inside = self._levels[-1][1] if self._levels else 0
        self.lines.append(" " * (LEVEL * len(self._levels) + max(indent - inside, 0)) + line[indent:])
        if match := FENCE.match(line):
            is_end = self._fence and line.strip().startswith(self._fence) and not line.strip().strip(self._fence[0])
            self._fence = "" if is_end else self._fence or match["fence"]
