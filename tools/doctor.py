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
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

BRANCH = "main"
PAGES = "Settings → Pages → Build and deployment: select GitHub Actions as the source"
GENERAL = "Settings → Actions → General"
ENVIRONMENTS = "Settings → Environments"


class Unreadable(Exception):
    """A setting that cannot be read; the message says why."""


class PagesOff(Unreadable):
    """The repository has no site that a workflow publishes."""


@dataclass(frozen=True)
class Finding:
    """One step of the set-up, and whether it is done."""

    step: str
    is_done: bool | None
    """None if it cannot be seen."""
    note: str
    """What was found, or what to click."""
    is_optional: bool = False
    """Whether the site can be published without it."""

    def __str__(self) -> str:
        mark = {True: "done", False: "later" if self.is_optional else "to do", None: "?"}[self.is_done]
        return f"{mark:5}  {self.step}: {self.note}"


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
    return _gh("repo", "view", "--json", "nameWithOwner", "--jq", ".nameWithOwner").strip()


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
    about = api(root) or {}
    yield Finding(
        "default branch", about.get("default_branch") == BRANCH, f"the workflows expect {BRANCH}; Settings → General"
    )
    yield Finding(
        "public repository",
        about.get("visibility") == "public",
        "without it, Pages and required reviewers need a paid plan",
    )
    for step, check in CHECKS.items():
        try:
            yield check(step, root)
        except Unreadable as problem:
            yield Finding(step, None, str(problem), step in OPTIONAL)


def _workflows(step: str, root: str) -> Finding:
    listed = (api(f"{root}/actions/workflows") or {}).get("workflows", [])
    names = [each["name"] for each in listed if each["state"] != "active"]
    where = (
        f"enable {', '.join(names)} in the tab Actions" if listed else "push them, and enable them in the tab Actions"
    )
    return Finding(step, bool(listed) and not names, where if names or not listed else f"{len(listed)} are on")


def _pages(step: str, root: str) -> Finding:
    try:
        return Finding(step, True, address(root))
    except PagesOff:
        return Finding(step, False, PAGES)


def _token(step: str, root: str) -> Finding:
    found = api(f"{root}/actions/permissions/workflow") or {}
    is_done = found.get("default_workflow_permissions") == "read" and found.get("can_approve_pull_request_reviews")
    where = f"{GENERAL} → Workflow permissions: read access, and allow GitHub Actions to create pull requests"
    return Finding(step, bool(is_done), where)


def _forks(step: str, root: str) -> Finding:
    found = api(f"{root}/actions/permissions/fork-pr-contributor-approval") or {}
    where = f"{GENERAL} → Approval for running fork pull request workflows: all external contributors"
    return Finding(step, found.get("approval_policy") == "all_external_contributors", where)


def _environment(step: str, root: str) -> Finding:
    found = api(f"{root}/environments/{step.rpartition(' ')[2]}") or {}
    rules = {rule["type"] for rule in found.get("protection_rules", [])}
    where = f"{ENVIRONMENTS}: required reviewers, and selected branches or tags"
    return Finding(step, {"required_reviewers", "branch_policy"} <= rules, where, step in OPTIONAL)


def _runner(step: str, root: str) -> Finding:
    found = (api(f"{root}/actions/runners") or {}).get("runners", [])
    online = [
        each["name"] for each in found if each["status"] == "online" and "gpu" in {x["name"] for x in each["labels"]}
    ]
    return Finding(step, bool(online), ", ".join(online) or "Settings → Actions → Runners", is_optional=True)


def _rules(step: str, root: str) -> Finding:
    kinds = {rule["type"] for rule in api(f"{root}/rules/branches/{BRANCH}") or []}
    is_done = {"pull_request", "required_status_checks"} <= kinds
    return Finding(
        step, is_done, "Settings → Rules → Rulesets: pull requests and the checks of `check`", is_optional=True
    )


CHECKS = {
    "workflows": _workflows,
    "Pages": _pages,
    "token of workflows": _token,
    "pull requests of strangers": _forks,
    "rules of the branch": _rules,
    "environment gpu": _environment,
    "runner with a GPU": _runner,
    "environment pypi": _environment,
}
OPTIONAL = ("rules of the branch", "environment gpu", "runner with a GPU", "environment pypi")


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
