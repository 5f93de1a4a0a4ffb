"""Data that stand in a page as `data:` URLs, as files beside it: the page is there sooner."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable

from codeout.model.mime import MIME_TYPES, SVG

ENDINGS = {"text/javascript": ".js"} | {mime.name: f".{mime.extension}" for mime in MIME_TYPES}
LEAST = 8192  # characters of a URL that is worth a request

_URL = re.compile(rf'="data:(?P<mime>[\w.+-]+/[\w.+-]+);base64,(?P<data>[A-Za-z0-9+/=\s]{{{LEAST},}})"')
# Only what a page shows, or asks for by itself: no page of anybody's gets an address of its own on the site.
_BESIDE = re.compile(r"(?:image|font|audio|video)/[\w.+-]+|text/javascript")


def outside(html: str, address: Callable[[str], str]) -> tuple[str, dict[str, bytes]]:
    """Move large data out of a page.

    Args:
        html: of the page.
        address: where the page will find a file of a given name.

    Returns:
        the HTML, and the files by name. The name is a digest of what is in a file: same data, same file.
    """
    files: dict[str, bytes] = {}

    def move(match: re.Match[str]) -> str:
        inside_a_tag = html.rfind("<", 0, match.start()) > html.rfind(">", 0, match.start())
        if not (inside_a_tag and _BESIDE.fullmatch(match["mime"])) or match["mime"] == SVG.name:
            return match[0]
        try:
            content = base64.b64decode(match["data"])
        except binascii.Error:
            return match[0]  # it is none; the browser will say so
        from mimetypes import guess_extension  # on use: its import takes longer than all the rest

        name = hashlib.sha256(content).hexdigest()[:20] + (
            ENDINGS.get(match["mime"]) or guess_extension(match["mime"]) or ".bin"
        )
        files[name] = content
        return f'="{address(name)}"'

    return _URL.sub(move, html), files
