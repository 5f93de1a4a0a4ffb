"""Prepare SVG to be part of a page."""

from __future__ import annotations

import re
from html import escape
from xml.etree import ElementTree

from codeout.model.mime import SVG_NAMESPACE, UNIVERSAL_RULE, XLINK_NAMESPACE

SCHEME_STYLE = (
    "<style>svg{color:#1d2433}text{fill:currentColor}@media (prefers-color-scheme:dark){svg{color:#e2e4e9}}</style>"
)
"""In an `<img>`, the scheme is that of the element's property `color-scheme`."""
LARGE = 20_000
"""Characters of base64 from which a picture in a drawing is worth waiting until it is seen."""
_LARGE_PICTURE = re.compile(rf"data:image/[^\"']{{{LARGE},}}")

ElementTree.register_namespace("", SVG_NAMESPACE)
ElementTree.register_namespace("xlink", XLINK_NAMESPACE)


def inline_svg(text: str, prefix: str, alt: str) -> str:
    """Return SVG for use inside a page: its ids are unique, black follows the page's text color, and it has alt text.

    The ids begin with the prefix. Without alt text, that of the document remains.

    Raises:
        ElementTree.ParseError: the document is not well-formed.
    """
    root = ElementTree.fromstring(text)  # noqa: S314 (it comes from the site's own code)
    for element in root.iter():
        for attribute, value in element.attrib.items():
            element.set(attribute, _inline_attribute(attribute, value, prefix))
    for element in root.findall(f"{{{SVG_NAMESPACE}}}metadata"):
        root.remove(element)
    _move_universal_style(root)
    if alt:
        root.set("role", "img")
        root.set("aria-label", alt)
    return ElementTree.tostring(root, encoding="unicode")


def svg_image(text: str, alt: str) -> tuple[str, str]:
    """Return SVG that is an image of its own, and the attributes of its `<img>`; its black follows the color scheme.

    Without alt text, it is that of the document.

    Raises:
        ElementTree.ParseError: the document is not well-formed.
    """
    root = ElementTree.fromstring(text)  # noqa: S314 (it comes from the site's own code)
    title = root.find(f"{{{SVG_NAMESPACE}}}title")
    alt = alt or root.get("aria-label") or (title.text if title is not None else "") or ""
    width, height = (_pixels(root.get(name, "")) for name in ("width", "height"))
    size = f' width="{width}" height="{height}"' if width and height else ""
    drawn = re.sub(r"#000000\b", "currentColor", ElementTree.tostring(root, encoding="unicode"))
    # It loads when it comes into view.
    return drawn.replace(">", f">{SCHEME_STYLE}", 1), f'alt="{escape(alt)}"{size} loading="lazy"'


def has_large_picture(text: str) -> bool:
    """Return whether SVG has a large picture in it, like a photograph, which should load only when it is seen."""
    # A script would not run in an `<img>`.
    return "<script" not in text and _LARGE_PICTURE.search(text) is not None


def _pixels(length: str) -> int:
    """Return a length in CSS pixels; 0 if it has another unit than points and pixels."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?)(pt|px)?", length)
    return round(float(match[1]) * (4 / 3 if match[2] == "pt" else 1)) if match else 0


def _inline_attribute(attribute: str, value: str, prefix: str) -> str:
    """Return the value of an attribute with prefixed ids and the page's text color."""
    if attribute == "id":
        return f"{prefix}-{value}"
    if attribute.endswith("href") and value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    if attribute in ("aria-labelledby", "aria-describedby"):
        return " ".join(f"{prefix}-{part}" for part in value.split())
    return re.sub(r"#000000\b", "currentColor", value.replace("url(#", f"url(#{prefix}-"))


def _move_universal_style(root: ElementTree.Element) -> None:
    """Move a style for all elements, such as matplotlib's, to the root: as a rule it would apply to the whole page."""
    for parent in list(root.iter()):
        for element in parent.findall(f"{{{SVG_NAMESPACE}}}style"):
            if rule := UNIVERSAL_RULE.fullmatch(element.text or ""):
                parent.remove(element)
                root.set("style", f"{root.get('style', '')}{rule[1].strip()}")
