"""Read what the cache keys of a session cover on this machine: versions, the device and declared files.

Nothing here imports what the snippets import. The only process that it starts is `nvidia-smi`.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from functools import cache

from codeout.cache.data_sources import find_data_files
from codeout.cache.distributions import InstalledPackages
from codeout.cache.input_reader import InputReader
from codeout.cache.keys import CONFIG_FOLDER, KEY_VARIABLES, Environment, File, KeyedSession, Step, accumulate_inputs
from codeout.config import Config
from codeout.errors import PageError
from codeout.model.blocks import Block, Session

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
    steps = [_step(block) for block in session.blocks]
    settings = (
        f"paths={config.paths}",
        f"links={config.links}",
        f"workdir={config.workdir}",
        f"sandbox={config.sandbox}",
    )
    environment = read_environment(config, reader.packages)
    name = f"{session.page} {session.identity}"
    inputs = accumulate_inputs(steps, environment, name, settings, files)
    return KeyedSession(session, tuple(inputs), tuple(key_inputs.key for key_inputs in inputs))


def _step(block: Block) -> Step:
    options = (f"width={block.width}", f"workdir={block.workdir}", *(["measured"] if block.measured else []))
    more_options = [f"checks={block.checks}"] if block.checks else []
    more_options += [] if block.keeps_saved_figures else ["skips saved figures"]
    return Step(block.executable_code, (*options, *more_options), tuple(map(str, block.sweep.knobs)))


def read_environment(config: Config, packages: InstalledPackages) -> Environment:
    """Return the environment of all blocks: Python, the device, and what the settings name."""
    versions = {name: packages.version(name) for name in config.packages}
    variables = {*config.variables, *KEY_VARIABLES} - {CONFIG_FOLDER}
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        device=detect_device(),
        packages=tuple(sorted((name, version) for name, version in versions.items() if version)),
        variables=tuple((name, os.environ.get(name, "")) for name in sorted(variables)),
    )


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

    Args:
        listing: index, UUID and name of each device, a line each, with commas between them.
        visible: the variable CUDA_VISIBLE_DEVICES, which names devices by index or the beginning of a UUID; None if
            it is not set.
    """
    devices = [tuple(part.strip() for part in line.split(",", 2)) for line in listing.splitlines()]
    rows = [row for row in devices if len(row) == 3 and row[2]]
    selector = None if visible is None else visible.split(",")[0].strip()
    for index, uuid, name in rows:
        if selector is None or selector == index or (len(selector) > 3 and uuid.startswith(selector)):
            return name
    return "CPU"
