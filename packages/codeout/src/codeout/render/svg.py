"""SVG that becomes part of a page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from codeout.model.mime import SVG_NAMESPACE as SVG
from codeout.model.mime import UNIVERSAL_RULE

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")


def inline_svg(text: str, name: str, alt: str) -> str:
    """Return SVG to stand inside a page: its ids are its own, black is the page's ink, and it has its words.

    Args:
        text: an SVG document.
        name: what its ids begin with, so that two pictures of a page don't share one.
        alt: its words; empty keeps those that it came with.
    """
    root = ElementTree.fromstring(text)  # noqa: S314 (it comes from the site's own code)
    for element in root.iter():
        for attribute, value in element.attrib.items():
            if attribute == "id":
                element.set(attribute, f"{name}-{value}")
            elif attribute.endswith("href") and value.startswith("#"):
                element.set(attribute, f"#{name}-{value[1:]}")
            elif attribute in ("aria-labelledby", "aria-describedby"):
                element.set(attribute, " ".join(f"{name}-{part}" for part in value.split()))
            else:
                own = value.replace("url(#", f"url(#{name}-")
                element.set(attribute, re.sub(r"#000000\b", "currentColor", own))
    for element in root.findall(f"{{{SVG}}}metadata"):
        root.remove(element)
    _own_style(root)
    if alt:
        root.set("role", "img")
        root.set("aria-label", alt)
    return ElementTree.tostring(root, encoding="unicode")


def _own_style(root: ElementTree.Element) -> None:
    """Move a style for everything (matplotlib writes one) to the picture's root: in a page it would reach the page."""
    for parent in list(root.iter()):
        for element in parent.findall(f"{{{SVG}}}style"):
            if rule := UNIVERSAL_RULE.fullmatch(element.text or ""):
                parent.remove(element)
                root.set("style", f"{root.get('style', '')}{rule[1].strip()}")
