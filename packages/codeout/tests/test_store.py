"""Runs on disk."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from codeout import Figure, Run, RunStore, Stream
from codeout.cache.keys import Environment, Key, KeyInputs
from codeout.cache.store import Time
from helpers import PROVENANCE

KEY = Key("c" * 40, "e" * 16)
PICTURE = base64.b64encode(b"\x89PNG picture").decode()
RUN = Run((Stream("stdout", "hello\n"), Figure({"image/png": PICTURE, "text/plain": "<Figure>"}, "words")), PROVENANCE)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "store")


def entry(store: RunStore) -> Path:
    return store.root / "cc" / f"{KEY}.json"


def test_what_was_put_is_found(store: RunStore) -> None:
    store.put(KEY, RUN)
    assert store.get(KEY) == RUN
    assert store.get(Key("d" * 40, "e" * 16)) is None


def test_the_store_is_json_and_pictures(store: RunStore) -> None:
    store.put(KEY, RUN)
    files = [path for path in store.root.rglob("*") if path.is_file()]
    assert sorted(path.suffix for path in files) == [".json", ".png"]
    assert PICTURE not in entry(store).read_text()


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda s: entry(s).write_text(entry(s).read_text()[:50]), id="torn"),
        pytest.param(lambda s: entry(s).write_bytes(b"\x80\x04pickle"), id="foreign"),
        pytest.param(lambda s: entry(s).write_text("[]"), id="not an object"),
        pytest.param(
            lambda s: entry(s).write_text(json.dumps(json.loads(entry(s).read_text()) | {"format": 0})), id="older"
        ),
        pytest.param(lambda s: entry(s).write_text(entry(s).read_text().replace("c" * 40, "f" * 40)), id="another's"),
        pytest.param(
            lambda s: entry(s).write_text(entry(s).read_text().replace("file:", "file:../../")), id="climbing out"
        ),
        pytest.param(lambda s: next((s.root / "images").iterdir()).write_bytes(b"other"), id="a damaged picture"),
        pytest.param(lambda s: next((s.root / "images").iterdir()).unlink(), id="a missing picture"),
    ],
)
def test_what_is_not_whole_is_a_miss_and_can_be_put_again(store: RunStore, harm: Callable[[RunStore], None]) -> None:
    store.put(KEY, RUN)
    harm(store)
    assert store.get(KEY) is None
    store.put(KEY, RUN)
    assert store.get(KEY) == RUN


def test_many_writers_leave_one_whole_run_and_no_rubbish(store: RunStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store.put(KEY, RUN), range(64)))
    assert store.get(KEY) == RUN
    assert not list(store.root.rglob(".new-*"))


def test_a_failed_write_keeps_the_run_that_was_there(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(KEY, RUN)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        store.put(KEY, Run((), PROVENANCE))
    monkeypatch.undo()
    assert store.get(KEY) == RUN
    assert not list(store.root.rglob(".new-*"))
    assert list(store.root.iterdir())


def test_clean_removes_what_is_not_needed_and_pictures_that_no_run_shows(store: RunStore) -> None:
    other = Key("d" * 40, "e" * 16)
    picture = base64.b64encode(b"\x89PNG another").decode()
    store.put(KEY, RUN)
    store.put(other, Run((Figure({"image/png": picture}, "words"),), PROVENANCE))
    assert store.clean({KEY.code}) == (1, 1)
    assert store.get(KEY) == RUN
    assert store.get(other) is None
    assert len(list((store.root / "images").iterdir())) == 1


def test_times_that_are_damaged_are_forgotten(store: RunStore) -> None:
    store.keep_time("a", Time(1.3, 2))
    store.keep_time("b", Time(2.0, 0))
    assert store.times() == {"a": Time(1.3, 2), "b": Time(2.0, 0)}
    for path in (store.root / "times").iterdir():
        path.write_text("[")
    assert store.times() == {}


def test_the_latest_time_counts_whichever_store_was_copied_last(tmp_path: Path) -> None:
    old, new, merged = (RunStore(tmp_path / name) for name in ("old", "new", "merged"))
    old.keep_time("a", Time(9.0, 0))
    time.sleep(0.002)
    new.keep_time("a", Time(1.0, 0))
    for store in (new, old):
        shutil.copytree(store.root, merged.root, dirs_exist_ok=True)
    assert merged.times() == {"a": Time(1.0, 0)}
    merged.keep_time("a", Time(2.0, 0))
    assert len(list((merged.root / "times").iterdir())) == 1


def test_the_newest_run_of_a_block_is_the_one_with_the_latest_date(store: RunStore) -> None:
    recipe = KeyInputs(Environment("3", "Linux", "CPU", (), ()), (), ("code",))
    for date, text in (("2026-01-02", "second"), ("2026-01-01", "first")):  # as if copied in this order
        run = Run((Stream("stdout", text),), replace(PROVENANCE, date=date))
        store.put(Key(text * 8, "0" * 16), run, recipe, "block")
    (key, told) = store.newest()["block"]
    assert key.code == "second" * 8
    assert told == recipe
    path = next(store.root.glob("se/*.json"))
    path.write_text(path.read_text().replace('"format": ', '"format": 9'))
    assert store.newest()["block"][0].code == "first" * 8, "an older format can't be read"
