"""The MIME types of outputs, in one table: how each is stored, compared and shown."""

from __future__ import annotations

import re
from collections.abc import Container

import msgspec


class MimeType(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine knows of one MIME type."""

    name: str
    """As it stands in a MIME bundle, such as `image/png`."""
    extension: str
    """File extension without the dot."""
    is_image: bool = False
    is_recordable: bool = False
    """Whether a recording may show it, because nothing in it can act on a page once it has been checked."""
    pillow_format: str = ""
    """Pillow's name for the format; empty if it is text, which Pillow does not read."""

    @property
    def is_binary(self) -> bool:
        """Whether a bundle holds it in base64, and the cache in a file of its own."""
        return bool(self.pillow_format)


HTML = MimeType(name="text/html", extension="html")
SVG = MimeType(name="image/svg+xml", extension="svg", is_image=True, is_recordable=True)
PNG = MimeType(name="image/png", extension="png", is_image=True, is_recordable=True, pillow_format="PNG")
JPEG = MimeType(name="image/jpeg", extension="jpg", is_image=True, is_recordable=True, pillow_format="JPEG")
GIF = MimeType(name="image/gif", extension="gif", is_image=True, is_recordable=True, pillow_format="GIF")
WEBP = MimeType(name="image/webp", extension="webp", is_image=True, is_recordable=True, pillow_format="WEBP")
MARKDOWN = MimeType(name="text/markdown", extension="md")
LATEX = MimeType(name="text/latex", extension="tex")
JAVASCRIPT = MimeType(name="application/javascript", extension="js")
JSON = MimeType(name="application/json", extension="json")
PLAIN = MimeType(name="text/plain", extension="txt", is_recordable=True)

MIME_TYPES = (HTML, SVG, PNG, JPEG, GIF, WEBP, MARKDOWN, LATEX, JAVASCRIPT, JSON, PLAIN)
"""All types that a page can show. Of a bundle with several, the page shows the one that comes first here."""
MIME_TYPES_BY_NAME = {mime.name: mime for mime in MIME_TYPES}
IMAGE_TYPES = tuple(mime for mime in MIME_TYPES if mime.is_image)
BINARY_TYPES = tuple(mime for mime in MIME_TYPES if mime.is_binary)
RECORDABLE_NAMES = frozenset(mime.name for mime in MIME_TYPES if mime.is_recordable)
PILLOW_FORMATS = tuple(mime.pillow_format for mime in MIME_TYPES if mime.pillow_format)
"""The only formats that Pillow may try: for some others it starts external programs."""

SVG_NAMESPACE = "http://www.w3.org/2000/svg"
XLINK_NAMESPACE = "http://www.w3.org/1999/xlink"
UNIVERSAL_RULE = re.compile(r"\s*\*\s*\{([^}]*)\}\s*")
"""A style sheet with one rule for all elements, as matplotlib writes it into SVG."""


def preferred_type(names: Container[str]) -> MimeType:
    """Return the type that a page shows of a bundle with types of these names; plain text if it knows none of them."""
    return next((mime for mime in MIME_TYPES if mime.name in names), PLAIN)


def is_binary(name: str) -> bool:
    """Return whether a MIME bundle holds data of this type in base64."""
    return name in MIME_TYPES_BY_NAME and MIME_TYPES_BY_NAME[name].is_binary
