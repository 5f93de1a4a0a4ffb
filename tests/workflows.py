"""Run a workflow's steps in order: each job in a clean clone, with folders for GitHub's caches and artifacts.

GitHub is simulated: what an action does for a job is a few lines here. bash runs the `run:` steps unchanged.
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

PROGRAMS = Path(sys.executable).parent
ADDRESS = "https://somebody.github.io/site/"
"""Of the published site."""
VARIABLES = ("HOME", "LANG", "TMPDIR", "NO_MKDOCS_2_WARNING")
"""Environment variables that a job sees."""
SHIMS = {
    "pip": 'echo "pip $*" >> "$CALLS"',
    "nox": """echo "nox $*" >> "$CALLS"
case "$*" in "-s docs") exec mkdocs build --strict;; esac""",
    "gh": """echo "gh $*" >> "$CALLS"
case "$*" in "pr list"*) echo "[]";; "issue list"*) echo "[]";;
"api repos/somebody/site/pages")
  if [ -z "$ADDRESS" ]; then echo "gh: Not Found (HTTP 404)" >&2; exit 1; fi
  echo "{\\"build_type\\": \\"workflow\\", \\"html_url\\": \\"$ADDRESS\\"}";; esac""",
    # A new environment is this one.
    "python3": f"""if [ "$1 $2" = "-m venv" ]; then
  mkdir -p "$3/bin"; cp "$(dirname "$0")/pip" "$3/bin/"; ln -sf {PROGRAMS}/codeout "$3/bin/codeout"
else exec {sys.executable} "$@"; fi""",
}
"""Programs that are replaced: bash code by name. Their calls are written to a file."""


def workflow(name: str) -> dict[str, Any]:
    """Return the definition of a workflow; YAML reads its key `on` as true."""
    content: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text("utf8"))
    return {("on" if key is True else str(key)): value for key, value in content.items()}


class StepFailed(Exception):
    """A step of a job failed; the message is its name, and what it printed."""


@dataclass
class GitHub:
    """What GitHub has between jobs: the repository, caches, artifacts, and the deployed site."""

    folder: Path
    origin: Path
    """A bare repository."""
    shims: dict[str, str] = field(default_factory=dict)
    """Further programs that are replaced."""
    address: str = ADDRESS
    """Of the site; empty while Pages is off."""
    deployments: list[Path] = field(default_factory=list)
    """The folders that were deployed."""

    @property
    def work(self) -> Path:
        """A maintainer's clone."""
        return self.folder / "work"

    @property
    def artifacts(self) -> Path:
        """The folder of artifacts."""
        return self.folder / "artifacts"

    @property
    def caches(self) -> Path:
        """The folder of caches."""
        return self.folder / "caches"

    def calls(self) -> str:
        """Return the calls of programs that are replaced, one per line."""
        file = self.folder / "calls"
        return file.read_text(encoding="utf8") if file.exists() else ""

    def run(self, name: str, job: str, matrix: Mapping[str, str] | None = None, **inputs: str) -> str:
        """Run a job, and return its summary.

        Raises:
            StepFailed: a step did.
        """
        definition = workflow(name)["jobs"][job]
        clone = self.folder / "jobs" / f"{name}-{job}-{len(list(self.folder.glob('jobs/*')))}"
        clone.mkdir(parents=True)
        values = {
            "github.sha": "0" * 40,
            "github.run_attempt": "1",
            "github.token": "a-token",
            **{f"matrix.{key}": value for key, value in (matrix or {}).items()},
            **{f"inputs.{key}": value for key, value in inputs.items()},
        }
        running = _Job(self, clone, values)
        failure: StepFailed | None = None
        for step in definition["steps"]:
            if failure and "cancelled" not in step.get("if", ""):
                continue
            try:
                running.run_step(step)
            except StepFailed as problem:
                failure = problem
        if failure:
            raise failure
        return running.summary.read_text(encoding="utf8") if running.summary.exists() else ""


@dataclass
class _Job:
    github: GitHub
    clone: Path
    values: Mapping[str, str]
    """Of expressions, such as `github.sha`."""

    @property
    def summary(self) -> Path:
        return self.clone.with_suffix(".summary")

    def run_step(self, step: Mapping[str, Any]) -> None:
        inputs = {key: self.fill(str(value)) for key, value in (step.get("with") or {}).items()}
        if "run" in step:
            self.bash(step)
        else:
            action = re.sub(r"[^a-z]", "_", step["uses"].partition("@")[0].removeprefix("actions/"))
            getattr(self, action)(inputs)

    def fill(self, text: str) -> str:
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda match: self.values[match[1]], text)

    def bash(self, step: Mapping[str, Any]) -> None:
        # One folder for all: machines of the same kind have the same PATH.
        programs = self.github.folder.with_suffix(".programs")
        shutil.rmtree(programs, ignore_errors=True)
        programs.mkdir()
        for name, code in {**SHIMS, **self.github.shims}.items():
            (programs / name).write_text(f"#!/usr/bin/env bash\n{code}\n")
            (programs / name).chmod(0o755)
        variables = self.clone.with_suffix(".env")
        variables.touch()
        environment = {
            **{name: os.environ[name] for name in VARIABLES if name in os.environ},
            "PATH": f"{programs}:{PROGRAMS}:{os.environ['PATH']}",
            "CALLS": str(self.github.folder / "calls"),
            "RUNNER_TEMP": str(self.clone.with_suffix(".temp")),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_OUTPUT": str(self.clone.with_suffix(".output")),
            "GITHUB_REPOSITORY": "somebody/site",
            "GITHUB_SERVER_URL": f"file://{self.github.folder}",
            "GITHUB_SHA": "0" * 40,
            "GITHUB_ENV": str(variables),
            **dict(line.split("=", 1) for line in variables.read_text("utf8").splitlines()),
            "ADDRESS": self.github.address,
            **{name: self.fill(str(value)) for name, value in (step.get("env") or {}).items()},
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(command, cwd=self.clone, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StepFailed(f"{step['name']}: {done.stdout}{done.stderr}")

    def checkout(self, inputs: Mapping[str, str]) -> None:
        assert inputs["persist-credentials"] == "False"
        subprocess.run(["git", "clone", "--quiet", self.github.origin, self.clone], check=True)

    def setup_python(self, inputs: Mapping[str, str]) -> None:
        assert inputs["python-version"]

    def cache_restore(self, inputs: Mapping[str, str]) -> None:
        prefix = inputs.get("restore-keys", inputs["key"])
        for cache in sorted(self.github.caches.glob(f"{prefix}*"))[-1:]:
            for path in inputs["path"].split():
                if (cache / path).exists():
                    shutil.copytree(cache / path, self.clone / path, dirs_exist_ok=True)

    def cache_save(self, inputs: Mapping[str, str]) -> None:
        for path in inputs["path"].split():
            if (self.clone / path).exists():
                shutil.copytree(self.clone / path, self.github.caches / inputs["key"] / path, dirs_exist_ok=True)

    def upload_artifact(self, inputs: Mapping[str, str]) -> None:
        include = [path for path in inputs["path"].split() if not path.startswith("!")]
        leave = [self.clone / path[1:] for path in inputs["path"].split() if path.startswith("!")]
        single = inputs.get("archive") == "False"
        target = self.github.artifacts / (Path(include[0]).name if single else inputs["name"])
        files = [path for part in include for path in self._files(part) if not set(leave) & set(path.parents)]
        if inputs.get("include-hidden-files") != "True":
            files = [path for path in files if not any(p.startswith(".") for p in path.relative_to(self.clone).parts)]
        if not files:
            assert inputs.get("if-no-files-found") == "ignore", f"nothing to upload at {inputs['path']}"
            return
        if single:
            self.github.artifacts.mkdir(exist_ok=True)
            shutil.copyfile(files[0], target)
            return
        shutil.rmtree(target, ignore_errors=True)  # of an earlier run
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

    def download_artifact(self, inputs: Mapping[str, str]) -> None:
        target = self.clone / inputs.get("path", ".")
        pattern = inputs.get("name") or inputs["pattern"]
        assert "name" in inputs or inputs["merge-multiple"] == "True"
        for artifact in sorted(self.github.artifacts.glob(pattern)):
            shutil.copytree(artifact, target, dirs_exist_ok=True, symlinks=True)

    def upload_pages_artifact(self, inputs: Mapping[str, str]) -> None:
        shutil.copytree(self.clone / inputs["path"], self.github.artifacts / "pages", dirs_exist_ok=True)

    def deploy_pages(self, inputs: Mapping[str, str]) -> None:
        self.github.deployments.append(self.github.artifacts / "pages")


def repository(folder: Path, files: Mapping[str, str]) -> Path:
    """Return a bare repository with this one's workflows, tools and theme, and other pages."""
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
    """Commit all changes in a clone, and push them if it has a remote."""
    author = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    subprocess.run(["git", "add", "--all"], cwd=work, check=True)
    subprocess.run(["git", *author, "commit", "--quiet", "--message", message], cwd=work, check=True)
    if subprocess.run(["git", "remote"], cwd=work, check=True, capture_output=True).stdout:
        subprocess.run(["git", "push", "--quiet", "origin", "HEAD:main"], cwd=work, check=True)
