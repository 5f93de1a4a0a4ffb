"""How long builds of this site take, as ratios to floors measured in the same run.

    python benchmarks/builds.py             warm builds: about half a minute
    python benchmarks/builds.py --cold      cold builds and the longest script, too: about ten minutes

Floors: the same pages built by mkdocs-material with no execution; the longest snippet run by plain `python`.
Each figure is the median of three.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST = "snippets/training_a_classifier.py"
TIMES = 3


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cold", action="store_true", help="measure cold builds, too")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = copy(Path(folder) / "site")
        plain = without_execution(copy(Path(folder) / "plain"))
        build(site)  # fetches data, fills the store
        floor = median(lambda: build(plain))
        rows = [("no execution (floor)", floor, floor)]
        rows.append(("nothing changed", median(lambda: build(site)), floor))
        rows.append(("a prose edit", median(lambda: edited(site)), floor))
        if asked.cold:
            script = median(lambda: run([sys.executable, LONGEST], site, MPLBACKEND="agg"))
            rows.append(("the longest script (floor)", script, script))
            alone = median(lambda: cold(site))
            rows.append(("cold", alone, script + floor))
            extended = with_more_plugins(copy(Path(folder) / "extended"))
            build(extended)  # makes its own data
            rows.append(("cold, with tags and macros", median(lambda: cold(extended)), alone))
    print(told())
    print("| build | seconds | ratio to its floor |\n| --- | ---: | ---: |")
    for name, seconds, its_floor in rows:
        print(f"| {name} | {seconds:.2f} | {seconds / its_floor:.2f} |")


def told() -> str:
    """Return the machine and the versions."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("mkdocs", "mkdocs-material", "torch"))
    return f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, {packages}\n"


def copy(folder: Path) -> Path:
    """Return a copy of the site's sources, with the data that is there."""
    for name in ("docs", "snippets", "overrides", "recordings", "hooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "mkdocs.yml", folder)
    if (ROOT / "data").is_dir():
        shutil.copytree(ROOT / "data", folder / "data")
    return folder


def without_execution(folder: Path) -> Path:
    """Turn every block into plain code, and take the engine out of the settings."""
    for page in (folder / "docs").glob("*.md"):
        page.write_text(re.sub(r'(?m)^```python exec="on".*$', "```python", page.read_text(encoding="utf8")))
    settings = (folder / "mkdocs.yml").read_text(encoding="utf8")
    start, end = settings.index("  - codeout:\n"), settings.index("plugins:")
    plugins = settings[end:].replace("  - codeout\n", "").replace("  - markdown-exec: {languages: [python]}\n", "")
    (folder / "mkdocs.yml").write_text(settings[:start] + "\n" + plugins)
    return folder


def with_more_plugins(folder: Path) -> Path:
    """Add two plugins that see each page before its conversion; macros' marks are none that the pages use."""
    path = folder / "mkdocs.yml"
    marks = {"block_start": "[[%", "block_end": "%]]", "variable_start": "[[[", "variable_end": "]]]"}
    marks |= {"comment_start": "[[#", "comment_end": "#]]"}
    macros = ", ".join(f'j2_{name}_string: "{mark}"' for name, mark in marks.items())
    settings = path.read_text(encoding="utf8")
    path.write_text(settings.replace("plugins:\n", f"plugins:\n  - tags\n  - macros: {{{macros}}}\n"))
    return folder


def build(site: Path) -> float:
    """Build a site; return the seconds."""
    return run([sys.executable, "-m", "mkdocs", "build", "-q"], site)


def cold(site: Path) -> float:
    """Build a site from an empty store."""
    shutil.rmtree(site / ".codeout")
    return build(site)


def edited(site: Path) -> float:
    """Build a site after an edit of its prose."""
    page = site / "docs" / "training_a_classifier.md"
    page.write_text(page.read_text(encoding="utf8") + "\nOne more sentence, with a comma.\n")
    return build(site)


def run(command: list[str], folder: Path, **environment: str) -> float:
    """Run a command; return the seconds."""
    start = time.perf_counter()
    told = {**os.environ, "NO_MKDOCS_2_WARNING": "1", **environment}
    told.pop("PYTHONDONTWRITEBYTECODE", None)  # installed packages have bytecode; an editable one has it after one run
    subprocess.run(command, cwd=folder, env=told, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def median(measure: Callable[[], float]) -> float:
    """Return the median of three measurements."""
    return statistics.median(measure() for _ in range(TIMES))


if __name__ == "__main__":
    main()
