"""What to do about a failed block, where its cause is a difference from other ways to run the code."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from codeout.cache.keys import KEY_VARIABLES
from codeout.config import Config
from codeout.model.blocks import Block
from codeout.model.outputs import Error

MAX_FILES = 20_000
"""How many files of a project are looked at for one with a missing name."""
SKIPPED_FOLDERS = {"node_modules", "site", "venv", "__pycache__"}
MAGICS_HINT = "IPython's magics and shell commands need the setting `magics: true`; or leave this line out"


def find_hint(error: Error, block: Block, config: Config) -> str:
    """Return a sentence that says what to do about an exception; empty if there is nothing to say."""
    if error.is_a("SyntaxError"):
        return _syntax_hint(error, block, config)
    if error.is_a("ModuleNotFoundError"):
        return _module_hint(error, config)
    if error.is_a("FileNotFoundError"):
        return _file_hint(error, block, config)
    if error.is_a("KeyError"):
        return _variable_hint(error, config)
    if error.is_a("NameError"):
        return _name_hint(error, block, config)
    if error.is_a("EOFError") and "input(" in block.code:
        return "a block has no one to answer `input()`: assign the answer instead"
    return ""


def _name_hint(error: Error, block: Block, config: Config) -> str:
    match = re.search(r"name '(\w+)' is not defined", error.message)
    if match is None:
        return ""
    name = match[1]
    if name == "get_ipython":
        return "" if config.magics else MAGICS_HINT
    binds = re.compile(
        rf"^\s*(?:{name}\b[^=\n]*=(?!=)|(?:import|from)\b[^#\n]*\b{name}\b|(?:def|class) {name}\b|for {name} in )"
    )
    own = range(block.origin.line, block.origin.line + len(block.code.split("\n")))
    for path in dict.fromkeys((block.place.path, block.origin.path)):
        try:
            lines = (config.root / path).read_text(encoding="utf8").split("\n")
        except (OSError, UnicodeDecodeError):
            continue
        for number, line in enumerate(lines, start=1):
            if binds.match(line) and not (path == block.origin.path and number in own):
                return (
                    f"{path}:{number} sets `{name}`, but not for this block: blocks see what those above them set "
                    'only if they have the same `session="NAME"`'
                )
    return ""


def _syntax_hint(error: Error, block: Block, config: Config) -> str:
    lines = block.code.split("\n")
    number = (error.line or 0) - block.origin.line
    line = lines[number].strip() if 0 <= number < len(lines) else ""
    is_magic = line.startswith(("%", "!", "?")) or line.endswith("?") or re.match(r"[\w, ]+=\s*[%!]", line)
    return MAGICS_HINT if is_magic and not config.magics else ""


def _module_hint(error: Error, config: Config) -> str:
    match = re.search(r"No module named '([\w.]+)'", error.message)
    name = match[1].partition(".")[0] if match else ""
    for path in _files(config) if name else ():
        is_module = path.name == f"{name}.py" or (path.parent.name == name and path.name == "__init__.py")
        if is_module:
            folder = path.parent if path.name == f"{name}.py" else path.parent.parent
            return f"{path.as_posix()} is there: add `{folder.as_posix()}` to the setting `paths`"
    is_known = not name or "." in (match[1] if match else "") or name in sys.stdlib_module_names
    return "" if is_known else f"no package with the module {name} is installed in the environment that builds the site"


def _file_hint(error: Error, block: Block, config: Config) -> str:
    match = re.search(r"No such file or directory: '([^'\0]+)'", error.message)
    if not match or match[1].startswith("/"):
        return ""
    wanted = PurePosixPath(match[1].replace("\\", "/"))
    parts = [part for part in wanted.parts if part not in (".", "..")]
    same = (path for path in _files(config) if list(path.parts[-len(parts) :]) == parts)
    if not parts or (found := next(same, None)) is None:
        return ""
    folder = PurePosixPath(*found.parts[: -len(parts)]).as_posix()
    here = "in an empty folder" if config.sandbox and not block.workdir else f"in {block.workdir or config.workdir!r}"
    return f'{found.as_posix()} is there, but the block works {here}: set the option `workdir="{folder}"`'


def _variable_hint(error: Error, config: Config) -> str:
    name = error.message.strip("'\"")
    is_hidden = name in os.environ and name not in (*config.variables, *KEY_VARIABLES)
    if not is_hidden or not ("<frozen os>" in error.traceback or "os.py" in error.traceback):
        return ""
    return f"the build has the variable {name}, but blocks do not see it: add it to the setting `variables`"


def _files(config: Config) -> Iterator[PurePosixPath]:
    """Yield the files of the project, relative to its folder, those in the upper folders first."""
    root, folders, count = config.root.resolve(), [""], 0
    cache = config.path(config.cache)
    while folders:
        folder = folders.pop(0)
        try:
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                is_skipped = entry.name.startswith(".") or entry.name in SKIPPED_FOLDERS or Path(entry.path) == cache
                folders += [] if is_skipped else [path]
            else:
                count += 1
                yield PurePosixPath(path)
        if count > MAX_FILES:
            return
