"""Open a pull request with what a workflow has produced, or issues about what has failed, with git and gh.

    python tools/propose.py change recordings --branch recordings --title "Recordings of a GPU"
    python tools/propose.py issue results

`change` commits a folder to a branch, pushes it, and opens a pull request unless one is open; without a change it does
nothing. `issue` opens an issue about pages that failed with other versions, unless one with the same title is open.
GH_TOKEN must be a token that may do this.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

AUTHOR = ("-c", "user.name=github-actions", "-c", "user.email=github-actions@users.noreply.github.com")
BODY = "Produced and checked by a workflow of this repository. The pages show it once this is merged."


def run(*command: str) -> str:
    """Run a command, and return what it printed.

    Raises:
        subprocess.CalledProcessError: it failed and has printed why.
    """
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def propose_change(folder: str, branch: str, title: str) -> bool:
    """Push a folder to a branch, and open a pull request; return whether anything has changed.

    Args:
        folder: in the repository.
        branch: is reset to what is checked out now; its old commits are replaced.
        title: of the commit and of the pull request.

    Raises:
        subprocess.CalledProcessError: git or gh failed and has printed why.
    """
    run("git", "add", "--", folder)
    if not run("git", "diff", "--cached", "--name-only"):
        print(f"{folder}: nothing has changed")
        return False
    base = run("git", "rev-parse", "--abbrev-ref", "HEAD")
    run("git", "checkout", "--quiet", "-B", branch)
    run("git", *AUTHOR, "commit", "--quiet", "--message", title)
    run("git", "push", "--quiet", "--force", "origin", branch)
    if run("gh", "pr", "list", "--head", branch, "--state", "open", "--json", "number") == "[]":
        print(run("gh", "pr", "create", "--base", base, "--head", branch, "--title", title, "--body", BODY))
    return True


def errors_by_versions(folder: Path) -> dict[str, list[str]]:
    """Return the errors of pages, by the versions with which they ran, from the results in a folder."""
    errors: dict[str, list[str]] = {}
    for file in sorted(folder.glob("*.json")):
        result = json.loads(file.read_text(encoding="utf8"))
        versions = ", ".join(f"{name} {version}" for name, version in result["packages"])
        if failed := [page["error"] for page in result["pages"] if page["error"]]:
            errors[versions] = failed
    return errors


def open_issues(folder: Path) -> None:
    """Open an issue for each set of versions with which pages failed, from the results in a folder.

    Raises:
        subprocess.CalledProcessError: gh failed and has printed why.
    """
    for versions, errors in errors_by_versions(folder).items():
        title = f"Pages fail with {versions}"
        if title in run("gh", "issue", "list", "--state", "open", "--limit", "200", "--json", "title"):
            print(f"{title}: an issue is open")
            continue
        lines = [" ".join(error.split()) for error in errors]
        fence = "~" * (3 + max(len(tildes) for tildes in re.findall("~*", "".join(lines))))
        print(run("gh", "issue", "create", "--title", title, "--body", "\n".join([fence, *lines, fence])))


def main() -> None:
    """Open a pull request or issues."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    change = commands.add_parser("change")
    change.add_argument("folder")
    change.add_argument("--branch", required=True)
    change.add_argument("--title", required=True)
    issue = commands.add_parser("issue")
    issue.add_argument("folder", type=Path)
    options = parser.parse_args()
    try:
        if options.command == "change":
            propose_change(options.folder, options.branch, options.title)
        else:
            open_issues(options.folder)
    except subprocess.CalledProcessError as error:
        sys.exit(f"propose.py:1: {error}")


if __name__ == "__main__":
    main()
