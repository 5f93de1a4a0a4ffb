"""A workflow's commands, run in order: each job in a clean clone, with folders for GitHub's caches and artifacts.

GitHub itself is played: what an action does for a job is a few lines here. The `run:` steps are run by bash, as they
are.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from site_helpers import ROOT

Job = Mapping[str, Any]
ENVIRONMENTS = Path(sys.executable).parent

KEPT = ("HOME", "LANG", "TMPDIR", "NO_MKDOCS_2_WARNING")  # variables that a job sees
SHIMS = {  # programs that are played: what they are asked is written down
    "pip": 'echo "pip $*" >> "$PLAYED"',
    "pytest": 'echo "pytest $*" >> "$PLAYED"',
    "ruff": 'echo "ruff $*" >> "$PLAYED"',
    "mypy": 'echo "mypy $*" >> "$PLAYED"',
    "gh": """echo "gh $*" >> "$PLAYED"
case "$*" in "pr list"*) echo "[]";; "issue list"*) echo "[]";; esac""",
    # An environment of its own is this one.
    "python3": f"""if [ "$1 $2" = "-m venv" ]; then
  mkdir -p "$3/bin"; cp "$(dirname "$0")/pip" "$3/bin/"; ln -sf {ENVIRONMENTS}/codeout "$3/bin/codeout"
else exec {sys.executable} "$@"; fi""",
}


def workflow(name: str) -> dict[str, Any]:
    """Return a workflow of this repository; YAML reads its key `on` as true."""
    content: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text("utf8"))
    return {("on" if key is True else key): value for key, value in content.items()}


class Failed(Exception):
    """A step failed; the message is its name, and what it said."""


@dataclass
class Hub:
    """What GitHub keeps between jobs: the repository, caches, artifacts; and what was deployed."""

    folder: Path
    origin: Path  # a bare repository
    shims: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)  # in place of what a workflow sets
    deployed: Path | None = None

    @property
    def artifacts(self) -> Path:
        """The folder of artifacts."""
        return self.folder / "artifacts"

    @property
    def caches(self) -> Path:
        """The folder of caches."""
        return self.folder / "caches"

    def played(self) -> str:
        """Return what was asked of the programs that are played."""
        file = self.folder / "played"
        return file.read_text(encoding="utf8") if file.exists() else ""

    def run(self, name: str, job: str, matrix: Mapping[str, str] | None = None, **inputs: str) -> str:
        """Run a job; return its summary.

        Raises:
            Failed: a step did.
        """
        told = workflow(name)["jobs"][job]
        clone = self.folder / "jobs" / f"{name}-{job}-{len(list(self.folder.glob('jobs/*')))}"
        clone.mkdir(parents=True)
        words = {
            "github.repository_owner": "somebody",
            "github.event.repository.name": "site",
            "github.sha": "0" * 40,
            "github.run_attempt": "1",
            "github.token": "a-token",
            **{f"matrix.{key}": value for key, value in (matrix or {}).items()},
            **{f"inputs.{key}": value for key, value in inputs.items()},
        }
        step = _Steps(self, clone, words)
        failed: Failed | None = None
        for each in told["steps"]:
            if failed and "cancelled" not in each.get("if", ""):
                continue
            try:
                step.do(each)
            except Failed as problem:
                failed = problem
        if failed:
            raise failed
        return step.summary.read_text(encoding="utf8") if step.summary.exists() else ""


@dataclass
class _Steps:
    hub: Hub
    clone: Path
    words: Mapping[str, str]

    @property
    def summary(self) -> Path:
        return self.clone.with_suffix(".summary")

    def do(self, step: Mapping[str, Any]) -> None:
        told = {key: self.filled(str(value)) for key, value in (step.get("with") or {}).items()}
        if "run" in step:
            self.bash(step)
        else:
            action = re.sub(r"[^a-z]", "_", step["uses"].partition("@")[0].removeprefix("actions/"))
            getattr(self, action)(told)

    def set(self, name: str, value: str) -> str:
        return self.hub.environment.get(name) or self.filled(value)

    def filled(self, text: str) -> str:
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda match: self.words[match[1]], text)

    def bash(self, step: Mapping[str, Any]) -> None:
        programs = self.clone.with_suffix(".bin")
        programs.mkdir(exist_ok=True)
        for name, code in {**SHIMS, **self.hub.shims}.items():
            (programs / name).write_text(f"#!/usr/bin/env bash\n{code}\n")
            (programs / name).chmod(0o755)
        environment = {
            **{name: os.environ[name] for name in KEPT if name in os.environ},
            "PATH": f"{programs}:{ENVIRONMENTS}:{os.environ['PATH']}",
            "PLAYED": str(self.hub.folder / "played"),
            "RUNNER_TEMP": str(self.clone.with_suffix(".temp")),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_OUTPUT": str(self.clone.with_suffix(".output")),
            "GITHUB_REPOSITORY": "somebody/site",
            "GITHUB_SERVER_URL": f"file://{self.hub.folder}",
            "GITHUB_SHA": "0" * 40,
            **{name: self.set(name, str(value)) for name, value in (step.get("env") or {}).items()},
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(command, cwd=self.clone, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"{step['name']}: {done.stdout}{done.stderr}")

    def checkout(self, told: Mapping[str, str]) -> None:
        assert told["persist-credentials"] == "False"
        subprocess.run(["git", "clone", "--quiet", self.hub.origin, self.clone], check=True)

    def setup_python(self, told: Mapping[str, str]) -> None:
        assert told["python-version"]

    def cache_restore(self, told: Mapping[str, str]) -> None:
        prefix = told.get("restore-keys", told["key"])
        for cache in sorted(self.hub.caches.glob(f"{prefix}*"))[-1:]:
            for path in told["path"].split():
                if (cache / path).exists():
                    shutil.copytree(cache / path, self.clone / path, dirs_exist_ok=True)

    def cache_save(self, told: Mapping[str, str]) -> None:
        for path in told["path"].split():
            if (self.clone / path).exists():
                shutil.copytree(self.clone / path, self.hub.caches / told["key"] / path, dirs_exist_ok=True)

    def upload_artifact(self, told: Mapping[str, str]) -> None:
        include = [path for path in told["path"].split() if not path.startswith("!")]
        leave = [self.clone / path[1:] for path in told["path"].split() if path.startswith("!")]
        single = told.get("archive") == "False"
        target = self.hub.artifacts / (Path(include[0]).name if single else told["name"])
        files = [path for part in include for path in self._files(part) if not set(leave) & set(path.parents)]
        hidden = [path for path in files if any(p.startswith(".") for p in path.relative_to(self.clone).parts)]
        files = files if told.get("include-hidden-files") == "True" else [path for path in files if path not in hidden]
        if not files:
            assert told.get("if-no-files-found") == "ignore", f"nothing to upload at {told['path']}"
            return
        if single:
            self.hub.artifacts.mkdir(exist_ok=True)
            shutil.copyfile(files[0], target)
            return
        shutil.rmtree(target, ignore_errors=True)  # of a run before this one
        roots = [self.clone / part for part in include]
        root = roots[0] if len(roots) == 1 and roots[0].is_dir() else self._common(files)
        for path in files:
            (target / path.relative_to(root)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / path.relative_to(root))

    def _files(self, part: str) -> Iterator[Path]:
        for path in sorted(self.clone.glob(part)):
            yield from (file for file in ([path] if path.is_file() else sorted(path.rglob("*"))) if file.is_file())

    @staticmethod
    def _common(files: Sequence[Path]) -> Path:
        return Path(os.path.commonpath([file.parent for file in files]))

    def download_artifact(self, told: Mapping[str, str]) -> None:
        target = self.clone / told.get("path", ".")
        names = (
            [self.hub.artifacts / told["name"]] if "name" in told else sorted(self.hub.artifacts.glob(told["pattern"]))
        )
        assert "name" in told or told["merge-multiple"] == "True"
        for artifact in names:
            shutil.copytree(artifact, target, dirs_exist_ok=True, symlinks=True)

    def upload_pages_artifact(self, told: Mapping[str, str]) -> None:
        shutil.copytree(self.clone / told["path"], self.hub.artifacts / "pages", dirs_exist_ok=True)

    def deploy_pages(self, told: Mapping[str, str]) -> None:
        self.hub.deployed = self.hub.artifacts / "pages"


def repository(folder: Path, files: Mapping[str, str]) -> Path:
    """Return a bare repository with this one's workflows and tools, and a small site of other pages."""
    work = folder / "work"
    for part in (".github", "tools", "overrides", "hooks", "docs/assets"):
        leave = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / part, work / part, ignore=leave)
    for path, text in {**files, "requirements.txt": "# nothing\n", ".gitignore": ".codeout\ndata\nsite\n"}.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(text, encoding="utf8")
    origin = folder / "somebody" / "site.git"
    subprocess.run(["git", "init", "--quiet", "--initial-branch", "main", work], check=True)
    commit(work, "A site")
    subprocess.run(["git", "clone", "--quiet", "--bare", work, origin], check=True)
    subprocess.run(["git", "remote", "add", "origin", origin], cwd=work, check=True)
    return origin


def commit(work: Path, message: str) -> None:
    """Commit all that has changed in a folder, and push it if there is somewhere to push to."""
    author = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    subprocess.run(["git", "add", "--all"], cwd=work, check=True)
    subprocess.run(["git", *author, "commit", "--quiet", "--message", message], cwd=work, check=True)
    if subprocess.run(["git", "remote"], cwd=work, check=True, capture_output=True).stdout:
        subprocess.run(["git", "push", "--quiet", "origin", "HEAD:main"], cwd=work, check=True)
