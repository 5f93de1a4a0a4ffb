"""Runs from a machine that others share: what is taken as a recording, and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from codeout import Figure, RunStore, Source, Value
from codeout.cache.files import seal
from codeout.cli.main import main
from codeout.recordings import accept
from codeout.recordings.read import MAX_FILE_BYTES
from helpers import posix, record
from small_sites import CONFIG, block_tabs, build

SCRIPT = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><script>alert(1)</script></svg>'


@pytest.fixture
def sent(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of runs as another machine would have sent it."""
    record(project)
    (project / "recordings").rename(project / "sent")
    monkeypatch.chdir(project)
    return project / "sent"


def last(folder: Path) -> Path:
    """Return the file of the run that prints."""
    return max(folder.glob("??/*.json"), key=lambda path: json.loads(path.read_text())["content"]["name"])


def change(folder: Path, *path: str, **fields: object) -> None:
    """Change fields of the JSON of a run, at a path inside it; its key stays what it was."""
    file = last(folder)
    content = part = json.loads(file.read_text())["content"]
    for name in path:
        part = part[name]
    part |= fields
    file.write_bytes(seal(json.dumps(content).encode()))


def shows(folder: Path, *outputs: object, **told: object) -> None:
    """Have a run show other outputs; it is put with its own key."""
    store, path = RunStore(folder), last(folder)
    entry, run = store.entry(path), store.load(path)
    assert entry is not None
    provenance = replace(run.provenance, **told)
    store.put(entry.key, replace(run, outputs=outputs or run.outputs, provenance=provenance), entry.inputs, entry.name)


def add_package(folder: Path) -> None:
    """Have a run say that it was made with a package that the site does not name, under the key that fits."""
    store, path = RunStore(folder), last(folder)
    entry, run = store.entry(path), store.load(path)
    assert entry is not None
    packages = (("numpy", "2.0"),)
    environment = replace(entry.inputs.environment, packages=packages)
    inputs = replace(entry.inputs, environment=environment)
    key = replace(inputs.key, trace=entry.key.trace)
    path.unlink()
    store.put(key, replace(run, provenance=replace(run.provenance, packages=packages)), inputs, entry.name)


def test_what_is_sent_becomes_recordings_that_pages_show(
    project: Path,
    sent: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["accept", "sent"]) == 0
    assert "stored 2 recordings in recordings" in capsys.readouterr().out
    build(project)
    assert list(block_tabs(project, 1)) == ["Code", "Out · CPU", "Out · GPU"]


def test_only_sessions_that_use_a_gpu_are_taken_if_the_settings_name_them(
    project: Path,
    sent: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (project / "mkdocs.yml").write_text(CONFIG.replace("{paths: [snippets]}", "{paths: [snippets], gpu: [other]}"))
    (project / "docs" / "other.md").write_text('```python exec="on" session="other"\nprint(1)\n```\n')
    assert main(["accept", "sent"]) == 1
    assert "no page contains its code" in capsys.readouterr().err


def test_what_ran_on_a_device_that_is_here_needs_no_recording(
    project: Path,
    sent: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["accept", ".codeout"]) == 0
    assert "stored 0 recordings" in capsys.readouterr().out


@pytest.mark.parametrize("older", ["3.9", "3.10"])
def test_of_two_runs_of_a_block_the_newer_is_recorded(
    project: Path, monkeypatch: pytest.MonkeyPatch, older: str
) -> None:
    monkeypatch.chdir(project)
    (newer,) = {"3.9", "3.10"} - {older}
    record(project, text=lambda _: "older", date="2026-01-01T00:00:00+00:00", python=older)
    record(project, text=lambda _: "newer", date="2026-01-02T00:00:00+00:00", python=newer)
    (project / "recordings").rename(project / "both")
    assert main(["accept", "both"]) == 0
    store = RunStore(project / "recordings")
    runs = [store.load(entry.path) for entry in store.entries()]
    assert {run.provenance.python for run in runs} == {newer}
    assert len(runs) == 2


def test_a_new_recording_takes_the_place_of_the_old_one(project: Path, sent: Path) -> None:
    main(["accept", "sent"])
    snippet = project / "snippets" / "first.py"
    snippet.write_text(snippet.read_text().replace('print("cpu")', 'print("cpu", 2)'))
    build(project)
    main(["clean"])
    (project / "recordings").rename(project / "before")
    record(project)
    (project / "recordings").rename(project / "again")
    (project / "before").rename(project / "recordings")
    before = {entry.key for entry in RunStore(project / "recordings").entries()}
    assert main(["accept", "again"]) == 0
    after = [entry.name for entry in RunStore(project / "recordings").entries()]
    assert sorted(after) == sorted(set(after))
    assert {entry.key for entry in RunStore(project / "recordings").entries()} != before


def test_html_is_left_out_and_the_text_stays(sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shows(sent, Value({"text/html": "<b>x</b><script>alert(1)</script>", "text/plain": "x"}))
    assert main(["accept", "sent"]) == 0
    assert "without its text/html" in capsys.readouterr().out
    assert "script" not in "".join(path.read_text() for path in Path("recordings").glob("??/*.json"))


def link(folder: Path) -> None:
    (folder / "images").mkdir()
    (folder / "images" / ("a" * 64 + ".png")).symlink_to("/etc/hosts")


def rename(folder: Path) -> None:
    path = last(folder)
    key = "f" * 40 + path.stem[40:]
    (folder / "ff").mkdir(exist_ok=True)
    content = json.loads(path.read_text())["content"]
    (folder / "ff" / f"{key}.json").write_bytes(seal(json.dumps({**content, "key": key}).encode()))


def refer(folder: Path, reference: str, times: int = 1) -> None:
    change(folder, "run", outputs=[{"kind": "figure", "data": {"image/png": reference}, "alt": ""}] * times)


def show_often(folder: Path) -> None:
    content = b"x" * 30_000
    name = f"{hashlib.sha256(content).hexdigest()}.png"
    (folder / "images").mkdir()
    (folder / "images" / name).write_bytes(content)
    refer(folder, f"file:{name}", 1000)


ERROR = {"kind": "error", "type": "E", "message": "", "traceback": "", "bases": [], "line": 1}
INCOMPLETE = "incomplete, or does not match its file name"
HARM: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link": (link, "symbolic link"),
    "a folder that is a link": (lambda f: (f / "ab").symlink_to("/etc"), "symbolic link"),
    "a memo that is a link": (lambda f: (f / "memo").symlink_to("/etc"), "symbolic link"),
    "an unexpected file": (lambda f: (f / "run.sh").write_text("rm"), "unexpected file"),
    "an unexpected file among runs": (lambda f: (last(f).parent / "x.json").write_text("{}"), "unexpected file"),
    "a pipe": (lambda f: os.mkfifo(f / "pipe"), "not a regular file"),
    "a huge file": (
        lambda f: last(f).write_bytes(b" " * (MAX_FILE_BYTES + 1)),
        "bytes; the limit per file is 4,000,000",
    ),
    "torn": (lambda f: last(f).write_text(last(f).read_text()[:-30]), INCOMPLETE),
    "not JSON": (lambda f: last(f).write_bytes(b"\x80\x04\x95pickle"), INCOMPLETE),
    "not UTF-8": (lambda f: last(f).write_bytes(last(f).read_bytes().replace(b"cuda", b"\xff")), INCOMPLETE),
    "deep": (lambda f: last(f).write_text("[" * 100_000), INCOMPLETE),
    "a field of another type": (lambda f: change(f, "run", "provenance", device=["CPU"]), INCOMPLETE),
    "a very long time": (lambda f: change(f, "run", "provenance", seconds=10**400), INCOMPLETE),
    "true for a time": (lambda f: change(f, "run", "provenance", seconds=True), INCOMPLETE),
    "a line that is none": (lambda f: change(f, "run", outputs=[ERROR | {"line": [[1]]}]), INCOMPLETE),
    "half a letter": (
        lambda f: change(f, "run", outputs=[{"kind": "stream", "name": "stdout", "text": "\ud800"}]),
        INCOMPLETE,
    ),
    "a path that climbs out": (lambda f: refer(f, "file:../../etc/hosts"), INCOMPLETE),
    "a picture that is not there": (lambda f: refer(f, "file:" + "a" * 64 + ".png"), INCOMPLETE),
    "one picture a thousand times": (show_often, INCOMPLETE),
    "another key": (lambda f: change(f, key="0" * 40 + "-" + "0" * 16), INCOMPLETE),
    "another format": (lambda f: change(f, format=1), "made by another version of codeout"),
    "a name that is not its digest": (rename, "its key does not match the inputs"),
    "another environment": (
        lambda f: change(f, "inputs", "environment", device="H100"),
        "its key does not match the inputs",
    ),
    "no inputs": (lambda f: change(f, inputs=None), "its key does not match the inputs"),
    "another block's name": (lambda f: change(f, name="docs/first.md first 1"), "its name or inputs do not match"),
    "another device": (
        lambda f: change(f, "run", "provenance", device="CPU"),
        "its device or Python version does not match",
    ),
    "another Python": (
        lambda f: change(f, "run", "provenance", python="2.7"),
        "its device or Python version does not match",
    ),
    "another version": (lambda f: shows(f, packages=(("torch", "9"),)), "its package versions do not match"),
    "other code": (lambda f: shows(f, code_digest="f" * 12), "its code digest does not match"),
    "a package that is not in its key": (
        lambda f: shows(f, packages=(("numpy", "2.0"),)),
        "its package versions do not match its key",
    ),
    "a package that no setting names": (
        add_package,
        "lists packages that are not in the setting 'packages'",
    ),
    "other data": (lambda f: shows(f, sources=(Source("CIFAR-10", "original", "x"),)), "its data differs"),
    "another module": (
        lambda f: change(f, "run", inputs=[["file", "snippets/helper.py", "0" * 64]]),
        "what it read in the site's folder differs",
    ),
    "an exception that nobody expects": (lambda f: change(f, "run", outputs=[ERROR]), "raised an unexpected exception"),
    "an invalid date": (lambda f: shows(f, date="garbage"), "invalid date"),
    "a picture that could act": (lambda f: shows(f, Figure({"image/svg+xml": SCRIPT}, "")), "SVG with <script>"),
}


@posix
@pytest.mark.parametrize("harm", HARM)
def test_what_is_wrong_is_named_with_its_path_and_nothing_is_stored(
    sent: Path, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    do, message = HARM[harm]
    do(sent)
    assert main(["accept", "sent"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert any(message in line for line in lines)
    assert all(line.startswith("sent") and ":1: " in line for line in lines)
    assert not Path("recordings").exists()


@pytest.mark.parametrize(("name", "message"), [("a\nb", "invalid environment"), ("", "invalid device name")])
def test_a_device_name_is_plain_words(
    project: Path, name: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record(project, device=name)
    (project / "recordings").rename(project / "sent")
    monkeypatch.chdir(project)
    assert main(["accept", "sent"]) == 1
    assert message in capsys.readouterr().err


@posix
def test_a_file_name_does_not_begin_a_line_of_a_log(sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sent / "x\n::error::owned").write_text("")
    assert main(["accept", "sent"]) == 1
    assert "\n::" not in capsys.readouterr().err


def test_the_inputs_of_a_run_are_plain_words(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record(project, older={"torch": "1\n::add-mask::true"})
    (project / "recordings").rename(project / "sent")
    monkeypatch.chdir(project)
    assert main(["accept", "sent"]) == 1
    assert "invalid environment" in capsys.readouterr().err


def test_a_machine_has_one_device(project: Path, sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(project, device="NVIDIA H100")
    shutil.copytree("recordings", "sent", dirs_exist_ok=True)
    assert main(["accept", "sent"]) == 1
    assert "runs from 2 devices; expected one" in capsys.readouterr().err


def test_too_many_files_are_rejected_soon(
    sent: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(accept, "MAX_FILES", 3)
    assert main(["accept", "sent"]) == 1
    assert "more than 3 files" in capsys.readouterr().err


def test_a_folder_of_strangers_takes_a_message_of_some_lines(sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(2_000):
        (sent / f"{number:0200}").touch()
    assert main(["accept", "sent"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "… and 1,980 more problems"


def test_there_must_be_a_folder(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    assert main(["accept", "sent"]) == 1
    assert capsys.readouterr().err == "sent:1: no such folder\n"


def test_folders_inside_folders_are_not_gone_into(sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sent / "aa" / "aa" / "aa").mkdir(parents=True)
    assert main(["accept", "sent"]) == 1
    assert capsys.readouterr().err == "sent/aa/aa:1: not a regular file\n"


def test_recordings_of_another_format_stay_where_they_are(sent: Path) -> None:
    old = Path("recordings") / "ab" / f"ab{'0' * 38}-{'1' * 16}.json"
    old.parent.mkdir(parents=True)
    picture = Path("recordings") / "images" / f"{'2' * 64}.png"
    picture.parent.mkdir()
    picture.write_bytes(b"x")
    old.write_text(f'{{"format": 1, "x": "file:{picture.name}"}}')
    assert main(["accept", "sent"]) == 0
    assert old.exists()
    assert picture.exists()
