"""Runs on disk."""

from __future__ import annotations

import base64
import json
import math
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from codeout import Error, Figure, Run, RunStore, Stream, Value
from codeout.cache.files import read_regular_file, write_atomically
from codeout.cache.keys import FORMAT, Environment, Key, KeyInputs
from codeout.model.inputs import Input
from codeout.model.outputs import Scalar
from helpers import PROVENANCE, posix

KEY = Key("c" * 40, "e" * 16, "f" * 16)
PICTURE = base64.b64encode(b"\x89PNG picture").decode()
RUN = Run(
    outputs=(Stream("stdout", "hello\n"), Figure({"image/png": PICTURE, "text/plain": "<Figure>"}, "words")),
    provenance=PROVENANCE,
)
TORCH = (("torch", "2.15.0"),)
HERE = Environment(python="3", platform="Linux", device="CPU", packages=TORCH, variables=(("TZ", ""),))
INPUTS = KeyInputs(environment=HERE, session="docs/a.md s", settings=(), files=(), codes=("code",))


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "store")


def path(store: RunStore) -> Path:
    return store.root / "cc" / f"{KEY}.json"


def picture(store: RunStore) -> Path:
    (found,) = (store.root / "images").iterdir()
    return found


def change(store: RunStore, old: str, new: str) -> None:
    """Change the text of the run's file."""
    text = path(store).read_text()
    assert old in text
    path(store).write_text(text.replace(old, new))


def link(file: Path) -> None:
    """Move a file away and leave a symbolic link to it."""
    file.rename(file.with_name("elsewhere"))
    file.symlink_to(file.with_name("elsewhere"))


def link_to_device(file: Path) -> None:
    """Put a link to an endless device in place of a file."""
    file.unlink()
    file.symlink_to("/dev/zero")


def pipe(file: Path) -> None:
    """Put a pipe in place of a file."""
    file.unlink()
    os.mkfifo(file)


def test_a_run_that_was_put_is_found_under_its_key_alone(store: RunStore) -> None:
    store.put(KEY, RUN)
    assert store.get(KEY) == RUN
    assert store.get(Key("d" * 40, "e" * 16)) is None


def test_every_kind_of_output_and_value_survives(store: RunStore) -> None:
    outputs = (
        Stream("stderr", "w\n"),
        Value({"text/plain": "1"}),
        Figure({"image/svg+xml": "<svg/>"}, "words"),
        Error(type="ValueError", message="no", traceback="Traceback", line=3, bases=("Exception",)),
    )
    values: dict[str, Scalar] = {
        "whole": 1,
        "flag": True,
        "text": "x",
        "share": 0.5,
        "large": 2**100,
        "none": -math.inf,
    }
    inputs = (Input(kind="file", name="snippets/helper.py", digest="f" * 64),)
    run = Run(
        outputs=outputs,
        provenance=PROVENANCE,
        origin="docs/a.md:3",
        inputs=inputs,
        reads_lines=True,
        values=values,
        measured=True,
    )
    store.put(KEY, run)
    assert store.get(KEY) == run


def test_a_value_that_is_not_a_number_survives(store: RunStore) -> None:
    store.put(KEY, replace(RUN, values={"loss": math.nan, "above": math.inf, "step": 3}))
    run = store.get(KEY)
    assert run is not None
    values = run.values
    assert str(values["loss"]) == "nan"
    assert (values["above"], values["step"]) == (math.inf, 3)


def test_the_cache_is_json_and_pictures(store: RunStore) -> None:
    store.put(KEY, RUN, INPUTS, "docs/a.md s 1")
    files = [file for file in store.root.rglob("*") if file.is_file()]
    assert sorted(file.suffix for file in files) == [".json", ".png"]
    assert PICTURE not in path(store).read_text()
    assert json.loads(path(store).read_text())["content"]["name"] == "docs/a.md s 1"
    assert store.count_bytes(KEY) == sum(file.stat().st_size for file in files)
    assert store.count_bytes(Key("d" * 40, "e" * 16)) == 0


HARM: dict[str, Callable[[RunStore], object]] = {
    "torn": lambda s: path(s).write_text(path(s).read_text()[:50]),
    "foreign": lambda s: path(s).write_bytes(b"\x80\x04pickle"),
    "not an object": lambda s: path(s).write_text("[]"),
    "not UTF-8": lambda s: path(s).write_bytes(path(s).read_bytes().replace(b"hello", b"\xff")),
    "nested too deeply": lambda s: path(s).write_text("[" * 100_000),
    "an older format": lambda s: change(s, '"format": ', '"format": 9'),
    "another's key": lambda s: change(s, "c" * 40, "f" * 40),
    "an unknown kind of output": lambda s: change(s, '"stream"', '"script"'),
    "an unknown channel": lambda s: change(s, '"stdout"', '"stdin"'),
    "a field of another type": lambda s: change(s, '"hello\\n"', "3"),
    "a time that is no number": lambda s: change(s, "1.5", "true"),
    "a time that no number holds": lambda s: change(s, "1.5", "1" + "0" * 400),
    "a missing field": lambda s: change(s, '"python"', '"pyton"'),
    "a reference that climbs out": lambda s: change(s, "file:", "file:../../"),
    "a picture in place of a reference": lambda s: change(s, "file:", "data:"),
    "a reference to another type": lambda s: change(s, "image/png", "image/gif"),
    "a damaged picture": lambda s: picture(s).write_bytes(b"other"),
    "a missing picture": lambda s: picture(s).unlink(),
}
HARM_WITH_LINKS: dict[str, Callable[[RunStore], object]] = {
    "a run that is a link": lambda s: link(path(s)),
    "a picture that is a link": lambda s: link(picture(s)),
    "a run that is a device": lambda s: link_to_device(path(s)),
    "a run that is a pipe": lambda s: pipe(path(s)),
    "a picture that is a pipe": lambda s: pipe(picture(s)),
}


@pytest.mark.parametrize("harm", HARM)
def test_what_is_not_whole_is_a_miss_and_can_be_put_again(store: RunStore, harm: str) -> None:
    store.put(KEY, RUN, INPUTS)
    HARM[harm](store)
    assert store.get(KEY) is None
    store.put(KEY, RUN)
    assert store.get(KEY) == RUN


@posix
@pytest.mark.parametrize("harm", HARM_WITH_LINKS)
def test_what_is_no_regular_file_is_a_miss_that_nothing_waits_for(store: RunStore, harm: str) -> None:
    store.put(KEY, RUN, INPUTS)
    HARM_WITH_LINKS[harm](store)
    found: list[Run | None] = []
    thread = threading.Thread(target=lambda: found.append(store.get(KEY)), daemon=True)
    thread.start()
    thread.join(10)
    assert found == [None]
    store.clean_pictures()


@pytest.mark.parametrize(
    "limits", [{"max_file_bytes": 600}, {"max_picture_bytes": 20}], ids=["a large file", "large pictures"]
)
def test_what_is_too_large_is_a_miss(store: RunStore, limits: dict[str, int]) -> None:
    picture = Figure({"image/png": PICTURE}, "")
    store.put(KEY, replace(RUN, outputs=(Stream("stdout", "x" * 500), picture, picture)))
    assert store.get(KEY) is not None
    assert RunStore(store.root, **limits).get(KEY) is None
    assert RunStore(store.root, max_file_bytes=2000, max_picture_bytes=26).get(KEY) is not None


@pytest.mark.parametrize("output", [Stream("stdout", "x" * 500), Figure({"image/png": PICTURE * 30}, "")])
def test_what_is_too_large_is_not_put(tmp_path: Path, output: Stream | Figure) -> None:
    with pytest.raises(ValueError, match=r"output is too large: [\d,]+ bytes; the limit is 300"):
        RunStore(tmp_path, max_file_bytes=300).put(KEY, Run(outputs=(output,), provenance=PROVENANCE))


@pytest.mark.parametrize("output", [Stream("stdout", "\ud800"), Figure({"image/png": "a"}, "")])
def test_what_no_file_can_hold_is_a_value_error(store: RunStore, output: Stream | Figure) -> None:
    with pytest.raises(ValueError, match=r"surrogates|base64"):
        store.put(KEY, Run(outputs=(output,), provenance=PROVENANCE))
    assert not list(store.root.rglob("*.json"))


def test_many_writers_leave_one_whole_run_and_no_temporary_file(store: RunStore) -> None:
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
        store.put(KEY, Run(outputs=(), provenance=PROVENANCE))
    monkeypatch.undo()
    assert store.get(KEY) == RUN
    assert not list(store.root.rglob(".new-*"))
    assert list(store.root.iterdir())


def test_runs_that_are_not_needed_can_be_removed_with_the_pictures_that_no_other_run_shows(store: RunStore) -> None:
    other = Key("d" * 40, "e" * 16, "f" * 16)
    another = base64.b64encode(b"\x89PNG another").decode()
    store.put(KEY, RUN)
    store.put(other, Run(outputs=(Figure({"image/png": another}, "words"),), provenance=PROVENANCE))
    (unused,) = store.unused({KEY.code}, [])
    unused.unlink()
    store.clean_pictures()
    assert store.get(KEY) == RUN
    assert store.get(other) is None
    assert len(list((store.root / "images").iterdir())) == 1


def test_pictures_of_all_runs_stay_and_what_is_no_run_shows_none(store: RunStore) -> None:
    for number in range(3):
        data = base64.b64encode(f"picture {number}".encode()).decode()
        store.put(
            Key(f"{number}" * 40, "e" * 16), Run(outputs=(Figure({"image/png": data}, ""),), provenance=PROVENANCE)
        )
    (store.root / "00" / "x.json").write_bytes(b'\xff"file:x"')
    store.clean_pictures()
    assert len(list((store.root / "images").iterdir())) == 3


def test_a_run_is_readable_as_text_a_field_on_a_line(store: RunStore) -> None:
    store.put(KEY, RUN)
    _, _, content = path(store).read_text().partition('"content": ')
    assert content.startswith(f'{{\n "format": {FORMAT},\n "key": "{KEY}",\n')


def test_a_file_is_written_beside_the_one_that_it_replaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moves: list[tuple[str, Path]] = []
    monkeypatch.setattr(Path, "replace", lambda new, old: moves.append((new.name[:5], new.parent)))
    write_atomically(tmp_path / "a" / "b.json", b"x")
    assert moves == [(".new-", tmp_path / "a")]


def test_a_file_is_read_to_its_end_however_little_comes_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"abcdefg")
    read = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, size: read(descriptor, min(size, 3)))
    assert read_regular_file(file, 7) == b"abcdefg"
    with pytest.raises(OSError, match="7 bytes; the limit is 6"):
        read_regular_file(file, 6)


def test_an_entry_says_what_a_run_was_made_from(store: RunStore) -> None:
    store.put(KEY, RUN, INPUTS, "block")
    (entry,) = store.entries()
    assert (entry.path, entry.key, entry.name, entry.inputs) == (path(store), KEY, "block", INPUTS)
    store.put(KEY, RUN)
    assert list(store.entries()) == []


def test_the_newest_run_of_a_block_is_the_one_with_the_latest_date(store: RunStore) -> None:
    for date, text, code in (("2026-01-02", "second", "2"), ("2026-01-01", "first", "1")):  # as if copied in this order
        run = Run(outputs=(Stream("stdout", text),), provenance=replace(PROVENANCE, date=date))
        store.put(Key(code * 40, "e" * 16, "f" * 16), run, INPUTS, "block")
    assert store.newest_entries()["block"].key.code == "2" * 40
    assert store.newest_runs()["block"].outputs == (Stream("stdout", "second"),)
    newest = next(store.root.glob("22/*.json"))
    newest.write_text(newest.read_text().replace('"format": ', '"format": 9'))
    assert store.newest_entries()["block"].key.code == "1" * 40, "another format can't be read"
