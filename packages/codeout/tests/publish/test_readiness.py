"""Whether a site may be published: what must have run, and how old a recording may be."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from codeout.cli.main import main
from helpers import T4, record
from small_sites import CONFIG, build

Ready = Callable[..., tuple[int, str]]


@pytest.fixture
def ready(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ready:
    """Return what runs `codeout ready` with some settings; it returns the exit code and the output."""
    monkeypatch.chdir(project)

    def ask(**settings: object) -> tuple[int, str]:
        options = ", ".join(f"{name}: {value}" for name, value in {"paths": "[snippets]", **settings}.items())
        (project / "mkdocs.yml").write_text(CONFIG.replace("{paths: [snippets]}", f"{{{options}}}"))
        capsys.readouterr()
        return main(["ready"]), capsys.readouterr().out

    return ask


def ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")


def edit(project: Path) -> None:
    snippet = project / "snippets" / "first.py"
    snippet.write_text(snippet.read_text().replace('print("cpu")', 'print("cpu", 2)'))
    build(project)


def test_a_site_whose_blocks_have_run_is_ready(ready: Ready) -> None:
    assert ready() == (0, "2 blocks are up to date, 0 recordings; ready to publish\n")


def test_a_block_that_has_not_run_is_named_with_its_line(project: Path, ready: Ready) -> None:
    snippet = project / "snippets" / "first.py"
    snippet.write_text(snippet.read_text().replace('print("cpu")', 'print("cpu", 2)'))
    code, out = ready()
    assert code == 1
    assert out == "docs/first.md:10 (snippets/first.py:9): not run since its last change; run `codeout run`\n"


def test_placeholder_data_are_named_once(project: Path, ready: Ready) -> None:
    (project / "data.json").write_text('{"name": "CIFAR-10", "kind": "placeholder", "note": "drawings"}')
    config = (project / "mkdocs.yml").read_text()
    data = "{first: [data.json]}"
    (project / "mkdocs.yml").write_text(config.replace("paths: [snippets]", f"paths: [snippets], data: {data}"))
    build(project)
    code, out = ready(data=data)
    assert code == 1
    assert out == "docs/first.md:6 (snippets/first.py:4): based on placeholder data for CIFAR-10: drawings\n"


def test_a_required_recording_that_is_missing_is_named(project: Path, ready: Ready) -> None:
    code, out = ready(require_recordings="[fir*]")
    assert code == 1
    assert out.startswith("docs/first.md:6 (snippets/first.py:4): no recording from another device, but")
    record(project)
    assert ready(require_recordings="[fir*]")[0] == 0


@pytest.mark.parametrize(("days", "code"), [(29, 0), (31, 1)])
def test_a_recording_of_older_code_keeps_a_site_from_being_published_after_some_days(
    project: Path, ready: Ready, days: float, code: int
) -> None:
    record(project, date=ago(days))
    assert ready()[0] == 0, "as long as it is of this code, its age does not matter"
    edit(project)
    found, out = ready(max_recording_age=30)
    assert found == code
    if code:
        expected = (
            f"(snippets/first.py:9): its recording on {T4} was made from different code, and the newest is 31 days old"
        )
        assert expected in out


def test_recordings_of_a_machine_that_is_gone_are_retired(project: Path, ready: Ready) -> None:
    record(project, date=ago(1_000))
    edit(project)
    assert ready(max_recording_age=30)[0] == 1
    code, out = ready(max_recording_age=".inf")
    assert code == 0, out


def test_a_recording_with_older_packages_is_stale(project: Path, ready: Ready) -> None:
    packages = "[markdown-exec]"
    config = (project / "mkdocs.yml").read_text()
    (project / "mkdocs.yml").write_text(config.replace("paths: [snippets]", f"paths: [snippets], packages: {packages}"))
    build(project)
    record(project, date=ago(40), older={"markdown-exec": "0.1"})
    code, out = ready(packages=packages)
    assert code == 1
    assert "was made with markdown-exec 0.1, not" in out


def test_a_session_of_which_one_block_was_not_recorded_is_stale(project: Path, ready: Ready) -> None:
    (*_, last) = sorted(record(project, date=ago(40)), key=lambda path: "first 2" in path.read_text())
    last.unlink()
    code, out = ready()
    assert code == 1
    assert f"its recording on {T4} is missing" in out


def test_a_recording_that_may_not_be_shown_does_not_count(project: Path, ready: Ready) -> None:
    record(project, device="a\nb")
    assert ready(require_recordings="[fir*]")[0] == 1
    (path, *_) = record(project)
    path.write_text(re.sub(r'"date": "[^"]*"', '"date": "garbage"', path.read_text()))
    assert ready() == (0, "2 blocks are up to date, 1 recordings; ready to publish\n")
