"""Check that a package is ready to be released under a tag, and build it.

    python tools/release.py codeout-0.2.0 dist

The tag must name the version in the package's `pyproject.toml`, and the changelog must have a dated section for it. The
wheel has the date of the last commit in it and nothing of the machine, so two builds are equal, byte for byte.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TAG = re.compile(r"(?P<name>codeout|mkdocs-mathml)-(?P<version>\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?)")


class NotReady(Exception):
    """The package cannot be released under the tag; the message says why, and what to do."""


def find_package(tag: str, packages: Path = ROOT / "packages") -> Path:
    """Return the folder of the package that a tag releases.

    Raises:
        NotReady: the tag is malformed, or package and changelog are not at its version.
    """
    match = TAG.fullmatch(tag)
    if match is None:
        raise NotReady(f"{tag}: not a tag of a release; write PACKAGE-VERSION, such as codeout-0.2.0")
    folder, version = packages / match["name"], match["version"]
    own = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf8"))["project"]["version"]
    if own != version:
        raise NotReady(f"packages/{match['name']}/pyproject.toml:1: the version is {own}, but the tag says {version}")
    changelog = (folder / "CHANGELOG.md").read_text(encoding="utf8")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE):
        raise NotReady(f"packages/{match['name']}/CHANGELOG.md:1: no section `## [{version}] - YYYY-MM-DD`; add it")
    return folder


def build(package: Path, dist: Path) -> list[Path]:
    """Build the sdist of a package, and the wheel from it; return both.

    Raises:
        subprocess.CalledProcessError: git or the build failed, and has printed why.
    """
    date = ["git", "log", "-1", "--format=%ct"]
    seconds = subprocess.run(date, cwd=package, check=True, capture_output=True, text=True).stdout.strip()
    command = [sys.executable, "-m", "build", "--outdir", str(dist), str(package)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": seconds}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return sorted(dist.iterdir())


def main() -> int:
    """Build what a tag releases; return 1 if it is not ready."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tag", help="the tag, such as codeout-0.2.0")
    parser.add_argument("dist", type=Path, help="the folder to write to")
    arguments = parser.parse_args()
    try:
        package = find_package(arguments.tag)
    except NotReady as problem:
        print(problem, file=sys.stderr)
        return 1
    for path in build(package, arguments.dist):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
