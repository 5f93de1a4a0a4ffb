"""What imports what: the layers of the packages, and the libraries that only one of them may know."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp

from helpers import PACKAGE

REPOSITORY = PACKAGE.parent.parent
LINT = "from importlinter.cli import import_linter; import_linter()"


def test_the_contracts_hold() -> None:
    command = [sys.executable, "-c", LINT, "lint", "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_library_belongs_to_a_room() -> None:
    tools = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf8"))["tool"]
    protected = {
        module for contract in tools["importlinter"]["contracts"] for module in contract.get("protected_modules", ())
    }
    graph = grimp.build_graph("codeout", include_external_packages=True, exclude_type_checking_imports=True)
    external = {module for module in graph.modules if graph.is_module_squashed(module)}
    assert external - sys.stdlib_module_names <= protected


def test_neither_the_packages_nor_their_tests_import_torch() -> None:
    files = {*PACKAGE.parent.glob("*/src/**/*.py"), *PACKAGE.parent.glob("*/tests/**/*.py")}
    assert Path(__file__) in files
    assert not [(file.name, name) for file in files for name in imported(file) if name.startswith("torch")]


def imported(file: Path) -> set[str]:
    """Return the modules that a file imports, inside of functions, too."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
