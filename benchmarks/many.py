"""How long warm builds of many pages take, against the same pages with pasted outputs; and how large the store is.

    python benchmarks/many.py               20 and 200 pages of 10 blocks: about five minutes

Each figure is the median of three, taken in turns. A page has ten short paragraphs and ten blocks of three lines, each
with a line of output; each page is a session.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from textwrap import indent

from builds import build, medians, told

from codeout import RunStore
from codeout.cache.keys import Key

BLOCKS = 10
SIZES = (20, 200)
TIMES = 3
CONFIG = """site_name: Many
theme: {name: material, font: false}
markdown_extensions:
  - pymdownx.highlight
  - pymdownx.superfences
  - pymdownx.tabbed: {alternate_style: true}
"""
ENGINE = """  - codeout
plugins:
  - search
  - codeout
  - markdown-exec: {languages: [python]}
"""
FENCE = '```python exec="on" session="s" source="tabbed-left" tabs="Code|Out"'
PROSE = "Each page has some prose between its blocks, so that there is something to convert besides code. " * 3


def main() -> None:
    """Measure, and print a table in Markdown."""
    print(told())
    print("| pages | blocks | pasted, s | warm, s | ratio | cache, MB | lookup, µs |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for pages in SIZES:
            plain = write(Path(folder) / f"plain-{pages}", pages, run=False)
            site = write(Path(folder) / f"site-{pages}", pages, run=True)
            build(site)  # fills the store
            floor, warm = medians((partial(build, plain), partial(build, site)), TIMES)
            store = site / ".codeout"
            size = sum(path.stat().st_size for path in store.rglob("*") if path.is_file()) / 1e6
            row = (pages, pages * BLOCKS, f"{floor:.2f}", f"{warm:.2f}", f"{warm / floor:.2f}", f"{size:.1f}")
            print("|", " | ".join(str(cell) for cell in row), "|", f"{1e6 * look_up(store):.0f} |")


def write(folder: Path, pages: int, *, run: bool) -> Path:
    """Write a site; with `run`, its blocks are executed."""
    (folder / "docs").mkdir(parents=True)
    (folder / "mkdocs.yml").write_text(CONFIG + (ENGINE if run else "plugins: [search]\n"))
    for page in range(pages):
        parts = [f"# Page {page}\n"]
        for block in range(BLOCKS):
            code = f"value_{block} = {page} * {block}\nname = 'block {block}'\nprint(name, value_{block})"
            tabs = f"{FENCE}\n{code}\n```\n" if run else pasted(code, f"block {block} {page * block}")
            parts.append(f"## Part {block}\n\n{PROSE}\n\n{tabs}")
        (folder / "docs" / ("index.md" if page == 0 else f"page_{page}.md")).write_text("\n".join(parts))
    return folder


def pasted(code: str, out: str) -> str:
    """Return the tabs of a block as an author without codeout writes them, output included."""
    tabs = (("Code", f"```python\n{code}\n```"), ("Out", f"```\n{out}\n```"))
    return "\n".join(f'=== "{title}"\n\n{indent(text, "    ")}\n' for title, text in tabs)


def look_up(folder: Path) -> float:
    """Return the seconds that the store takes to find a run, the median of three goes over all runs."""
    store = RunStore(folder)
    keys = [Key(*path.stem.split("-")) for path in folder.glob("??/*.json")]

    def once() -> float:
        start = time.perf_counter()
        if any(store.get(key) is None for key in keys):
            sys.exit(f"{folder}: a run is not whole")
        return (time.perf_counter() - start) / len(keys)

    return statistics.median(once() for _ in range(TIMES))


if __name__ == "__main__":
    main()
