"""What the cache keys of a session cover on this machine, and where its data came from.

That is versions, the device and declared files. Nothing here imports what the snippets import; the only process that it
starts is `nvidia-smi`. JSON files name sources of data:

    {"name": "CIFAR-10", "kind": "mirror", "note": "a copy in JPEG", "paths": ["data/cifar-10-batches-py"]}

A block has used a source when it, or a block above it, has read one of the source's paths. The setting `data` names
sources that cannot be observed to be read.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec

from codeout.cache.distributions import InstalledPackages
from codeout.cache.input_reader import InputReader
from codeout.cache.keys import (
    CONFIG_FOLDER,
    KEY_VARIABLES,
    Environment,
    File,
    KeyedCode,
    KeyedSession,
    accumulate_inputs,
    digest,
)
from codeout.config import Config
from codeout.errors import PageError
from codeout.model.blocks import Block, Session
from codeout.model.inputs import Input
from codeout.model.outputs import Source

MAX_QUERY_SECONDS = 2.0


def add_keys(session: Session, config: Config, reader: InputReader) -> KeyedSession:
    """Return a session with the current key inputs of its blocks on this machine.

    Raises:
        PageError: a data file does not exist, or the prelude cannot be read.
    """
    paths = [*([config.prelude] if config.prelude else []), *find_data_files(session, config)]
    files = [File(path, reader.read("file", path)) for path in paths]
    if config.prelude and not files[0].digest:
        raise PageError(f"{config.source}:1: codeout: cannot read {config.prelude}: No such file")
    codes = [_keyed_code(block) for block in session.blocks]
    settings = [f"{name}={getattr(config, name)}" for name in ("paths", "links", "workdir", "sandbox")]
    environment = read_environment(config, reader.packages)
    inputs = accumulate_inputs(codes, environment, f"{session.page} {session.identity}", settings, files)
    return KeyedSession(session, tuple(inputs), tuple(key_inputs.key for key_inputs in inputs))


def _keyed_code(block: Block) -> KeyedCode:
    options = [f"width={block.width}", f"workdir={block.workdir}"]
    options += ["measured"] if block.measured else []
    options += [f"checks={block.checks}"] if block.checks else []
    options += [] if block.keeps_saved_figures else ["skips saved figures"]
    return KeyedCode(block.executable_code, tuple(options), tuple(map(str, block.sweep.knobs)))


def read_environment(config: Config, packages: InstalledPackages) -> Environment:
    """Return the environment of all blocks: Python, the device, and what the settings name."""
    values = kernel_variables(config)
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        device=detect_device(),
        packages=tuple(sorted((name, version) for name in {*config.packages} if (version := packages.version(name)))),
        variables=tuple((name, digest(values.get(name, ""))[:16]) for name in sorted({*config.variables, *values})),
    )


def kernel_variables(config: Config) -> dict[str, str]:
    """Return the environment variables of this process that a kernel is given."""
    values = {name: os.environ[name] for name in {*KEY_VARIABLES, *config.variables} if name in os.environ}
    values.pop(CONFIG_FOLDER, None)
    # The folder of this Python is first, whether or not its environment was activated.
    folders = [os.path.dirname(sys.executable), *values.get("PATH", os.defpath).split(os.pathsep)]  # noqa: PTH120
    values["PATH"] = os.pathsep.join(dict.fromkeys(folders))
    modules = [path for path in values.get("PYTHONPATH", "").split(os.pathsep) if path]
    return {**values, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, modules))}


@cache
def detect_device() -> str:
    """Return the name of the accelerator that blocks can use, or `CPU`."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "Apple GPU"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    nvidia_smi = None if visible in ("", "-1") else shutil.which("nvidia-smi")
    if nvidia_smi is None:
        return "CPU"
    query = [nvidia_smi, "--query-gpu=index,uuid,name", "--format=csv,noheader"]
    try:
        result = subprocess.run(query, capture_output=True, text=True, check=False, timeout=MAX_QUERY_SECONDS)
    except (OSError, subprocess.TimeoutExpired):  # it cannot be executed, or waits for a driver that hangs
        return "CPU"
    return find_device(result.stdout, visible) if result.returncode == 0 else "CPU"


def find_device(listing: str, visible: str | None) -> str:
    """Return the name of the first device that CUDA will use, or `CPU`.

    Each line of the listing is `index, UUID, name`. The variable CUDA_VISIBLE_DEVICES names devices by index or the
    beginning of a UUID; `visible` is None if it is not set.
    """
    devices = [tuple(part.strip() for part in line.split(",", 2)) for line in listing.splitlines()]
    selector = None if visible is None else visible.split(",")[0].strip()
    for index, uuid, name in (device for device in devices if len(device) == 3 and device[2]):
        if selector is None or selector == index or (len(selector) > 3 and uuid.startswith(selector)):
            return name
    return "CPU"


class DataSource(msgspec.Struct, frozen=True):
    """A source, and the files that are from it."""

    source: Source
    paths: tuple[str, ...]
    """Files and folders, relative to the site's folder."""


def known_sources(config: Config) -> list[DataSource]:
    """Return the sources that the setting `sources` names.

    Raises:
        PageError: a file does not exist, or does not name a source.
    """
    return [_read_source(config, path) for path in config.sources]


def declared_sources(session: Session, config: Config) -> list[Source]:
    """Return the sources that a session's JSON files in the setting `data` name.

    Raises:
        PageError: a file does not exist.
    """
    paths = [config.path(path) for path in find_data_files(session, config) if path.endswith(".json")]
    contents = [json.loads(path.read_text(encoding="utf8")) for path in paths]
    return [
        Source(str(content.get("name", "data")), str(content.get("kind", "")), str(content["note"]))
        for content in contents
        if isinstance(content, dict) and "note" in content
    ]


def used_sources(session: Session, config: Config, inputs: Sequence[Input]) -> tuple[Source, ...]:
    """Return the sources that a session declares, and those of what it has read.

    Raises:
        PageError: a file of the settings does not exist, or does not name a source.
    """
    files = [f"{input_.name}/" for input_ in inputs if input_.kind == "file"]
    known = [(each.source, tuple(f"{path}/" for path in each.paths)) for each in known_sources(config)]
    observed_sources = [source for source, paths in known if any(file.startswith(paths) for file in files)]
    return tuple(dict.fromkeys([*declared_sources(session, config), *observed_sources]))


def find_data_files(session: Session, config: Config) -> list[str]:
    """Return the data files that a session depends on, according to the setting `data`.

    Raises:
        PageError: one of them does not exist.
    """
    paths = [path for pattern, paths in config.data.items() if session.matches([pattern]) for path in paths]
    for path in paths:
        if not config.path(path).is_file():
            problem = f"session {session.label!r} depends on the data file {path}, which does not exist"
            raise PageError(f"{session.blocks[0].place}: {problem}{_origin(config)}")
    return paths


def _origin(config: Config) -> str:
    return f"; {config.prepare} should have created it" if config.prepare else ""


def _read_source(config: Config, path: str) -> DataSource:
    try:
        content: Any = json.loads(config.path(path).read_text(encoding="utf8"))
        source = Source(str(content["name"]), str(content["kind"]), str(content["note"]))
        return DataSource(source, tuple(str(item).rstrip("/") for item in content["paths"]))
    except OSError as problem:
        reason = f"cannot read {path}: {problem.strerror}{_origin(config)}"
        raise PageError(f"{config.source}:1: codeout: 'sources': {reason}") from None
    except (ValueError, KeyError, TypeError) as problem:
        form = '{"name": ..., "kind": ..., "note": ..., "paths": [...]}'
        raise PageError(f"{path}:1: not a data source, which looks like {form}: {problem!r}") from problem
