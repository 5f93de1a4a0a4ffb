"""The settings of a site, as written in `mkdocs.yml` under `markdown_extensions: - codeout:`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec

from codeout.errors import PageError, suggest

PAGE_NOTES = ("sentence", "run_line", "link")


class Config(msgspec.Struct, frozen=True):
    """How blocks run, and what their cache keys cover besides code.

    Paths are relative to `root`. A session pattern is the name of a session, in which `*` and `?` are wildcards.
    """

    root: Path = msgspec.field(default_factory=Path.cwd)
    """Folder that all other paths are relative to: where `mkdocs.yml` is."""

    source: str = "mkdocs.yml"
    """Path of the configuration file, for messages."""

    docs_dir: str = "docs"
    """Folder of the Markdown pages."""

    cache: str = ".codeout"
    """Folder of the build cache."""

    prelude: str = ""
    """Script that runs first in every session."""

    prepare: str = ""
    """Script that runs once before a build, with its output on the terminal; it downloads data, for instance."""

    paths: tuple[str, ...] = ()
    """Folders that blocks may import modules from."""

    workdir: str = "."
    """Folder in which blocks run, unless they name one of their own."""

    sandbox: bool = False
    """Whether the blocks of a session run in an empty folder of its own, which is removed with it."""

    links: tuple[str, ...] = ()
    """Folders that blocks find under the same name in the empty folder of a sandbox."""

    data: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """Session pattern → data files that those sessions depend on."""

    sources: tuple[str, ...] = ()
    """JSON files that say where data came from; pages show that below the output of each block that has read it."""

    packages: tuple[str, ...] = ()
    """Distributions that every cache key covers and every run line names."""

    variables: tuple[str, ...] = ()
    """Environment variables that blocks see and cache keys cover."""

    gpu: tuple[str, ...] = ()
    """Patterns of the sessions that use a GPU if there is one; these run one at a time."""

    exclusive: tuple[str, ...] = ()
    """Patterns of the sessions that measure time; nothing else runs at the same time."""

    recordings: str = "recordings"
    """Folder of runs from devices that this machine does not have."""

    require_recordings: tuple[str, ...] = ()
    """Patterns of the sessions that need a recording before the site may be published."""

    max_recording_age: float = 30.0
    """Days after which a recording of older code or older packages blocks publishing."""

    downloads: tuple[str, ...] = ()
    """Files that each page offers for download: "ipynb" (a notebook with outputs), "py" (a script) and "md"
    (Markdown with outputs)."""

    open_in: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Link text → URL where else a page can be opened; `{page}` and `{VARIABLE}` are filled in."""

    timeout: float = 600.0
    """Seconds that a block may take."""

    jobs: int = 0
    """Sessions that run at the same time; 0 means one per core."""

    checkpoints: bool = False
    """Whether to keep a checkpoint after each block, from which an edit resumes."""

    errors: Literal["raise", "show"] = "raise"
    """Whether a failing block stops the build or shows its traceback on the page."""

    page_notes: tuple[str, ...] = PAGE_NOTES
    """What pages say of their runs: a sentence under the title, a line under each output, a link to each block."""

    magics: bool = False
    """Whether IPython's magics (`%time`, `!ls`) and `get_ipython` work in blocks."""

    section_checks: bool = False
    """Whether the code between two sections of a snippet runs after the section above it, without being shown."""

    strict_values: bool = False
    """Whether `{name}` in the text of a page is an error if no block defines it."""

    @classmethod
    def from_options(cls, options: Mapping[str, Any], source: str = "mkdocs.yml") -> Config:
        """Return the settings that a mapping, usually read from YAML, describes.

        Args:
            options: setting → value.
            source: path of the file that they were read from, for messages.

        Raises:
            PageError: a setting does not exist, or its value is of the wrong kind.
        """
        values: dict[str, Any] = {}
        for name, value in options.items():
            if name not in _READERS:
                raise PageError(f"{source}:1: codeout: unknown setting {name!r}{suggest(str(name), _READERS)}")
            try:
                values[name] = _READERS[name](value)
            except ValueError as problem:
                raise PageError(f"{source}:1: codeout: {name!r} {problem}") from problem
        if values.get("links") and not values.get("sandbox"):
            raise PageError(f"{source}:1: codeout: 'links' needs `sandbox: true`; otherwise blocks see all folders")
        return cls(source=source, **values)

    def check_patterns(self, sessions: Iterable[str]) -> None:
        """Check that every session pattern matches a session of the site, so that a typo does not disable a setting.

        Args:
            sessions: the name of each session, empty if it has none; without any session, nothing is checked.

        Raises:
            PageError: a pattern matches none of them.
        """
        sessions = {*sessions}
        names = sorted(sessions - {""})
        for setting in ("data", "gpu", "exclusive", "require_recordings") if sessions else ():
            for pattern in getattr(self, setting):
                if not any(fnmatchcase(name, pattern) for name in sessions):
                    problem = f"{setting!r}: no session matches {pattern!r}"
                    raise PageError(f"{self.source}:1: codeout: {problem}{suggest(pattern, names)}")

    @property
    def memo(self) -> Path:
        """The folder of what makes a build quick and may be lost at any time."""
        return self.path(self.cache) / "memo"

    @property
    def home(self) -> Path:
        """The home folder of blocks: what libraries download and cache there lasts from build to build."""
        return self.memo / "home"

    def path(self, relative: str) -> Path:
        """Return the absolute path of one that is relative to the root."""
        return (self.root / relative).resolve()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {value!r}")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {value!r}")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ValueError(f"must be a non-negative number, not {value!r}")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"must be a non-negative integer, not {value!r}")
    return value


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"must be a list of names, not {value!r}")
    return tuple(value)


def _choice(value: object, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"must be {' or '.join(map(repr, choices))}, not {value!r}")
    return str(value)


def _choices(value: object, choices: tuple[str, ...]) -> tuple[str, ...]:
    names = _names(value)
    for name in names:
        if name not in choices:
            *others, last = map(repr, choices)
            raise ValueError(f"may contain {', '.join(others)} and {last}, not {name!r}")
    return names


def _files_by_pattern(value: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, Mapping):
        raise ValueError(f"must map session names to lists of files, not {value!r}")
    return {str(pattern): _names(files) for pattern, files in value.items()}


def _urls(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError(f"must map link texts to URLs, not {value!r}")
    for name in re.findall(r"{(.*?)}", " ".join(map(str, value.values()))):
        if not re.fullmatch("page|[A-Z][A-Z0-9_]*", name):
            raise ValueError(f"may contain {{page}} and {{VARIABLE}}, not {{{name}}}")
    return {str(text): str(url) for text, url in value.items()}


_READERS: Mapping[str, Callable[[Any], object]] = {
    "root": Path,
    "docs_dir": _text,
    "cache": _text,
    "prelude": _text,
    "prepare": _text,
    "paths": _names,
    "workdir": _text,
    "sandbox": _flag,
    "links": _names,
    "data": _files_by_pattern,
    "sources": _names,
    "packages": _names,
    "variables": _names,
    "gpu": _names,
    "exclusive": _names,
    "recordings": _text,
    "require_recordings": _names,
    "max_recording_age": _number,
    "downloads": partial(_choices, choices=("ipynb", "py", "md")),
    "open_in": _urls,
    "timeout": _number,
    "jobs": _count,
    "checkpoints": _flag,
    "page_notes": partial(_choices, choices=PAGE_NOTES),
    "magics": _flag,
    "section_checks": _flag,
    "strict_values": _flag,
    "errors": partial(_choice, choices=("raise", "show")),
}
"""Setting → function that checks its value and returns it typed, or raises a `ValueError` that completes a sentence."""
