"""The site's `prepare` script, which downloads data, for instance: it runs once before anything that needs them."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from threading import Lock

from codeout.config import Config
from codeout.errors import PageError

PR_SET_PDEATHSIG = 1  # Linux, prctl(2)


class Preparation:
    """The script of one site. It writes to the terminal, where its progress is seen. Any thread may use it."""

    def __init__(self, config: Config) -> None:
        """Start nothing yet."""
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()

    def start(self) -> None:
        """Start the script, once."""
        with self._lock:
            if self._config.prepare and self._process is None:
                command = [sys.executable, str(self._config.path(self._config.prepare))]
                # A lambda or a lock would not do: the child calls this between fork and exec.
                end_with_parent = _end_with_parent if sys.platform == "linux" else None
                self._process = subprocess.Popen(command, cwd=self._config.root, preexec_fn=end_with_parent)  # noqa: PLW1509

    def wait(self) -> None:
        """Wait until the script has ended.

        Raises:
            PageError: it failed, or a folder of the settings is missing.
        """
        for path in self._config.paths:
            if not self._config.path(path).is_dir():
                raise PageError(f"{self._config.source}:1: codeout: 'paths': {path!r} is not a folder")
        self.start()
        if self._process and (code := self._process.wait()):
            self._process = None  # tried again next time
            raise PageError(f"{self._config.prepare}:1: exited with code {code}; see its output above")

    def close(self) -> None:
        """End the script."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _end_with_parent() -> None:
    """Let Linux end this process when the build is gone, however it ended."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
