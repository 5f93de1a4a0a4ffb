"""Run all pages with another version of PyTorch, in an environment of its own, and write down what came of it.

    python tools/versions.py 2.8.0                       one version
    python tools/versions.py newest nightly              the newest release, and last night's build
    python tools/versions.py oldest --against .codeout   the oldest that is supported; what differs from these runs

Each takes some minutes and, while it runs, six gigabytes. What came of it is written to `recordings/compat/`, and the
page *How these outputs were made* shows it. Exit code 1: a page did not run.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = "2.6.0"  # with the one before it, pages fail: recordings/compat/ has what they say
NIGHTLY = ["--pre", "--extra-index-url", "https://download.pytorch.org/whl/nightly/cpu"]


def requirements(version: str) -> list[str]:
    """Return the arguments of `pip install` for the site with a version of PyTorch."""
    site, _, _ = (ROOT / "requirements.txt").read_text(encoding="utf8").partition("# The tests")
    lines = [line.partition("#")[0].strip() for line in site.splitlines()]
    rest = [line for line in lines if line and not re.match(r"(torch|torchvision)\b", line)]
    plain = [word for line in rest for word in line.split()]
    wanted = "torch" if version in ("newest", "nightly") else f"torch=={OLDEST if version == 'oldest' else version}"
    return [*(NIGHTLY if version == "nightly" else []), wanted, "torchvision", *plain]


def run_version(version: str, folder: Path, against: Path | None) -> int:
    """Make an environment, run all pages in it, and return the exit code.

    Raises:
        subprocess.CalledProcessError: the version can't be installed; pip has said why.
    """
    with tempfile.TemporaryDirectory() as place:
        venv.create(place, with_pip=True)
        python = Path(place) / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements(version)], check=True, cwd=ROOT)
        ask = "import importlib.metadata as m; print(m.version('torch'))"
        number = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
        name = "nightly" if version == "nightly" else number  # of nightly builds, the last one is enough
        command: list[str | Path] = [python, "-m", "codeout", "compat", "-o", str(folder / f"torch-{name}.json")]
        command += ["--against", str(against)] if against else []
        return subprocess.run(command, check=False, cwd=ROOT).returncode


def main() -> None:
    """Try each version."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="+", help="numbers, or `oldest`, `newest`, `nightly`")
    parser.add_argument(
        "--to", type=Path, default=Path("recordings/compat"), help="a folder (default: recordings/compat)"
    )
    parser.add_argument("--against", type=Path, help="a store of runs to compare with")
    given = parser.parse_args()
    codes = [run_version(version, given.to, given.against) for version in given.versions]
    sys.exit(max(codes))


if __name__ == "__main__":
    main()
