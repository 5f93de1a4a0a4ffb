"""What the engine knows of the structure of SVG documents."""

from __future__ import annotations

import re

SVG_NAMESPACE = "http://www.w3.org/2000/svg"
XLINK_NAMESPACE = "http://www.w3.org/1999/xlink"
UNIVERSAL_RULE = re.compile(r"\s*\*\s*\{([^}]*)\}\s*")
"""A style sheet with one rule for all elements, as matplotlib writes it."""
