"""A live server: pages don't wait for their blocks, and are told when they have run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Thread

import psutil
import pytest

from codeout import Config, Engine, Run, Stream
from codeout.model.blocks import Session, group_sessions
from codeout.run.engine import UP_TO_DATE, BlockState
from codeout.run.live import LiveSessions
from codeout.run.termination import is_running
from helpers import block, kernels, posix
from servers import Server, until
from small_sites import CONFIG

pytestmark = posix  # the server is stopped by Ctrl-C
HOME = '# Home\n\n<div class="codeout-overview"></div>\n'
STRICT = CONFIG.replace("{paths: [snippets]}", "{paths: [snippets], strict_values: true}")
SLOW = "import time\nfor step in range(100):\n    print('step', step, flush=True)\n    time.sleep(0.1)"


def text(run: Run | None) -> str:
    return "".join(o.text for o in run.outputs if isinstance(o, Stream)) if run else "nothing"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveSessions]:
    live = LiveSessions(Config.from_options({"root": tmp_path, "checkpoints": True, "errors": "show", "timeout": 60}))
    yield live
    live.close()


def look(live: LiveSessions, *codes: str) -> list[BlockState]:
    return list(live.states(sessions(*codes)).values())


def sessions(*codes: str, session: str = "s") -> list[Session]:
    return group_sessions([block(code, session, 1 + 10 * number) for number, code in enumerate(codes)])


def test_a_look_does_not_wait_and_sees_each_block_when_it_has_run(live: LiveSessions) -> None:
    start = time.monotonic()
    assert [seen.run for seen in look(live, "print(1)", SLOW)] == [None, None]
    assert time.monotonic() - start < 5, "the slow block takes ten seconds"
    until(lambda: text(look(live, "print(1)", SLOW)[0].run) == "1\n")
    assert look(live, "print(1)", SLOW)[1].run is None


def test_outputs_are_said_to_be_up_to_date_once_nothing_is_left(
    live: LiveSessions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    look(live, "import time\ntime.sleep(0.5)")
    live.on_idle()  # as when the pages are built, at once
    assert UP_TO_DATE not in caplog.text
    until(lambda: UP_TO_DATE in caplog.text)


def test_an_edit_ends_what_runs_if_it_is_not_wanted_any_more(live: LiveSessions) -> None:
    look(live, "print(1)", SLOW)
    until(lambda: any("step" in status.text for status in live.progress()))
    look(live, "print(1)", "print(2)")
    until(lambda: text(look(live, "print(1)", "print(2)")[1].run) == "2\n", 8)


def test_an_edit_below_what_runs_lets_it_go_on(live: LiveSessions, tmp_path: Path) -> None:
    first = f"open({str(tmp_path / 'log')!r}, 'a').write('x');\nimport time; time.sleep(1.5)"
    look(live, first, "print(2)")
    until((tmp_path / "log").exists)
    look(live, first, "print(3)", "print(4)")
    until(lambda: text(look(live, first, "print(3)", "print(4)")[2].run) == "4\n")
    assert text(look(live, first, "print(3)", "print(4)")[1].run) == "3\n"
    assert (tmp_path / "log").read_text() == "x"


def test_an_undone_edit_ends_what_it_made_run(live: LiveSessions) -> None:
    look(live, "print(1)")
    until(lambda: look(live, "print(1)")[0].run)
    look(live, SLOW)
    until(live.progress)
    assert text(look(live, "print(1)")[0].run) == "1\n"
    until(lambda: not live.progress(), 8)


def test_a_session_that_the_site_has_no_more_is_ended(live: LiveSessions) -> None:
    look(live, SLOW)
    until(live.progress)
    other = sessions("print(1)", session="renamed")
    live.keep(other)
    until(lambda: not live.progress(), 8)
    until(lambda: next(iter(live.states(other).values())).run)
    assert [name for name, _, _ in live.current()] == ["docs/page.md renamed"]


def test_an_error_is_shown_with_the_last_good_run(live: LiveSessions) -> None:
    look(live, "print(1)")
    until(lambda: look(live, "print(1)")[0].run)
    look(live, "1 / 0")
    until(lambda: look(live, "1 / 0")[0].run)
    (seen,) = look(live, "1 / 0")
    assert seen.run
    assert seen.run.error
    assert text(seen.last_good) == "1\n"
    assert look(live, "print(1)")[0].last_good is None


def test_the_last_good_run_is_known_from_the_store_and_follows_its_code(tmp_path: Path) -> None:
    config = Config.from_options({"root": tmp_path, "errors": "show"})
    Engine(config).run([block("print(1)"), block("print(2)", line=9)])
    live = LiveSessions(config)
    seen = look(live, "x = 0", "print(1)", "print(2)")
    assert [text(each.last_good) for each in seen] == ["1\n", "1\n", "2\n"]
    live.close()


def test_a_failed_session_is_not_run_again_until_it_changes(live: LiveSessions, tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'log')!r}, 'a').write('x'); 1 / 0"
    for _ in range(3):
        until(lambda: look(live, code)[0].run)
    assert (tmp_path / "log").read_text() == "x"


def test_a_mistake_of_the_engine_is_shown_and_nothing_waits_for_ever(
    live: LiveSessions, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(session: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr("codeout.run.session.RunningSession.work", broken)
    look(live, "print(1)", "print(2)")
    until(lambda: all(seen.run for seen in look(live, "print(1)", "print(2)")))
    errors = [seen.run.error for seen in look(live, "print(1)", "print(2)") if seen.run]
    assert [error.message for error in errors if error] == ["a mistake"] * 2


def test_closing_ends_what_runs(live: LiveSessions) -> None:
    look(live, SLOW)
    until(kernels)
    (kernel,) = kernels()
    live.close()
    assert not is_running(kernel.pid)


PAGE = """# First, {word}

```python exec="on" session="s" source="tabbed-left" tabs="Code|Out"
word = "good"
print("one")
```

It is {word}.

```python exec="on" session="s" source="tabbed-left" tabs="Code|Out"
import time
for step in range(15):
    print("step", step, flush=True)
    time.sleep(0.2)
```
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    for path, content in {"mkdocs.yml": STRICT, "docs/index.md": HOME, "docs/first.md": PAGE}.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(content)
    (tmp_path / "snippets").mkdir()
    server = Server(tmp_path)
    yield server
    if server.process.poll() is None:
        server.close()


def test_a_page_is_there_before_its_blocks_have_run_and_is_told_when_they_have(server: Server) -> None:
    page = server.page()
    assert 'class="codeout codeout-waiting"' in page
    assert re.search(r'<span class="codeout-value-slot codeout-stale" [^>]*>…</span>', page)
    assert re.search(r"/codeout/news\?since=\$\{since\}&page=docs%2F\w+\.md", page), "what it needs runs first"
    keys = dict(re.findall(r'data-codeout="([^"]+)" data-key="([^"]+)"', page))
    state: dict[str, dict[str, str]] = {}
    live = False
    for news in server.events():
        state |= news
        second = state.get("docs/first.md s 2", {})
        live = live or ("step 1\n" in second.get("text", "") and second["message"].startswith("block 2 of 2, "))
        if "html" in second:
            break
    assert live, "text is shown while the block runs"
    assert "<code>one</code>" in state["docs/first.md s 1"]["html"]
    assert "step 14</code>" in state["docs/first.md s 2"]["html"]
    assert state["docs/first.md s 1 {word}"]["html"] == '<span class="codeout-named">good</span>'
    assert {name: told["key"] for name, told in state.items() if name in keys} == keys


def test_pages_complete_themselves_after_the_first_run_without_an_edit(server: Server, tmp_path: Path) -> None:
    assert '<p class="codeout-sentence"' not in server.page(), "its blocks have not run"
    states: dict[str, dict[str, str]] = {}
    for news in server.events():
        states |= news
        if "codeout-sentence" in states.get("docs/first.md summary", {}).get("html", ""):
            break
    assert "2 blocks ran in" in states["docs/first.md summary"]["html"]
    keys = dict(re.findall(r'data-codeout="([^"]+)" data-key="([^"]+)"', server.page()))
    assert states["docs/first.md summary"]["key"] == keys["docs/first.md summary"]
    assert "first.md:" in states["overview"]["html"]


def test_the_next_page_shows_the_last_output_dimmed_while_the_new_one_is_made(server: Server, tmp_path: Path) -> None:
    next(news for news in server.events() if "html" in news.get("docs/first.md s 2", {}))
    (tmp_path / "docs" / "first.md").write_text(PAGE.replace("'step'", '"STEP"').replace('"step"', '"STEP"'))
    until(lambda: "STEP" in server.page())
    page = server.page()
    assert re.search(r'<div class="codeout-stale"><div class="highlight [^>]*><pre [^>]*><code>step 0', page)
    assert "<code>one</code>" in page


def test_an_error_shows_in_its_place_with_the_last_good_output_and_an_edit_mends_it(
    server: Server, tmp_path: Path
) -> None:
    next(news for news in server.events() if "html" in news.get("docs/first.md s 2", {}))
    (tmp_path / "docs" / "first.md").write_text(PAGE.replace("time.sleep(0.2)", "1 / 0"))
    until(lambda: "codeout-error" in state(server, "docs/first.md s 2"))
    html = state(server, "docs/first.md s 2")
    assert "ZeroDivisionError: division by zero" in html
    assert re.search(r"ERROR +- +docs/first\.md:\d+: ZeroDivisionError", server.log.read_text()), "the log says so, too"
    last = html.partition("Last successful output, from ")[2]
    assert "step 14</code>" in last
    (tmp_path / "docs" / "first.md").write_text(PAGE.replace("0.2", "0"))
    until(lambda: "codeout-error" not in (html := state(server, "docs/first.md s 2")) and "step 14" in html)


def state(server: Server, name: str) -> str:
    """Return the HTML of a block as a page that opens now is told; empty if it has not run."""
    return next(server.events()).get(name, {}).get("html", "")


def test_pages_go_on_being_told_after_a_setting_has_changed(server: Server, tmp_path: Path) -> None:
    next(news for news in server.events() if "html" in news.get("docs/first.md s 2", {}))
    (tmp_path / "mkdocs.yml").write_text(
        CONFIG.replace("paths: [snippets]", "paths: [snippets], max_recording_age: 31")
    )
    (tmp_path / "docs" / "first.md").write_text(PAGE.replace('print("one")', 'print("ONE")').replace("0.2", "0"))
    until(lambda: "ONE" in state(server, "docs/first.md s 1"))


def test_the_same_mistake_again_is_told_again(server: Server, tmp_path: Path) -> None:
    page = tmp_path / "docs" / "first.md"

    def is_reported(times: int) -> bool:
        return server.log.read_text().count("unknown option 'tiemout'") == times

    for count in (1, 2):
        page.write_text(PAGE.replace('session="s"', 'session="s" tiemout="1"'))
        until(partial(is_reported, count))
        page.write_text(PAGE + "\n" * count)
        until(lambda: "stuck" not in server.log.read_text().rpartition("Building documentation")[2])
        until(lambda: server.page().count("data-codeout") > 1)


def test_a_value_that_no_block_makes_is_told_with_its_own_page(server: Server, tmp_path: Path) -> None:
    next(news for news in server.events() if "html" in news.get("docs/first.md s 2", {}))
    (tmp_path / "docs" / "second.md").write_text(PAGE.replace("{word}", "word").replace("0.2", "0"))
    (tmp_path / "docs" / "first.md").write_text(PAGE.replace("{word}", "{wrod}").replace("0.2", "0"))
    until(lambda: "html" in next(server.events()).get("docs/second.md s 2", {}))
    told = state(server, "docs/first.md s 2 {wrod}")  # in the title, so that it is of the last block
    assert "docs/first.md:1: {wrod}: no block sets &#x27;wrod&#x27; to a number or a string" in told
    assert "; did you mean &#x27;word&#x27;?" in told


def test_news_are_short_and_end_when_nothing_runs(server: Server) -> None:
    next(news for news in server.events() if "html" in news.get("docs/first.md s 2", {}))
    until(lambda: not server.news(0)["running"])
    everything = server.news(0)
    assert everything["states"] and not server.news(everything["version"])["states"]


def test_two_hundred_pages_that_ask_keep_no_thread_and_no_connection(server: Server) -> None:
    next(news for news in server.events() if "html" in news.get("docs/first.md s 2", {}))
    process = psutil.Process(server.process.pid)
    until(lambda: not server.news(0)["running"])
    before = process.num_threads(), process.num_fds()
    threads = [Thread(target=server.news, args=(0,)) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: process.num_threads() <= before[0] + 2 and process.num_fds() <= before[1] + 2)


def test_ctrl_c_while_a_block_runs_leaves_no_process(server: Server) -> None:
    until(lambda: "running 2 blocks" in server.log.read_text())
    children = psutil.Process(server.process.pid).children(recursive=True)
    assert children
    server.close()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert "Traceback" not in server.log.read_text()


def test_a_build_has_nothing_of_the_live_server_in_its_pages(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "snippets").mkdir()
    (tmp_path / "mkdocs.yml").write_text(CONFIG)
    (tmp_path / "docs" / "index.md").write_text(PAGE.replace("0.2", "0"))
    subprocess.run([sys.executable, "-m", "mkdocs", "build", "-q"], cwd=tmp_path, check=True, env={**os.environ})
    page = (tmp_path / "site" / "index.html").read_text()
    assert not re.search(r"data-codeout|codeout/news|codeout-waiting", page)
    assert 'First, <span class="codeout-named">good</span>' in page
