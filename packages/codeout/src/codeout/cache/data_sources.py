"""Where data came from: JSON files that name a source, and which of them a session has used.

    {"name": "CIFAR-10", "kind": "mirror", "note": "a copy in JPEG", "paths": ["data/cifar-10-batches-py"]}

A block has used a source when it, or a block above it, has read one of the source's paths. The setting `data` names
sources that cannot be observed to be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from codeout.config import Config
from codeout.errors import PageError
from codeout.model.blocks import Session
from codeout.model.inputs import Input
from codeout.model.outputs import Source


class DataSource(msgspec.Struct, frozen=True):
    """A source, and the files that are from it."""

    source: Source
    """What pages show."""
    paths: tuple[str, ...]
    """Files and folders, relative to the site's folder."""

    def is_read_by(self, inputs: Iterable[Input]) -> bool:
        """Return whether one of these inputs is from this source."""
        files = (input_.name for input_ in inputs if input_.kind == "file")
        return any(name == path or name.startswith(f"{path}/") for name in files for path in self.paths)


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
    contents = [
        json.loads(config.path(path).read_text(encoding="utf8"))
        for path in find_data_files(session, config)
        if path.endswith(".json")
    ]
    return [
        Source(str(content.get("name", "data")), str(content.get("kind", "")), str(content["note"]))
        for content in contents
        if isinstance(content, dict) and "note" in content
    ]


def used_sources(session: Session, config: Config, inputs: Sequence[Input]) -> tuple[Source, ...]:
    """Return the sources that a session declares, and those of what it has read.

    Args:
        session: the session.
        config: the settings of the site.
        inputs: what the session has read so far.

    Raises:
        PageError: a file of the settings does not exist, or does not name a source.
    """
    observed_sources = [data_source.source for data_source in known_sources(config) if data_source.is_read_by(inputs)]
    return tuple(dict.fromkeys([*declared_sources(session, config), *observed_sources]))


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


def _read_source(config: Config, path: str) -> DataSource:
    try:
        content: Any = json.loads(config.path(path).read_text(encoding="utf8"))
        source = Source(str(content["name"]), str(content["kind"]), str(content["note"]))
        return DataSource(source, tuple(str(item).rstrip("/") for item in content["paths"]))
    except OSError as problem:
        origin = f"; {config.prepare} should have created it" if config.prepare else ""
        raise PageError(
            f"{config.source}:1: codeout: 'sources': cannot read {path}: {problem.strerror}{origin}"
        ) from None
    except (ValueError, KeyError, TypeError) as problem:
        form = '{"name": ..., "kind": ..., "note": ..., "paths": [...]}'
        raise PageError(f"{path}:1: not a data source, which looks like {form}: {problem!r}") from problem
