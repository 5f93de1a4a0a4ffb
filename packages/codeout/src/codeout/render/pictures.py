"""Where a page finds its pictures, and other large data of its outputs: in files that are named by their digest.

A picture in the cache is a file with such a name, and it stays one on its way to the site. Only where there is no site
around a page, and for what is small, a `data:` URL has all of it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from codeout.cache.files import write_atomically
from codeout.cache.pictures import PictureFolder
from codeout.model.mime import MIME_TYPES, MIME_TYPES_BY_NAME, SVG

EXTENSIONS = {"text/javascript": ".js"} | {mime.name: f".{mime.extension}" for mime in MIME_TYPES}
MIN_DATA_LENGTH = 8192
"""Characters of base64 from which a file is worth another request."""
HEAD_LENGTH = 24
"""Bytes in which a PNG says how large it is."""
DIGEST_LENGTH = 20
"""Characters of a digest in the name of a file."""
_URL = re.compile(rf'="data:(?P<mime>[\w.+-]+/[\w.+-]+);base64,(?P<data>[A-Za-z0-9+/=\s]{{{MIN_DATA_LENGTH},}})"')
# Only what a page shows or loads by itself: an output must not be able to publish a page under the site's address.
_EXTRACTABLE = re.compile(r"(?:image|font|audio|video)/[\w.+-]+|text/javascript")


class Pictures:
    """Pictures as `data:` URLs: for Markdown that has no site around it."""

    def __init__(self, folder: PictureFolder) -> None:
        self.folder = folder

    def address(self, mime: str, part: str) -> str:
        """Return the URL of a picture by what a bundle has of it: the name of a file in the cache, or base64."""
        data = base64.b64encode(self.folder.read(part)).decode() if self.folder.path_of(part) else part.strip()
        return f"data:{mime};base64,{data}"

    def read_head(self, part: str) -> bytes:
        """Return how a picture begins: the signature and the size of a PNG."""
        if path := self.folder.path_of(part):
            with path.open("rb") as file:
                return file.read(HEAD_LENGTH)
        return base64.b64decode(part[: HEAD_LENGTH // 3 * 4])

    def move_data_out(self, html: str) -> str:
        """Return the HTML of an output without its large `data:` URLs."""
        return html


class SitePictures(Pictures):
    """Pictures as files of a site that is built."""

    def __init__(
        self, folder: PictureFolder, target: Path, url_of: Callable[[str], str], only_draws: Callable[[bytes], bool]
    ) -> None:
        """Take the pictures of the cache, and the folder of the site's, whose files `url_of` addresses from a page.

        `only_draws` tells whether SVG only draws, so that a file with it can do nothing when a browser opens it.
        """
        super().__init__(folder)
        self._target, self._url_of, self._only_draws = target, url_of, only_draws

    def address(self, mime: str, part: str) -> str:
        """Return the URL of a picture, whose file is written unless it is small."""
        path = self.folder.path_of(part)
        if path is None or 4 * -(-path.stat().st_size // 3) < MIN_DATA_LENGTH:
            return self._move(mime, super().address(mime, part).partition(",")[2])
        return self._write(path.stem[:DIGEST_LENGTH] + path.suffix, path.read_bytes)

    def move_data_out(self, html: str) -> str:
        """Return the HTML of an output with files in place of its large `data:` URLs."""

        def move(match: re.Match[str]) -> str:
            is_in_tag = html.rfind("<", 0, match.start()) > html.rfind(">", 0, match.start())
            is_movable = is_in_tag and _EXTRACTABLE.fullmatch(match["mime"])
            return f'="{self._move(match["mime"], match["data"])}"' if is_movable else match[0]

        return _URL.sub(move, html) if "data:" in html else html

    def _move(self, mime: str, data: str) -> str:
        """Return the URL of a file with data that are in base64, or their own if they are small or can act."""
        own = f"data:{mime};base64,{data}"
        if len(data) < MIN_DATA_LENGTH:
            return own
        try:
            content = base64.b64decode(data)
        except binascii.Error:
            return own  # left for the browser to report
        if mime == SVG.name and not self._only_draws(content):
            return own
        if (extension := EXTENSIONS.get(mime)) is None:
            from mimetypes import guess_extension  # on use: its import takes longer than all the rest

            extension = guess_extension(mime) or ".bin"
        return self._write(hashlib.sha256(content).hexdigest()[:DIGEST_LENGTH] + extension, lambda: content)

    def _write(self, name: str, content: Callable[[], bytes]) -> str:
        """Return the URL of a file, which is written if it is not there: the same name means the same content."""
        path = self._target / name
        if not path.is_file():
            write_atomically(path, content())
            path.chmod(0o644)  # a temporary file is for its owner alone
        return self._url_of(name)


class ServedPictures(Pictures):
    """Pictures of the cache that a live server shows as they are."""

    PATH = "/codeout/pictures/"

    def address(self, mime: str, part: str) -> str:
        """Return the address of a picture in the cache; of one that could not be stored, a `data:` URL."""
        path = self.folder.path_of(part)
        return f"{self.PATH}{path.name}" if path else super().address(mime, part)

    def read_served(self, name: str) -> tuple[str, bytes] | None:
        """Return the MIME type and the content of a picture by its name; None if there is none."""
        path = self.folder.path_of(f"{self.folder.PREFIX}{name}")
        if path is None or not path.is_file():
            return None
        mime = next(mime.name for mime in MIME_TYPES_BY_NAME.values() if f".{mime.extension}" == path.suffix)
        return mime, path.read_bytes()
