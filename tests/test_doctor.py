"""What `tools/doctor.py` says of a repository's settings; GitHub's answers are files here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from site_helpers import ROOT

ROOTED = "repos/somebody/site"
REVIEWED = {"protection_rules": [{"type": "required_reviewers"}, {"type": "branch_policy"}]}
ANSWERS = {
    ROOTED: {"default_branch": "main", "visibility": "public", "has_issues": True},
    f"{ROOTED}/actions/workflows": {
        "workflows": [{"name": name, "state": "active"} for name in ("check", "publish", "gpu", "versions")]
    },
    f"{ROOTED}/pages": {"build_type": "workflow", "html_url": "https://somebody.github.io/site"},
    f"{ROOTED}/actions/permissions/workflow": {
        "default_workflow_permissions": "read",
        "can_approve_pull_request_reviews": True,
    },
    f"{ROOTED}/actions/permissions/fork-pr-contributor-approval": {"approval_policy": "all_external_contributors"},
    f"{ROOTED}/rules/branches/main": [{"type": "pull_request"}, {"type": "required_status_checks"}],
    f"{ROOTED}/environments/gpu": REVIEWED,
    f"{ROOTED}/environments/pypi": REVIEWED,
    f"{ROOTED}/actions/runners": {"runners": [{"name": "box", "status": "online", "labels": [{"name": "gpu"}]}]},
}
GH = """#!/usr/bin/env bash
case "$1" in
  api) file="$ANSWERS/${2//\\//+}"
       if [ -f "$file" ]; then cat "$file"; else echo "gh: ${ERROR:-Not Found (HTTP 404)}" >&2; exit 1; fi;;
esac
"""


def doctor(folder: Path, answers: dict[str, object], *arguments: str, error: str = "") -> tuple[int, str]:
    """Run the tool where GitHub gives these answers, and otherwise an error; return its exit code and what it said."""
    (folder / "bin").mkdir()
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    subprocess.run(["git", "remote", "add", "origin", "git@github.com:somebody/site.git"], cwd=folder, check=True)
    (folder / "bin" / "gh").write_text(GH)
    (folder / "bin" / "gh").chmod(0o755)
    for path, answer in answers.items():
        (folder / path.replace("/", "+")).write_text(json.dumps(answer))
    environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "ANSWERS": str(folder), "ERROR": error}
    command = [sys.executable, str(ROOT / "tools" / "doctor.py"), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_nothing_is_left_to_do_where_all_is_set_up(tmp_path: Path) -> None:
    code, said = doctor(tmp_path, ANSWERS)
    assert code == 0
    assert {line.split()[0] for line in said.splitlines()} == {"done"}
    assert "https://somebody.github.io/site/" in said


def test_a_new_fork_has_its_steps_named_with_what_to_click(tmp_path: Path) -> None:
    new = {
        ROOTED: {"default_branch": "main", "visibility": "public"},
        f"{ROOTED}/actions/workflows": {"workflows": [{"name": "publish", "state": "disabled_fork"}]},
        f"{ROOTED}/rules/branches/main": [],
    }
    code, said = doctor(tmp_path, new)
    assert code == 1
    lines = dict(line.split(":", 1) for line in said.splitlines())
    assert lines["to do  step 1, workflows"] == " Actions: enable check, publish"
    assert "Settings → Pages" in lines["to do  step 2, Pages"]
    assert "Approval for running fork pull request workflows" in lines["to do  step 3, pull requests of strangers"]
    assert "Settings → Environments" in lines["later  step 8, environment pypi"]


@pytest.mark.parametrize("path", [each for each in ANSWERS if each.count("/") > 2])
def test_each_step_is_checked(tmp_path: Path, path: str) -> None:
    code, said = doctor(tmp_path, {key: answer for key, answer in ANSWERS.items() if key != path})
    missing = [line for line in said.splitlines() if not line.startswith("done")]
    assert len(missing) == (2 if path.endswith("workflows") else 1)
    assert code == (1 if missing[0].startswith("to do") else 0)


def test_what_one_may_not_see_is_no_step_that_is_done(tmp_path: Path) -> None:
    code, said = doctor(tmp_path, {ROOTED: ANSWERS[ROOTED]}, error="Must have admin rights (HTTP 403)")
    assert code == 1
    assert "?      step 3, token of workflows: gh: Must have admin rights (HTTP 403)" in said


def test_the_address_is_for_a_workflow(tmp_path: Path) -> None:
    assert doctor(tmp_path, ANSWERS, "--address") == (0, "SITE_URL=https://somebody.github.io/site/\n")


def test_without_pages_there_is_no_address(tmp_path: Path) -> None:
    answers = {**ANSWERS, f"{ROOTED}/pages": {"build_type": "legacy", "html_url": "https://somebody.github.io/site/"}}
    code, said = doctor(tmp_path, answers, "--address")
    assert code == 1
    assert said.startswith("Pages is off; Settings → Pages")


def test_a_clone_of_something_else_is_said(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "doctor.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin"})
    assert done.returncode == 1
    assert done.stderr == "the remote `origin` of this clone is not a repository on GitHub\n"
