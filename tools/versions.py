"""Run all pages with another version of PyTorch, in a new environment, and write down which pages run.

    python tools/versions.py 2.8.0                       one version
    python tools/versions.py newest nightly              the newest release, and the last nightly build
    python tools/versions.py oldest --against .codeout   the oldest supported version, compared with these runs

Each version takes some minutes, and six gigabytes while it runs. Results are written to `recordings/compat/`, and the
page *How these outputs were made* shows them. Exits with 1 if a page failed.
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
OLDEST = "2.6.0"  # pages fail with older versions; recordings/compat/ has their errors
NIGHTLY = ["--pre", "--extra-index-url", "https://download.pytorch.org/whl/nightly/cpu"]
PRINT_VERSION = "import importlib.metadata as m; print(m.version('torch'))"


def requirements(version: str) -> list[str]:
    """Return the arguments of `pip install` for the site with a version of PyTorch."""
    lines = [line.partition("#")[0] for line in (ROOT / "requirements.txt").read_text(encoding="utf8").splitlines()]
    others = [word for line in lines if not re.match(r"(torch|torchvision)\b", line) for word in line.split()]
    torch = "torch" if version in ("newest", "nightly") else f"torch=={OLDEST if version == 'oldest' else version}"
    return [*(NIGHTLY if version == "nightly" else []), torch, "torchvision", *others]


def run_pages(version: str, folder: Path, against: Path | None) -> int:
    """Run all pages in a new environment, and return the exit code.

    Args:
        version: of PyTorch.
        folder: for the result.
        against: a cache of runs to compare with.

    Raises:
        subprocess.CalledProcessError: the version cannot be installed; pip has printed why.
    """
    with tempfile.TemporaryDirectory() as environment:
        venv.create(environment, with_pip=True)
        python = Path(environment) / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements(version)], check=True, cwd=ROOT)
        printed = subprocess.run([python, "-c", PRINT_VERSION], check=True, capture_output=True, text=True).stdout
        name = "nightly" if version == "nightly" else printed.strip()  # a new nightly result replaces the last one
        command = ["-m", "codeout", "compat", "-o", str(folder / f"torch-{name}.json")]
        command += ["--against", str(against)] if against else []
        return subprocess.run([python, *command], check=False, cwd=ROOT).returncode


def main() -> None:
    """Run the pages with each version."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="+", help="numbers, or `oldest`, `newest`, `nightly`")
    default = Path("recordings/compat")
    parser.add_argument("--to", type=Path, default=default, metavar="FOLDER", help=f"for results (default: {default})")
    parser.add_argument("--against", type=Path, metavar="CACHE", help="runs to compare with")
    options = parser.parse_args()
    sys.exit(max(run_pages(version, options.to, options.against) for version in options.versions))


if __name__ == "__main__":
    main()
