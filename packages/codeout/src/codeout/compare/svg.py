"""Pictures from elsewhere that may stand inside a page: they show something, and can do nothing else.

Text in; a reason, or none, out.

What is not known to be harmless is refused: elements, attributes and properties of styles are lists of what charts
need.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree

from codeout.model.mime import SVG_NAMESPACE as SVG
from codeout.model.mime import UNIVERSAL_RULE

ELEMENTS = {
    *("g", "defs", "use", "title", "desc", "style", "text", "tspan", "image", "clipPath"),
    *("path", "rect", "circle", "ellipse", "line", "polyline", "polygon"),
    *("linearGradient", "radialGradient", "stop"),
}
WORDS = ("title", "desc", "style")  # elements that hold text, and no elements
# Space is matched in one place between two steps, so that a wrong one is refused as soon as a right one is taken.
TRANSFORM = re.compile(r"(?:[\s,]*(?:matrix|translate|scale|rotate|skewX|skewY)\([\d\s.,e+-]{1,200}\))*[\s,]*")
FORMATS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
}  # Pillow's names; it starts programs for others
PIXELS = 4_000_000  # of a picture
SCANS = 100  # of a JPEG; an ordinary one has at most ten, and each takes its time
ROOT = {"viewBox", "width", "height", "version", "role", "aria-label", "preserveAspectRatio"}
ATTRIBUTES = {
    *("id", "d", "x", "y", "x1", "y1", "x2", "y2", "dx", "dy", "cx", "cy", "r", "rx", "ry", "fx", "fy", "points"),
    *("width", "height", "href", "transform", "style", "clip-path", "clipPathUnits", "gradientUnits", "offset"),
    *("gradientTransform", "preserveAspectRatio", "textLength", "lengthAdjust", "space", "type"),
}
PROPERTIES = {
    *("fill", "fill-opacity", "fill-rule", "clip-rule", "stroke", "stroke-width", "stroke-opacity", "stroke-linecap"),
    *("stroke-linejoin", "stroke-dasharray", "stroke-dashoffset", "stroke-miterlimit", "opacity", "color"),
    *("font", "font-family", "font-size", "font-style", "font-weight", "font-stretch", "font-variant"),
    *("text-anchor", "dominant-baseline", "stop-color", "stop-opacity", "letter-spacing"),
    *("image-rendering", "shape-rendering"),
}
VALUE = re.compile(r"[\w\s.,#%+'\"-]*|(?:rgba?|hsla?)\([\d\s.,%]*\)|url\(#[\w.-]+\)")
NUMBER = re.compile(r"-?\d{1,4}(?:\.\d{1,12})?(?:pt|px)?")
PICTURE = re.compile(r"data:(?P<mime>image/(?:png|jpeg));base64,(?P<data>[A-Za-z0-9+/=\s]*)")
SPACES = ("", "{http://www.w3.org/1999/xlink", "{http://www.w3.org/XML/1998/namespace")  # of attributes
HERE = re.compile(r"#[\w.-]+")  # a reference within the picture
DECLARATIONS = ("ENTITY", "ATTLIST", "ELEMENT", "NOTATION")  # a few bytes of them can stand for any number
LONG_SPACE = re.compile(r"xmlns[^=<>]{0,80}=\s{0,9}(?:\"[^\"]{200}|'[^']{200})")  # it stands in each element's name
DEEPEST = 60  # elements inside each other
MOST = 50_000  # elements, and what is drawn by reference counts each time
TALLEST = 8.0  # times as high as wide


class Refused(Exception):
    """Something from elsewhere is not as it must be; the message says what."""


def check(text: str) -> None:
    """Check that SVG only draws: no script, no link, nothing from elsewhere, nothing outside of its own frame.

    Raises:
        Refused: it could do more, or is none.
    """
    if any(f"<!{each}" in text for each in DECLARATIONS):
        raise Refused("has SVG with entities or rules of its own")
    if LONG_SPACE.search(text):
        raise Refused("has SVG with a name space of more than 200 characters")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 (its size is limited, and it has no entities)
    except (ElementTree.ParseError, ValueError) as problem:
        raise Refused("has SVG that can't be read") from problem
    if root.tag != f"{{{SVG}}}svg":
        raise Refused("has SVG that does not begin with <svg>")
    for name, value in root.attrib.items():
        if name not in ROOT:
            raise Refused(f"has SVG with {name!r} at its root")
        known = {"width": NUMBER, "height": NUMBER, "role": re.compile("img")}.get(name)
        if known and not known.fullmatch(value):
            raise Refused(f"has SVG with {name}={value[:40]!r}")
    _frame(root.get("viewBox", ""), root.get("width"), root.get("height"))
    drawn = list(_drawn(root))
    for element in drawn:
        _element(element)
    _references(drawn)


def _frame(box: str, wide: str | None, high: str | None) -> None:
    """Check that the frame of a picture is one that a page has room for."""
    numbers = box.replace(",", " ").split()
    if len(numbers) != 4 or not all(NUMBER.fullmatch(number) for number in numbers):
        raise Refused(f"has SVG with viewBox={box[:40]!r}")
    width, height = float(numbers[2]), float(numbers[3])
    if width <= 0 or not 0 < height <= TALLEST * width:
        raise Refused(f"has SVG with viewBox={box[:40]!r}, for which a page has no room")
    if (wide is None) != (high is None):
        raise Refused("has SVG with a width or a height, and not both")
    if wide and high and not 0 < float(high.rstrip("ptx")) <= TALLEST * float(wide.rstrip("ptx")):
        raise Refused(f"has SVG with width={wide!r} and height={high!r}, for which a page has no room")


def _drawn(root: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """Yield the elements of a drawing below its root, but for what it says of itself: that is not shown.

    Raises:
        Refused: there are too many, or too many inside each other.
    """
    waiting = [(part, 1) for part in root if part.tag != f"{{{SVG}}}metadata"]
    count = 0
    while waiting:
        element, depth = waiting.pop()
        count += 1
        if depth > DEEPEST or count > MOST:
            raise Refused(f"has SVG with more than {MOST:,} elements, or {DEEPEST} inside each other")
        yield element
        waiting += [(part, depth + 1) for part in element]


def _element(element: ElementTree.Element) -> None:
    space, _, name = element.tag.rpartition("}") if isinstance(element.tag, str) else ("", "", "comment")
    if space != f"{{{SVG}" or name not in ELEMENTS:
        raise Refused(f"has SVG with <{name[:40]}>")
    if name in WORDS and len(element):
        raise Refused(f"has SVG with elements in <{name}>")
    if name == "style":
        rule = UNIVERSAL_RULE.fullmatch(element.text or "")
        if rule is None or not _harmless(rule[1]):
            raise Refused("has SVG with a style that would reach the page")
    for full, value in element.attrib.items():
        space, _, attribute = full.rpartition("}")
        if space not in SPACES or (space and attribute not in ("href", "space")):
            raise Refused(f"has SVG with an attribute of another language: {attribute[:40]!r}")
        _attribute(name, attribute, value)


def _attribute(element: str, name: str, value: str) -> None:
    if name == "style":
        harmless = _harmless(value)
    elif name == "href" and element == "image":
        harmless = bool(inside := PICTURE.fullmatch(value))
        if inside:
            picture(inside["mime"], inside["data"])
    elif name == "href":
        harmless = element == "use" and bool(HERE.fullmatch(value))
    elif name == "transform":
        harmless = bool(TRANSFORM.fullmatch(value))
    elif name in PROPERTIES or name == "clip-path":
        harmless = bool(VALUE.fullmatch(value))
    else:
        harmless = name in ATTRIBUTES and "(" not in value
    if not harmless:
        raise Refused(f"has SVG with {name[:40]}={value[:40]!r}")


def _harmless(style: str) -> bool:
    """Return whether a style sets nothing but how something is drawn."""
    for declaration in style.split(";"):
        name, _, value = declaration.partition(":")
        if declaration.strip() and (name.strip() not in PROPERTIES or not VALUE.fullmatch(value.strip())):
            return False
    return True


def _references(drawn: list[ElementTree.Element]) -> None:
    """Check that what is drawn by reference stays small, and does not itself draw by reference.

    Raises:
        Refused: it grows too much.
    """
    named = {name: element for element in drawn if (name := element.get("id"))}
    if len(named) != sum(1 for element in drawn if element.get("id")):
        raise Refused("has SVG with two elements of one name")  # which of them is meant is not sure
    uses = f"{{{SVG}}}use"
    asked = Counter(_target(value) for element in drawn for name, value in element.attrib.items() if _points(name))
    total = 0
    for name, times in asked.items():
        if name in named:
            inside = list(named[name].iter())
            total += times * len(inside)
            if any(part.tag == uses or part.get("clip-path") for part in inside):
                raise Refused("has SVG that draws by reference in what is drawn by reference")
    if total > MOST:
        raise Refused(f"has SVG that draws more than {MOST:,} elements by reference")


def _points(name: str) -> bool:
    return name.endswith("href") or name == "clip-path"


def _target(value: str) -> str:
    """Return the name that `#name` or `url(#name)` points at."""
    return value.strip().removeprefix("url(").removesuffix(")").removeprefix("#")


def picture(mime: str, data: str) -> None:
    """Check that a picture in base64 is one, of its type, and not too large to be opened.

    Raises:
        Refused: it is not.
    """
    from PIL import Image  # it comes with matplotlib; without pictures it is not needed

    try:
        content = base64.b64decode("".join(data.split()), validate=True)
        if mime == "image/jpeg" and content.count(b"\xff\xda") > SCANS:
            raise Refused(f"has {mime} with more than {SCANS} scans")
        shown = Image.open(io.BytesIO(content), formats=[FORMATS[mime]])
        if shown.width * shown.height > PIXELS:
            raise Refused(f"has {mime} of more than {PIXELS:,} pixels")
        shown.load()
    except (binascii.Error, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as problem:
        raise Refused(f"has {mime} that is none") from problem
