"""Runs that were made elsewhere, on a device that this machine does not have, and are shown beside its own.

A folder of recordings has the format of a store. A recording belongs to a block if it is of the same code; it is shown
if it differs from the run of this machine by more than noise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from codeout.cache.keys import Key
from codeout.cache.store import RunStore
from codeout.compare.svg import Refused
from codeout.model.outputs import Run

Whole = Callable[[Run], bool]  # whether what a run's code loads is still what it was


@dataclass(slots=True)
class Recordings:
    """The recordings of a site, as they were when somebody last looked."""

    store: RunStore
    _keys: dict[str, list[Key]] = field(default_factory=dict)  # by the digest of their code

    def look(self) -> None:
        """See which recordings there are now."""
        self._keys = {}
        for path in self.store.root.glob("??/*-*.json"):
            code, _, environment = path.stem.partition("-")
            self._keys.setdefault(code, []).append(Key(code, environment))

    def of(self, code: str, whole: Whole) -> list[Run]:
        """Return the recordings of some code, the newest of each device, in the order of their names.

        Args:
            code: the digest of the code: the first half of a key.
            whole: says of a run whether it may be shown.
        """
        stored = [run for key in self._keys.get(code, []) if (run := self.store.get(key)) and whole(run)]
        runs = [run for each in stored if (run := _shown(each))]
        newest = {run.provenance.device: run for run in sorted(runs, key=lambda run: run.provenance.date)}
        return [newest[device] for device in sorted(newest)]

    def beside(self, run: Run, code: str, whole: Whole) -> tuple[Run, ...]:
        """Return the recordings to show beside a run: of other devices, where they differ by more than noise."""
        if code not in self._keys:
            return ()
        from codeout.compare.runs import differ  # here, since most blocks have none

        others = [each for each in self.of(code, whole) if each.provenance.device != run.provenance.device]
        return tuple(each for each in others if differ(run, each))


def _shown(run: Run) -> Run | None:
    """Return a recording without what none may show, however it came to lie there; None if that is all."""
    from codeout.compare.untrusted import safe  # here, since most blocks have none

    try:
        return safe(run)[0]
    except Refused:
        return None


def label(run: Run, beside: Sequence[Run]) -> str:
    """Return a short name for the device of one of the runs of a block that stand side by side.

    Args:
        run: it.
        beside: all of them.
    """
    device = run.provenance.device
    kinds = [_kind(each.provenance.device) for each in beside]
    return _kind(device) if kinds.count(_kind(device)) == 1 else device


def _kind(device: str) -> str:
    return "CPU" if device == "CPU" else "GPU"
