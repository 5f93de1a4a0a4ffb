"""Read what the cache keys of a session cover on this machine: packages, device and files.

Nothing here imports what the snippets import: versions come from the metadata of installed packages. The only process
that it starts is `nvidia-smi`.
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
from codeout.cache.keys import KEY_VARIABLES, Environment, File, KeyedSession, Step, accumulate_inputs
from codeout.cache.store import MEMO
from codeout.config import Config
from codeout.errors import PageError
from codeout.model.blocks import Session
from codeout.model.outputs import Source


def add_keys(session: Session, config: Config) -> KeyedSession:
    """Return a session with the current key inputs of its blocks on this machine.

    Raises:
        PageError: a data file does not exist, or the prelude cannot be read.
    """
    prelude = _read_prelude(config) if config.prelude else ""
    session_files = [File(config.prelude, sha256_of(prelude.encode()))] if config.prelude else []
    session_files += find_local_modules(prelude, config)
    data_paths = find_data_files(session, config)
    session_files += [File(path, sha256_of(config.path(path).read_bytes())) for path in data_paths]
    texts = [prelude, *_read_code(session_files, config)]
    imported_modules = _find_all_imports(texts)
    environment = read_environment(texts, config)
    steps = []
    for block in session.blocks:
        block_modules = find_local_modules(block.code, config)
        block_texts = [block.code, *_read_code(block_modules, config)]
        texts += block_texts
        if not _find_all_imports(block_texts) <= imported_modules:  # most blocks import nothing new
            imported_modules |= _find_all_imports(block_texts)
            environment = read_environment(texts, config)
        options = (f"width={block.width}", f"workdir={block.workdir}", *(["measured"] if block.measured else []))
        steps.append(Step(block.executable_code, options, block_modules, environment))
    return KeyedSession(session, tuple(accumulate_inputs(steps, session_files)))


def _find_all_imports(texts: Iterable[str]) -> set[str]:
    return {name for text in texts for name in find_imports(text)}


def _read_code(files: Iterable[File], config: Config) -> list[str]:
    paths = [config.path(file.path) for file in files if file.path.endswith(".py")]
    return [path.read_text("utf8", "replace") for path in paths]


def read_environment(texts: Iterable[str], config: Config) -> Environment:
    """Return the environment of code: Python, the device, and each installed package that the code can load."""
    external_modules = {name for name in _find_all_imports(texts) if not _find_module_files(name, config)}
    installed = _installed_packages(config.path(config.cache))
    versions = installed.versions({"IPython", *config.packages, *external_modules})
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        device=detect_device(),
        packages=tuple(sorted(versions.items())),
        variables=tuple((name, os.environ.get(name, "")) for name in sorted({*config.variables, *KEY_VARIABLES})),
    )


@cache
def find_imports(code: str) -> frozenset[str]:
    """Return the top-level names of the modules that code imports; no names if it is not valid Python."""
    if "import" not in code:
        return frozenset()
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return frozenset()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return frozenset(names)


def find_local_modules(code: str, config: Config) -> tuple[File, ...]:
    """Return the files of the local modules that code imports, directly or through other local modules."""
    files: dict[str, File] = {}
    pending = [code]
    while pending:
        for name in sorted(find_imports(pending.pop())):
            for path in _find_module_files(name, config):
                site_path = _site_path(path, config)
                if site_path not in files:
                    content = path.read_bytes()
                    files[site_path] = File(site_path, sha256_of(content))
                    if path.suffix == ".py":
                        pending.append(content.decode("utf8", "replace"))
    return tuple(files[path] for path in sorted(files))


def digest_files(paths: Iterable[str], config: Config) -> tuple[tuple[str, str], ...]:
    """Return the (path, digest) pair of each file; the digest of a file that does not exist is empty."""
    pairs = []
    for path in map(config.path, paths):
        digest = sha256_of(path.read_bytes()) if path.is_file() else ""
        pairs.append((_site_path(path, config), digest))
    return tuple(pairs)


def find_data_files(session: Session, config: Config) -> list[str]:
    """Return the data files that a session depends on, according to the setting `data`.

    Raises:
        PageError: one of them does not exist.
    """
    paths = [path for pattern, paths in config.data.items() if session.matches([pattern]) for path in paths]
    for path in paths:
        if not config.path(path).is_file():
            origin = f"; {config.prepare} should have created it" if config.prepare else ""
            problem = f"session {session.label!r} depends on the data file {path}, which does not exist"
            raise PageError(f"{session.blocks[0].place}: {problem}{origin}")
    return paths


def read_sources(session: Session, config: Config) -> tuple[Source, ...]:
    """Return the sources that a session's JSON data files declare, as `{"name", "kind", "note"}`."""
    declared_sources = []
    for path in find_data_files(session, config):
        if path.endswith(".json"):
            content = json.loads(config.path(path).read_text(encoding="utf8"))
            if isinstance(content, dict) and "note" in content:
                name, kind, note = content.get("name", path), content.get("kind", ""), content["note"]
                declared_sources.append(Source(str(name), str(kind), str(note)))
    return tuple(declared_sources)


@cache
def _installed_packages(cache_folder: Path) -> InstalledPackages:
    return InstalledPackages(cache_folder / MEMO / "packages.json")


@cache
def detect_device() -> str:
    """Return the name of the accelerator that blocks can use, or `CPU`."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "Apple GPU"
    is_hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1")
    nvidia_smi = None if is_hidden else shutil.which("nvidia-smi")
    if nvidia_smi is None:
        return "CPU"
    query = [nvidia_smi, "--query-gpu=name", "--format=csv,noheader"]
    result = subprocess.run(query, capture_output=True, text=True, check=False, timeout=30)
    name = result.stdout.strip().split("\n")[0].strip()
    return name if result.returncode == 0 and name else "CPU"


def _find_module_files(name: str, config: Config) -> tuple[Path, ...]:
    """Return the files of a local module: in a folder that blocks import from, or installed in editable mode."""
    for folder in _import_folders(config.root, config.paths):
        if (folder / name / "__init__.py").is_file():
            return _package_files(folder / name)
        if (folder / f"{name}.py").is_file():
            return (folder / f"{name}.py",)
        if (folder / name).is_dir():
            return _package_files(folder / name)
    origin = _find_editable_file(name)
    if origin is None:
        return ()
    return _package_files(origin.parent) if origin.name == "__init__.py" else (origin,)


@cache
def _import_folders(root: Path, paths: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the folders that blocks import from. Cached: a build calls it hundreds of times."""
    return tuple((root / path).resolve() for path in paths)


@cache
def _find_editable_file(name: str) -> Path | None:
    """Return the file of a module that is installed in editable mode, or None if it is not."""
    try:
        spec = None if name in sys.stdlib_module_names else importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    origin = Path(spec.origin) if spec and spec.origin else None
    if origin is None or not origin.is_file() or {"site-packages", "dist-packages"} & set(origin.parts):
        return None
    return origin


def _package_files(folder: Path) -> tuple[Path, ...]:
    """Return all files of a package: its code, and data that its code may read."""
    return tuple(sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts))


def _read_prelude(config: Config) -> str:
    try:
        return config.path(config.prelude).read_text(encoding="utf8")
    except OSError as problem:
        message = f"{config.source}:1: codeout: cannot read {config.prelude}: {problem.strerror}"
        raise PageError(message) from problem


def _site_path(path: Path, config: Config) -> str:
    """Return a path as keys and messages give it: relative to the site's folder if it is inside."""
    root = config.root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 digest of a file's content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
