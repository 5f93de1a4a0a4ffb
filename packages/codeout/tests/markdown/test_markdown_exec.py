"""markdown-exec's own tests, from its source distribution, run against our formatter: what differs is listed here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

import pytest

PLUGIN = """
import tempfile
from markdown import Markdown
from codeout.markdown.extension import CodeoutExtension

plain = Markdown.__init__

def with_codeout(self, **options):
    names = options.get("extensions", [])
    own = [CodeoutExtension(root=tempfile.mkdtemp(), errors="show")] if "pymdownx.superfences" in names else []
    plain(self, **{**options, "extensions": [*names, *own]})

Markdown.__init__ = with_codeout
"""
DIFFERENT = {
    "test_python.py::test_error_raised": "an error is shown as an output, or fails the build; not a warning",
    "test_python.py::test_functions_have_a_module_attribute": "a block is `__main__`, as a script is",
    "test_python.py::test_future_annotations_do_not_leak_into_user_code": "likewise; they don't leak",
}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of markdown-exec's source distribution, of the version that is installed."""
    folder = tmp_path_factory.mktemp("markdown-exec")
    name = f"markdown-exec=={version('markdown-exec')}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "markdown-exec"]
    subprocess.run([*command, "--dest", str(folder), name], check=True)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())


def outcomes(theirs: Path, *options: str) -> tuple[set[str], set[str]]:
    """Return the tests of theirs that pass, and those that fail; the file that inspects their own API is left out."""
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-c", os.devnull, "--rootdir", str(theirs), *options]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--ignore=tests/test_api.py", "tests"],
        cwd=theirs,
        env={**os.environ, "PYTHONPATH": str(theirs)},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"^(PASSED|FAILED|ERROR) tests/([\w.:]+)", done.stdout, re.MULTILINE)
    failed = {name for outcome, name in found if outcome != "PASSED"}
    return {name for _, name in found} - failed, failed


def test_their_tests_pass_but_for_what_is_listed(theirs: Path) -> None:
    (theirs / "with_codeout.py").write_text(PLUGIN)
    passed, missing = outcomes(theirs)  # some of theirs need packages that we don't
    ours, failed = outcomes(theirs, "-p", "with_codeout")
    assert len(passed) >= 30
    assert failed - missing == set(DIFFERENT)
    assert ours == passed - set(DIFFERENT)
