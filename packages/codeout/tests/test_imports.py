"""What imports what: the layers of the packages, and the libraries that only one of them may know."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import grimp

from helpers import PACKAGE

REPOSITORY = PACKAGE.parent.parent
LINT = "from importlinter.cli import import_linter; import_linter()"


def test_the_contracts_hold() -> None:
    command = [sys.executable, "-c", LINT, "lint", "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_library_belongs_to_a_room() -> None:
    contracts = settings(REPOSITORY)["tool"]["importlinter"]["contracts"]
    protected = {module for contract in contracts for module in contract.get("protected_modules", ())}
    assert libraries() <= protected


def test_every_dependency_is_imported() -> None:
    project = settings(PACKAGE)["project"]
    declared = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    distributions = metadata.packages_distributions()
    imported = {name.lower() for library in libraries() for name in distributions[library]}
    assert {re.split(r"[<>=]", requirement)[0] for requirement in declared} <= imported


def settings(folder: Path) -> dict[str, Any]:
    """Return what the pyproject.toml of a folder says."""
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf8"))


def libraries() -> set[str]:
    """Return the libraries that the engine imports."""
    graph = grimp.build_graph("codeout", include_external_packages=True, exclude_type_checking_imports=True)
    return {module for module in graph.modules if graph.is_module_squashed(module)} - sys.stdlib_module_names


def test_neither_the_packages_nor_their_tests_import_torch() -> None:
    files = {*PACKAGE.parent.glob("*/src/**/*.py"), *PACKAGE.parent.glob("*/tests/**/*.py")}
    assert Path(__file__) in files
    assert not [(file.name, name) for file in files for name in imported(file) if name.startswith("torch")]


def imported(file: Path) -> set[str]:
    """Return the modules that a file imports, inside of functions, too."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
