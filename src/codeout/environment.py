"""What a session's keys need to know of the machine: packages, device, files. Reads; starts nothing but `nvidia-smi`.

Nothing here imports what the snippets import: versions come from the installed metadata.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from codeout.blocks import Block
from codeout.config import Config
from codeout.errors import PageError
from codeout.keys import Environment, File, Key, Step, keys
from codeout.outputs import Source
from codeout.packages import Installed


def session_keys(session: Sequence[Block], config: Config) -> list[Key]:
    """Return the keys of a session's blocks on this machine, now."""
    prelude = _read(config, config.prelude) if config.prelude else ""
    before = [File(config.prelude, _sha(prelude.encode()))] if config.prelude else []
    before += modules(prelude, config)
    before += [File(path, _sha(config.path(path).read_bytes())) for path in data_files(session, config)]
    steps = [Step(b.code, (f"width={b.width}", f"workdir={b.workdir}"), modules(b.code, config)) for b in session]
    texts = [prelude, *(block.code for block in session)]
    local = {file.path for step in steps for file in step.modules} | {file.path for file in before}
    texts += [config.path(path).read_text(encoding="utf8") for path in sorted(local) if path.endswith(".py")]
    return keys(steps, before, environment(texts, config))


def environment(texts: Iterable[str], config: Config) -> Environment:
    """Return the environment of code: the device, and each installed package that the code can reach."""
    imported = {name for text in texts for name in imports(text)}
    found = _installed(config.path(config.store)).versions(
        {*config.packages, *(name for name in imported if not _local(name, config))}
    )
    return Environment(
        python=platform.python_version(),
        device=device(),
        packages=tuple(sorted(found.items())),
        variables=tuple((name, os.environ.get(name, "")) for name in sorted(config.variables)),
    )


@cache
def imports(code: str) -> frozenset[str]:
    """Return the top-level names of the modules that code imports; none if it can't be read as Python."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return frozenset()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return frozenset(found)


def modules(code: str, config: Config) -> tuple[File, ...]:
    """Return the files of the local modules that code imports, and that those import in turn."""
    found: dict[str, File] = {}
    waiting = [code]
    while waiting:
        for name in sorted(imports(waiting.pop())):
            for path in _local(name, config):
                shown = _shown(path, config)
                if shown not in found:
                    content = path.read_bytes()
                    found[shown] = File(shown, _sha(content))
                    waiting.append(content.decode("utf8", "replace"))
    return tuple(found[path] for path in sorted(found))


def data_files(session: Sequence[Block], config: Config) -> list[str]:
    """Return the data files that a session depends on, by the settings' patterns of session names.

    Raises:
        PageError: one of them is not there.
    """
    name = session[0].session
    found = [path for pattern, paths in config.data.items() if fnmatchcase(name, pattern) for path in paths]
    for path in found:
        if not config.path(path).is_file():
            made = f"; {config.prepare} should have made it" if config.prepare else ""
            raise PageError(f"{session[0].place}: session {name!r} depends on {path}, which is not there{made}")
    return found


def sources(session: Sequence[Block], config: Config) -> tuple[Source, ...]:
    """Return what the data files of a session say of themselves, where they say it (`{"name", "kind", "note"}`)."""
    found = []
    for path in data_files(session, config):
        if path.endswith(".json"):
            told = json.loads(config.path(path).read_text(encoding="utf8"))
            if isinstance(told, dict) and "note" in told:
                found.append(Source(str(told.get("name", path)), str(told.get("kind", "")), str(told["note"])))
    return tuple(found)


@cache
def _installed(store: Path) -> Installed:
    return Installed(store / "packages.json")


@cache
def device() -> str:
    """Return the name of the accelerator that blocks can use, or `CPU`."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "Apple GPU"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1")
    tool = None if hidden else shutil.which("nvidia-smi")
    if tool is None:
        return "CPU"
    query = [tool, "--query-gpu=name", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False, timeout=30)
    name = answer.stdout.strip().split("\n")[0].strip()
    return name if answer.returncode == 0 and name else "CPU"


def _local(name: str, config: Config) -> list[Path]:
    """Return the files of a module that stands in one of the folders blocks import from."""
    for folder in config.paths:
        module = config.path(folder) / f"{name}.py"
        package = config.path(folder) / name
        if module.is_file():
            return [module]
        if (package / "__init__.py").is_file():
            return sorted(package.rglob("*.py"))
    return []


def _read(config: Config, path: str) -> str:
    try:
        return config.path(path).read_text(encoding="utf8")
    except OSError as problem:
        raise PageError(f"mkdocs.yml:1: codeout: can't read {path}: {problem.strerror}") from problem


def _shown(path: Path, config: Config) -> str:
    root = config.root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
