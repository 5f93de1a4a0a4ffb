"""Devices side by side: recordings that were made elsewhere, beside the runs of this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from codeout import Run, RunStore
from codeout.cache.recordings import label
from helpers import PROVENANCE, T4, record
from small_sites import PAGE, SNIPPET, TABS, block_tabs, build, page_html


def test_outputs_that_differ_stand_side_by_side_with_their_devices(project: Path) -> None:
    assert list(block_tabs(project, 1)) == ["Code", "Out"]
    record(project, seconds=7.0)
    for _ in range(2):  # the second time from kept layouts
        assert build(project, "--strict").returncode == 0
        shown_now = block_tabs(project, 1)
        assert list(shown_now) == ["Code", "Out · CPU", "Out · GPU"]
        assert "print" in shown_now["Code"].get_text()
        assert [tab.select_one("code").get_text() for tab in shown_now.values()][1:] == ["cpu", "cuda:0"]
        assert shown_now["Out · CPU"].select_one(".codeout-run summary").get_text().startswith("CPU")
        assert shown_now["Out · GPU"].select_one(".codeout-run summary").get_text().startswith("NVIDIA T4 · 7.0 s")
    assert block_tabs(project, 0) == {}, "a block that produced nothing anywhere is plain code"
    page = BeautifulSoup(page_html(project), "html.parser")
    assert "1 of them also on NVIDIA T4" in page.select_one(".codeout-sentence").get_text()
    rows = (project / "site" / "index.html").read_text()
    assert rows.count("<td>NVIDIA T4</td>") == 1
    assert "7.0 s" not in BeautifulSoup(rows, "html.parser").select_one(".codeout-bars").get_text(), "bars are of here"


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
    assert block_tabs(project, 1)["Out · GPU"].select_one("code").get_text() == "newer"


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
    assert [text.get_text() for text in page.select(".tabbed-block svg text")] == ["one", "two"]


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
    assert len(page.select("article svg g[id]")) == 4
    assert len(ids) == len({*ids})


def test_devices_are_called_cpu_and_gpu_unless_two_are_alike() -> None:
    cpu, t4, h100 = (Run((), replace(PROVENANCE, device=name)) for name in ("CPU", T4, "NVIDIA H100"))
    assert [label(run, (cpu, t4)) for run in (cpu, t4)] == ["CPU", "GPU"]
    assert [label(run, (cpu, t4, h100)) for run in (cpu, t4, h100)] == ["CPU", T4, "NVIDIA H100"]
