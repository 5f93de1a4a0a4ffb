"""Start a kernel process: its scratch folder, its environment, and what cleans up if the build is killed.

The environment holds only what a program needs to start and what the settings name, so no token of the build reaches a
block.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from codeout.cache.environment import kernel_variables
from codeout.cache.keys import CONFIG_FOLDER
from codeout.config import Config
from codeout.errors import PageError
from codeout.kernel import scratch
from codeout.observe import audit

CLEAN_UP = r"""
read _  # waits until the build closes its end of the pipe, or is gone
kill -KILL "-$1"
for round in 1 2 3; do  # what has left the process group is known by its temporary folder, where there is /proc
  for environment in $(grep -lszx "TMPDIR=$2/.*" /proc/[0-9]*/environ); do
    pid=${environment#/proc/}; kill -KILL "${pid%/environ}"
  done
done
rm -rf "$2"
"""


def create_scratch_folder(config: Config, parent: Path | None = None, *, is_base: bool = False) -> Path:
    """Create a temporary folder, with a folder for the blocks' files, which has the links that the settings name.

    Args:
        config: the settings.
        parent: the folder of the process of which this one is for a fork; it is created inside.
        is_base: whether it is for a process that runs no blocks; its name says so.
    """
    prefix = ("" if parent else "codeout-") + ("base-" if is_base else "")
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    (folder / scratch.FILES).mkdir()
    for link in config.links:
        _link(config.path(link), folder / scratch.FILES / link)
    return folder


def start_kernel(config: Config, folder: Path, *sockets: socket.socket) -> subprocess.Popen[bytes]:
    """Start a kernel where its blocks work, as the leader of a new process group.

    Args:
        config: the settings.
        folder: the scratch folder of the session.
        sockets: the other ends of the one on which the kernel hands over its forks, and of the one on which its
            supervisor answers; none if the system has neither.

    Raises:
        PageError: the folder of the settings does not exist.
    """
    folders = [str(config.path(path)) for path in config.paths]
    cache = config.path(config.cache)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs no build; nor does a home folder
        is_new = next(cache.glob("??/*.json"), None) is None
        config.home.mkdir(parents=True, exist_ok=True)
        if is_new:
            (cache / ".gitignore").write_text("*\n", encoding="utf8")  # who wants to commit it deletes this once
    descriptors = tuple(each.fileno() for each in sockets)
    numbers = [str(number) for number in descriptors or (-1, -1)]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "codeout.observe", str(os.getpid()), str(folder), *numbers, *folders],
        pass_fds=descriptors,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=working_folder(config, folder / scratch.FILES),
        env=kernel_environment(config, folder),
        start_new_session=True,
    )


def start_watcher(group: int, folder: Path) -> subprocess.Popen[bytes] | None:
    """Start a process that, once the build is gone, kills a process group and removes a folder; None on Windows."""
    if sys.platform == "win32":
        return None
    command = ["/bin/sh", "-c", CLEAN_UP, "sh", str(group), str(folder)]
    nothing = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=nothing, stderr=nothing, start_new_session=True)


def working_folder(config: Config, sandbox: Path) -> Path:
    """Return where blocks work that name no folder of their own.

    Args:
        config: the settings.
        sandbox: the folder of their session.

    Raises:
        PageError: the folder of the settings does not exist.
    """
    if config.sandbox:
        return sandbox
    folder = config.path(config.workdir)
    if not folder.is_dir():
        raise PageError(f"{config.source}:1: codeout: 'workdir': {config.workdir} is not a folder")
    return folder


def kernel_environment(config: Config, folder: Path) -> dict[str, str]:
    """Return the environment variables of a kernel."""
    return {
        **kernel_variables(config),
        **{name: os.environ[name] for name in (audit.VARIABLE,) if name in os.environ},
        "HOME": str(config.home),
        "USERPROFILE": str(config.home),
        "TORCHINDUCTOR_CACHE_DIR": str(config.home / ".cache" / "torchinductor"),  # by default in TMPDIR
        "TMPDIR": temporary_folder(folder),
        "TEMP": temporary_folder(folder),
        "MPLBACKEND": "module://codeout.kernel.matplotlib_backend",
        "PYTHONUTF8": "1",
        "PYTHONHASHSEED": "0",
        "CODEOUT_ROOT": str(config.root.resolve()),
        "CODEOUT_CACHE": str(config.path(config.cache)),
        CONFIG_FOLDER: str(config.root.resolve()),
    }


def temporary_folder(folder: Path) -> str:
    """Return the temporary folder of a session's processes, by which they are known; checkpoints copy it."""
    return str(folder / scratch.FILES)


def _link(target: Path, link: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":  # a junction needs no privilege there, a symbolic link does
        import _winapi

        _winapi.CreateJunction(str(target), str(link))
    else:
        link.symlink_to(target, target_is_directory=True)
