"""Use codeout and mkdocs-mathml with the oldest versions of all packages that they say they support.

    python tools/lowest.py          builds the two wheels first
    python tools/lowest.py DIST     takes the wheels in a folder: those of one package, or of both
    python tools/lowest.py DIST --versions newest   with the newest versions instead
    python tools/lowest.py --table FILE    adds a row to a table in Markdown for each package: what it was tried with

pip installs the newest version that is allowed, so nobody would notice a lower bound that is too low. Here each `>=` in
a package's `pyproject.toml` is taken for `==`, in a new environment that holds nothing else, and a small site is built
there. Takes about a minute, and PyPI.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOWER_BOUND = re.compile(r"(?P<name>[\w-]+)>=(?P<version>[\w.]+)")


@dataclass(frozen=True)
class Package:
    """A package, and what shows that it works."""

    name: str
    files: Mapping[str, str]
    """A small site."""
    commands: Sequence[Sequence[str]]
    """What is run there."""
    expected: Sequence[str]
    """What its page must contain."""
    beside: Sequence[str] = ()
    """What its users have beside it, with lower bounds."""
    listed: Sequence[str] = ("mkdocs", "markdown", "pymdown-extensions")
    """The packages whose versions a reader wants to know."""

    @property
    def folder(self) -> Path:
        """Its folder in this repository."""
        return ROOT / "packages" / self.name

    def wheels(self, dist: Path) -> list[Path]:
        """Return its wheels in a folder."""
        return list(dist.glob(f"{self.name.replace('-', '_')}-*.whl"))


BUILD = ("python", "-m", "mkdocs", "build", "--strict", "--quiet")
WITHOUT_TORCH = ("python", "-c", "import sys; from importlib.util import find_spec; sys.exit(bool(find_spec('torch')))")
CODEOUT = Package(
    "codeout",
    {
        "mkdocs.yml": """
site_name: Small
theme: {name: material, font: false}
markdown_extensions:
  - pymdownx.superfences
  - pymdownx.highlight
  - pymdownx.tabbed: {alternate_style: true}
  - pymdownx.snippets: {base_path: [snippets], check_paths: true}
  - codeout: {prelude: snippets/prelude.py, paths: [snippets], downloads: [ipynb, py]}
plugins:
  - search
  - codeout
  - markdown-exec: {languages: [python]}
""",
        "snippets/prelude.py": "SEED = 0\n",
        "snippets/first.py": "# --8<-- [start:x]\nx = 6\nprint('x is', x)\nx * 7\n# --8<-- [end:x]\n",
        "docs/index.md": """
# Home

The value of x is {x}.

```python exec="on" session="first" source="tabbed-left" tabs="Code|Out"
--8<-- "first.py:x"
```

```python exec="on" session="first" source="above"
class Table:
    def _repr_html_(self):
        return "<table><tr><td>cell</td></tr></table>"

Table()
```

```python exec="on" session="first" source="above" raises="ZeroDivisionError"
1 / 0
```

<div class="codeout-overview"></div>
""",
    },
    (
        ("codeout", "--version"),
        WITHOUT_TORCH,
        BUILD,
        ("codeout", "status"),
        ("codeout", "export", "--output", "notebooks"),
    ),
    ("x is 6", ">42<", "<td>cell</td>", "ZeroDivisionError", "codeout-overview"),
    beside=("mkdocs-material>=9.7",),
    listed=("mkdocs", "markdown-exec", "pymdown-extensions", "mkdocs-material"),
)
MATHML = Package(
    "mkdocs-mathml",
    {
        "mkdocs.yml": """
site_name: Small
theme: mkdocs
markdown_extensions: [pymdownx.arithmatex: {generic: true}, mathml]
plugins: [mathml]
""",
        "docs/index.md": "# Home\n\nThen $x^2$.\n",
    },
    (BUILD,),
    ("<math><", "assets/mathml/math.css"),
)
PACKAGES = (CODEOUT, MATHML)


def lowest_requirements(pyproject: Mapping[str, Any], beside: Sequence[str] = ()) -> list[str]:
    """Return a requirement for the oldest version of each dependency of a package, those of its extras included.

    Args:
        pyproject: of the package.
        beside: further requirements.

    Raises:
        ValueError: a dependency has no lower bound.
    """
    project = pyproject["project"]
    extras = project.get("optional-dependencies", {}).values()
    requirements = [*project["dependencies"], *itertools.chain(*extras), *beside]
    bounds = {requirement: LOWER_BOUND.match(requirement) for requirement in requirements}
    if unbounded := [requirement for requirement, bound in bounds.items() if bound is None]:
        raise ValueError(f"{project['name']}: no lower bound for {', '.join(unbounded)}; write NAME>=VERSION")
    return [f"{bound['name']}=={bound['version']}" for bound in bounds.values() if bound]


def build_wheel(package: Package, folder: Path) -> None:
    """Build the sdist of a package, and the wheel from it.

    Raises:
        subprocess.CalledProcessError: the build failed and has printed why.
    """
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(package.folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def create_environment(folder: Path, wheel: Path, requirements: Sequence[str]) -> Path:
    """Create an environment with a wheel and some requirements, and return the folder of its programs.

    Raises:
        subprocess.CalledProcessError: pip failed and has printed why.
    """
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    command = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel), *requirements]
    subprocess.run([programs / "python", *command], check=True)
    return programs


def versions(programs: Path) -> dict[str, str]:
    """Return the versions of the packages in an environment, and of its Python."""
    command = [str(programs / "python"), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    listed = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return {"Python": platform.python_version(), **{each["name"].lower(): each["version"] for each in listed}}


def add_to_table(file: Path, package: Package, found: Mapping[str, str], *, works: bool) -> None:
    """Add what a package was tried with to a table, which is begun if the file has none for this package."""
    names = ("Python", *package.listed)
    head = f"| {package.name} | system | {' | '.join(names)} | |"
    text = file.read_text(encoding="utf8") if file.exists() else ""
    cells = [found[package.name], platform.system(), *(found[name] for name in names), "works" if works else "fails"]
    rows = [f"| {' | '.join(cells)} |"]
    if head not in text:
        rows = ["", head, f"|{' --- |' * len(cells)}", *rows]
    file.write_text(text + "\n".join(rows) + "\n", encoding="utf8")


def build_site(package: Package, programs: Path, folder: Path) -> str:
    """Build the small site with an environment's programs, and return its page.

    Raises:
        subprocess.CalledProcessError: a command failed and has printed why.
    """
    for path, text in package.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf8")
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    for command in package.commands:
        subprocess.run([programs / command[0], *command[1:]], cwd=folder, env=environment, check=True)
    return (folder / "site" / "index.html").read_text(encoding="utf8")


def check(package: Package, dist: Path | None = None, *, newest: bool = False, table: Path | None = None) -> list[str]:
    """Use a package with its oldest dependencies; return what its page lacks.

    Args:
        package: the package.
        dist: a folder with its wheel, which is built if there is none.
        newest: whether to use the newest dependencies instead.
        table: a file with a table of what was tried.

    Raises:
        subprocess.CalledProcessError: a command failed and has printed why.
        ValueError: a dependency has no lower bound.
    """
    pyproject = tomllib.loads((package.folder / "pyproject.toml").read_text(encoding="utf8"))
    extras = itertools.chain(*pyproject["project"].get("optional-dependencies", {}).values())
    requirements = [*extras, *package.beside] if newest else lowest_requirements(pyproject, package.beside)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if dist is None:
            build_wheel(package, dist := folder / "dist")
        (wheel,) = package.wheels(dist)
        programs = create_environment(folder / "environment", wheel, requirements)
        page = build_site(package, programs, folder / "small")
        missing = [text for text in package.expected if text not in page]
        if table:
            add_to_table(table, package, versions(programs), works=not missing)
    return missing


def main() -> int:
    """Check both packages; return 1 if a page lacks something."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dist", type=Path, nargs="?", help="a folder with the wheels")
    parser.add_argument("--versions", choices=["oldest", "newest"], default="oldest", help="those that are allowed")
    parser.add_argument("--table", type=Path, help="a file to which to add what was tried, as a table in Markdown")
    arguments = parser.parse_args()
    dist, is_newest = arguments.dist, arguments.versions == "newest"
    packages = [each for each in PACKAGES if dist is None or each.wheels(dist)]
    missing = {package.name: check(package, dist, newest=is_newest, table=arguments.table) for package in packages}
    for name, texts in missing.items():
        print(f"{name}: {f'not on its page: {texts}' if texts else f'works with the {arguments.versions} versions'}")
    return int(any(missing.values()))


if __name__ == "__main__":
    sys.exit(main())
