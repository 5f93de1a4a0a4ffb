"""The workflows: what they may do, and what their commands do, run in order from a clean clone.

What can't be run here is GitHub itself: `workflows.Hub` plays it. `pip`, `pytest`, `ruff`, `mypy` and `gh` are played,
too: all but the last are what runs these tests.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

from codeout import RunStore
from site_helpers import ROOT
from workflows import Failed, Hub, commit, repository, workflow

WORKFLOWS = sorted(path.stem for path in (ROOT / ".github" / "workflows").glob("*.yml"))
WRITERS = {  # the jobs that may write, and what
    ("gpu", "propose"): {"contents", "pull-requests"},
    ("publish", "deploy"): {"pages", "id-token"},
    ("publish", "notebooks"): {"contents"},
    ("versions", "propose"): {"contents", "issues", "pull-requests"},
}
CONFIG = """site_name: Small
site_url: !ENV [SITE_URL, ""]
theme: {name: material, font: false, custom_dir: overrides}
extra: {polyfills: [], offline_zip: false}
markdown_extensions:
  - pymdownx.superfences
  - pymdownx.tabbed: {alternate_style: true}
  - pymdownx.snippets: {base_path: [snippets], check_paths: true}
  - codeout: {paths: [snippets], gpu: [train], packages: [markdown-exec], downloads: [ipynb], data: {train: [d.json]}}
plugins:
  - search
  - codeout
  - offline: {enabled: !ENV [OFFLINE, false]}
  - markdown-exec: {languages: [python]}
"""
TABS = 'source="tabbed-left" tabs="Code|Out"'
FILES = {
    "mkdocs.yml": CONFIG,
    "d.json": '{"name": "photos", "kind": "original", "note": "all"}',
    "docs/index.md": '# Home\n\n<div class="codeout-overview"></div>\n\n<div class="codeout-compat"></div>\n',
    "docs/train.md": f'# Train\n\n```python exec="on" session="train" {TABS}\n--8<-- "train.py:train"\n```\n',
    "docs/other.md": f'# Other\n\n```python exec="on" session="other" {TABS}\nprint("loss: 2.251")\n```\n',
    "snippets/train.py": (
        "# --8<-- [start:train]\nimport shutil\n"
        'print("cuda:0" if shutil.which("nvidia-smi") else "cpu")\n# --8<-- [end:train]\n'
    ),
    "recordings/README.md": "Runs from devices that CI does not have.\n",
}
BROKEN = f'# Other\n\n```python exec="on" session="other" {TABS}\n1 / 0\n```\n'
NVIDIA = {"nvidia-smi": "echo NVIDIA T4"}


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path / "hub", repository(tmp_path / "hub", FILES))


def edit(hub: Hub, **texts: str) -> None:
    """Push changes of files; a name's `__` is a slash, and its last `_` the dot."""
    for name, text in texts.items():
        path = hub.folder / "work" / ".".join(name.replace("__", "/").rsplit("_", 1))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    commit(hub.folder / "work", "An edit")


def published(hub: Hub) -> Path:
    """Publish, and return the folder that was deployed."""
    hub.deployed, hub.environment = None, {}
    hub.run("publish", "build")
    hub.run("publish", "deploy")
    assert hub.deployed is not None
    return hub.deployed


def recorded(hub: Hub) -> None:
    """Record on the GPU, check, propose, and merge."""
    hub.shims = NVIDIA
    hub.run("gpu", "record")
    hub.shims = {}
    hub.run("gpu", "accept")
    hub.run("gpu", "propose")
    work = hub.folder / "work"
    subprocess.run(["git", "pull", "--quiet", "--no-rebase", "origin", "recordings"], cwd=work, check=True)
    subprocess.run(["git", "push", "--quiet", "origin", "HEAD:main"], cwd=work, check=True)


# ----------------------------------------------------------------------------------------------------- what they may do


@pytest.mark.parametrize("command", [["jactionlint"], ["zizmor", "--offline", "--quiet", ".github"]])
def test_linters_find_nothing(command: list[str]) -> None:
    program = Path(sys.executable).parent / command[0]
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_do_little_and_each_job_only_what_it_needs(name: str) -> None:
    told = workflow(name)
    assert told["permissions"] == {}
    assert "concurrency" in told
    for job, steps in told["jobs"].items():
        allowed = {scope for scope, level in steps["permissions"].items() if level == "write"}
        assert allowed == WRITERS.get((name, job), set()), job
        assert steps["timeout-minutes"] <= 120
        runs = [step["run"] for step in steps["steps"] if "run" in step]
        assert not any("${{" in run for run in runs), "nobody's words become a command"
        assert not (allowed and any(re.search(r"pip|codeout|mkdocs", run) for run in runs)), "it runs no code of ours"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_only_publishing_may_write_a_cache_and_who_needs_none_may_read_none(name: str) -> None:
    told = workflow(name)
    assert told["cache-mode"] == "none"
    for job, steps in told["jobs"].items():
        uses = {step["uses"].partition("@")[0] for step in steps["steps"] if "uses" in step}
        wanted = "write" if "actions/cache/save" in uses else "read" if "actions/cache/restore" in uses else "none"
        assert steps.get("cache-mode", "none") == wanted, job
        assert wanted != "write" or (name, job) == ("publish", "build")


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_pinned_by_commit_with_their_version_beside_it(name: str) -> None:
    text = (ROOT / ".github" / "workflows" / f"{name}.yml").read_text()
    uses = re.findall(r"uses: (.*)", text)
    assert uses
    for each in uses:
        assert re.fullmatch(r"actions/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each), each


def test_nothing_that_strangers_start_reaches_our_own_machine_or_writes_what_publishing_reads() -> None:
    for name in WORKFLOWS:
        told = workflow(name)
        assert "pull_request_target" not in told["on"]
        jobs = told["jobs"].values()
        own = [job for job in jobs if "self-hosted" in str(job["runs-on"])]
        saves = [step for job in jobs for step in job["steps"] if "cache/save" in step.get("uses", "")]
        assert not ("pull_request" in told["on"] and (own or saves)), name
        assert not saves or name == "publish"
        for job in own:
            assert job["environment"] == "gpu"
            assert "secrets" not in str(job)
            assert "token" not in str(job)


def test_dependencies_are_kept_up_to_date() -> None:
    told = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())
    assert {update["package-ecosystem"] for update in told["updates"]} == {"github-actions", "pip"}


# -------------------------------------------------------------------------------------------------------- what they do


def test_publish_builds_checks_and_deploys_with_runs_and_zip_beside_the_pages(hub: Hub) -> None:
    site = published(hub)
    assert "loss: 2.251" in (site / "other" / "index.html").read_text()
    assert {"offline.zip", "runs.zip"} <= {path.name for path in site.iterdir()}
    assert list(hub.caches.glob("published-*/.codeout/??/*.json"))
    (hub.folder / "somebody").rename(hub.folder / "kept")
    subprocess.run(["git", "init", "--quiet", "--bare", hub.folder / "somebody" / "site.git"], check=True)
    hub.run("publish", "notebooks")
    branch = ["git", "-C", hub.folder / "somebody" / "site.git", "ls-tree", "--name-only", "notebooks"]
    assert subprocess.run(branch, check=True, capture_output=True, text=True).stdout.split() == [
        "other.ipynb",
        "train.ipynb",
    ]


@pytest.mark.parametrize(
    ("change", "step", "words"),
    [
        (
            {"docs__other_md": '# Other\n\n```python exec="on"\n1 / 0\n```\n'},
            "Build",
            "docs/other.md:4: ZeroDivisionError",
        ),
        (
            {"d_json": '{"name": "photos", "kind": "placeholder", "note": "drawings"}'},
            "May it be published?",
            "docs/train.md:3 (snippets/train.py:2): based on placeholder data for photos: drawings",
        ),
        (
            {"mkdocs_yml": CONFIG.replace("gpu: [train]", "gpu: [train], require_recordings: [train]")},
            "May it be published?",
            "docs/train.md:3 (snippets/train.py:2): no recording from another device, but",
        ),
    ],
    ids=["a block that did not run", "a placeholder", "a missing recording"],
)
def test_what_must_not_be_published_is_not_and_it_says_why(
    hub: Hub, change: dict[str, str], step: str, words: str
) -> None:
    edit(hub, **change)
    with pytest.raises(Failed) as problem:
        published(hub)
    assert str(problem.value).startswith(step)
    assert words in str(problem.value)
    assert hub.deployed is None
    assert not (hub.artifacts / "pages").exists()
    assert not hub.caches.exists(), "what failed is not what the next build goes on from"


def test_a_recording_that_is_stale_for_too_long_stops_publishing(hub: Hub) -> None:
    recorded(hub)
    edit(hub, mkdocs_yml=CONFIG.replace("gpu: [train]", "gpu: [train], max_recording_age: 0"))
    published(hub)
    snippet = FILES["snippets/train.py"]
    edit(hub, snippets__train_py=snippet.replace("import shutil", "import shutil  # edited"))
    with pytest.raises(Failed, match="its recording on NVIDIA T4 was made from different code"):
        published(hub)
    recorded(hub)
    published(hub)


def test_check_tells_what_a_change_changes_and_writes_nothing_that_publishing_reads(hub: Hub, tmp_path: Path) -> None:
    hub.environment = {"SITE_URL": f"file://{tmp_path}/nowhere"}
    hub.shims = {"sudo": "exit 1", "python": f'case "$1" in tools/links.py) ;; *) exec {sys.executable} "$@";; esac'}
    with pytest.raises(Failed, match="nowhere"):
        hub.run("check", "check")
    site = published(hub)
    before = sorted(hub.caches.rglob("*"))
    hub.environment = {"SITE_URL": site.as_uri()}
    edit(hub, docs__other_md=FILES["docs/other.md"].replace("2.251", "2.402"))
    summary = hub.run("check", "check")
    assert "# Outputs: 1 of 2 changed" in summary
    assert "1 of 1 numbers changed (largest change: 2.251 → 2.402)" in summary
    assert "train.md" not in summary, "what is the same is not in it"
    report = BeautifulSoup((hub.artifacts / "drift.html").read_text(), "html.parser")
    assert [cell.get_text() for cell in report.select("td")] == ["2.251", "2.402", "6.3 %"]
    assert (hub.artifacts / "site" / "other" / "index.html").is_file()
    assert sorted(hub.caches.rglob("*")) == before
    assert {"pip install -r requirements.txt", "ruff check", "mypy ", "pytest "} <= set(hub.played().splitlines())


def test_the_gpu_records_what_is_stale_and_the_pages_show_it_after_a_pull_request(hub: Hub) -> None:
    recorded(hub)
    assert "gh pr create --base main --head recordings --title Recordings of a GPU" in hub.played()
    site = published(hub)
    page = BeautifulSoup((site / "train" / "index.html").read_text(), "html.parser")
    assert [label.get_text() for label in page.select(".tabbed-labels label")] == ["Code", "Out · CPU", "Out · GPU"]
    assert "NVIDIA T4" in page.select(".codeout-run summary")[1].get_text()
    hub.shims = NVIDIA
    hub.run("gpu", "record")
    sent = [entry.date for entry in RunStore(hub.artifacts / "sent").entries()]
    kept = [entry.date for entry in RunStore(hub.folder / "work" / "recordings").entries()]
    assert sent == kept, "nothing was stale, so nothing ran"


SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><script>alert(1)</script></svg>'
SCRIPT = [{"kind": "figure", "data": {"image/svg+xml": SVG}, "alt": ""}]
CLIMBS = [{"kind": "figure", "data": {"image/png": "file:../../../etc/passwd"}, "alt": ""}]


def changed(**fields: object) -> Callable[[Path], object]:
    return lambda run: run.write_text(json.dumps(json.loads(run.read_text()) | fields))


def with_outputs(outputs: object) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        content = json.loads(path.read_text())
        content["run"]["outputs"] = outputs
        path.write_text(json.dumps(content))

    return change


def replaced(old: str, new: str) -> Callable[[Path], object]:
    return lambda run: run.write_text(run.read_text().replace(old, new, 1))


POISON: dict[str, tuple[Callable[[Path], object], str]] = {
    "a huge file": (replaced("cuda:0", "x" * 5_000_000), "bytes; the limit per file is"),
    "a stranger": (lambda run: (run.parent / "run.sh").write_text("rm"), "unexpected file"),
    "a link": (lambda run: (run.parent.parent / "images").symlink_to("/etc"), "symbolic link"),
    "another device": (replaced('"device": "NVIDIA T4"', '"device": "T4"'), "its key does not match"),
    "another block": (changed(name="docs/index.md"), "its name or inputs do not match"),
    "a script in SVG": (with_outputs(SCRIPT), "SVG with <script>"),
    "a path that climbs out": (with_outputs(CLIMBS), "incomplete, or does not match its file name"),
    "a wrong key": (
        lambda run: run.rename(run.with_name(run.name[:2] + "f" * 38 + run.name[40:])),
        "incomplete, or does not match its file name",
    ),
}


@pytest.mark.parametrize("poison", POISON)
def test_a_poisoned_artifact_is_refused_and_nothing_is_proposed(hub: Hub, poison: str) -> None:
    harm, words = POISON[poison]
    hub.shims = NVIDIA
    hub.run("gpu", "record")
    hub.shims = {}
    (run,) = (hub.artifacts / "sent").glob("??/*.json")
    harm(run)
    with pytest.raises(Failed, match=re.escape(words)):
        hub.run("gpu", "accept")
    assert not (hub.artifacts / "accepted").exists()


def test_versions_are_run_and_shown_and_an_issue_is_opened_where_a_page_fails(hub: Hub) -> None:
    site = published(hub)
    shim = (  # in place of an environment with another PyTorch, which takes minutes: this one
        'case "$1" in tools/versions.py) codeout compat -o results/torch-$2.json --against published;;'
        f' *) exec {sys.executable} "$@";; esac'
    )
    hub.shims = {"python": shim}
    hub.environment = {"SITE_URL": site.as_uri()}
    edit(hub, docs__other_md=BROKEN)
    with pytest.raises(Failed, match=r"docs/other\.md:4: ZeroDivisionError"):
        hub.run("versions", "try", {"version": "oldest"})
    hub.run("versions", "propose")
    said = hub.played()
    assert "gh issue create --title Pages fail with markdown-exec" in said
    assert "docs/other.md:4: ZeroDivisionError" in said
    assert "gh pr create --base main --head compat" in said
    edit(hub, docs__other_md=FILES["docs/other.md"])
    work = hub.folder / "work"
    subprocess.run(["git", "pull", "--quiet", "--no-rebase", "origin", "compat"], cwd=work, check=True)
    subprocess.run(["git", "push", "--quiet", "origin", "HEAD:main"], cwd=work, check=True)
    table = BeautifulSoup((published(hub) / "index.html").read_text(), "html.parser").select_one(".codeout-compat")
    assert "fails" in table.get_text()


def test_shares_that_machines_run_make_the_site_that_one_makes(hub: Hub) -> None:
    published(hub)
    page = '# {0}\n\n```python exec="on" session="s" source="above"\nprint({0})\n```\n'
    edit(hub, **{f"docs__page_{n}_md": page.format(n) for n in range(4)})
    hub.run("shards", "plan", machines="2")
    for number in ("1", "2"):
        hub.run("shards", "run", {"number": number})
        made = RunStore(hub.artifacts / f"shard-{number}")
        assert len(list(made.entries())) == 2, "what was published is not run again"
    hub.run("shards", "merge")
    shown = [(hub.artifacts / "site" / f"page_{n}" / "index.html").read_text() for n in range(4)]
    assert all(f"<code>{n}</code>" in page for n, page in enumerate(shown))
