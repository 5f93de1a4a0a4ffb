"""The settings of an engine, as they stand in `mkdocs.yml` under `markdown_extensions: - codeout:`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from codeout.errors import PageError


@dataclass(frozen=True, slots=True)
class Config:
    """How blocks are run, and what belongs to their key besides their code. Paths are relative to `root`."""

    root: Path = field(default_factory=Path.cwd)
    docs_dir: str = "docs"
    store: str = ".codeout"
    prelude: str = ""  # a script that runs first in every session
    prepare: str = ""  # a script that runs once before a build, on the terminal: fetches data
    paths: tuple[str, ...] = ()  # folders that blocks may import from, as `python snippets/x.py` would
    links: tuple[str, ...] = ()  # folders that blocks find in their scratch folder under the same name
    data: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # session pattern → data files it depends on
    packages: tuple[str, ...] = ()  # always in the key, and shown beside each output
    variables: tuple[str, ...] = ()  # environment variables that blocks see, and that are in the key
    gpu: tuple[str, ...] = ()  # patterns of sessions that use the GPU, where there is one: they take turns
    alone: tuple[str, ...] = ()  # patterns of sessions that measure time: nothing runs beside them
    recordings: str = "recordings"  # a folder of runs from devices that this machine does not have
    required: tuple[str, ...] = ()  # patterns of sessions that must have one before the site is published
    stale: float = 30.0  # days for which the recordings of a session may be of older code, or older packages
    downloads: tuple[str, ...] = ()  # of each page: "ipynb", a notebook with its outputs; "py", a script
    open_in: Mapping[str, str] = field(default_factory=dict)  # words → where else a page can be opened, a URL
    timeout: float = 600.0  # seconds a block may take
    jobs: int = 0  # sessions that run at once; 0: as many as there are cores
    checkpoints: bool = False  # keep a copy of each session's process after each block, to go on from at an edit
    errors: Literal["raise", "show"] = "raise"  # what a failing block does to the build

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Config:
        """Return the settings that a mapping (read from YAML) describes.

        Raises:
            PageError: an option that does not exist, or a value of the wrong kind.
        """
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(options) - known):
            raise PageError(f"mkdocs.yml:1: codeout has no option {unknown[0]!r}, but {', '.join(sorted(known))}")
        values = dict(options)
        for name in ("paths", "links", "packages", "variables", "gpu", "alone", "required", "downloads"):
            if name in values:
                values[name] = _strings(name, values[name])
        if "data" in values:
            if not isinstance(values["data"], Mapping):
                raise PageError("mkdocs.yml:1: codeout: 'data' takes a mapping of session names to lists of files")
            values["data"] = {str(k): _strings(f"data: {k}", v) for k, v in values["data"].items()}
        if "open_in" in values:
            values["open_in"] = _addresses(values["open_in"])
        if "root" in values:
            values["root"] = Path(values["root"])
        if wrong := sorted({*values.get("downloads", ())} - {"ipynb", "py"}):
            raise PageError(f"mkdocs.yml:1: codeout: 'downloads' are 'ipynb' and 'py', not {wrong[0]!r}")
        if values.get("errors", "raise") not in ("raise", "show"):
            raise PageError(f"mkdocs.yml:1: codeout: 'errors' is 'raise' or 'show', not {values['errors']!r}")
        for name in ("timeout", "jobs", "stale"):
            number = values.get(name, 0)
            if isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
                raise PageError(f"mkdocs.yml:1: codeout: {name!r} takes a number that is not negative, not {number!r}")
        return cls(**values)

    def named(self, sessions: Iterable[str]) -> None:
        """Check that what names sessions in the settings names some of the site's: a typo would turn it off.

        Args:
            sessions: the names of all of them.

        Raises:
            PageError: a pattern names none.
        """
        known = sorted({name for name in sessions if name})
        settings = {"data": self.data, "gpu": self.gpu, "alone": self.alone, "required": self.required}
        for setting, patterns in settings.items():
            for pattern in patterns if known else ():
                if not any(fnmatchcase(name, pattern) for name in known):
                    raise PageError(
                        f"mkdocs.yml:1: codeout: {setting!r} names {pattern!r}, and no session is called so, "
                        f"but {', '.join(known)}"
                    )

    def path(self, relative: str) -> Path:
        """Return the absolute path of one that is relative to the root."""
        return (self.root / relative).resolve()


def _strings(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise PageError(f"mkdocs.yml:1: codeout: {name!r} takes a list of names, not {value!r}")
    return tuple(value)


def _addresses(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise PageError(f"mkdocs.yml:1: codeout: 'open_in' takes a mapping of words to URLs, not {value!r}")
    for name in re.findall(r"{(.*?)}", " ".join(map(str, value.values()))):
        if not re.fullmatch("page|[A-Z][A-Z0-9_]*", name):
            raise PageError(f"mkdocs.yml:1: codeout: 'open_in' knows {{page}} and {{VARIABLE}}, not {{{name}}}")
    return {str(words): str(url) for words, url in value.items()}
