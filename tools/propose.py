"""What a workflow has to say to the maintainers: a pull request with what it found, or an issue. By git and gh.

    python tools/propose.py change recordings --branch recordings --title "Recordings of a GPU"
    python tools/propose.py issue results

`change` commits a folder to a branch, pushes it, and opens a pull request unless one is open; without a change it does
nothing. `issue` opens an issue about the pages that failed with some versions, unless one of the same title is open.
GH_TOKEN must be set to a token that may do this.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

AUTHOR = ("-c", "user.name=github-actions", "-c", "user.email=github-actions@users.noreply.github.com")


def done(*command: str) -> str:
    """Run a command; return what it printed.

    Raises:
        subprocess.CalledProcessError: it failed; it has said why.
    """
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def change(folder: str, branch: str, title: str) -> bool:
    """Push a folder to a branch, and open a pull request; return whether there was a change.

    Args:
        folder: in the repository.
        branch: is made anew on what is checked out now; what was on it is replaced.
        title: of the commit, and of the pull request.
    """
    done("git", "add", "--", folder)
    if not done("git", "diff", "--cached", "--name-only"):
        print(f"{folder}: nothing has changed")
        return False
    base = done("git", "rev-parse", "--abbrev-ref", "HEAD")
    done("git", "checkout", "--quiet", "-B", branch)
    done("git", *AUTHOR, "commit", "--quiet", "--message", title)
    done("git", "push", "--quiet", "--force", "origin", branch)
    if done("gh", "pr", "list", "--head", branch, "--state", "open", "--json", "number") == "[]":
        body = "Made by a workflow of this repository, which has checked it. The pages show it once this is merged."
        print(done("gh", "pr", "create", "--base", base, "--head", branch, "--title", title, "--body", body))
    return True


def failures(folder: Path) -> dict[str, list[str]]:
    """Return the pages that did not run, from the results in a folder: by versions, what each said."""
    found: dict[str, list[str]] = {}
    for file in sorted(folder.glob("*.json")):
        result = json.loads(file.read_text(encoding="utf8"))
        versions = ", ".join(f"{name} {version}" for name, version in result["packages"])
        if errors := [page["error"] for page in result["pages"] if page["error"]]:
            found[versions] = errors
    return found


def issue(folder: Path) -> None:
    """Open an issue for each set of versions with which a page did not run, from the results in a folder."""
    for versions, errors in failures(folder).items():
        title = f"Pages fail with {versions}"
        if title in done("gh", "issue", "list", "--state", "open", "--limit", "200", "--json", "title"):
            print(f"{title}: an issue is open")
            continue
        lines = [" ".join(error.split()) for error in errors]
        fence = "~" * (3 + max(len(run) for run in re.findall("~*", "".join(lines))))
        print(done("gh", "issue", "create", "--title", title, "--body", "\n".join([fence, *lines, fence])))


def main() -> None:
    """Propose what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    propose = commands.add_parser("change")
    propose.add_argument("folder")
    propose.add_argument("--branch", required=True)
    propose.add_argument("--title", required=True)
    tell = commands.add_parser("issue")
    tell.add_argument("folder", type=Path)
    given = parser.parse_args()
    try:
        if given.command == "change":
            change(given.folder, given.branch, given.title)
        else:
            issue(given.folder)
    except subprocess.CalledProcessError as problem:
        sys.exit(f"propose.py:1: {problem}")


if __name__ == "__main__":
    main()
