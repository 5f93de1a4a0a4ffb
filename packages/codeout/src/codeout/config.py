"""The settings of a site, as written in `mkdocs.yml` under `markdown_extensions: - codeout:`."""

# Without `from __future__ import annotations`: `Config.from_options` looks at the types of the fields themselves.

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

import msgspec

from codeout.errors import PageError, suggest

Count = Annotated[int, msgspec.Meta(ge=0)]
Number = Annotated[float, msgspec.Meta(ge=0)]
FilesByPattern = Mapping[str, tuple[str, ...]]
UrlsByText = Mapping[str, str]
PageNote = Literal["sentence", "run_line", "link"]
PAGE_NOTES = get_args(PageNote)

_DESCRIPTIONS: Mapping[object, str] = {
    Path: "be a path",
    str: "be a string",
    bool: "be true or false",
    Count: "be a non-negative integer",
    Number: "be a non-negative number",
    FilesByPattern: "map session names to lists of files",
    UrlsByText: "map link texts to URLs",
}
"""Type of a setting → what a message says that its value must do."""


class Config(msgspec.Struct, frozen=True):
    """How blocks run, and what their cache keys cover besides code.

    The type of a field is the rule for the setting of that name. Paths are relative to `root`. A session pattern is the
    name of a session, in which `*` and `?` are wildcards.
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
    data: FilesByPattern = msgspec.field(default_factory=dict)
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
    max_recording_age: Number = 30.0
    """Days after which a recording of older code or older packages blocks publishing."""
    downloads: tuple[Literal["ipynb", "py", "md"], ...] = ()
    """Files that each page offers for download: "ipynb" (a notebook with outputs), "py" (a script) and "md"
    (Markdown with outputs)."""
    open_in: UrlsByText = msgspec.field(default_factory=dict)
    """Link text → URL where else a page can be opened; `{page}` and `{VARIABLE}` are filled in."""
    timeout: Number = 600.0
    """Seconds that a block may take."""
    jobs: Count = 0
    """Blocks that run at the same time, the cases of sweeps included; 0 means one per core."""
    checkpoints: bool = False
    """Whether to keep a checkpoint after each block, from which an edit resumes."""
    base: bool = True
    """Whether kernels are forks of processes that have imported what sessions begin with."""
    errors: Literal["raise", "show"] = "raise"
    """Whether a failing block stops the build or shows its traceback on the page."""
    page_notes: tuple[PageNote, ...] = PAGE_NOTES
    """What pages say of their runs: a sentence under the title, a line under each output, a link to each block."""
    magics: bool = False
    """Whether IPython's magics (`%time`, `!ls`) and `get_ipython` work in blocks."""
    section_checks: bool = False
    """Whether the code between two sections of a snippet runs after the section above it, without being shown."""
    strict_values: bool = False
    """Whether `{name}` in the text of a page is an error if no block defines it."""

    @classmethod
    def from_options(cls, options: Mapping[str, Any], source: str = "mkdocs.yml") -> Self:
        """Return the settings that a mapping, usually read from YAML, describes.

        Raises:
            PageError: a setting does not exist, or its value is of the wrong kind.
        """
        types = {name: kind for name, kind in cls.__annotations__.items() if name != "source"}
        try:
            for name in options.keys() - types.keys():
                raise ValueError(f"unknown setting {name!r}{suggest(str(name), types)}")
            return cls(source=source, **{name: _convert(name, value, types[name]) for name, value in options.items()})
        except ValueError as problem:
            raise PageError(f"{source}:1: codeout: {problem}") from problem

    def __post_init__(self) -> None:
        if self.links and not self.sandbox:
            raise ValueError("'links' needs `sandbox: true`; otherwise blocks see all folders")
        for name in re.findall(r"{(.*?)}", " ".join(self.open_in.values())):
            if not re.fullmatch("page|[A-Z][A-Z0-9_]*", name):
                raise ValueError(f"'open_in' may contain {{page}} and {{VARIABLE}}, not {{{name}}}")

    def check_patterns(self, sessions: Iterable[str]) -> None:
        """Check that every session pattern matches a session of the site, so that a typo does not disable a setting.

        Sessions without a name have an empty one; without any session, nothing is checked.

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


def _convert(name: str, value: object, kind: Any) -> Any:
    """Return the value of a setting in the type of its field, or raise a `ValueError` that says what it must be."""
    if get_origin(kind) is Mapping and isinstance(value, Mapping):
        # YAML reads some names as numbers: a session may be called 1.
        return {str(key): _convert(name, item, get_args(kind)[1]) for key, item in value.items()}
    try:
        return msgspec.convert(value, kind, dec_hook=lambda custom, plain: custom(plain))
    except msgspec.ValidationError as problem:
        raise ValueError(f"{name!r} {_describe(value, kind)}") from problem


def _describe(value: Any, kind: Any) -> str:
    """Return what is wrong with a value that does not have a type."""
    choices = get_args(kind)
    if get_origin(kind) is Literal:
        return f"must be {' or '.join(map(repr, choices))}, not {value!r}"
    if get_origin(kind) is not tuple:
        return f"must {_DESCRIPTIONS[kind]}, not {value!r}"
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        return f"must be a list of names, not {value!r}"
    *others, last = names = get_args(choices[0])
    wrong = next(item for item in value if item not in names)
    return f"may contain {', '.join(map(repr, others))} and {last!r}, not {wrong!r}"
