"""Extract large `data:` URLs from a page into files, so that the page itself loads sooner."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable

from codeout.model.mime import MIME_TYPES, SVG
from codeout.recordings.limits import InvalidRecording, PictureBudget
from codeout.recordings.svg import check_svg
from codeout.render.svg import SCHEME_STYLE

EXTENSIONS = {"text/javascript": ".js"} | {mime.name: f".{mime.extension}" for mime in MIME_TYPES}
MIN_DATA_LENGTH = 8192
"""Characters of base64 from which a file is worth another request."""

_URL = re.compile(rf'="data:(?P<mime>[\w.+-]+/[\w.+-]+);base64,(?P<data>[A-Za-z0-9+/=\s]{{{MIN_DATA_LENGTH},}})"')
# Only what a page shows or loads by itself: an output must not be able to publish a page under the site's address.
_EXTRACTABLE = re.compile(r"(?:image|font|audio|video)/[\w.+-]+|text/javascript")


def is_drawing(svg: bytes) -> bool:
    """Return whether SVG only draws, so that a file with it can do nothing when a browser opens it by itself."""
    try:
        check_svg(svg.decode().replace(SCHEME_STYLE, ""), PictureBudget())
    except (UnicodeDecodeError, InvalidRecording):
        return False
    return True


def _extension(mime: str) -> str:
    from mimetypes import guess_extension  # on use: its import takes longer than all the rest

    return guess_extension(mime) or ".bin"


def extract_data_urls(
    html: str, url_of: Callable[[str], str], only_draws: Callable[[bytes], bool] = is_drawing
) -> tuple[str, dict[str, bytes]]:
    """Replace the large `data:` URLs of a page with URLs of files.

    Args:
        html: the HTML of the page.
        url_of: returns the URL, relative to the page, of a file with a given name.
        only_draws: whether SVG only draws.

    Returns:
        The new HTML, and the content of each file by name. The name is a digest of the content: same data, same file.
    """
    files: dict[str, bytes] = {}

    def move(match: re.Match[str]) -> str:
        is_in_tag = html.rfind("<", 0, match.start()) > html.rfind(">", 0, match.start())
        if not (is_in_tag and _EXTRACTABLE.fullmatch(match["mime"])):
            return match[0]
        try:
            content = base64.b64decode(match["data"])
        except binascii.Error:
            return match[0]  # left for the browser to report
        if match["mime"] == SVG.name and not only_draws(content):
            return match[0]
        name = hashlib.sha256(content).hexdigest()[:20] + (EXTENSIONS.get(match["mime"]) or _extension(match["mime"]))
        files[name] = content
        return f'="{url_of(name)}"'

    return _URL.sub(move, html), files
