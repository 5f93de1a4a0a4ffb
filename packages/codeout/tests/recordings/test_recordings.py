"""Recordings: shown with the runs of this machine, and never trusted."""

from __future__ import annotations

import base64
import os
import shutil
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag
from msgspec.structs import replace

from codeout import Config, Figure, Run, RunStore, Stream, Value
from codeout.cache.keys import Environment, KeyInputs
from codeout.cache.lookup import Lookup
from codeout.model.inputs import Input
from codeout.recordings.read import Recordings, label
from helpers import PROVENANCE, T4, posix, record
from small_sites import PAGE, SNIPPET, TABS, block_tabs, build, page_html, select_tag


def test_outputs_that_differ_stand_side_by_side_with_their_devices(project: Path) -> None:
    assert list(block_tabs(project, 1)) == ["Code", "Out"]
    record(project, seconds=7.0)
    for _ in range(2):  # the second time from kept layouts
        assert build(project, "--strict").returncode == 0
        shown_now = block_tabs(project, 1)
        assert list(shown_now) == ["Code", "Out · CPU", "Out · GPU"]
        assert "print" in shown_now["Code"].get_text()
        assert [select_tag(tab, "code").get_text() for tab in shown_now.values()][1:] == ["cpu", "cuda:0"]
        assert select_tag(shown_now["Out · CPU"], ".codeout-run summary").get_text().startswith("CPU")
        assert select_tag(shown_now["Out · GPU"], ".codeout-run summary").get_text().startswith("NVIDIA T4 · 7.0 s")
    assert block_tabs(project, 0) == {}, "a block that produced nothing anywhere is plain code"
    page = BeautifulSoup(page_html(project), "html.parser")
    assert "1 of them also on NVIDIA T4" in select_tag(page, ".codeout-sentence").get_text()
    rows = (project / "site" / "index.html").read_text()
    assert rows.count("<td>NVIDIA T4</td>") == 1
    assert "7.0 s" not in select_tag(BeautifulSoup(rows, "html.parser"), ".codeout-bars").get_text(), "bars are of here"


def test_outputs_that_are_the_same_but_for_noise_stand_once(project: Path) -> None:
    (project / "snippets" / "first.py").write_text(
        SNIPPET.replace('print("x is", x)', 'print("3.0 s at 0x7f001122ab")')
    )
    build(project)
    record(project, text=lambda text: text.replace("3.0", "1.5").replace("ab", "cd"))
    build(project)
    assert list(block_tabs(project, 1)) == ["Code", "Out"]


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [("snippets/first.py", "cpu", "cpu "), ("snippets/helper.py", "41", "42")],
    ids=["its code", "a module that it imports"],
)
def test_a_recording_of_other_code_is_not_shown(project: Path, path: str, old: str, new: str) -> None:
    record(project)
    file = project / path
    file.write_text(file.read_text().replace(old, new))
    assert build(project, "--strict").returncode == 0
    assert list(block_tabs(project, 1)) == ["Code", "Out"]


def test_a_damaged_recording_is_not_shown(project: Path) -> None:
    for file in record(project):
        file.write_text(file.read_text()[:-40])
    assert build(project, "--strict").returncode == 0
    assert list(block_tabs(project, 1)) == ["Code", "Out"]


def test_of_two_recordings_of_a_device_the_newest_is_shown(project: Path) -> None:
    record(project, text=lambda _: "newer", date="2026-01-02T00:00:00+00:00")
    record(project, text=lambda _: "older", date="2026-01-01T00:00:00+00:00", python="3.9")
    assert len(list(RunStore(project / "recordings").entries())) == 4
    build(project)
    assert select_tag(block_tabs(project, 1)["Out · GPU"], "code").get_text() == "newer"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (TABS.replace("left", "right").replace("Code|Out", "Out|Code"), ["Code · CPU", "Code · GPU", "Out"]),
        ('source="above"', ["Result · CPU", "Result · GPU"]),
        ('source="below"', ["Result · CPU", "Result · GPU"]),
        ('source="block"', ["Result · CPU", "Result · GPU"]),
    ],
)
def test_every_layout_has_room_for_devices(project: Path, source: str, expected: list[str]) -> None:
    (project / "docs" / "first.md").write_text(PAGE.replace(TABS, source))
    record(project)
    assert build(project, "--strict").returncode == 0
    assert list(block_tabs(project, 1)) == expected
    assert "cuda:0" in page_html(project)


def test_a_block_that_shows_no_source_shows_its_devices(project: Path) -> None:
    drawing = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><text>one</text></svg>'
    picture = f"from IPython.display import SVG\nSVG({drawing!r})"
    (project / "docs" / "first.md").write_text(f'# First\n\n```python exec="on" session="s"\n{picture}\n```\n')
    build(project)
    record(project, text=lambda text: text.replace("one", "two"))
    assert build(project, "--strict").returncode == 0
    page = BeautifulSoup(page_html(project), "html.parser")
    assert [text.get_text() for text in page.select(".tabbed-block svg text")] == ["one"]
    assert "<text>two</text>" in drawn(select_tag(page, ".tabbed-block img.codeout-picture"))


def test_a_recording_has_no_id_of_another_block(project: Path) -> None:
    drawing = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><g id="a"><text>one</text></g></svg>'
    code = f"from IPython.display import SVG\nSVG({drawing!r})"
    sections = "".join(f"# --8<-- [start:{name}]\n{code}\n# --8<-- [end:{name}]\n" for name in ("one", "one-1"))
    (project / "snippets" / "first.py").write_text(sections)
    fences = [f'```python exec="on" session="s" {TABS}\n--8<-- "first.py:{name}"\n```\n' for name in ("one", "one-1")]
    (project / "docs" / "first.md").write_text("# First\n\n" + "\n".join(fences))
    build(project)
    record(project, text=lambda text: text.replace("one", "two"))
    assert build(project, "--strict").returncode == 0
    page = BeautifulSoup(page_html(project), "html.parser")
    ids = [element["id"] for element in page.select("article [id]")]
    assert len(page.select("article svg g[id]")) == 2
    assert ["two" in drawn(image) for image in page.select("article img.codeout-picture")] == [True, True]
    assert len(ids) == len({*ids})


def drawn(image: Tag) -> str:
    """Return the SVG of a picture that a page shows as an image, in which the browser lets nothing act."""
    return base64.b64decode(str(image["src"]).removeprefix("data:image/svg+xml;base64,")).decode()


def test_devices_are_called_cpu_and_gpu_unless_two_are_alike() -> None:
    cpu, t4, h100 = (
        Run(outputs=(), provenance=replace(PROVENANCE, device=name)) for name in ("CPU", T4, "NVIDIA H100")
    )
    assert [label(run, (cpu, t4)) for run in (cpu, t4)] == ["CPU", "GPU"]
    assert [label(run, (cpu, t4, h100)) for run in (cpu, t4, h100)] == ["CPU", T4, "NVIDIA H100"]


def test_what_a_recording_printed_is_text_whatever_the_options_say(project: Path) -> None:
    page = project / "docs" / "first.md"
    page.write_text(page.read_text().replace(TABS, f'{TABS} html="on"'))
    build(project)
    record(project, text=lambda _: "<script>alert(1)</script>")
    assert build(project, "--strict").returncode == 0
    tab = block_tabs(project, 1)["Out · GPU"]
    assert tab.find("script") is None
    assert "<script>" in tab.get_text()
    assert "a recording made on another machine" in tab.get_text()


@pytest.mark.parametrize("language", ["bash", "python"])
def test_the_name_of_a_device_runs_no_code(project: Path, tmp_path: Path, language: str) -> None:
    config, marker = project / "mkdocs.yml", tmp_path / "ran"
    config.write_text(config.read_text().replace("languages: [python]", "languages: [python, bash]"))
    code = {"bash": f"touch {marker}", "python": f"open({str(marker)!r}, 'w').close()"}[language]
    record(project, device=f"x\n\n```{{.{language} exec=on}}\n{code}\n```\n\n")
    record(project)  # of two devices that are not CPUs, full names are shown
    assert build(project, "--strict").returncode == 0
    assert not marker.exists()
    assert list(block_tabs(project, 1)) == ["Code", "Out · CPU", "Out · GPU"]


@pytest.mark.parametrize("device", ["<b>one</b>", "*two*", "x" * 81, "\x02wzxhzdk:0\x03"])
def test_a_recording_of_a_device_with_an_invalid_name_is_not_shown(project: Path, device: str) -> None:
    record(project, device=device)
    assert build(project, "--strict").returncode == 0
    assert list(block_tabs(project, 1)) == ["Code", "Out"]


def one_recording(folder: Path, **fields: object) -> tuple[Recordings, str]:
    """Return a folder with one recording, some of whose fields are changed, and the digest of its code."""
    packages = (("torch", "2.15.0"),)
    there = Environment(python="3.11", platform="Linux x86_64", device=T4, packages=packages, variables=())
    inputs = KeyInputs(environment=there, session="docs/page.md s", settings=(), files=(), codes=("code",))
    provenance = replace(PROVENANCE, device=T4, code_digest=inputs.key.code[:12])
    named = {name: value for name, value in fields.items() if name in PROVENANCE.__struct_fields__}
    run = Run(outputs=(Stream("stdout", "x"),), provenance=replace(provenance, **named), origin="docs/page.md:3")
    run = replace(run, **{name: value for name, value in fields.items() if name in run.__struct_fields__})
    RunStore(folder).put(replace(inputs.key, trace="f" * 16), run, inputs, "docs/page.md s 1")
    recordings = Recordings(Lookup(Config(root=folder, recordings=".")))
    recordings.refresh()
    return recordings, inputs.key.code


def is_current(_: Run) -> bool:
    return True


def test_a_valid_recording_is_found_by_its_code(tmp_path: Path) -> None:
    recordings, code = one_recording(tmp_path, values={"x": 1})
    (run,) = recordings.find(code, is_current)
    assert (run.provenance.device, run.values) == (T4, {})
    assert [entry.name for entry in recordings.entries()] == ["docs/page.md s 1"]
    assert recordings.find(code, lambda _: False) == []
    assert recordings.find("0" * 40, is_current) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"device": "NVIDIA H100"},
        {"python": "3.12"},
        {"packages": (("torch", "9"),)},
        {"code_digest": "f" * 12},
        {"date": "garbage"},
        {"seconds": 10**400},
        {"inputs": (Input(kind="file", name="a/../../proc/self/mem", digest=""),)},
        {"inputs": (Input(kind="file", name="a\0b.py", digest="f" * 64),)},
        {"outputs": (Stream("stdout", "\x02wzxhzdk:0\x03"),)},
        {"outputs": (Value({"text/html": "<script>alert(1)</script>"}),)},
        {"outputs": (Figure({"image/png": "AAAA"}, ""),)},
        {"outputs": (Stream("stdout", "x" * 1_000_001),)},
    ],
)
def test_an_invalid_recording_is_not_found_and_no_file_it_names_is_read(
    tmp_path: Path, fields: dict[str, object]
) -> None:
    recordings, code = one_recording(tmp_path, **fields)

    def fail(_: Run) -> bool:
        pytest.fail("asked for the inputs of an invalid recording")

    assert recordings.find(code, fail) == []
    assert list(recordings.entries()) == []


def test_a_recording_in_a_large_file_or_with_large_pictures_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings, code = one_recording(tmp_path, outputs=(Value({"text/plain": "x", "text/html": "x" * 4_000_000}),))
    assert recordings.find(code, is_current) == []
    data = base64.b64encode(b"x" * 1_000_000).decode()
    recordings, code = one_recording(tmp_path, outputs=(Figure({"image/png": data}, ""),) * 21)
    (path,) = tmp_path.glob("??/*.json")
    with pytest.raises(OSError, match="the limit is 0"):
        recordings.store.load(path)


@posix
def test_a_recording_that_is_a_device_or_a_pipe_is_not_read(tmp_path: Path) -> None:
    recordings, code = one_recording(tmp_path)
    (path,) = tmp_path.glob("??/*.json")
    path.unlink()
    path.symlink_to("/dev/zero")
    assert recordings.find(code, is_current) == []
    path.unlink()
    os.mkfifo(path)
    assert recordings.find(code, is_current) == []


def test_of_many_recordings_of_the_same_code_some_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recordings, code = one_recording(tmp_path)
    (path,) = tmp_path.glob("??/*.json")
    for number in range(30):
        shutil.copy(path, path.with_name(f"{code}-{number:016x}-{'f' * 16}.json"))
    recordings.refresh()
    paths: list[Path] = []

    def read(_: RunStore, path: Path) -> int:
        paths.append(path)
        return 0

    monkeypatch.setattr(RunStore, "read_format", read)
    assert recordings.find(code, is_current) == []
    assert len(paths) == 20
