"""The two packages as they are published: what is in them, and that they work where nothing else is installed."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tarfile
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

import pytest

import lowest
from site_helpers import ROOT
from workers import make_once

MODULES = {"codeout": "codeout", "mkdocs-mathml": "mkdocs_mathml"}
GENERATED = shutil.ignore_patterns("__pycache__", "*.egg-info")
DATA = {"codeout": {"py.typed", "mkdocs/live.js", "mkdocs/live.css"}, "mkdocs-mathml": {"py.typed"}}


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an sdist of each package, and a wheel that was built from it."""
    sources = tmp_path_factory.mktemp("sources")

    def fill(folder: Path) -> None:
        for name in MODULES:
            # A copy, because a build writes next to the sources, which other tests may be reading.
            shutil.copytree(ROOT / "packages" / name, sources / name, ignore=GENERATED)
            command = [sys.executable, "-m", "build", "--outdir", str(folder), str(sources / name)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr

    return make_once(tmp_path_factory, "dist", fill)


@pytest.mark.parametrize(("name", "module"), MODULES.items())
def test_a_wheel_has_its_own_module_and_its_description(dist: Path, name: str, module: str) -> None:
    (path,) = dist.glob(f"{module}-*.whl")
    with ZipFile(path) as wheel:
        names = wheel.namelist()
        (info,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
        metadata = HeaderParser().parsestr(wheel.read(f"{info}/METADATA").decode())
    assert {name.partition("/")[0] for name in names} == {module, info}
    assert {f"{module}/{file}" for file in DATA[name]} <= {*names}
    assert f"{info}/licenses/LICENSE" in names
    assert metadata["License-Expression"] == "MIT"
    readme = (ROOT / "packages" / name / "README.md").read_text(encoding="utf8")
    assert str(metadata.get_payload()).strip() == readme.strip()


@pytest.mark.parametrize(("name", "module"), MODULES.items())
def test_an_sdist_has_the_sources_of_its_package(dist: Path, name: str, module: str) -> None:
    (path,) = dist.glob(f"{module}-*.tar.gz")
    with tarfile.open(path) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", f"src/{module}/__init__.py"} <= names
    assert {name.split("/")[1] for name in names if name.startswith("src/")} == {module, f"{module}.egg-info"}


@pytest.mark.parametrize("package", lowest.PACKAGES, ids=lambda package: package.name)
def test_a_package_works_with_the_oldest_versions_that_it_allows(
    dist: Path, package: lowest.Package, tmp_path: Path
) -> None:
    table = tmp_path / "table.md"
    assert lowest.check(package, dist, table=table) == []
    *_, rule, row = table.read_text().splitlines()
    assert rule.count("|") == row.count("|")
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[-1] == "works"
    assert cells[2:4] == [platform.python_version(), "1.6.0"], "Python, and the oldest MkDocs"


def test_a_dependency_without_a_lower_bound_is_an_error() -> None:
    project = {"name": "p", "dependencies": ["click>=8.1", "rich"], "optional-dependencies": {"x": ["pillow>=11,<12"]}}
    with pytest.raises(ValueError, match="p: no lower bound for rich; write NAME>=VERSION"):
        lowest.lowest_requirements({"project": project})
    project["dependencies"] = ["click>=8.1"]
    assert lowest.lowest_requirements({"project": project}) == ["click==8.1", "pillow==11"]
