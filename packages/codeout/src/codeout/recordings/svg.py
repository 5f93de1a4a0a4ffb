"""SVG from another machine that may become part of a page: it draws, and can do nothing else.

What is not known to be harmless is rejected: elements, attributes and style properties are allow-lists of what charts
need.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree

from codeout.model.mime import SVG_NAMESPACE, UNIVERSAL_RULE, XLINK_NAMESPACE
from codeout.recordings.limits import CONTROL, InvalidRecording, PictureBudget, check_image, require

ELEMENTS = {
    *("g", "defs", "use", "title", "desc", "style", "text", "tspan", "image", "clipPath"),
    *("path", "rect", "circle", "ellipse", "line", "polyline", "polygon"),
    *("linearGradient", "radialGradient", "stop"),
}
TEXT_ELEMENTS = ("title", "desc", "style")
"""Elements that hold text and no elements."""
ROOT_ATTRIBUTES = {"viewBox", "width", "height", "version", "role", "aria-label", "preserveAspectRatio"}
ATTRIBUTES = {
    *("id", "d", "x", "y", "x1", "y1", "x2", "y2", "dx", "dy", "cx", "cy", "r", "rx", "ry", "fx", "fy", "points"),
    *("width", "height", "href", "transform", "style", "clip-path", "clipPathUnits", "gradientUnits", "offset"),
    *("gradientTransform", "preserveAspectRatio", "textLength", "lengthAdjust", "space", "type"),
}
STYLE_PROPERTIES = {
    *("fill", "fill-opacity", "fill-rule", "clip-rule", "stroke", "stroke-width", "stroke-opacity", "stroke-linecap"),
    *("stroke-linejoin", "stroke-dasharray", "stroke-dashoffset", "stroke-miterlimit", "opacity", "color"),
    *("font", "font-family", "font-size", "font-style", "font-weight", "font-stretch", "font-variant"),
    *("text-anchor", "dominant-baseline", "stop-color", "stop-opacity", "letter-spacing"),
    *("image-rendering", "shape-rendering"),
}
ATTRIBUTE_NAMESPACES = (f"{{{XLINK_NAMESPACE}", "{http://www.w3.org/XML/1998/namespace")
# Whitespace is matched in one place between two steps, so that a wrong step fails as soon as a right one has matched.
TRANSFORM = re.compile(r"(?:[\s,]*(?:matrix|translate|scale|rotate|skewX|skewY)\([\d\s.,e+-]{1,200}\))*[\s,]*")
STYLE_VALUE = re.compile(r"[\w\s.,#%+'\"-]*|(?:rgba?|hsla?)\([\d\s.,%]*\)|url\(#[\w.-]+\)")
NUMBER = re.compile(r"-?\d{1,4}(?:\.\d{1,12})?")
LENGTH = re.compile(rf"{NUMBER.pattern}(?:pt|px)?")
EMBEDDED_IMAGE = re.compile(r"data:(?P<mime>image/(?:png|jpeg));base64,(?P<data>[A-Za-z0-9+/=\s]*)")
LOCAL_REFERENCE = re.compile(r"#[\w.-]+")
DECLARATIONS = ("ENTITY", "ATTLIST", "ELEMENT", "NOTATION")
"""A few bytes of them can expand to any number."""
LONG_NAMESPACE = re.compile(r"xmlns[^=<>]{0,80}=\s{0,9}(?:\"[^\"]{200}|'[^']{200})")
"""The parser repeats a namespace in the name of each element."""
MAX_DEPTH = 60
"""Of elements inside each other."""
MAX_ELEMENTS = 50_000
"""Of one document; likewise what it draws by reference, each time that it does."""
MAX_ASPECT_RATIO = 8.0
"""Height divided by width."""


def check_svg(text: str, budget: PictureBudget) -> None:
    """Check that SVG only draws: no script, no link, nothing from elsewhere, nothing outside of its own frame.

    Raises:
        InvalidRecording: it is malformed, too large, or could do more.
        CodeoutError: it contains a raster image, and Pillow is not installed.
    """
    root = _parse(text)
    _check_root(root)
    elements = list(_elements(root))
    budget.take_elements(len(elements))
    for element in elements:
        _check_element(element, budget)
    _check_references(elements)


def _parse(text: str) -> ElementTree.Element:
    require(not CONTROL.search(text), "control characters in SVG")
    has_declarations = any(f"<!{declaration}" in text for declaration in DECLARATIONS)
    require(not has_declarations, "SVG with entities or other declarations")
    require(not LONG_NAMESPACE.search(text), "SVG with a namespace of more than 200 characters")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 (its size is limited, and it has no entities)
    except (ElementTree.ParseError, ValueError) as problem:
        raise InvalidRecording("malformed SVG") from problem
    require(root.tag == f"{{{SVG_NAMESPACE}}}svg", "SVG whose root is not <svg>")
    return root


def _check_root(root: ElementTree.Element) -> None:
    for name, value in root.attrib.items():
        require(name in ROOT_ATTRIBUTES, f"SVG with {name[:40]!r} at its root")
        is_valid = LENGTH.fullmatch(value) if name in ("width", "height") else name != "role" or value == "img"
        require(is_valid, f"SVG with {name}={value[:40]!r}")
    _check_frame(root.get("viewBox", ""), root.get("width"), root.get("height"))


def _check_frame(view_box: str, width: str | None, height: str | None) -> None:
    """Check that a page has room for the frame of a picture."""
    numbers = view_box.replace(",", " ").split()
    frame = f"SVG with viewBox={view_box[:40]!r}"
    require(len(numbers) == 4 and all(map(NUMBER.fullmatch, numbers)), frame)
    require(_fits(float(numbers[2]), float(numbers[3])), f"{frame}, which is too large for a page")
    require((width is None) == (height is None), "SVG with only one of width and height")
    if width and height:
        fits = _fits(float(width.rstrip("ptx")), float(height.rstrip("ptx")))
        require(fits, f"SVG with width={width!r} and height={height!r}, which is too large for a page")


def _fits(width: float, height: float) -> bool:
    return 0 < height <= MAX_ASPECT_RATIO * width


def _elements(root: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """Yield the elements below the root, but for its metadata, which a page leaves out."""
    waiting = [(part, 1) for part in root if part.tag != f"{{{SVG_NAMESPACE}}}metadata"]
    count = 0
    while waiting:
        element, depth = waiting.pop()
        count += 1
        is_small = depth <= MAX_DEPTH and count <= MAX_ELEMENTS
        require(is_small, f"SVG with more than {MAX_ELEMENTS:,} elements, or nested deeper than {MAX_DEPTH}")
        yield element
        waiting += [(part, depth + 1) for part in element]


def _check_element(element: ElementTree.Element, budget: PictureBudget) -> None:
    namespace, _, name = element.tag.rpartition("}") if isinstance(element.tag, str) else ("", "", "comment")
    require(namespace == f"{{{SVG_NAMESPACE}" and name in ELEMENTS, f"SVG with <{name[:40]}>")
    require(name not in TEXT_ELEMENTS or not len(element), f"SVG with elements in <{name}>")
    if name == "style":
        rule = UNIVERSAL_RULE.fullmatch(element.text or "")
        require(rule and _is_harmless_style(rule[1]), "SVG with a style sheet that would affect the page")
    for full_name, value in element.attrib.items():
        namespace, _, attribute = full_name.rpartition("}")
        is_known = not namespace or (namespace in ATTRIBUTE_NAMESPACES and attribute in ("href", "space"))
        require(is_known, f"SVG with an attribute of another namespace: {attribute[:40]!r}")
        is_harmless = _is_harmless_attribute(name, attribute, value, budget)
        require(is_harmless, f"SVG with {attribute[:40]}={value[:40]!r}")


def _is_harmless_attribute(element: str, name: str, value: str, budget: PictureBudget) -> bool:
    if name == "style":
        return _is_harmless_style(value)
    if name == "href" and element == "image":
        if image := EMBEDDED_IMAGE.fullmatch(value):
            check_image(image["mime"], image["data"], budget)
        return bool(image)
    if name == "href":
        return element == "use" and bool(LOCAL_REFERENCE.fullmatch(value))
    if name == "transform":
        return bool(TRANSFORM.fullmatch(value))
    if name in STYLE_PROPERTIES or name == "clip-path":
        return bool(STYLE_VALUE.fullmatch(value))
    return name in ATTRIBUTES and "(" not in value


def _is_harmless_style(style: str) -> bool:
    """Return whether a style sets nothing but how something is drawn."""
    for declaration in style.split(";"):
        name, _, value = declaration.partition(":")
        if declaration.strip() and (name.strip() not in STYLE_PROPERTIES or not STYLE_VALUE.fullmatch(value.strip())):
            return False
    return True


def _check_references(elements: list[ElementTree.Element]) -> None:
    """Check that what is drawn by reference stays small, and does not itself draw by reference."""
    by_id = {name: element for element in elements if (name := element.get("id"))}
    require(len(by_id) == sum(1 for element in elements if element.get("id")), "SVG with a duplicate id")
    use = f"{{{SVG_NAMESPACE}}}use"
    attributes = (attribute for element in elements for attribute in element.attrib.items())
    values = (value for name, value in attributes if name.endswith("href") or name == "clip-path")
    references = Counter(map(_referenced_id, values))
    total = 0
    for name, times in references.items():
        if name in by_id:
            inner = list(by_id[name].iter())
            total += times * len(inner)
            is_nested = any(part.tag == use or part.get("clip-path") for part in inner)
            require(not is_nested, "SVG with nested references")
    require(total <= MAX_ELEMENTS, f"SVG that draws more than {MAX_ELEMENTS:,} elements by reference")


def _referenced_id(value: str) -> str:
    """Return the id that `#id` or `url(#id)` refers to."""
    return value.strip().removeprefix("url(").removesuffix(")").removeprefix("#")
