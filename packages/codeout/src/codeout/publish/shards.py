"""Work for many machines: the stale sessions of a site, shared out so that all are done at about the same time.

Values in, values out. Who runs the shares is not our business: a matrix of GitHub Actions jobs does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from codeout.cache.store import Time
from codeout.errors import PageError

UNKNOWN = 10.0  # seconds that a session is taken to need if none of the site has run yet


@dataclass(slots=True)
class Shard:
    """What one machine is to run."""

    device: str  # "cpu" or "gpu"
    seconds: float = 0.0  # that it will take, by what is known
    sessions: list[str] = field(default_factory=list)  # their names


def plan(
    stale: Sequence[str], gpu: Sequence[str], times: Mapping[str, Time], shards: int, gpus: int = 0
) -> list[Shard]:
    """Return shares of the stale sessions: the longest first, each to the machine that is free first.

    That is Graham's rule (1969): at most 4/3 of the shortest time that any sharing takes. A session that has not run
    yet is taken to need as long as the others need on average.

    Args:
        stale: names of sessions.
        gpu: those of them that use a GPU.
        times: how sessions went when they last ran.
        shards: how many machines there are without a GPU.
        gpus: how many there are with one; without any, all sessions go to the others.
    """
    machines = [Shard("cpu") for _ in range(shards)] + [Shard("gpu") for _ in range(gpus)]
    known = [told.seconds for told in times.values()]
    usual = sum(known) / len(known) if known else UNKNOWN
    needs = {name: times[name].seconds if name in times else usual for name in stale}
    for name in sorted(stale, key=lambda name: (-needs[name], name)):
        device = "gpu" if gpus and name in gpu else "cpu"
        free = min((each for each in machines if each.device == device), key=lambda each: each.seconds)
        free.sessions.append(name)
        free.seconds += needs[name]
    return machines


def read(content: object, number: int, path: str) -> list[str]:
    """Return the sessions of one share of a plan that was written as JSON.

    Args:
        content: the plan, read.
        number: which share, from 1.
        path: of its file, for messages.

    Raises:
        PageError: it is no plan, or has no such share.
    """
    shares: Any = content.get("shards") if isinstance(content, dict) else None
    if not isinstance(shares, list) or not all(isinstance(each, dict) for each in shares):
        raise PageError(f"{path}:1: is no plan; `codeout plan --shards N --json` makes one")
    if not 1 <= number <= len(shares):
        raise PageError(f"{path}:1: has shards 1 to {len(shares)}, and no {number}")
    names = shares[number - 1].get("sessions")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise PageError(f"{path}:1: shard {number} names no sessions")
    return names
