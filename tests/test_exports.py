"""The notebooks, scripts and the overview of this site."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from codeout.cli.main import main
from site_helpers import ROOT, UNFINISHED, parse

RUN = """
import sys
import nbformat
from IPython.core.interactiveshell import InteractiveShell

sys.path.insert(0, "")  # as in a notebook's kernel
shell = InteractiveShell.instance()
for cell in nbformat.read(sys.argv[1], 4).cells:
    if cell.cell_type == "code":
        done = shell.run_cell(cell.source)
        if not done.success and "raises-exception" not in cell.metadata.get("tags", []):
            sys.exit(f"{cell.id}: {cell.source}")
"""


def run_in(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def exported(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a notebook of each page of this repository's site, and its data."""
    folder = tmp_path_factory.mktemp("exported")
    assert main(["-f", str(ROOT / "mkdocs.yml"), "export", "-o", str(folder)]) == 0
    shutil.copytree(ROOT / "data", folder / "data", ignore=shutil.ignore_patterns("cifar-10*", UNFINISHED))
    return folder


def test_every_page_is_a_valid_notebook_with_all_its_blocks(exported: Path) -> None:
    for path in sorted((ROOT / "docs").glob("*.md")):
        blocks = without_listings(path.read_text()).count('```python exec="on"')
        if not blocks:
            continue
        notebook = nbformat.read(exported / f"{path.stem}.ipynb", 4)
        nbformat.validate(notebook)
        cells = [cell for cell in notebook.cells if cell.cell_type == "code" and "jupyter" not in cell.metadata]
        assert len(cells) == blocks, path
        prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        marks = ("--8<--", "!!!", "{accuracy", "{right", "```python exec=")
        assert not [mark for mark in marks if mark in without_listings(prose)]


def without_listings(text: str) -> str:
    """Return Markdown without its listings of Markdown, whose fences are longer."""
    return re.sub(r"(?ms)^````.*?^````$", "", text)


@pytest.mark.parametrize("name", ["index", "tensors", "autograd", "neural_networks"])
def test_the_notebook_of_a_page_runs_from_top_to_bottom(exported: Path, name: str) -> None:
    done = run_in(exported, "-c", RUN, f"{name}.ipynb")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["tensors", "neural_networks"])  # the others download, or take longer
def test_the_script_of_a_page_runs_alone(site: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(site / name / f"{name}.py", tmp_path)
    done = run_in(tmp_path, f"{name}.py")
    assert done.returncode == 0, done.stderr
    assert "tensor(" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.py", "figures"}


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.stem)
def test_every_link_of_the_overview_leads_to_a_block(site: Path, path: Path) -> None:
    overview = parse(site / "outputs" / "index.html")
    links = {str(link["href"]) for link in overview.select(".codeout-overview td a")}
    folder = "" if path.stem == "index" else f"{path.stem}/"
    page = parse(site / folder / "index.html")
    prefix = (f"../{folder}" if folder else "..") + "#"
    anchors = {link.removeprefix(prefix) for link in links if link.startswith(prefix)}
    assert {str(block["id"]) for block in page.select(".codeout-block")} <= anchors
    assert bool(anchors) == ('exec="on"' in path.read_text(encoding="utf8"))
    assert anchors <= {str(tag["id"]) for tag in page.select("[id]")} | blocks_without_id(path.stem)


def blocks_without_id(page: str) -> set[str]:
    """Return the anchors of blocks that write a part of their page, which has no element that could have an id."""
    return {"out-devices"} if page == "training_on_gpu" else set()
