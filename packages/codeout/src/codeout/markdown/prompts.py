"""Code with the prompts of a console."""

from __future__ import annotations

PROMPTS = (">>> ", "... ")


def split_prompts(code: str) -> tuple[str, str]:
    """Return the Python code of a console session, and its lines with prompts, without the outputs between them."""
    lines = [line for line in code.split("\n") if line.startswith(PROMPTS) or line.rstrip() in (">>>", "...")]
    return "\n".join(line[4:] for line in lines), "\n".join(lines)
