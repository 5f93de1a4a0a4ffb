"""Say what is set up on GitHub for this repository, and what to click for the rest.

    python tools/doctor.py             what docs/maintaining.md asks for, step by step; exits with 1 if some is missing
    python tools/doctor.py --address   SITE_URL=..., the address of the site; fails while Pages is off

It reads the settings with `gh api` and changes nothing. Some of them only an administrator of the repository may see.
https://docs.github.com/en/rest describes what is read.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

BRANCH = "main"
REMOTE = re.compile(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$")
PAGES = "Settings → Pages → Build and deployment: select GitHub Actions as the source"
GENERAL = "Settings → Actions → General"


class Unreadable(Exception):
    """A setting that cannot be read; the message says why."""


class PagesOff(Unreadable):
    """The repository has no site that a workflow publishes."""


@dataclass(frozen=True)
class Finding:
    """One step of the set-up, and whether it is done."""

    number: str
    step: str
    is_done: bool | None
    """None if it cannot be seen."""
    note: str
    """What was found, or what to click."""
    is_optional: bool
    """Whether the site can be published without it."""

    def __str__(self) -> str:
        mark = {True: "done", False: "later" if self.is_optional else "to do", None: "?"}[self.is_done]
        return f"{mark:5}  step {self.number}, {self.step}: {self.note}"


def api(path: str) -> Any:
    """Return what GitHub answers for a path; None if there is no such thing.

    Raises:
        Unreadable: gh is not installed or not logged in, or one may not see this.
    """
    try:
        return json.loads(_gh("api", path))
    except Unreadable as problem:
        if "HTTP 404" in str(problem):
            return None
        raise


def repository() -> str:
    """Return the owner and the name of the repository of this clone.

    Raises:
        Unreadable: it has none on GitHub.
    """
    if name := os.environ.get("GITHUB_REPOSITORY"):
        return name
    command = ["git", "remote", "get-url", "origin"]
    remote = subprocess.run(command, capture_output=True, text=True, check=False)
    if match := REMOTE.search(remote.stdout.strip()):
        return match[1]
    raise Unreadable("the remote `origin` of this clone is not a repository on GitHub")


def _gh(*arguments: str) -> str:
    command = ["gh", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as problem:
        raise Unreadable("gh is not installed; see https://cli.github.com") from problem
    if done.returncode:
        raise Unreadable(" ".join(done.stderr.split()) or f"gh {arguments[0]} failed")
    return done.stdout


def address(root: str) -> str:
    """Return the address of the published site, a custom domain included.

    Raises:
        PagesOff: Pages is off, or is not built by the workflow.
        Unreadable: gh is not installed or not logged in.
    """
    pages = api(f"{root}/pages")
    if pages is None or pages["build_type"] != "workflow":
        raise PagesOff(f"Pages is off; {PAGES}")
    return f"{str(pages['html_url']).rstrip('/')}/"


def findings(root: str) -> Iterator[Finding]:
    """Yield the steps of the set-up, in the order of docs/maintaining.md."""
    for step, (number, is_optional, check) in STEPS.items():
        try:
            is_done, note = check(root)
        except Unreadable as problem:
            is_done, note = None, str(problem)
        yield Finding(number, step, is_done, note, is_optional)


def _repository(root: str) -> tuple[bool, str]:
    about = api(root) or {}
    notes = {
        f"the workflows expect the default branch {BRANCH}; Settings → General": about.get("default_branch") == BRANCH,
        "a private one needs a paid plan for Pages and for reviewers": about.get("visibility") == "public",
    }
    missing = [note for note, is_good in notes.items() if not is_good]
    return not missing, "; ".join(missing) or f"public, with the branch {BRANCH}"


def _issues(root: str) -> tuple[bool, str]:
    return bool((api(root) or {}).get("has_issues")), "Settings → General → Features → Issues; `versions` opens some"


def _workflows(names: tuple[str, ...], root: str) -> tuple[bool, str]:
    listed = (api(f"{root}/actions/workflows") or {}).get("workflows", [])
    active = {each["name"] for each in listed if each["state"] == "active"}
    missing = [name for name in names if name not in active]
    return not missing, f"Actions: enable {', '.join(missing)}" if missing else f"{', '.join(names)} are on"


def _pages(root: str) -> tuple[bool, str]:
    try:
        return True, address(root)
    except PagesOff:
        return False, PAGES


def _token(root: str) -> tuple[bool, str]:
    found = api(f"{root}/actions/permissions/workflow") or {}
    is_done = found.get("default_workflow_permissions") == "read" and found.get("can_approve_pull_request_reviews")
    return bool(is_done), f"{GENERAL} → Workflow permissions: read access; allow Actions to create pull requests"


def _forks(root: str) -> tuple[bool, str]:
    found = api(f"{root}/actions/permissions/fork-pr-contributor-approval") or {}
    where = f"{GENERAL} → Approval for running fork pull request workflows: all external contributors"
    return found.get("approval_policy") == "all_external_contributors", where


def _environment(name: str, root: str) -> tuple[bool, str]:
    rules = {rule["type"] for rule in (api(f"{root}/environments/{name}") or {}).get("protection_rules", [])}
    where = f"Settings → Environments → {name}: required reviewers, and selected branches or tags"
    return {"required_reviewers", "branch_policy"} <= rules, where


def _runner(root: str) -> tuple[bool, str]:
    found = (api(f"{root}/actions/runners") or {}).get("runners", [])
    online = [
        each["name"]
        for each in found
        if each["status"] == "online" and "gpu" in {label["name"] for label in each["labels"]}
    ]
    return bool(online), ", ".join(online) or "Settings → Actions → Runners: none with the label gpu is online"


def _rules(root: str) -> tuple[bool, str]:
    kinds = {rule["type"] for rule in api(f"{root}/rules/branches/{BRANCH}") or []}
    where = "Settings → Rules → Rulesets: require pull requests and the status checks of `check`"
    return {"pull_request", "required_status_checks"} <= kinds, where


STEPS: dict[str, tuple[str, bool, Callable[[str], tuple[bool, str]]]] = {
    "repository": ("1", False, _repository),
    "workflows": ("1", False, partial(_workflows, ("check", "publish"))),
    "issues": ("1", True, _issues),
    "Pages": ("2", False, _pages),
    "pull requests of strangers": ("3", False, _forks),
    "token of workflows": ("3", False, _token),
    "environment gpu": ("4", True, partial(_environment, "gpu")),
    "scheduled workflows": ("4", True, partial(_workflows, ("gpu", "versions"))),
    "runner with a GPU": ("4", True, _runner),
    "rules of the branch": ("7", True, _rules),
    "environment pypi": ("8", True, partial(_environment, "pypi")),
}
"""By its name: its number in docs/maintaining.md, whether a site is published without it, and how it is checked."""


def main() -> int:
    """Print what was found; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--address", action="store_true", help="print the address of the site for a workflow")
    asked = parser.parse_args()
    try:
        root = f"repos/{repository()}"
        if asked.address:
            print(f"SITE_URL={address(root)}")
            return 0
        found = list(findings(root))
    except Unreadable as problem:
        print(problem, file=sys.stderr)
        return 1
    print(*found, sep="\n")
    return 1 if any(each.is_done is not True and not each.is_optional for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())
