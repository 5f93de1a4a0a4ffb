"""How long sessions took, on disk."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from codeout.cache.timings import SessionTimings, Timing


def test_a_timing_is_found_by_its_session(tmp_path: Path) -> None:
    timings = SessionTimings(tmp_path)
    timings.put("a", Timing(1.3, 2))
    timings.put("b", Timing(2.0, 0))
    assert timings.load_all() == {"a": Timing(1.3, 2), "b": Timing(2.0, 0)}
    assert timings.get("a") == Timing(1.3, 2)
    assert timings.get("c") is None


@pytest.mark.parametrize("content", ["[", "{}", '{"name": "a", "timing": {"seconds": "x", "checkpoints": 0}}'])
def test_a_damaged_timing_is_ignored(tmp_path: Path, content: str) -> None:
    timings = SessionTimings(tmp_path)
    timings.put("a", Timing(1.3, 2))
    for path in tmp_path.iterdir():
        path.write_text(content)
    assert timings.load_all() == {}
    for name in "bcd":
        timings.put(name, Timing(1.0, 0))
    assert sorted(timings.load_all()) == ["b", "c", "d"]


def test_a_timing_whose_file_has_another_name_is_ignored(tmp_path: Path) -> None:
    timings = SessionTimings(tmp_path)
    timings.put("a", Timing(1.3, 2))
    (path,) = tmp_path.iterdir()
    path.rename(tmp_path / "a-late.json")
    assert timings.load_all() == {}


def test_the_latest_timing_counts_whichever_folder_was_copied_last(tmp_path: Path) -> None:
    old, new, merged = (SessionTimings(tmp_path / name) for name in ("old", "new", "merged"))
    old.put("a", Timing(9.0, 0))
    time.sleep(0.002)
    new.put("a", Timing(1.0, 0))
    for timings in (new, old):
        shutil.copytree(timings.folder, merged.folder, dirs_exist_ok=True)
    assert merged.load_all() == {"a": Timing(1.0, 0)}
    merged.put("a", Timing(2.0, 0))
    assert merged.load_all() == {"a": Timing(2.0, 0)}
    assert len(list(merged.folder.iterdir())) == 1
