"""Compose the run of a block: what it has put out and read, and where, when and how that came about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from codeout.cache.data_sources import used_sources
from codeout.cache.keys import KeyInputs
from codeout.config import Config
from codeout.model.blocks import Block, Session
from codeout.model.inputs import Input
from codeout.model.outputs import Error, Provenance, Run
from codeout.run.protocol import BlockResult


def compose_run(
    config: Config,
    session: Session,
    block: Block,
    inputs: KeyInputs,
    result: BlockResult,
    read: tuple[Input, ...],
    above: Iterable[Run],
) -> Run:
    """Return the run of a block.

    Args:
        config: the settings of the site.
        session: that of the block.
        block: the block.
        inputs: what its key covers.
        result: what its kernel has sent.
        read: what it has read.
        above: the runs of the blocks above it.
    """
    provenance = _provenance(config, session, inputs, result, (*_inputs(above), *read))
    return Run(
        result.outputs,
        provenance,
        str(block.origin),
        read,
        result.reads_lines,
        result.values,
        block.measured,
        result.cases,
    )


def compose_death(
    config: Config, session: Session, inputs: KeyInputs, message: str, seconds: float, above: Iterable[Run]
) -> Run:
    """Return the run of a block in which its kernel has died, with the message in place of outputs."""
    result = BlockResult((Error("BlockError", message, message, None),), seconds, {}, "")
    return Run(result.outputs, _provenance(config, session, inputs, result, _inputs(above)))


def _inputs(runs: Iterable[Run]) -> tuple[Input, ...]:
    return tuple(each for run in runs for each in run.inputs)


def _provenance(
    config: Config, session: Session, inputs: KeyInputs, result: BlockResult, read: tuple[Input, ...]
) -> Provenance:
    versions = inputs.environment
    return Provenance(
        versions.device,
        versions.python,
        versions.packages,
        result.seconds,
        datetime.now(UTC).isoformat(timespec="seconds"),
        used_sources(session, config, [*read]),
        inputs.key.code[:12],
        result.used_network,
        result.memory,
        result.gpu_memory,
    )
