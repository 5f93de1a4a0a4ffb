"""What the workflows do: their commands, run in order from a clean clone, on a simulated GitHub (`workflows.GitHub`).

`pip`, `nox` and `gh` are replaced by programs that write down their calls; nox still builds the site.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

from browsing import serve
from codeout import RunStore
from codeout.cache.files import seal
from workflows import ADDRESS, GitHub, StepFailed, commit, repository

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
NVIDIA = {"nvidia-smi": "echo 0, GPU-1, NVIDIA T4"}


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    return GitHub(tmp_path / "github", repository(tmp_path / "github", FILES))


def edit(github: GitHub, **texts: str) -> None:
    """Push new texts of files; in a name, `__` is a slash, and the last `_` the dot."""
    for name, text in texts.items():
        path = github.work / ".".join(name.replace("__", "/").rsplit("_", 1))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    commit(github.work, "An edit")


def merge(github: GitHub, branch: str) -> None:
    """Merge a pull request."""
    subprocess.run(["git", "pull", "--quiet", "--no-rebase", "origin", branch], cwd=github.work, check=True)
    subprocess.run(["git", "push", "--quiet", "origin", "HEAD:main"], cwd=github.work, check=True)


def publish(github: GitHub) -> Path:
    """Publish, and return the folder that was deployed."""
    github.address = ADDRESS
    github.run("publish", "build")
    github.run("publish", "deploy")
    return github.deployments[-1]


def record_on_gpu(github: GitHub) -> None:
    """Record on the GPU, validate, propose and merge."""
    github.shims = NVIDIA
    github.run("gpu", "record")
    github.shims = {}
    github.run("gpu", "accept")
    github.run("gpu", "propose")
    merge(github, "recordings")


def test_publish_deploys_the_site_with_its_zips_and_pushes_the_notebooks(github: GitHub) -> None:
    site = publish(github)
    assert "loss: 2.251" in (site / "other" / "index.html").read_text()
    assert {"offline.zip", "runs.zip"} <= {path.name for path in site.iterdir()}
    assert list(github.caches.glob("published-*/.codeout/??/*.json"))
    (github.folder / "somebody").rename(github.folder / "kept")
    subprocess.run(["git", "init", "--quiet", "--bare", github.folder / "somebody" / "site.git"], check=True)
    github.run("publish", "notebooks")
    command = ["git", "ls-tree", "--name-only", "notebooks"]
    branch = subprocess.run(command, cwd=github.folder / "somebody" / "site.git", check=True, capture_output=True)
    assert branch.stdout.split() == [b"other.ipynb", b"train.ipynb"]


@pytest.mark.parametrize(
    ("change", "step", "message"),
    [
        (
            {"docs__other_md": '# Other\n\n```python exec="on"\n1 / 0\n```\n'},
            "Build",
            "docs/other.md:4: ZeroDivisionError",
        ),
        (
            {"d_json": '{"name": "photos", "kind": "placeholder", "note": "drawings"}'},
            "Check that it is ready",
            "docs/train.md:3 (snippets/train.py:2): based on placeholder data for photos: drawings",
        ),
        (
            {"mkdocs_yml": CONFIG.replace("gpu: [train]", "gpu: [train], require_recordings: [train]")},
            "Check that it is ready",
            "docs/train.md:3 (snippets/train.py:2): no recording from another device, but",
        ),
    ],
    ids=["a block that did not run", "a placeholder", "a missing recording"],
)
def test_a_site_that_is_not_ready_is_not_published(
    github: GitHub, change: dict[str, str], step: str, message: str
) -> None:
    edit(github, **change)
    with pytest.raises(StepFailed) as problem:
        publish(github)
    assert str(problem.value).startswith(step)
    assert message in str(problem.value)
    assert github.deployments == []
    assert not (github.artifacts / "pages").exists()
    assert not github.caches.exists(), "the next build does not start from what failed"


def test_publishing_says_at_once_that_pages_is_off(github: GitHub) -> None:
    github.address = ""
    with pytest.raises(StepFailed, match=r"Find the address.*Settings → Pages → Build and deployment"):
        github.run("publish", "build")


def test_canonical_urls_are_those_of_the_address_that_github_names(github: GitHub) -> None:
    github.address = "https://docs.example.org"  # a custom domain
    github.run("publish", "build")
    page = BeautifulSoup((github.artifacts / "pages" / "index.html").read_text(), "html.parser")
    assert [link["href"] for link in page.select("link[rel=canonical]")] == ["https://docs.example.org/"]


def test_a_recording_that_is_too_old_stops_publishing(github: GitHub) -> None:
    record_on_gpu(github)
    edit(github, mkdocs_yml=CONFIG.replace("gpu: [train]", "gpu: [train], max_recording_age: 0"))
    publish(github)
    snippet = FILES["snippets/train.py"]
    edit(github, snippets__train_py=snippet.replace("import shutil", "import shutil  # edited"))
    with pytest.raises(StepFailed, match="its recording on NVIDIA T4 was made from different code"):
        publish(github)
    record_on_gpu(github)
    publish(github)


def test_check_reports_what_a_change_changes_and_writes_no_cache(github: GitHub) -> None:
    github.address = "http://127.0.0.1:9/"
    github.shims = {"sudo": "exit 1", "python": f'case "$1" in tools/links.py) ;; *) exec {sys.executable} "$@";; esac'}
    with pytest.raises(StepFailed, match="Connection refused"):
        github.run("check", "check")
    site = publish(github)
    before = sorted(github.caches.rglob("*"))
    edit(github, docs__other_md=FILES["docs/other.md"].replace("2.251", "2.402"))
    with serve(site) as url:
        github.address = url
        summary = github.run("check", "check")
    assert "# Outputs: 1 of 2 changed" in summary
    assert "1 of 1 numbers changed (largest change: 2.251 → 2.402)" in summary
    assert "train.md" not in summary, "outputs that are the same are not in it"
    report = BeautifulSoup((github.artifacts / "drift.html").read_text(), "html.parser")
    assert [cell.get_text() for cell in report.select("td")] == ["2.251", "2.402", "6.3 %"]
    assert (github.artifacts / "site" / "other" / "index.html").is_file()
    assert sorted(github.caches.rglob("*")) == before
    assert {"pip install -r requirements-dev.txt", "nox -s check", "nox -s test"} <= {*github.calls().splitlines()}


def test_a_gpu_records_stale_blocks_and_pages_show_them_once_they_are_merged(github: GitHub) -> None:
    record_on_gpu(github)
    assert "gh pr create --base main --head recordings --title Recordings of a GPU" in github.calls()
    site = publish(github)
    page = BeautifulSoup((site / "train" / "index.html").read_text(), "html.parser")
    assert [label.get_text() for label in page.select(".tabbed-labels label")] == ["Code", "Out · CPU", "Out · GPU"]
    assert "NVIDIA T4" in page.select(".codeout-run summary")[1].get_text()
    github.shims = NVIDIA
    github.run("gpu", "record")
    sent = [entry.date for entry in RunStore(github.artifacts / "sent").entries()]
    recorded = [entry.date for entry in RunStore(github.work / "recordings").entries()]
    assert sent == recorded, "nothing was stale, so nothing ran"


SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><script>alert(1)</script></svg>'
SCRIPT = [{"kind": "figure", "data": {"image/svg+xml": SVG}, "alt": ""}]
OUTSIDE = [{"kind": "figure", "data": {"image/png": "file:../../../etc/passwd"}, "alt": ""}]


def reseal(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change what a run's file holds, as somebody would who knows of its checksum."""
    content = json.loads(path.read_text())["content"]
    path.write_bytes(seal(json.dumps(change(content)).encode()))


def set_fields(**fields: object) -> Callable[[Path], object]:
    return lambda run: reseal(run, lambda content: content | fields)


def set_outputs(outputs: object) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        reseal(path, lambda content: content | {"run": content["run"] | {"outputs": outputs}})

    return change


def replace(old: str, new: str) -> Callable[[Path], object]:
    return lambda run: reseal(run, lambda content: dict(json.loads(json.dumps(content).replace(old, new, 1))))


ATTACKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a huge file": (replace("cuda:0", "x" * 5_000_000), "bytes; the limit per file is"),
    "an unexpected file": (lambda run: (run.parent / "run.sh").write_text("rm"), "unexpected file"),
    "a link": (lambda run: (run.parent.parent / "images").symlink_to("/etc"), "symbolic link"),
    "another device": (replace('"device": "NVIDIA T4"', '"device": "T4"'), "its key does not match"),
    "another block": (set_fields(name="docs/index.md"), "its name or inputs do not match"),
    "a script in SVG": (set_outputs(SCRIPT), "SVG with <script>"),
    "a path that climbs out": (set_outputs(OUTSIDE), "incomplete, or does not match its file name"),
    "a wrong key": (
        lambda run: run.rename(run.with_name(run.name[:2] + "f" * 38 + run.name[40:])),
        "incomplete, or does not match its file name",
    ),
}


@pytest.mark.parametrize(("change", "message"), ATTACKS.values(), ids=ATTACKS)
def test_a_manipulated_artifact_is_refused(github: GitHub, change: Callable[[Path], object], message: str) -> None:
    github.shims = NVIDIA
    github.run("gpu", "record")
    github.shims = {}
    (run,) = (github.artifacts / "sent").glob("??/*.json")
    change(run)
    with pytest.raises(StepFailed, match=re.escape(message)):
        github.run("gpu", "accept")
    assert not (github.artifacts / "accepted").exists()


def test_results_with_other_versions_are_shown_and_a_failed_page_opens_an_issue(github: GitHub) -> None:
    site = publish(github)
    shim = (  # this environment instead of a new one, which takes minutes
        'case "$1" in tools/versions.py) codeout compat -o results/torch-$2.json --against published;;'
        f' *) exec {sys.executable} "$@";; esac'
    )
    github.shims = {"python": shim}
    edit(github, docs__other_md=BROKEN)
    with serve(site) as url:
        github.address = url
        with pytest.raises(StepFailed, match=r"docs/other\.md:4: ZeroDivisionError"):
            github.run("versions", "try", {"version": "oldest"})
    github.run("versions", "propose")
    calls = github.calls()
    assert "gh issue create --title Pages fail with markdown-exec" in calls
    assert "docs/other.md:4: ZeroDivisionError" in calls
    assert "gh pr create --base main --head compat" in calls
    edit(github, docs__other_md=FILES["docs/other.md"])
    merge(github, "compat")
    page = BeautifulSoup((publish(github) / "index.html").read_text(), "html.parser")
    assert ["fails" in table.get_text() for table in page.select(".codeout-compat")] == [True]


def test_shards_on_several_machines_give_the_site_that_one_machine_builds(github: GitHub) -> None:
    publish(github)
    page = '# {0}\n\n```python exec="on" session="s" source="above"\nprint({0})\n```\n'
    edit(github, **{f"docs__page_{n}_md": page.format(n) for n in range(4)})
    github.run("shards", "plan", machines="2")
    for number in ("1", "2"):
        github.run("shards", "run", {"number": number})
        runs = RunStore(github.artifacts / f"shard-{number}")
        assert len(list(runs.entries())) == 2, "published blocks do not run again"
    github.run("shards", "merge")
    pages = [(github.artifacts / "site" / f"page_{n}" / "index.html").read_text() for n in range(4)]
    assert all(f"<code>{n}</code>" in page for n, page in enumerate(pages))
