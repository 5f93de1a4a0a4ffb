"""How long builds of this site take, as ratios to floors measured in the same run.

    python benchmarks/builds.py             warm builds: about half a minute
    python benchmarks/builds.py --cold      cold builds and all scripts, too: about twenty minutes

Floors: the same pages built by mkdocs-material with no execution, without outputs and with them pasted in by hand; for
cold builds, in addition, what the snippets need as scripts: the time of the longest session, or the CPU seconds of all
of them and of the cases of sweeps, shared by the cores, if that is more. Each figure is the median of five, of three
for cold builds, taken in turns.
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
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

from bs4 import BeautifulSoup, Tag

from codeout import RunStore

ROOT = Path(__file__).resolve().parent.parent
WARM_TIMES, COLD_TIMES = 5, 3
BLOCK = ".codeout-block, .codeout-alone"
FENCE = r'(?ms)^( *```)python exec="on"[^\n]*(\n.*?^ *```)$'


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cold", action="store_true", help="measure cold builds, too")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = copy(Path(folder) / "site")
        plain = without_execution(copy(Path(folder) / "plain"))
        build(site)  # fetches data, fills the store
        pasted = with_outputs(copy(Path(folder) / "pasted"), site)
        builds = (partial(build, plain), partial(build, pasted), partial(build, site), partial(edited, site))
        floor, floor_with_outputs, warm, after_edit = medians(builds, WARM_TIMES)
        rows = [
            ("no execution, no outputs (floor)", floor, floor),
            ("no execution, outputs pasted (floor)", floor_with_outputs, floor_with_outputs),
            ("nothing changed, to outputs pasted", warm, floor_with_outputs),
            ("a prose edit, to outputs pasted", after_edit, floor_with_outputs),
            ("nothing changed, to no outputs", warm, floor),
            ("a prose edit, to no outputs", after_edit, floor),
        ]
        if asked.cold:
            extended = with_more_plugins(copy(Path(folder) / "extended"))
            build(extended)  # makes its own data
            one_core, no_base = (
                with_settings(copy(Path(folder) / each.partition(":")[0]), each) for each in ("jobs: 1", "base: false")
            )
            others = [extended, one_core, no_base]
            measures = [partial(scripts, site), *(partial(cold, each) for each in (site, *others))]
            script, alone, with_more, alone_on_one, without_base = medians(measures, COLD_TIMES)
            rows += [
                ("all scripts and cases (floor)", script, script),
                ("cold, to the scripts and outputs pasted", alone, script + floor_with_outputs),
                ("cold on one core, to cold", alone_on_one, alone),
                ("cold without the base, to cold", without_base, alone),
                ("cold with tags and macros, to cold", with_more, alone),
            ]
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
    """Turn every block into plain code, and take codeout out of the settings; markdown-exec stays, and runs nothing."""
    for page in (folder / "docs").glob("*.md"):
        page.write_text(re.sub(r'(?m)^```python exec="on".*$', "```python", page.read_text(encoding="utf8")))
    settings = (folder / "mkdocs.yml").read_text(encoding="utf8")
    start, end = settings.index("  - codeout:\n"), settings.index("plugins:")
    plugins = settings[end:].replace("  - codeout\n", "")
    (folder / "mkdocs.yml").write_text(settings[:start] + "\n" + plugins)
    return folder


def with_outputs(folder: Path, site: Path) -> Path:
    """Turn every block into plain code with its output as HTML below it, without what codeout says about the run.

    Large data of outputs are files beside the pages, as in the site.
    """
    shutil.copytree(site / "site" / "assets" / "outputs", folder / "docs" / "assets" / "outputs")
    for page in (folder / "docs").glob("*.md"):
        built = site / "site" / ("index.html" if page.stem == "index" else f"{page.stem}/index.html")
        text = page.read_text(encoding="utf8")
        for block in BeautifulSoup(built.read_text(encoding="utf8"), "html.parser").select(BLOCK):
            html = output_of(block).replace("\\", r"\\")
            text = re.sub(FENCE, rf"\1python\2\n\n{html}\n", text, count=1)
        page.write_text(text, encoding="utf8")
    return without_execution(folder)


def output_of(block: Tag) -> str:
    """Return the HTML of what a block has put out."""
    for note in block.select(".codeout-run, .codeout-link"):
        note.decompose()
    return "\n".join(str(output) for output in block.select(".codeout"))


def with_more_plugins(folder: Path) -> Path:
    """Add two plugins that see each page before its conversion; macros' marks are none that the pages use."""
    path = folder / "mkdocs.yml"
    marks = {"block_start": "[[%", "block_end": "%]]", "variable_start": "[[[", "variable_end": "]]]"}
    marks |= {"comment_start": "[[#", "comment_end": "#]]"}
    macros = ", ".join(f'j2_{name}_string: "{mark}"' for name, mark in marks.items())
    settings = path.read_text(encoding="utf8")
    path.write_text(settings.replace("plugins:\n", f"plugins:\n  - tags\n  - macros: {{{macros}}}\n"))
    return folder


def with_settings(folder: Path, setting: str) -> Path:
    """Add a setting of codeout, and build the site, which makes its own data."""
    path = folder / "mkdocs.yml"
    settings = path.read_text(encoding="utf8")
    path.write_text(settings.replace("  - codeout:\n", f"  - codeout:\n      {setting}\n", 1))
    build(folder)
    return folder


def scripts(site: Path) -> float:
    """Return the seconds that no build with these cores can do without.

    That is what the longest session took by itself or, if it is more, the CPU seconds of all snippets as scripts and of
    the cases of sweeps, shared by the cores.
    """
    before = os.times()
    for path in sorted((site / "snippets").glob("*.py")):
        # One of them ends in an exception, which its page shows.
        run([sys.executable, str(path)], site, may_fail=True, MPLBACKEND="agg")
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    sessions: dict[str, float] = {}
    for name, each in RunStore(site / ".codeout").newest_runs().items():
        session = name.rpartition(" ")[0]
        sessions[session] = sessions.get(session, 0.0) + each.provenance.seconds
        used += sum(case.seconds for case in each.cases)
    return max(*sessions.values(), used / (os.cpu_count() or 1))


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


def run(command: list[str], folder: Path, *, may_fail: bool = False, **environment: str) -> float:
    """Run a command; return the seconds."""
    start = time.perf_counter()
    told = {**os.environ, "NO_MKDOCS_2_WARNING": "1", **environment}
    told.pop("PYTHONDONTWRITEBYTECODE", None)  # installed packages have bytecode; an editable one has it after one run
    nothing = subprocess.DEVNULL
    subprocess.run(command, cwd=folder, env=told, check=not may_fail, stdout=nothing, stderr=nothing)
    return time.perf_counter() - start


def medians(measures: Sequence[Callable[[], float]], times: int) -> list[float]:
    """Return the median of some measurements of each; in turns, since a machine is not always equally fast."""
    rounds = [[measure() for measure in measures] for _ in range(times)]
    return [statistics.median(figures) for figures in zip(*rounds, strict=True)]


if __name__ == "__main__":
    main()
