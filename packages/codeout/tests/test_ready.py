"""Whether a site may be published: what must have run, and how old a recording may be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from codeout.cli.main import main
from helpers import T4, record
from small_sites import CONFIG, build


@pytest.fixture
def said(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> object:
    """Return what asks, and returns the exit code with what is said."""
    monkeypatch.chdir(project)

    def ask(**settings: object) -> tuple[int, str]:
        told = ", ".join(f"{name}: {value}" for name, value in {"paths": "[snippets]", **settings}.items())
        (project / "mkdocs.yml").write_text(CONFIG.replace("{paths: [snippets]}", f"{{{told}}}"))
        capsys.readouterr()
        return main(["ready"]), capsys.readouterr().out

    return ask


def ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")


def edit(project: Path) -> None:
    snippet = project / "snippets" / "first.py"
    snippet.write_text(snippet.read_text().replace('print("cpu")', 'print("cpu", 2)'))
    build(project)


def test_a_site_whose_blocks_have_run_is_ready(said) -> None:
    assert said() == (0, "2 blocks are up to date, 0 recordings; ready to publish\n")


def test_a_block_that_has_not_run_is_named_with_its_line(project: Path, said) -> None:
    snippet = project / "snippets" / "first.py"
    snippet.write_text(snippet.read_text().replace('print("cpu")', 'print("cpu", 2)'))
    code, out = said()
    assert code == 1
    assert out == "docs/first.md:10 (snippets/first.py:9): has not run as it is now; `codeout run` runs it\n"


def test_a_stand_in_is_named_once(project: Path, said) -> None:
    (project / "data.json").write_text('{"name": "CIFAR-10", "kind": "placeholder", "note": "drawings"}')
    config = (project / "mkdocs.yml").read_text()
    data = "{first: [data.json]}"
    (project / "mkdocs.yml").write_text(config.replace("paths: [snippets]", f"paths: [snippets], data: {data}"))
    build(project)
    code, out = said(data=data)
    assert code == 1
    assert out == "docs/first.md:6 (snippets/first.py:4): was made with a placeholder for CIFAR-10: drawings\n"


def test_a_required_recording_that_is_missing_is_named(project: Path, said) -> None:
    code, out = said(require_recordings="[fir*]")
    assert code == 1
    assert "docs/first.md:6 (snippets/first.py:4): needs a recording from another device, and has none" in out
    record(project)
    assert said(require_recordings="[fir*]")[0] == 0


@pytest.mark.parametrize(("days", "code"), [(29, 0), (31, 1)])
def test_a_recording_of_older_code_keeps_a_site_from_being_published_after_some_days(
    project: Path, said, days: float, code: int
) -> None:
    record(project, date=ago(days))
    assert said()[0] == 0, "as long as it is of this code, its age does not matter"
    edit(project)
    found, out = said(max_recording_age=30)
    assert found == code
    if code:
        expected = f"(snippets/first.py:9): its recording on {T4} is of other code, and for 31 days there was no newer"
        assert expected in out


def test_a_recording_with_older_packages_is_stale(project: Path, said) -> None:
    packages = "[markdown-exec]"
    config = (project / "mkdocs.yml").read_text()
    (project / "mkdocs.yml").write_text(config.replace("paths: [snippets]", f"paths: [snippets], packages: {packages}"))
    build(project)
    record(project, date=ago(40), older={"markdown-exec": "0.1"})
    code, out = said(packages=packages)
    assert code == 1
    assert "is of markdown-exec 0.1, not" in out


def test_a_session_of_which_one_block_was_not_recorded_is_stale(project: Path, said) -> None:
    (*_, last) = sorted(record(project, date=ago(40)), key=lambda path: "first 2" in path.read_text())
    last.unlink()
    code, out = said()
    assert code == 1
    assert f"its recording on {T4} is missing" in out
