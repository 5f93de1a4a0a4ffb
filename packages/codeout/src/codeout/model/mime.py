"""MIME types of outputs, in one table."""

from __future__ import annotations

import re

SVG_NAMESPACE = "http://www.w3.org/2000/svg"
UNIVERSAL_RULE = re.compile(r"\s*\*\s*\{([^}]*)\}\s*")  # a style for all elements
IMAGES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
