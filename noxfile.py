"""The tasks of this repository, one word each: the same by hand, before a commit and in CI.

    nox -s check       lint, format, types, and which room may import which
    nox -s test        all tests; arguments after `--` are pytest's
    nox -s docs        build the site, strictly
    nox -s placeholders  build it on placeholder data, and run the tests that look at pages
    nox -s coverage    how much of each room of the engine its tests execute
    nox -s bench       how long builds take

A task runs in the current environment, with the versions of requirements-dev.txt, so nothing is installed twice. nox
and not make, because CI and authors run the tasks on Windows as well.
"""

from __future__ import annotations

import sys

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["check", "test"]


def python(session: nox.Session, *arguments: str) -> None:
    """Run a module or a script with the current Python."""
    session.run(sys.executable, *arguments)


@nox.session
def check(session: nox.Session) -> None:
    """Lint, format, types, and which room may import which."""
    python(session, "-m", "ruff", "check")
    python(session, "-m", "ruff", "format", "--check")
    python(session, "-m", "mypy")
    python(session, "-m", "mypy", "tests")  # by themselves: packages/codeout/tests has modules of the same names
    python(session, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()")


@nox.session
def test(session: nox.Session) -> None:
    """Run all tests, or those that the arguments name."""
    python(session, "-m", "pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site, strictly."""
    python(session, "-m", "mkdocs", "build", "--strict", *session.posargs)


@nox.session
def placeholders(session: nox.Session) -> None:
    """Build the site as where nothing can be downloaded, and run the tests that look at its pages."""
    layout = ("--ignore=tests/test_browser_layout.py", "--ignore=tests/test_browser_network.py")  # depend on no data
    command = ("-m", "pytest", "-m", "pages", "tests", *layout, *session.posargs)
    session.run(sys.executable, *command, env={"TUTORIAL_PLACEHOLDERS": "only"})


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure how much of each room of the engine its tests execute."""
    python(session, "-m", "coverage", "run", "-m", "pytest", "packages/codeout", *session.posargs)
    python(session, "-m", "coverage", "combine", "--quiet")
    python(session, "tools/coverage_by_room.py")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure how long builds take; `-- --cold` adds cold builds."""
    python(session, "benchmarks/builds.py", *session.posargs)
