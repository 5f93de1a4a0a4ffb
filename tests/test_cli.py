"""The command line, on a small site."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_sites import CONFIG, PAGE, SNIPPET

from codeout.cli import main


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path, text in {
        "mkdocs.yml": CONFIG + "extra: {env: !ENV [HOME, x], name: !!python/name:os.path.join }\n",
        "docs/first.md": PAGE,
        "docs/second.md": '# Second\n\n```python exec="on"\nprint("two")\n```\n',
        "snippets/first.py": SNIPPET,
        "snippets/helper.py": "VALUE = 41\n",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def states(capsys: pytest.CaptureFixture[str], *pages: str) -> list[str]:
    capsys.readouterr()
    assert main(["status", "--json", *pages]) == 0
    return [row["state"] for row in json.loads(capsys.readouterr().out)]


def test_what_is_stale_is_said_and_run(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert states(capsys) == ["stale"] * 3
    assert main(["run", "docs/first.md"]) == 0
    assert states(capsys) == ["hit", "hit", "stale"]
    assert main(["run"]) == 0
    assert states(capsys) == ["hit"] * 3
    (project / "snippets" / "helper.py").write_text("VALUE = 42\n")
    assert states(capsys) == ["stale", "stale", "hit"]
    assert states(capsys, "docs/second.md") == ["hit"]


def test_status_is_a_line_a_block(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run"])
    capsys.readouterr()
    assert main(["status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("hit    docs/first.md:6 (snippets/first.py:4)")
    assert lines[-1] == "0 of 3 blocks are stale"


def test_why_names_the_cause(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def why() -> list[str]:
        capsys.readouterr()
        assert main(["why"]) == 0
        return [line.rsplit(": ", 1)[1] for line in capsys.readouterr().out.splitlines()]

    assert why() == ["has not run yet"] * 3
    main(["run"])
    assert why() == ["hit"] * 3
    (project / "snippets" / "helper.py").write_text("VALUE = 42\n")
    assert why() == ["snippets/helper.py changed", "snippets/helper.py changed", "hit"]
    (project / "snippets" / "helper.py").write_text("VALUE = 41\n")
    (project / "snippets" / "first.py").write_text(SNIPPET.replace('"x is"', '"x was"'))
    assert why() == ["hit", "its own code changed", "hit"]


def test_what_the_command_line_ran_a_build_does_not_run_again(project: Path) -> None:
    from test_sites import build

    assert main(["run"]) == 0
    done = build(project, "--strict")
    assert done.returncode == 0, done.stderr
    assert "running" not in done.stderr


def test_clean_keeps_what_pages_need(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run"])
    (project / "docs" / "second.md").write_text("# Second\n")
    assert main(["clean"]) == 0
    assert capsys.readouterr().out.endswith("removed 1 runs, kept 2\n")
    assert states(capsys) == ["hit", "hit"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "docs/gone.md"], "docs/gone.md:1: is not there"),
        (["-f", "gone.yml", "run"], "gone.yml:1: can't be read"),
        (["run", "docs/bad.md"], "docs/bad.md:2: ZeroDivisionError"),
    ],
)
def test_what_is_wrong_is_a_sentence_and_an_exit_code(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (project / "docs" / "bad.md").write_text('```python exec="on"\n1 / 0\n```\n')
    assert main(arguments) == 1
    assert said in capsys.readouterr().err


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "codeout run docs/autograd.md" in capsys.readouterr().out
