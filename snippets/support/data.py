"""CIFAR-10 and the weights of resnet18, from the first origin that works: disk, mirror, download, placeholder.

    python snippets/support/data.py          fetch what is missing (a build does this first)
    python snippets/support/data.py --again  retry the download of what is a placeholder

    TUTORIAL_MIRROR=FOLDER-OR-URL            a copy to ask before the original is downloaded
    TUTORIAL_PLACEHOLDERS=forbid             stop instead of making placeholder data; for publishing
    TUTORIAL_PLACEHOLDERS=only               make placeholder data at once, for a quick try

A mirror has a `manifest.json` (`{"note", "files": {name: md5}}`) and the folder `cifar-10-batches-py` that it lists; it
may have `resnet18-f37072fd.pth`. `data/cifar10.json` and `data/resnet18.json` say what is used: pages show that
under each output of a block that has read the files, or comes after one that has.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

import data_files
from data_files import lock, md5, stamps, write_json
from data_sets import Cifar10, DataSet, Resnet18Weights, Source, Unavailable, mirror

DATA_SETS: Mapping[str, DataSet] = {"cifar10": Cifar10(), "resnet18": Resnet18Weights()}
FETCH: Mapping[str, Callable[[DataSet], Source]] = {
    "on disk": lambda data_set: data_set.find(),
    "download": lambda data_set: data_set.download(),
    "mirror": lambda data_set: data_set.copy_from_mirror(),
    "placeholder": lambda data_set: data_set.make_placeholder(),
}


BEGUN = {"mirror": "copying from TUTORIAL_MIRROR", "download": "downloading", "placeholder": "making placeholder data"}
"""What the terminal says before an origin that takes time."""


def ready(name: str) -> Source:
    """Make a data set available to torchvision, and return where it came from.

    Args:
        name: `cifar10` or `resnet18`.

    Raises:
        SystemExit: there is only placeholder data, which is forbidden.
    """
    source = prepare(name)
    if name == "cifar10":
        from torchvision.datasets import CIFAR10

        Cifar10.accept(source, CIFAR10)
    return source


def accept_when_loaded() -> None:
    """Have torchvision accept the files of CIFAR-10 on this machine once it is loaded, wherever they are from."""
    sys.meta_path.insert(0, _AcceptingFinder())


class _AcceptingFinder:
    """Finds one module of torchvision, which it changes when it has been executed."""

    MODULE = "torchvision.datasets.cifar"

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != self.MODULE:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        loader = spec.loader if spec else None
        if loader is not None:
            execute = loader.exec_module

            def execute_and_accept(module: ModuleType) -> None:
                execute(module)
                if source := _stored("cifar10"):
                    Cifar10.accept(source, module.CIFAR10)

            loader.exec_module = execute_and_accept  # type: ignore[method-assign]
        return spec


def prepare(name: str, *, again: bool = False) -> Source:
    """Find or fetch a data set, and return where it came from.

    Args:
        name: `cifar10` or `resnet18`.
        again: retry the download of what is a placeholder. Otherwise only a mirror is asked for it, so that a build
            without a network does not wait for one each time.

    Raises:
        SystemExit: there is only placeholder data, which is forbidden.
    """
    placeholders = os.environ.get("TUTORIAL_PLACEHOLDERS", "")
    if placeholders not in ("", "forbid", "only"):
        sys.exit(
            f"snippets/support/data.py:1: TUTORIAL_PLACEHOLDERS must be forbid, only or empty, not {placeholders!r}"
        )
    stored = _stored(name)
    if stored and not _origins(stored, placeholders, again):
        return stored
    with lock():
        stored = _stored(name)  # another process may have fetched it meanwhile
        for origin in _origins(stored, placeholders, again):
            if origin in BEGUN:
                _tell(f"{name}: {BEGUN[origin]} ...")
            try:
                source = _store(name, FETCH[origin](DATA_SETS[name]))
            except Unavailable as problem:
                _tell(f"{name}: {origin}: {problem}")
            else:
                _tell(f"{name}: using the {source.kind}: {source.note}")
                return source
    if stored is None or (stored.is_placeholder and placeholders == "forbid"):
        sys.exit(
            f"snippets/support/data.py:1: no {name} but placeholder data, which TUTORIAL_PLACEHOLDERS=forbid rules out"
        )
    return stored


def _origins(stored: Source | None, placeholders: str, again: bool) -> list[str]:
    """Return the origins to try, in order; none if what is stored will do."""
    if stored and (placeholders == "only" or not stored.is_placeholder):
        return []
    if placeholders == "only":
        return ["placeholder"]
    mirrors = ["mirror"] if mirror() else []
    if stored:
        return [*mirrors, "download"] if again or placeholders == "forbid" else mirrors
    return ["on disk", *mirrors, "download", *([] if placeholders == "forbid" else ["placeholder"])]


def _stored(name: str) -> Source | None:
    """Return what an earlier call has stored, if its files are still those that it verified."""
    try:
        content = json.loads((data_files.ROOT / f"{name}.json").read_text(encoding="utf8"))
        paths = content.pop("paths", None)
        source = Source(**content)
        if "CODEOUT_ROOT" in os.environ:  # in a block: verified before the build, and stamps are of one machine only
            return None if None in stamps(DATA_SETS[name].folder, source.files).values() else source
        verified = json.loads((data_files.ROOT / f".{name}-verified.json").read_text(encoding="utf8"))
    except (OSError, ValueError, TypeError):
        return None
    folder = DATA_SETS[name].folder
    current = stamps(folder, source.files)
    if current == verified and paths == _paths(name, source):
        return source
    if None in current.values() or any(md5(folder / file) != digest for file, digest in source.files.items()):
        return None
    return _store(name, source)


def _store(name: str, source: Source) -> Source:
    """Write down where a data set came from, and which files were verified."""
    write_json(data_files.ROOT / f".{name}-verified.json", stamps(DATA_SETS[name].folder, source.files))
    write_json(data_files.ROOT / f"{name}.json", {**asdict(source), "paths": _paths(name, source)})
    return source


def _paths(name: str, source: Source) -> list[str]:
    """Return the files of a data set, as codeout observes them to be read."""
    folder = DATA_SETS[name].folder.relative_to(data_files.ROOT.parent)
    return [(folder / file).as_posix() for file in source.files]


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    for each in DATA_SETS:
        prepare(each, again="--again" in sys.argv[1:])
