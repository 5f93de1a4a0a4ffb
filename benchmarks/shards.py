"""How long it takes to run a site of 200 pages cut in 4, against the whole of it; and that the result is the same.

    python benchmarks/shards.py             about three minutes

Each page is a session that sleeps: a twentieth of a second, but a second on every tenth page. A machine runs one
session at a time here, and the shares run one after the other; what counts is the share that took longest. The floor is
a quarter of the time that one machine takes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from builds import told

PAGES, SHARES = 200, 4
CONFIG = "site_name: Many\ntheme: {name: material, font: false}\nmarkdown_extensions:\n  - codeout: {jobs: 1}\n"


def main() -> None:
    """Measure, compare, and print a table in Markdown."""
    print(told())
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder / "one")
        alone = run(folder / "one", "run")
        times = folder / "one" / ".codeout" / "times"
        write(folder / "many")
        shutil.copytree(times, folder / "many" / ".codeout" / "times")  # what is known of a site that has run before
        plan = ask(folder / "many", "plan", "--shards", str(SHARES), "--json")
        (folder / "many" / "plan.json").write_text(plan)
        seconds = [share(folder, number) for number in range(1, SHARES + 1)]
        for number in range(SHARES, 0, -1):
            shutil.copytree(folder / f"share-{number}" / ".codeout", folder / "many" / ".codeout", dirs_exist_ok=True)
        same = outputs(folder / "many") == outputs(folder / "one")
        stale = [row for row in json.loads(ask(folder / "many", "status", "--json"))["blocks"] if row["state"] != "hit"]
    floor = alone / SHARES
    print("| machines | longest shard, s | ratio to baseline |\n| ---: | ---: | ---: |")
    print(f"| 1 | {alone:.1f} | 1.00 |\n| {SHARES} | {max(seconds):.1f} | {max(seconds) / floor:.2f} |")
    print(f"\nThe shares took {', '.join(f'{each:.1f}' for each in seconds)} s.")
    if stale or not same:
        sys.exit(f"the merged store is not that of one machine: {len(stale)} blocks are stale")


def write(folder: Path) -> None:
    """Write the site."""
    (folder / "docs").mkdir(parents=True)
    (folder / "mkdocs.yml").write_text(CONFIG)
    for page in range(PAGES):
        code = f"import time\ntime.sleep({1.0 if page % 10 == 0 else 0.05})\nprint({page} ** 2)"
        (folder / "docs" / f"page_{page}.md").write_text(f'# {page}\n\n```python exec="on" session="s"\n{code}\n```\n')


def share(folder: Path, number: int) -> float:
    """Run a share as a machine of its own would, from an empty store; return the seconds."""
    machine = folder / f"share-{number}"
    shutil.copytree(folder / "many", machine, ignore=shutil.ignore_patterns(".codeout"))
    return run(machine, "run", "--plan", "plan.json", "--shard", str(number))


def run(folder: Path, *arguments: str) -> float:
    """Run a command of the engine; return the seconds."""
    start = time.perf_counter()
    ask(folder, *arguments)
    return time.perf_counter() - start


def ask(folder: Path, *arguments: str) -> str:
    """Run a command of the engine; return what it printed."""
    command = [sys.executable, "-m", "codeout", *arguments]
    return subprocess.run(
        command, cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ).stdout


def outputs(folder: Path) -> dict[str, object]:
    """Return what the runs of a site show, by their keys."""
    files = (folder / ".codeout").glob("??/*.json")
    return {path.name: json.loads(path.read_text())["outputs"] for path in files}


if __name__ == "__main__":
    main()
