"""Runs from a machine that others share: what is taken as a recording, and what is refused."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import posix
from test_devices import T4, build, built, project, record, tabs  # noqa: F401
from test_sites import CONFIG

from codeout import Figure, Source, Store, Stream, Value
from codeout.accept import LARGEST, Refused, drawing
from codeout.cli import main

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{}</svg>'
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n and so on").decode()


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
    store, path = Store(folder), last(folder)
    entry = Store.entry(path)
    run = store.get(entry.key)
    provenance = replace(run.provenance, **told)
    store.put(entry.key, replace(run, outputs=outputs or run.outputs, provenance=provenance), entry.recipe, entry.name)


def test_what_is_sent_becomes_recordings_that_pages_show(
    project: Path,
    sent: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["accept", "sent"]) == 0
    assert "2 runs are recordings now, in recordings" in capsys.readouterr().out
    build(project)
    assert list(tabs(project, 1)) == ["Code", "Out · CPU", "Out · GPU"]


def test_only_sessions_that_use_a_gpu_are_taken_if_the_settings_name_them(
    project: Path,
    sent: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (project / "mkdocs.yml").write_text(CONFIG.replace("{paths: [snippets]}", "{paths: [snippets], gpu: [other]}"))
    assert main(["accept", "sent"]) == 1
    assert "is a run of code that no page has now" in capsys.readouterr().err


def test_what_ran_on_a_device_that_is_here_needs_no_recording(
    project: Path,
    sent: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["accept", ".codeout"]) == 0
    assert "0 runs are recordings" in capsys.readouterr().out


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
    before = {entry.key for entry in Store(project / "recordings").entries()}
    assert main(["accept", "again"]) == 0
    after = [entry.name for entry in Store(project / "recordings").entries()]
    assert sorted(after) == sorted(set(after))
    assert {entry.key for entry in Store(project / "recordings").entries()} != before


def test_html_is_left_out_and_the_text_stays(sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shows(sent, Value({"text/html": "<b>x</b><script>alert(1)</script>", "text/plain": "x"}))
    assert main(["accept", "sent"]) == 0
    assert "without its text/html" in capsys.readouterr().out
    assert "script" not in "".join(path.read_text() for path in Path("recordings").glob("??/*.json"))


def svg(folder: Path) -> None:
    shows(folder, Figure({"image/svg+xml": SVG.format("<script>alert(1)</script>")}, ""))


def no_image(folder: Path) -> None:
    shows(folder, Figure({"image/png": base64.b64encode(b"<html>").decode()}, ""))


def linked(folder: Path) -> None:
    (folder / "images").mkdir()
    (folder / "images" / ("a" * 64 + ".png")).symlink_to("/etc/hosts")


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
    "another format": (lambda f: change(f, format=1), "has the format 1"),
    "another key": (lambda f: change(f, key="0" * 40 + "-" + "0" * 16), "its key is not its name"),
    "code of no page": (_renamed, "is a run of code that no page has now"),
    "another environment": (lambda f: _recipe(f, device="H100"), "is not the digest of what it says"),
    "another block's name": (lambda f: change(f, name="docs/first.md first 1"), "says it is"),
    "a path that climbs out": (lambda f: _picture(f, "file:../../etc/hosts"), "is not whole"),
    "a picture that is not there": (lambda f: _picture(f, "file:" + "a" * 64 + ".png"), "is not whole"),
    "a script in SVG": (svg, "SVG with <script>"),
    "an image that is none": (no_image, "that is none"),
    "HTML alone": (lambda f: shows(f, Value({"text/html": "<b>x</b>"})), "shows nothing but text/html"),
    "a stand-in": (lambda f: shows(f, sources=(Source("CIFAR-10", "stand-in", "x"),)), "stand-in for CIFAR-10"),
    "another device in words": (lambda f: shows(f, device="CPU"), "ran elsewhere"),
    "another version in words": (lambda f: shows(f, packages=(("torch", "9"),)), "other versions"),
    "other code in words": (lambda f: shows(f, code="f" * 12), "names other code"),
    "no time": (lambda f: shows(f, seconds=float("nan")), "took nan seconds"),
    "the future": (lambda f: shows(f, date="2999-01-01T00:00:00+00:00"), "not in the past"),
    "no date": (lambda f: shows(f, date="yesterday"), "no date"),
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
    shows(sent, Figure({"image/svg+xml": good}, "words"), Figure({"image/png": PNG}, "words"))
    assert main(["accept", "sent"]) == 0


@pytest.mark.parametrize(
    "part",
    [
        '<a href="https://x"/>',
        '<image href="https://x/p.png"/>',
        '<image xmlns:l="http://www.w3.org/1999/xlink" l:href="javascript:alert(1)"/>',
        '<image href="data:image/svg+xml;base64,AAAA"/>',
        '<rect onload="x"/>',
        '<rect fill="url(https://x)"/>',
        '<rect style="background: u\\rl(https://x)"/>',
        '<rect style="position: fixed"/>',
        "<style>* { background: url(https://x) }</style>",
        "<style>body { display: none }</style>",
        "<style>@import 'https://x';</style>",
        "<foreignObject/>",
        "<animate/>",
        '<g><metadata><script xmlns="http://www.w3.org/1999/xhtml">1</script></metadata></g>',
        '<script xmlns="http://www.w3.org/1999/xhtml">1</script>',
        '<style xmlns="http://www.w3.org/1999/xhtml">*{}</style>',
        "<",
    ],
)
def test_svg_that_could_do_more_than_draw_is_refused(part: str) -> None:
    drawing(SVG.format("<path d='M0 0'/><use href='#a'/>"))
    with pytest.raises(Refused):
        drawing(SVG.format(part))


def test_svg_with_entities_is_refused() -> None:
    with pytest.raises(Refused, match="entities"):
        drawing('<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + SVG.format("<text>&a;</text>"))


def test_a_stream_is_taken_as_it_is(sent: Path) -> None:
    shows(sent, Stream("stdout", "<script>"), device=T4)
    assert main(["accept", "sent"]) == 0
