"""Runs from a machine that others share: what is taken as a recording, and what is refused."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from codeout import Figure, RunStore, Source, Stream, Value
from codeout.cli.main import main
from codeout.publish import accept
from codeout.publish.accept import LARGEST
from helpers import T4, posix, record
from small_sites import CONFIG, TABS, block_tabs, build

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{}</svg>'


@pytest.fixture
def sent(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of runs as another machine would have sent it."""
    record(project)
    (project / "recordings").rename(project / "sent")
    monkeypatch.chdir(project)
    return project / "sent"


def last(folder: Path) -> Path:
    """Return the file of the run that prints."""
    return max(folder.glob("??/*.json"), key=lambda path: json.loads(path.read_text())["name"])


def change(folder: Path, **told: object) -> None:
    """Change fields of the JSON of a run; its key stays what it was."""
    path = last(folder)
    path.write_text(json.dumps(json.loads(path.read_text()) | told))


def shows(folder: Path, *outputs: object, **told: object) -> None:
    """Have a run show other outputs; it is put with its own key."""
    store, path = RunStore(folder), last(folder)
    entry = RunStore.entry(path)
    run = store.get(entry.key)
    provenance = replace(run.provenance, **told)
    store.put(entry.key, replace(run, outputs=outputs or run.outputs, provenance=provenance), entry.recipe, entry.name)


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
    assert "is a run of code that no page has now" in capsys.readouterr().err


def test_what_ran_on_a_device_that_is_here_needs_no_recording(
    project: Path,
    sent: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["accept", ".codeout"]) == 0
    assert "stored 0 recordings" in capsys.readouterr().out


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


def png(size: tuple[int, int]) -> str:
    file = io.BytesIO()
    Image.new("1", size).save(file, "png")
    return base64.b64encode(file.getvalue()).decode()


def svg(folder: Path) -> None:
    shows(folder, Figure({"image/svg+xml": SVG.format("<script>alert(1)</script>")}, ""))


def no_image(folder: Path) -> None:
    shows(folder, Figure({"image/png": base64.b64encode(b"<html>").decode()}, ""))


def linked(folder: Path) -> None:
    (folder / "images").mkdir()
    (folder / "images" / ("a" * 64 + ".png")).symlink_to("/etc/hosts")


def many(folder: Path) -> None:
    name = "a" * 64 + ".png"
    (folder / "images").mkdir()
    (folder / "images" / name).write_bytes(b"x" * 30_000)
    change(folder, outputs=[{"kind": "figure", "data": {"image/png": f"file:{name}"}, "alt": ""}] * 1000)


def _renamed(folder: Path) -> None:
    path = last(folder)
    key = "f" * 40 + path.stem[40:]
    (folder / "ff").mkdir(exist_ok=True)
    (folder / "ff" / f"{key}.json").write_text(path.read_text().replace(path.stem, key))


def _recipe(folder: Path, **told: object) -> None:
    recipe = json.loads(last(folder).read_text())["recipe"]
    change(folder, recipe=recipe | {"environment": recipe["environment"] | told})


def _provenance(folder: Path, **told: object) -> None:
    change(folder, provenance=json.loads(last(folder).read_text())["provenance"] | told)


def _picture(folder: Path, reference: str) -> None:
    change(folder, outputs=[{"kind": "figure", "data": {"image/png": reference}, "alt": ""}])


ERROR = {"kind": "error", "type": "E", "message": "", "traceback": "", "bases": []}
HARM: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link": (linked, "is a link"),
    "a folder that is a link": (lambda f: (f / "ab").symlink_to("/etc"), "is a link"),
    "a stranger": (lambda f: (f / "run.sh").write_text("rm"), "has no place in a store"),
    "a stranger among runs": (lambda f: (last(f).parent / "x.json").write_text("{}"), "has no place in a store"),
    "a pipe": (lambda f: os.mkfifo(f / "pipe"), "is no ordinary file"),
    "a huge file": (lambda f: last(f).write_bytes(b" " * (LARGEST + 1)), "bytes; a file may have"),
    "torn": (lambda f: last(f).write_text(last(f).read_text()[:-30]), "is no run"),
    "not JSON": (lambda f: last(f).write_bytes(b"\x80\x04\x95pickle"), "is no run"),
    "deep": (lambda f: last(f).write_text("[" * 100_000), "is no run"),
    "another format": (lambda f: change(f, format=1), "has another format"),
    "another key": (lambda f: change(f, key="0" * 40 + "-" + "0" * 16), "its key is not its name"),
    "code of no page": (_renamed, "is a run of code that no page has now"),
    "another environment": (lambda f: _recipe(f, device="H100"), "is not the digest of what it says"),
    "another block's name": (lambda f: change(f, name="docs/first.md first 1"), "says it is"),
    "a path that climbs out": (lambda f: _picture(f, "file:../../etc/hosts"), "is not whole"),
    "a picture that is not there": (lambda f: _picture(f, "file:" + "a" * 64 + ".png"), "is not whole"),
    "a script in SVG": (svg, "SVG with <script>"),
    "an image that is none": (no_image, "that is none"),
    "HTML alone": (lambda f: shows(f, Value({"text/html": "<b>x</b>"})), "shows nothing but text/html"),
    "a placeholder": (lambda f: shows(f, sources=(Source("CIFAR-10", "placeholder", "x"),)), "names other data"),
    "a picture that is too large": (lambda f: shows(f, Figure({"image/png": png((9000, 9000))}, "")), "pixels"),
    "a beginning of a picture": (
        lambda f: shows(f, Figure({"image/png": base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()}, "")),
        "that is none",
    ),
    "a type that is none": (lambda f: shows(f, Value({"a\n::b": "x", "text/plain": "x"})), "a type that is none"),
    "control characters": (lambda f: shows(f, Stream("stdout", "\x02amp\x03")), "control characters"),
    "control characters in words": (lambda f: shows(f, Figure({"image/png": png((9, 9))}, "\x02")), "control"),
    "data that are not here": (lambda f: shows(f, sources=(Source("CIFAR-10", "original", "x"),)), "other data"),
    "half a letter": (lambda f: change(f, outputs=[{"kind": "stream", "name": "stdout", "text": "\ud800"}]), "text"),
    "a line that is none": (lambda f: change(f, outputs=[ERROR | {"line": [[1]]}]), "is not whole"),
    "a module with a wild name": (lambda f: change(f, modules=[["a\0b", ""]]), "from outside the site's folder"),
    "a module that is not this one": (lambda f: change(f, modules=[["snippets/helper.py", "0"]]), "other modules"),
    "another device in words": (lambda f: shows(f, device="CPU"), "ran elsewhere"),
    "another version in words": (lambda f: shows(f, packages=(("torch", "9"),)), "other versions"),
    "other code in words": (lambda f: shows(f, code="f" * 12), "names other code"),
    "no code in words": (lambda f: shows(f, code=""), "names other code"),
    "no time": (lambda f: shows(f, seconds=float("nan")), "a time that can't be"),
    "a very long time": (lambda f: _provenance(f, seconds=10**400), "a time that can't be"),
    "true for a time": (lambda f: _provenance(f, seconds=True), "a time that can't be"),
    "the future": (lambda f: shows(f, date="2999-01-01T00:00:00+00:00"), "ran at a time that can't be"),
    "long ago": (lambda f: shows(f, date="0001-01-01T00:00:00+00:00"), "ran at a time that can't be"),
    "no date": (lambda f: shows(f, date="yesterday"), "ran at a time that is none"),
    "a date that sorts after all others": (lambda f: shows(f, date="2025-W01-1T00:00:00+00:00"), "that can't be"),
    "one picture a thousand times": (many, "shows pictures of more than"),
    "more outputs than anybody reads": (lambda f: shows(f, *[Value({"text/plain": "x"})] * 1001), "1,000 outputs"),
    "an error that nobody expects": (lambda f: change(f, outputs=[ERROR | {"line": 1}]), "otherwise than its page"),
    "a module twice": (lambda f: change(f, modules=[["snippets/helper.py", "0"]] * 2), "has loaded a module twice"),
    "a file that is no module": (lambda f: change(f, modules=[["data/x.bin", "0"]]), "from outside the site's folder"),
    "a field of the wrong kind": (lambda f: _provenance(f, device=["CPU"]), "is not whole"),
    "a module elsewhere": (lambda f: change(f, modules=[["/etc/hosts", ""]]), "from outside the site's folder"),
}


@posix
@pytest.mark.parametrize("harm", HARM)
def test_what_is_wrong_is_refused_with_its_path_and_nothing_is_kept(
    sent: Path, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    do, words = HARM[harm]
    do(sent)
    assert main(["accept", "sent"]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert all(line.startswith("sent") and ":1: " in line for line in said.splitlines())
    assert not Path("recordings").exists()


def test_good_pictures_are_taken(sent: Path) -> None:
    good = SVG.format('<metadata><rdf xmlns="r"/></metadata><style>*{color:red}</style><g clip-path="url(#a)"/>')
    shows(sent, Figure({"image/svg+xml": good}, "words"), Figure({"image/png": png((9, 9))}, "words"))
    assert main(["accept", "sent"]) == 0


def test_a_stream_is_taken_as_it_is(sent: Path) -> None:
    shows(sent, Stream("stdout", "<script>"), device=T4)
    assert main(["accept", "sent"]) == 0


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "[x](https://x)", "СPU", "a\nb", "", "x" * 81])
def test_a_device_s_name_is_a_name(
    project: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record(project, device=name)
    (project / "recordings").rename(project / "sent")
    monkeypatch.chdir(project)
    assert main(["accept", "sent"]) == 1
    assert "has a device whose name is none" in capsys.readouterr().err


@posix
def test_a_name_of_a_file_gives_a_log_no_orders(sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sent / "x\n::error::owned").write_text("")
    assert main(["accept", "sent"]) == 1
    assert "\n::" not in capsys.readouterr().err


def test_a_machine_says_of_itself_what_can_be(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record(project, older={"torch": "1\n::add-mask::true"})
    (project / "recordings").rename(project / "sent")
    monkeypatch.chdir(project)
    assert main(["accept", "sent"]) == 1
    assert "says of its machine what can't be" in capsys.readouterr().err


def test_a_machine_has_one_device(project: Path, sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(project, device="NVIDIA H100")
    shutil.copytree("recordings", "sent", dirs_exist_ok=True)
    assert main(["accept", "sent"]) == 1
    assert "has runs of 2 devices, and comes from one machine" in capsys.readouterr().err


def test_too_many_files_are_refused_soon(
    sent: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(accept, "FILES", 3)
    assert main(["accept", "sent"]) == 1
    assert "has more than 3 files" in capsys.readouterr().err


def test_folders_inside_folders_are_strangers_and_are_not_gone_into(
    sent: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sent / "aa" / "aa" / "aa").mkdir(parents=True)
    assert main(["accept", "sent"]) == 1
    assert capsys.readouterr().err == "sent/aa/aa:1: is no ordinary file\n"


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


def test_what_a_recording_printed_is_text_whatever_the_options_say(project: Path) -> None:
    page = project / "docs" / "first.md"
    page.write_text(page.read_text().replace(TABS, f'{TABS} html="on"'))
    build(project)
    record(project, text=lambda _: "<script>alert(1)</script>")
    assert build(project, "--strict").returncode == 0
    shown_there = block_tabs(project, 1)["Out · GPU"]
    assert shown_there.find("script") is None
    assert "<script>" in shown_there.get_text()
    assert "a recording made on another machine" in shown_there.get_text()


def test_html_among_the_recordings_is_not_shown_however_it_came_there(project: Path, sent: Path) -> None:
    shows(sent, Value({"text/html": "<script>alert(1)</script>", "text/plain": "as text"}))
    shutil.move(sent, project / "recordings")
    build(project, "--strict")
    assert block_tabs(project, 1)["Out · GPU"].find("script") is None
    assert "as text" in block_tabs(project, 1)["Out · GPU"].get_text()


def test_a_picture_that_could_act_is_no_recording(project: Path, sent: Path) -> None:
    svg(sent)
    shutil.move(sent, project / "recordings")
    build(project, "--strict")
    assert list(block_tabs(project, 1)) == ["Code", "Out"]


def test_a_device_s_name_is_no_markup_on_a_page(project: Path) -> None:
    for name in ("<b>one</b>", "*two*"):
        record(project, device=name)
    assert build(project, "--strict").returncode == 0
    assert {"Out · <b>one</b>", "Out · *two*"} <= set(block_tabs(project, 1))
