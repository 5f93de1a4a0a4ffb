"""Report how much of each room of the engine its tests execute, and fail if one is below the limit.

Run `coverage run -m pytest packages/codeout`, then `coverage combine`, then this. The limit is `fail_under` of
`[tool.coverage.report]` in pyproject.toml, in per cent of statements and branches.
"""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path

from coverage import Coverage

ENGINE = Path("packages/codeout/src/codeout")


def rooms(engine: Path) -> dict[str, str]:
    """Return the files of each room of a package, as a pattern; what lies beside the rooms counts as one."""
    folders = sorted(folder.name for folder in engine.iterdir() if (folder / "__init__.py").is_file())
    return {engine.name: f"{engine.resolve()}/*.py", **{name: f"{engine.resolve()}/{name}/**" for name in folders}}


def measure(coverage: Coverage, pattern: str) -> float:
    """Return the per cent of the statements and branches of some files that have been executed."""
    return coverage.report(include=[pattern], file=StringIO())


def main(engine: Path = ENGINE) -> int:
    """Print a line per room; return 1 if a room is below the limit, else 0."""
    coverage = Coverage()
    coverage.load()
    limit = float(str(coverage.get_option("report:fail_under")))
    measured = {room: measure(coverage, pattern) for room, pattern in rooms(engine).items()}
    for room, percent in measured.items():
        print(f"{room:<12}{percent:5.1f} %" + (f"  below {limit:g} %" if percent < limit else ""))
    return int(any(percent < limit for percent in measured.values()))


if __name__ == "__main__":
    sys.exit(main())
