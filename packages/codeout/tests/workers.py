"""What the processes that share out the tests (pytest-xdist) make once for all of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def make_once(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], object]) -> Path:
    """Return a folder that the first process to ask for it fills; the others wait. Tests must leave it as it is.

    Args:
        factory: knows the folder of this process, which is in the one of all processes.
        name: of the folder, and of what is in it.
        fill: fills an empty folder.
    """
    own = factory.getbasetemp()
    common = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, is_filled = common / name, common / f"{name}.filled"
    with FileLock(common / f"{name}.lock"):
        if not is_filled.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of an attempt that failed
            folder.mkdir()
            fill(folder)
            is_filled.touch()
    return folder
