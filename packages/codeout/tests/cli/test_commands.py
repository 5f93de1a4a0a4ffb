"""The command line, on a small site."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import pytest
from markdown_exec import markdown_config

from codeout.cache.files import seal
from codeout.cli.main import cli, main
from codeout.compare.runs import TOLERANCE
from helpers import linux, posix
from small_sites import CONFIG, PAGE, SNIPPET, build


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
    return [row["state"] for row in json.loads(capsys.readouterr().out)["blocks"]]


def test_stale_blocks_are_listed_and_run(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
    assert re.search(r"  0\.\d\d\d s  +\d\.\d kB  CPU$", lines[0])
    assert "0 of 3 blocks are stale" in lines


@linux
def test_status_says_how_a_session_resumes_after_an_edit(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def resumes() -> dict[str, str]:
        capsys.readouterr()
        assert main(["status", "--json"]) == 0
        found: dict[str, str] = json.loads(capsys.readouterr().out)["resumes"]
        return {name: mode.partition(":")[0] for name, mode in found.items()}

    first, second = resumes()
    assert resumes() == {first: "unknown", second: "unknown"}
    main(["run"])
    assert resumes() == {first: "checkpoint", second: "checkpoint"}
    threads = "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    (project / "snippets" / "first.py").write_text(SNIPPET.replace("x = helper", f"{threads}\nx = helper"))
    main(["run"])
    assert resumes() == {first: "replay", second: "checkpoint"}


def test_run_with_gpu_runs_only_the_sessions_of_that_setting(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = project / "mkdocs.yml"
    file.write_text(file.read_text().replace("{paths: [snippets]}", "{paths: [snippets], gpu: [first]}"))
    assert main(["run", "--gpu"]) == 0
    assert states(capsys) == ["hit", "hit", "stale"]


def test_json_is_for_scripts(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def output(*arguments: str) -> object:
        capsys.readouterr()
        assert main([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    (project / "docs" / "second.md").write_text('It is 43.\n\n```python exec="on"\n42\n```\n')
    assert output("why", "docs/second.md") == [{"block": "docs/second.md:3", "why": ["has not run yet"]}]
    assert output("numbers", "docs/second.md") == [
        {"place": {"path": "docs/second.md", "line": 1}, "number": "43", "line": "It is 43."}
    ]


def test_pages_are_exported_with_their_modules(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "docs/first.md", "--to", "py", "-o", "out"]) == 0
    assert capsys.readouterr().out == f"{Path('out/first.py')}\n"
    script = (project / "out" / "first.py").read_text()
    assert "VALUE = 41\n" in script
    assert 'print("x is", x)' in script
    assert main(["export", "docs/second.md"]) == 0
    assert "two" in (project / "notebooks" / "second.ipynb").read_text()


def test_ctrl_c_ends_a_command_as_a_shell_expects(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("codeout.cache.status.block_reasons", interrupted)
    assert main(["why"]) == 130


def test_hard_coded_numbers_are_listed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = project / "docs" / "first.md"
    page.write_text(page.read_text() + "\nIt is 41, not 43.\n")
    assert main(["numbers"]) == 0
    lines = len(page.read_text().splitlines())
    assert capsys.readouterr().out == f"docs/first.md:{lines}: 43: It is 41, not 43.\n"


def test_diff_reports_what_two_caches_differ_in(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run"])
    (project / ".codeout").rename(project / "before")
    main(["run"])
    capsys.readouterr()
    assert main(["diff", "before", ".codeout"]) == 0
    assert "0 of 3 changed" in capsys.readouterr().out
    (project / "snippets" / "helper.py").write_text("VALUE = 42\n")
    main(["run"])
    capsys.readouterr()
    assert main(["diff", "before", ".codeout", "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert found["block"] == "docs/first.md first 2"
    assert (found["old"], found["new"]) == ("x is 41\n", "x is 42\n")
    assert main(["diff", "gone", ".codeout"]) == 2
    assert capsys.readouterr().err == "gone:1: no such folder\n"


@posix
def test_watch_reruns_at_a_save_what_it_made_stale(project: Path) -> None:
    command = [sys.executable, "-u", "-m", "codeout", "watch", "docs/first.md"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        stdout = process.stdout

        def output_until(end: str) -> str:
            text = ""
            while end not in text:
                text += stdout.readline()
            return text

        assert "x is 41" in output_until("are up to date")
        (project / "snippets" / "first.py").write_text(SNIPPET.replace('"x is"', '"x was"'))
        assert "docs/first.md:10" in (text := output_until("are up to date"))
        assert "x was 41" in text
        assert "docs/first.md:6" not in text, "the block above has not run again"
        (project / "snippets" / "first.py").write_text(SNIPPET.replace("x)", "x / 0)"))
        assert "ZeroDivisionError" in output_until("are up to date")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_why_names_what_changed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def why() -> list[str]:
        capsys.readouterr()
        assert main(["why"]) == 0
        return [re.sub(r"^\S+( \(\S+\))?: ", "", line) for line in capsys.readouterr().out.splitlines()]

    assert why() == [*["has not run yet"] * 3, "3 of 3 blocks are stale"]
    main(["run"])
    assert why() == ["0 of 3 blocks are stale"]
    (project / "snippets" / "helper.py").write_text("VALUE = 42\n")
    assert why() == [
        "snippets/helper.py: content changed",
        "docs/first.md:6 (snippets/first.py:4) above it is stale",
        "2 of 3 blocks are stale",
    ]
    (project / "snippets" / "helper.py").write_text("VALUE = 41\n")
    (project / "snippets" / "first.py").write_text(SNIPPET.replace('"x is"', '"x was"'))
    assert why() == ["its own code changed", "1 of 3 blocks are stale"]


def test_a_build_does_not_rerun_what_the_command_line_ran(project: Path) -> None:
    assert main(["run"]) == 0
    done = build(project, "--strict")
    assert done.returncode == 0, done.stderr
    assert "running" not in done.stderr


def test_clean_keeps_the_results_that_pages_need(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run"])
    (project / "docs" / "second.md").write_text("# Second\n")
    old = write_in_cache(project, f"memo/exports/{'e' * 40}.ipynb")
    assert main(["clean"]) == 0
    assert not old.exists()
    assert capsys.readouterr().out.endswith("removed 1 runs, 2 remain\n")
    assert states(capsys) == ["hit", "hit"]


DIGEST = sha256(b"content").hexdigest()
RUN_NAME = f"{'a' * 40}-{'b' * 16}-{'c' * 16}.json"


def write_in_cache(project: Path, path: str, content: bytes = b"content") -> Path:
    """Write an old file into the cache, or make a folder if the path ends in a slash; return its path."""
    file = project / ".codeout" / path
    (file if path.endswith("/") else file.parent).mkdir(parents=True, exist_ok=True)
    if not path.endswith("/"):
        file.write_bytes(content)
    os.utime(file, (0, 0))
    return file


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("images/photo.png", id="another picture"),
        pytest.param(f"images/{'0' * 64}.png", id="a picture that is named by the digest of something else"),
        pytest.param(f"images/{DIGEST}.txt", id="another type of file that is named by its digest"),
        pytest.param("images/2026/", id="a folder among the pictures"),
        pytest.param(f"images/{DIGEST}.png/", id="a folder with the name of a picture"),
        pytest.param("de/messages.json", id="another JSON file"),
        pytest.param(f"aa/{RUN_NAME}", id="a file with the name of a run and without its checksum"),
        pytest.param(f"aa/{RUN_NAME}/", id="a folder with the name of a run"),
        pytest.param("memo/exports/thesis.ipynb", id="another notebook"),
        pytest.param(f"memo/exports/{'e' * 40}.html", id="another type of file with the name of an export"),
        pytest.param(f"memo/exports/{'e' * 40}.py/", id="a folder with the name of an export"),
        pytest.param("images/.new-photos", id="a file with a name like that of a temporary one"),
        pytest.param("guides/.new-abcdefgh", id="a temporary file where codeout writes none"),
    ],
)
def test_clean_keeps_what_codeout_has_not_written(project: Path, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    kept = write_in_cache(project, path)
    assert main(["clean"]) == 0
    assert kept.exists()
    assert capsys.readouterr().out.startswith("removed 0 runs")


@posix
@pytest.mark.parametrize("path", [f"images/{DIGEST}.png", f"aa/{RUN_NAME}", f"memo/exports/{'e' * 40}.py"])
def test_clean_keeps_links(project: Path, path: str) -> None:
    kept = write_in_cache(project, path)
    kept.rename(project / "elsewhere")
    kept.symlink_to(project / "elsewhere")
    assert main(["clean"]) == 0
    assert kept.is_file()


@pytest.mark.parametrize(
    ("path", "content"),
    [
        pytest.param(f"images/{DIGEST}.png", b"content", id="a picture"),
        pytest.param(f"aa/{RUN_NAME}", seal(b'{"format": 1}'), id="a run of another format"),
        pytest.param(f"memo/exports/{'e' * 40}.md", b"content", id="an export"),
        pytest.param("ab/.new-abcdefgh", b"content", id="a temporary file"),
        pytest.param("memo/exports/.new-abcdefgh", b"content", id="a temporary file of an export"),
    ],
)
def test_clean_removes_what_codeout_has_written(project: Path, path: str, content: bytes) -> None:
    removed = write_in_cache(project, path, content)
    assert main(["clean"]) == 0
    assert not removed.exists()


UNREADABLE = r"\S+:1: {}; the cache must be a folder that you may read and change\n"


@pytest.mark.parametrize("folder", [".", "images", "memo/exports"])
def test_clean_says_in_one_sentence_what_is_no_folder(
    project: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_in_cache(project, folder)
    assert main(["clean"]) == 1
    assert re.fullmatch(UNREADABLE.format("Not a directory"), capsys.readouterr().err)


@posix
@pytest.mark.parametrize("folder", [".", "aa", "images", "memo", "memo/exports"])
def test_clean_says_in_one_sentence_what_may_not_be_read(
    project: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_in_cache(project, f"{folder}/x").parent
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root may read everything")
    assert main(["clean"]) == 1
    path.chmod(0o700)
    assert re.fullmatch(UNREADABLE.format("Permission denied"), capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "docs/gone.md"], "docs/gone.md:1: not a page with blocks; did you mean 'docs/second.md'?"),
        (["-f", "gone.yml", "run"], "gone.yml:1: not found"),
        (["run", "docs/bad.md"], "docs/bad.md:2: ZeroDivisionError"),
    ],
)
def test_an_error_is_a_message_and_an_exit_status(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (project / "docs" / "bad.md").write_text('```python exec="on"\n1 / 0\n```\n')
    assert main(arguments) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--shard", "2"], ["--plan", "plan.json"]])
def test_a_shard_needs_its_plan_and_a_plan_its_shard(
    project: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *options]) == 2
    assert "--plan and --shard must be used together" in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["require_recordings: [nobody]", "gpu: [nobody]", "data: {nobody: [mkdocs.yml]}"])
def test_a_pattern_that_matches_no_session_is_an_error(
    project: Path, setting: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = project / "mkdocs.yml"
    before = file.read_text()
    file.write_text(before.replace("{paths: [snippets]}", f"{{paths: [snippets], {setting}}}"))
    assert file.read_text() != before
    assert main(["status"]) == 1
    assert "no session matches 'nobody'; available: " in capsys.readouterr().err


def test_help_shows_the_commands_by_audience_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert text.index("Commands for authors:\n  run ") < text.index("Commands for maintainers:\n  ready ")
    assert "codeout run docs/autograd.md" in text


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_the_help_of_a_command_is_complete(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"Usage: codeout {command} " in text
    assert max(map(len, text.splitlines())) <= 80, "a terminal is no wider"
    assert "..." not in cli.commands[command].get_short_help_str(70), "the list of commands shows a whole sentence"
    for line in re.findall(r"^ +(codeout .*)$", text, re.MULTILINE):
        example = re.split(r"  |[|>]", line)[0].split()
        assert example[1] == command
        options = [option for parameter in cli.commands[command].params for option in parameter.opts]
        assert {word for word in example if word.startswith("-")} <= {*options}


def test_the_tolerance_in_the_help_of_diff_is_the_one_of_a_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    main(["diff", "--help"])
    assert f"[default: {TOLERANCE}]" in capsys.readouterr().out


def test_version_is_the_installed_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"codeout {version('codeout')}\n"


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["run", "--help"]])
def test_help_imports_nothing_of_a_build(arguments: list[str]) -> None:
    check = f"import sys; from codeout.cli.main import main; main({arguments!r}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    heavy = {"mkdocs", "markdown", "IPython", "msgspec", "yaml", "rich", "psutil", "codeout.run", "codeout.model"}
    assert {*done.stderr.split()} & heavy == set()


@posix
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_stops_early_sees_no_traceback(project: Path, unbuffered: str) -> None:
    command = [sys.executable, "-m", "codeout", "status"]
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout and process.stderr
        process.stdout.close()  # before the command writes its first line
        assert process.stderr.read() == ""
        assert process.wait(20) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rum"], "No such command 'rum'"),
        (["plan", "--shards", "0"], "0 is not in the range x>=1"),
        (["plan"], "Missing option '--shards'"),
        (["export", "--to", "pdf"], "'pdf' is not one of 'ipynb', 'py'"),
    ],
)
def test_misuse_is_explained_and_exits_with_2(
    arguments: list[str], message: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_a_command_leaves_the_process_as_it_was(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MKDOCS_CONFIG_DIR", raising=False)
    assert main(["status"]) == 0
    assert "MKDOCS_CONFIG_DIR" not in os.environ
    assert markdown_config.exts is None
