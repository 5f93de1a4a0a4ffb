"""What a session's keys need to know of the machine: packages, device, files. Reads; starts nothing but `nvidia-smi`.

Nothing here imports what the snippets import: versions come from the installed metadata.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from codeout.cache.distributions import InstalledPackages
from codeout.cache.keys import KEYED, Environment, File, KeyedSession, Step, accumulate_inputs
from codeout.cache.store import MEMO
from codeout.config import Config
from codeout.errors import PageError
from codeout.model.blocks import Session
from codeout.model.outputs import Source


def add_keys(session: Session, config: Config) -> KeyedSession:
    """Return a session with the key inputs that its blocks have on this machine, now.

    Raises:
        PageError: a data file or the prelude is missing.
    """
    prelude = _read(config, config.prelude) if config.prelude else ""
    session_files = [File(config.prelude, sha(prelude.encode()))] if config.prelude else []
    session_files += modules(prelude, config)
    session_files += [File(path, sha(config.path(path).read_bytes())) for path in data_files(session, config)]
    texts = [prelude, *_texts(session_files, config)]
    imported = _imports(texts)
    environment = read_environment(texts, config)
    steps = []
    for block in session.blocks:
        block_modules = modules(block.code, config)
        block_texts = [block.code, *_texts(block_modules, config)]
        texts += block_texts
        if not _imports(block_texts) <= imported:  # most blocks import nothing new
            imported |= _imports(block_texts)
            environment = read_environment(texts, config)
        options = (f"width={block.width}", f"workdir={block.workdir}", *(["measured"] if block.measured else []))
        steps.append(Step(block.executable_code, options, block_modules, environment))
    return KeyedSession(session, tuple(accumulate_inputs(steps, session_files)))


def _imports(texts: Iterable[str]) -> set[str]:
    return {name for text in texts for name in imports(text)}


def _texts(files: Iterable[File], config: Config) -> list[str]:
    paths = [config.path(file.path) for file in files if file.path.endswith(".py")]
    return [path.read_text("utf8", "replace") for path in paths]


def read_environment(texts: Iterable[str], config: Config) -> Environment:
    """Return the environment of code: the device, and each installed package that the code can reach."""
    foreign = {name for name in _imports(texts) if not _local(name, config)}
    found = _installed(config.path(config.cache)).versions({"IPython", *config.packages, *foreign})
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        device=device(),
        packages=tuple(sorted(found.items())),
        variables=tuple((name, os.environ.get(name, "")) for name in sorted({*config.variables, *KEYED})),
    )


@cache
def imports(code: str) -> frozenset[str]:
    """Return the top-level names of the modules that code imports; none if it can't be read as Python."""
    if "import" not in code:
        return frozenset()
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
                    found[shown] = File(shown, sha(content))
                    if path.suffix == ".py":
                        waiting.append(content.decode("utf8", "replace"))
    return tuple(found[path] for path in sorted(found))


def digests(paths: Iterable[str], config: Config) -> tuple[tuple[str, str], ...]:
    """Return (path, digest) of files of the author; an empty digest for one that is not there."""
    found = []
    for name in paths:
        path = config.path(name)
        found.append((_shown(path, config), sha(path.read_bytes()) if path.is_file() else ""))
    return tuple(found)


def data_files(session: Session, config: Config) -> list[str]:
    """Return the data files that a session depends on, by the settings' patterns of session names.

    Raises:
        PageError: one of them does not exist.
    """
    paths = [path for pattern, paths in config.data.items() if session.matches([pattern]) for path in paths]
    for path in paths:
        if not config.path(path).is_file():
            origin = f"; {config.prepare} should have created it" if config.prepare else ""
            raise PageError(
                f"{session.blocks[0].place}: session {session.label!r} depends on {path}, which does not exist{origin}"
            )
    return paths


def sources(session: Session, config: Config) -> tuple[Source, ...]:
    """Return what the data files of a session say of themselves, where they say it (`{"name", "kind", "note"}`)."""
    found = []
    for path in data_files(session, config):
        if path.endswith(".json"):
            told = json.loads(config.path(path).read_text(encoding="utf8"))
            if isinstance(told, dict) and "note" in told:
                found.append(Source(str(told.get("name", path)), str(told.get("kind", "")), str(told["note"])))
    return tuple(found)


@cache
def _installed(store: Path) -> InstalledPackages:
    return InstalledPackages(store / MEMO / "packages.json")


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


def _local(name: str, config: Config) -> tuple[Path, ...]:
    """Return the files of a module that is the author's: in a folder that blocks import from, or installed editable."""
    for folder in _folders(config.root, config.paths):
        if (folder / name / "__init__.py").is_file():
            return _package(folder / name)
        if (folder / f"{name}.py").is_file():
            return (folder / f"{name}.py",)
        if (folder / name).is_dir():
            return _package(folder / name)
    origin = _editable(name)
    if origin is None:
        return ()
    return _package(origin.parent) if origin.name == "__init__.py" else (origin,)


@cache
def _folders(root: Path, paths: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the folders that blocks import from; asked hundreds of times a build."""
    return tuple((root / path).resolve() for path in paths)


@cache
def _editable(name: str) -> Path | None:
    """Return where a module that is installed, but not copied to where packages are, has its code."""
    try:
        spec = None if name in sys.stdlib_module_names else importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    origin = Path(spec.origin) if spec and spec.origin else None
    if origin is None or not origin.is_file() or {"site-packages", "dist-packages"} & set(origin.parts):
        return None
    return origin


def _package(folder: Path) -> tuple[Path, ...]:
    """Return all files of a package: its code, and what its code may read."""
    return tuple(sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts))


def _read(config: Config, path: str) -> str:
    try:
        return config.path(path).read_text(encoding="utf8")
    except OSError as problem:
        raise PageError(f"{config.source}:1: codeout: can't read {path}: {problem.strerror}") from problem


def _shown(path: Path, config: Config) -> str:
    root = config.root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def sha(content: bytes) -> str:
    """Return the digest of a file's content."""
    return hashlib.sha256(content).hexdigest()
