"""How much memory this process, and its GPU, have used at most since a block began."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")  # writing "5" resets the peak, proc(5)


def begin_peak() -> None:
    """Forget the peaks so far, where the system can."""
    with contextlib.suppress(OSError):
        RESET.write_text("5")
    if (cuda := _cuda()) is not None:
        cuda.reset_peak_memory_stats()


def peak_bytes() -> int:
    """Return the peak of the resident memory, in bytes; 0 where it is not known."""
    try:
        line = next(line for line in STATUS.read_text().split("\n") if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return 0
    return int(line.split()[1]) * 1024


def gpu_peak_bytes() -> int:
    """Return the peak of what PyTorch had allocated on the first CUDA device, in bytes; 0 if it did not use one."""
    cuda = _cuda()
    return 0 if cuda is None else int(cuda.max_memory_allocated())


def _cuda() -> Any:
    """Return PyTorch's interface to CUDA if a block has used it. Torch is not imported for that."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    return cuda if cuda is not None and cuda.is_initialized() else None
