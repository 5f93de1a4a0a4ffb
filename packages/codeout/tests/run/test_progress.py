"""Progress: live lines on a terminal, an occasional line in a log."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codeout import Run
from codeout.run import progress
from codeout.run.progress import ProgressBoard, SessionProgress
from small_sites import CONFIG

Runner = Callable[..., list[Run]]


def test_a_log_names_a_long_block_and_its_last_printed_line(
    run: Runner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "LOG_INTERVAL", 0.5)
    with caplog.at_level(logging.INFO, logger="mkdocs.plugins.codeout"):
        run("print('first')", "import time\nprint('  0%\\r 50%', flush=True)\ntime.sleep(1.6)")
    lines = [record.getMessage() for record in caplog.records if "block 2 of 2" in record.getMessage()]
    assert len(lines) >= 2
    assert all(line.startswith("codeout: docs/page.md s: block 2 of 2, ") for line in lines)
    assert lines[-1].endswith(" s:  50%")


def test_a_short_run_logs_only_its_beginning_and_its_end(run: Runner, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="mkdocs.plugins.codeout"):
        run("print('first')")
    assert [record.getMessage().partition(" in ")[0] for record in caplog.records] == [
        "codeout: docs/page.md s: running 1 block",
        "codeout: docs/page.md s: done",
    ]


def test_progress_gives_the_block_the_seconds_and_the_estimate_until_it_has_passed() -> None:
    progress = SessionProgress(
        session="s", block=2, blocks=7, start=100.0, expected_seconds=45.0, text="one\ntwo\x1b[2K\rthree\n\n"
    )
    assert progress.describe(112.4) == "block 2 of 7, 12 of about 45 s"
    assert progress.describe(190.0) == "block 2 of 7, 90 s"
    assert progress.last_line() == "three"


def test_a_board_calls_back_at_each_change() -> None:
    running = list[int]()
    board = ProgressBoard(lambda: running.append(len(board.running())))
    board.update(SessionProgress(session="a", block=1, blocks=1, start=0.0))
    board.remove("a")
    assert running == [1, 0]


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is POSIX")
def test_a_terminal_shows_a_line_for_each_running_session(tmp_path: Path) -> None:
    import pty

    (tmp_path / "mkdocs.yml").write_text(CONFIG.replace("{paths: [snippets]}", "{}"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "snippets").mkdir()
    code = "import time\nfor i in range(8):\n    print('step', i, flush=True)\n    time.sleep(0.2)"
    (tmp_path / "docs" / "page.md").write_text(f'```python exec="on" session="s"\n{code}\n```\n')
    pid, terminal = pty.fork()
    if not pid:  # the child, whose terminal it is
        os.chdir(tmp_path)
        os.environ["COLUMNS"] = "100"
        os.execv(sys.executable, [sys.executable, "-m", "codeout", "run"])
    shown = b""
    try:
        while part := os.read(terminal, 65536):
            shown += part
    except OSError:  # what Linux says when the other end is closed
        os.waitpid(pid, 0)
    text = shown.decode()
    assert "block 1 of 1, 1 s" in text
    assert len(set(re.findall(r"step [1-7]", text))) >= 3, "four times a second, what was printed last"
    assert text.rstrip().endswith("1 blocks are up to date")
