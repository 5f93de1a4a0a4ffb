"""Work for many machines: stale sessions shared out, run apart, and put together by copying."""

from __future__ import annotations

import json
import shutil
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from codeout import PageError, RunStore
from codeout.cache.timings import Timing
from codeout.cli.main import main
from codeout.publish.shards import select_shard, split
from helpers import block
from small_sites import build, site_config

CONFIG = site_config(codeout="gpu: [gpu_*]")


def site(folder: Path, pages: int = 6) -> Path:
    """Write a site of pages that print a random number, so that nobody could have made their outputs twice."""
    (folder / "docs").mkdir(parents=True)
    (folder / "mkdocs.yml").write_text(CONFIG)
    for page in range(pages):
        name = f"gpu_{page}" if page == 0 else f"s_{page}"
        code = f"import random\nprint({page}, random.random())"
        fences = f'```python exec="on" session="{name}"\n{code}\n```\n' * 2
        (folder / "docs" / f"page_{page}.md").write_text(f"# Page {page}\n\n{fences}")
    return folder


def content(store: Path) -> dict[str, bytes]:
    """Return what is in a store, but for memos."""
    files = (path for path in store.rglob("*") if path.is_file() and "memo" not in path.parts)
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in files}


def planned(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main(["plan", "--json", *arguments]) == 0
    shards: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["shards"]
    return shards


def test_the_longest_goes_first_to_the_machine_that_is_free() -> None:
    times = {name: Timing(seconds, 0) for name, seconds in {"a": 10.0, "b": 7.0, "c": 6.0, "d": 4.0}.items()}
    shares = split(["a", "b", "c", "d"], [], times, 2)
    assert [(share.sessions, share.seconds) for share in shares] == [(["a", "d"], 14.0), (["b", "c"], 13.0)]


def test_a_session_that_has_not_run_counts_as_the_others_on_average() -> None:
    shares = split(["new", "a", "b"], [], {"a": Timing(2.0, 0), "b": Timing(4.0, 0)}, 3)
    assert [share.seconds for share in shares] == [4.0, 3.0, 2.0]


def test_sessions_of_the_gpu_go_to_machines_that_have_one() -> None:
    shares = split(["train", "a", "b"], ["train"], {}, 1, 1)
    assert [(share.device, share.sessions) for share in shares] == [("cpu", ["a", "b"]), ("gpu", ["train"])]
    assert split(["train", "a"], ["train"], {}, 1)[0].sessions == ["a", "train"], "there is no such machine"


def test_shares_cover_what_is_stale_once_whatever_the_order() -> None:
    names = [f"s{n}" for n in range(20)]
    times = {name: Timing(float(n % 7), 0) for n, name in enumerate(names)}
    one, other = split(names, [], times, 4), split(names[::-1], [], times, 4)
    assert [share.sessions for share in one] == [share.sessions for share in other]
    assert sorted(name for share in one for name in share.sessions) == sorted(names)
    assert max(share.seconds for share in one) - min(share.seconds for share in one) <= 3.0


def test_only_what_is_stale_is_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(site(tmp_path / "site"))
    assert main(["run", "docs/page_1.md", "docs/page_2.md"]) == 0
    shares = planned(capsys, "--shards", "2", "--gpus", "1")
    assert [len(share["sessions"]) for share in shares] == [2, 1, 1]
    assert shares[2] == {"device": "gpu", "seconds": shares[2]["seconds"], "sessions": ["docs/page_0.md gpu_0"]}
    assert 0 < shares[2]["seconds"] < 10
    main(["run"])
    assert [share["sessions"] for share in planned(capsys, "--shards", "2")] == [[], []]
    main(["plan", "--shards", "1"])
    assert "shard 1, cpu, about 0 s: nothing" in capsys.readouterr().out


def test_stores_of_shares_merge_by_copying_in_any_order_to_what_one_machine_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    origin = site(tmp_path / "origin")
    monkeypatch.chdir(origin)
    (origin / "plan.json").write_text(json.dumps({"shards": planned(capsys, "--shards", "3")}))
    stores = []
    for number in (1, 2, 3):
        machine = tmp_path / f"machine-{number}"
        shutil.copytree(origin, machine)
        monkeypatch.chdir(machine)
        assert main(["run", "--plan", "plan.json", "--shard", str(number)]) == 0
        stores.append(machine / ".codeout")
    merged: list[dict[str, bytes]] = []
    for order in permutations(stores):
        target = tmp_path / f"merged-{len(merged)}"
        for store in order:
            shutil.copytree(store, target, dirs_exist_ok=True)
        merged.append(content(target))
    assert all(each == merged[0] for each in merged)
    assert len(list(RunStore(tmp_path / "merged-0").entries())) == 12
    shutil.copytree(tmp_path / "merged-0", origin / ".codeout", dirs_exist_ok=True)
    monkeypatch.chdir(origin)
    capsys.readouterr()
    assert main(["status", "--json"]) == 0
    assert {row["state"] for row in json.loads(capsys.readouterr().out)["blocks"]} == {"hit"}
    assert "running" not in build(origin).stderr, "the merged store is all that a build needs"


def test_a_store_that_is_copied_over_an_older_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(site(tmp_path / "site", pages=2))
    main(["run"])
    shutil.copytree(".codeout", tmp_path / "base")
    page = Path("docs/page_1.md")
    page.write_text(page.read_text().replace("print(1", "print(2"))
    shutil.rmtree(".codeout")
    main(["run", "docs/page_1.md"])
    shutil.copytree(".codeout", tmp_path / "base", dirs_exist_ok=True)
    shutil.rmtree(".codeout")
    shutil.copytree(tmp_path / "base", ".codeout")
    assert main(["status"]) == 0
    assert "running" not in build(Path.cwd()).stderr


@pytest.mark.parametrize(
    ("written", "number", "message"),
    [
        ("[", 1, "plan.json:1: not a plan; create one with `codeout plan --shards N --json`"),
        ("[]", 1, "plan.json:1: not a plan; create one with `codeout plan --shards N --json`"),
        ('{"shards": [{"sessions": 3}]}', 1, "plan.json:1: not a plan"),
        ('{"shards": []}', 1, "plan.json:1: no shard 1; the plan has 0"),
        ('{"shards": [{"sessions": []}]}', 2, "plan.json:1: no shard 2; the plan has 1"),
        ('{"shards": [{"sessions": ["docs/x.md s"]}]}', 1, "plan.json:1: no page has a session 'docs/x.md s'"),
    ],
)
def test_a_plan_that_does_not_fit_is_rejected(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    written: str,
    number: int,
    message: str,
) -> None:
    monkeypatch.chdir(site(tmp_path / "site", pages=1))
    Path("plan.json").write_text(written)
    assert main(["run", "--plan", "plan.json", "--shard", str(number)]) == 1
    assert message in capsys.readouterr().err


def test_a_plan_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(site(tmp_path / "site", pages=1))
    assert main(["run", "--plan", "none.json", "--shard", "1"]) == 1
    assert capsys.readouterr().err == "none.json:1: cannot be read: No such file or directory\n"


def test_the_blocks_of_a_shard_are_chosen_by_its_number(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('{"shards": [{"device": "cpu", "sessions": ["docs/page.md a"]}, {"sessions": ["docs/page.md b"]}]}')
    blocks = [block("1", "a"), block("2", "b"), block("3", "a")]
    assert [each.code for each in select_shard(blocks, plan, 1)] == ["1", "3"]
    assert [each.code for each in select_shard(blocks, plan, 2)] == ["2"]
    with pytest.raises(PageError, match="no shard 0"):
        select_shard(blocks, plan, 0)


@pytest.mark.parametrize("word", ["0", "-1", "x"])
def test_there_is_at_least_one_machine(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--shards", word]) == 2
    assert "Invalid value for '--shards'" in capsys.readouterr().err
