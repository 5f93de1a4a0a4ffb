"""Data that stand in a page as `data:` URLs, as files beside it: the page is there sooner."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from mimetypes import guess_extension

ENDINGS = {"text/javascript": ".js"}  # that `mimetypes` knows by a rarer name
LEAST = 8192  # characters of a URL that is worth a request

_URL = re.compile(rf'="data:(?P<mime>[\w.+-]+/[\w.+-]+);base64,(?P<data>[A-Za-z0-9+/=\s]{{{LEAST},}})"')


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
        content = base64.b64decode(match["data"])
        name = hashlib.sha256(content).hexdigest()[:20] + (
            ENDINGS.get(match["mime"]) or guess_extension(match["mime"]) or ".bin"
        )
        files[name] = content
        return f'="{address(name)}"'

    return _URL.sub(move, html), files
