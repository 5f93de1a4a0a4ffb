"""What the workflows may do: permissions, caches, machines, pinned actions."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from site_helpers import ROOT
from workflows import workflow

WORKFLOWS = sorted(path.stem for path in (ROOT / ".github" / "workflows").glob("*.yml"))
WRITERS = {  # the permissions to write, by workflow and job
    ("gpu", "propose"): {"contents", "pull-requests"},
    ("publish", "deploy"): {"pages", "id-token"},
    ("publish", "notebooks"): {"contents"},
    ("release", "attest"): {"attestations", "id-token"},
    ("release", "publish"): {"id-token"},
    ("versions", "propose"): {"contents", "issues", "pull-requests"},
}


@pytest.mark.parametrize("command", [["jactionlint"], ["zizmor", "--offline", "--quiet", ".github"]])
def test_linters_of_workflows_find_nothing(command: list[str]) -> None:
    program = Path(sys.executable).parent / command[0]
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_job_has_only_the_permissions_that_it_needs(name: str) -> None:
    definition = workflow(name)
    assert definition["permissions"] == {}
    assert "concurrency" in definition
    for name_of_job, job in definition["jobs"].items():
        writable = {scope for scope, level in job["permissions"].items() if level == "write"}
        assert writable == WRITERS.get((name, name_of_job), set()), name_of_job
        assert job["timeout-minutes"] <= 120
        runs = [step["run"] for step in job["steps"] if "run" in step]
        assert not any("${{" in run for run in runs), "no input becomes a command"
        assert not (writable and any(re.search(r"pip|codeout|mkdocs|nox", run) for run in runs)), "no code of the site"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_only_publishing_writes_a_cache_and_only_jobs_that_need_it_read_one(name: str) -> None:
    definition = workflow(name)
    assert definition["cache-mode"] == "none"
    for name_of_job, job in definition["jobs"].items():
        uses = {step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step}
        mode = "write" if "actions/cache/save" in uses else "read" if "actions/cache/restore" in uses else "none"
        assert job.get("cache-mode", "none") == mode, name_of_job
        assert mode != "write" or (name, name_of_job) == ("publish", "build")


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_pinned_by_commit_with_a_comment_that_names_the_version(name: str) -> None:
    text = (ROOT / ".github" / "workflows" / f"{name}.yml").read_text()
    uses = re.findall(r"uses: (.*)", text)
    assert uses
    pin = re.compile(r"(?:actions/[\w/-]+|pypa/gh-action-pypi-publish)@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [action for action in uses if not pin.fullmatch(action)] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_pull_request_reaches_neither_a_machine_of_ours_nor_what_publishing_reads(name: str) -> None:
    definition = workflow(name)
    assert "pull_request_target" not in definition["on"]
    jobs = definition["jobs"].values()
    self_hosted = [job for job in jobs if "self-hosted" in str(job["runs-on"])]
    saves = [step for job in jobs for step in job["steps"] if "cache/save" in step.get("uses", "")]
    assert not ("pull_request" in definition["on"] and (self_hosted or saves))
    assert not saves or name == "publish"
    for job in self_hosted:
        assert job["environment"] == "gpu"
        assert "secrets" not in str(job)
        assert "token" not in str(job)


def test_dependencies_are_kept_up_to_date() -> None:
    definition = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())
    assert {update["package-ecosystem"] for update in definition["updates"]} == {"github-actions", "pip"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_tool_runs_only_after_what_it_imports_is_installed(name: str) -> None:
    for name_of_job, job in workflow(name)["jobs"].items():
        is_installed = False
        for run in (step["run"] for step in job["steps"] if "run" in step):
            for tool in re.findall(r"tools/(\w+)\.py", run):
                assert is_installed or not _third_party(tool), f"{name}: {name_of_job}: tools/{tool}.py"
            is_installed |= bool(re.search(r"pip\"? install (-r requirements|packages/codeout)", run))


def _third_party(tool: str) -> set[str]:
    """Return what a tool imports that is neither Python's own nor a tool; and what the tools that it imports do."""
    tree = ast.parse((ROOT / "tools" / f"{tool}.py").read_text(encoding="utf8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
    tools = {module for module in modules if (ROOT / "tools" / f"{module}.py").is_file()}
    return (modules - tools) | {module for each in tools for module in _third_party(each)}
