"""CIFAR-10 and the weights of resnet18: from what is there, the real download, a mirror, or a placeholder, in this order.

    python snippets/support/data.py          fetch whatever is missing (a build does this first)
    python snippets/support/data.py --again  try again to get the real thing where a placeholder was made

    TUTORIAL_MIRROR=FOLDER-OR-URL    a copy to use where the real download can't be reached
    TUTORIAL_PLACEHOLDERS=forbid         stop rather than make a placeholder; for publishing
    TUTORIAL_PLACEHOLDERS=only           make placeholders at once; for trying things out

A mirror holds `manifest.json` (`{"note", "files": {name: md5}}`) and the `cifar-10-batches-py` that it describes, and
may hold `resnet18-f37072fd.pth`. What was used is written to `data/cifar10.json` and `data/resnet18.json`: the key
of every block that depends on it covers these files, and the page says what is in them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(os.environ.get("CODEOUT_ROOT") or Path(__file__).resolve().parents[2]) / "data"
BATCHES = "cifar-10-batches-py"
WEIGHTS = "resnet18-f37072fd.pth"  # the first eight digits of its SHA-256 are in its name
FILES = ("batches.meta", *(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
TIMEOUT = 20.0  # seconds without an answer after which a download is given up


class Missing(Exception):
    """One way of getting data did not work; the message is a line that says why."""


@dataclass(frozen=True)
class Source:
    """Where data came from. `files` are md5s, by name."""

    name: str
    kind: str  # "original", "mirror" or "placeholder"
    note: str
    files: Mapping[str, str]

    @property
    def placeholder(self) -> bool:
        """Whether it is not the real thing."""
        return self.kind == "placeholder"


# ------------------------------------------------------------------------------------------ what snippets call


def ready(name: str) -> str:
    """Make sure that a data set is there, and that torchvision takes it; return a line that says what it is.

    Args:
        name: `cifar10` or `resnet18`.

    Raises:
        SystemExit: it can't be had, and placeholders are forbidden.
    """
    source = prepare(name)
    if name == "cifar10":
        _accept(source)
    return f"{source.name} ({source.kind}): {source.note}"


def prepare(name: str, *, again: bool = False) -> Source:
    """Find or fetch a data set; return where it came from.

    Args:
        name: `cifar10` or `resnet18`.
        again: try to download what an earlier call has made a placeholder for. Without it a placeholder stays, so that
            a build without a network does not wait for one each time; only a mirror is asked.

    Raises:
        SystemExit: it can't be had, and placeholders are forbidden.
    """
    placeholders = os.environ.get("TUTORIAL_PLACEHOLDERS", "")
    if placeholders not in ("", "forbid", "only"):
        sys.exit(
            f"snippets/support/data.py:1: TUTORIAL_PLACEHOLDERS is 'forbid', 'only' or nothing, not {placeholders!r}"
        )
    found = _known(name)
    if found is not None and not (found.placeholder and _ways(found, placeholders, again)):
        return found
    with _lock():
        found = _known(name)  # another build may have fetched it while this one waited
        if found is not None and (not found.placeholder or placeholders == "only"):
            return found
        for way in _ways(found, placeholders, again):
            try:
                return _remember(name, _GET[name][way]())
            except Missing as problem:
                print(f"{name}: {way}: {problem}", file=sys.stderr)
    if found is None or placeholders == "forbid":
        sys.exit(
            f"snippets/support/data.py:1: no {name} but a placeholder, and TUTORIAL_PLACEHOLDERS=forbid rules that out"
        )
    return found


def _ways(found: Source | None, placeholders: str, again: bool) -> list[str]:
    """Return what to try, in order; `found` is a placeholder that an earlier call has made."""
    if placeholders == "only":
        return ["placeholder"]
    ways = ["mirror"] if _mirror() else []
    if found is None or again or placeholders == "forbid":
        ways.insert(0, "download")
    if found is None:
        ways.insert(0, "on disk")
        ways.append("placeholder")
    if placeholders == "forbid" and "placeholder" in ways:
        ways.remove("placeholder")
    return ways


# ------------------------------------------------------------------------------------------- what is there already


def _known(name: str) -> Source | None:
    """Return what an earlier call has written down, if its files are still those that it verified."""
    try:
        source = Source(**json.loads((ROOT / f"{name}.json").read_text(encoding="utf8")))
        seen = json.loads((ROOT / f".{name}-seen.json").read_text(encoding="utf8"))
    except (OSError, ValueError, TypeError):
        return None
    now = {file: _stamp(_folder(name) / file) for file in source.files}
    if now == seen:
        return source
    if None in now.values() or not _verified(name, source.files):
        return None
    return _remember(name, source)


def _there(name: str) -> Source:
    """Return the original if its files are there, whoever put them there."""
    files = _originals() if name == "cifar10" else {WEIGHTS: "sha256"}
    if name == "resnet18":
        usual = Path.home() / ".cache" / "torch" / "hub" / "checkpoints" / WEIGHTS
        if usual.is_file() and not (_folder(name) / WEIGHTS).exists():
            _folder(name).mkdir(parents=True, exist_ok=True)
            _copy(usual, _folder(name) / WEIGHTS)
    if not all((_folder(name) / file).is_file() for file in files):
        raise Missing("nothing is there yet")
    if not _verified(name, files):
        raise Missing(f"what is in {_folder(name)} is damaged or not the original; it is not used")
    return _original(name, files)


def _original(name: str, files: Mapping[str, str]) -> Source:
    known = {file: _md5(_folder(name) / file) for file in files}
    if name == "cifar10":
        return Source("CIFAR-10", "original", "the original files, md5 verified", known)
    return Source("resnet18", "original", "the published ImageNet weights, SHA-256 verified", known)


# --------------------------------------------------------------------------------------------- the real download


def _download_cifar10() -> Source:
    from torchvision.datasets import CIFAR10

    files = _originals()
    with _incoming() as folder:
        _guarded(lambda: CIFAR10(str(folder), download=True))
        _put(folder / BATCHES, _folder("cifar10"))
    return _original("cifar10", files)


def _download_resnet18() -> Source:
    from torch.hub import load_state_dict_from_url
    from torchvision.models import ResNet18_Weights

    url = ResNet18_Weights.DEFAULT.url
    with _incoming() as folder:
        _guarded(lambda: load_state_dict_from_url(url, model_dir=str(folder), check_hash=True))
        _put(folder / WEIGHTS, _folder("resnet18") / WEIGHTS)
    return _original("resnet18", {WEIGHTS: "sha256"})


def _guarded(download: Callable[[], object]) -> None:
    """Run a download; turn what the network can do to it into one line.

    Raises:
        Missing: with that line.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        download()
    except (OSError, RuntimeError, EOFError) as problem:  # RuntimeError: torchvision's word for a wrong checksum
        raise Missing(f"{type(problem).__name__}: {problem}".splitlines()[0]) from problem
    finally:
        socket.setdefaulttimeout(before)


# ----------------------------------------------------------------------------------------------------- a mirror


def _mirror_cifar10() -> Source:
    mirror = _mirror()
    try:
        manifest = json.loads(_fetch(mirror, "manifest.json"))
        files, note = {str(k): str(v) for k, v in manifest["files"].items()}, str(manifest["note"])
    except (ValueError, KeyError, AttributeError) as problem:
        raise Missing(f"{mirror}/manifest.json is not a manifest: {problem!r}") from problem
    wanted = set(FILES)
    if not wanted <= set(files) or any(Path(file).name != file for file in files):
        raise Missing(f"{mirror}/manifest.json does not list just {', '.join(sorted(wanted))}")
    with _incoming() as folder:
        for file, md5 in files.items():
            content = _fetch(mirror, f"{BATCHES}/{file}")
            if hashlib.md5(content).hexdigest() != md5:
                raise Missing(f"{mirror}/{BATCHES}/{file} is damaged: its md5 is not the manifest's")
            (folder / file).write_bytes(content)
        _put(folder, _folder("cifar10"))
    return Source("CIFAR-10", "mirror", note, files)


def _mirror_resnet18() -> Source:
    content = _fetch(_mirror(), WEIGHTS)
    with _incoming() as folder:
        (folder / WEIGHTS).write_bytes(content)
        if not hashlib.sha256(content).hexdigest().startswith(_promised()):
            raise Missing(f"{_mirror()}/{WEIGHTS} is damaged: its SHA-256 does not begin with {_promised()}")
        _put(folder / WEIGHTS, _folder("resnet18") / WEIGHTS)
    return _original("resnet18", {WEIGHTS: "sha256"})


def _mirror() -> str:
    return os.environ.get("TUTORIAL_MIRROR", "").rstrip("/")


def _fetch(mirror: str, path: str) -> bytes:
    try:
        if mirror.startswith(("http://", "https://")):
            import urllib.request  # here, since a build that has its data need not wait for it

            with urllib.request.urlopen(f"{mirror}/{path}", timeout=TIMEOUT) as answer:
                return bytes(answer.read())
        return (Path(mirror).expanduser() / path).read_bytes()
    except OSError as problem:
        raise Missing(f"{mirror}/{path}: {problem}".splitlines()[0]) from problem


# ----------------------------------------------------------------------------------------------------- a placeholder


def _placeholder_cifar10() -> Source:
    import placeholder

    with _incoming() as folder:
        placeholder.write_cifar10(folder)
        files = {path.name: _md5(path) for path in sorted(folder.iterdir())}
        _put(folder, _folder("cifar10"))
    return Source("CIFAR-10", "placeholder", placeholder.CIFAR10_NOTE, files)


def _placeholder_resnet18() -> Source:
    import placeholder

    with _incoming() as folder:
        placeholder.write_resnet18(folder / WEIGHTS)
        _put(folder / WEIGHTS, _folder("resnet18") / WEIGHTS)
    return Source("resnet18", "placeholder", placeholder.RESNET18_NOTE, {WEIGHTS: _md5(_folder("resnet18") / WEIGHTS)})


_GET: dict[str, dict[str, Callable[[], Source]]] = {
    "cifar10": {
        "on disk": lambda: _there("cifar10"),
        "download": _download_cifar10,
        "mirror": _mirror_cifar10,
        "placeholder": _placeholder_cifar10,
    },
    "resnet18": {
        "on disk": lambda: _there("resnet18"),
        "download": _download_resnet18,
        "mirror": _mirror_resnet18,
        "placeholder": _placeholder_resnet18,
    },
}


# ------------------------------------------------------------------------------------------------------- files


def _accept(source: Source) -> None:
    """Have torchvision take these files for CIFAR-10: it checks md5s, and those of a copy are not the original's."""
    from torchvision.datasets import CIFAR10

    CIFAR10.train_list = [[name, source.files[name]] for name, _ in CIFAR10.train_list]
    CIFAR10.test_list = [[name, source.files[name]] for name, _ in CIFAR10.test_list]
    CIFAR10.meta = {**CIFAR10.meta, "md5": source.files[CIFAR10.meta["filename"]]}


def _originals() -> dict[str, str]:
    """Return the md5s of the original files, as torchvision knows them."""
    from torchvision.datasets import CIFAR10

    known = {name: md5 for name, md5 in [*CIFAR10.train_list, *CIFAR10.test_list]}
    return known | {CIFAR10.meta["filename"]: CIFAR10.meta["md5"]}


def _folder(name: str) -> Path:
    return ROOT / BATCHES if name == "cifar10" else ROOT / "torch" / "hub" / "checkpoints"


def _promised() -> str:
    return WEIGHTS.rsplit("-", 1)[1].removesuffix(".pth")


def _verified(name: str, files: Mapping[str, str]) -> bool:
    if files.get(WEIGHTS) == "sha256":
        return hashlib.sha256((_folder(name) / WEIGHTS).read_bytes()).hexdigest().startswith(_promised())
    return all(_md5(_folder(name) / file) == md5 for file, md5 in files.items())


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _stamp(path: Path) -> list[int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def _remember(name: str, source: Source) -> Source:
    """Write down where data came from, for the keys and the pages, and which files were verified."""
    seen = {file: _stamp(_folder(name) / file) for file in source.files}
    for path, content in ((ROOT / f".{name}-seen.json", seen), (ROOT / f"{name}.json", asdict(source))):
        with _incoming() as folder:
            (folder / path.name).write_text(json.dumps(content, indent=1, sort_keys=True), encoding="utf8")
            os.replace(folder / path.name, path)
    return source


@contextmanager
def _incoming() -> Iterator[Path]:
    """Give a folder for what is not verified yet, on the disk where it will stay."""
    ROOT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=ROOT, prefix=".new-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put(new: Path, place: Path) -> None:
    """Move a file or folder into place; what stood there before, damaged or not, goes."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir():
        old = Path(tempfile.mkdtemp(dir=ROOT, prefix=".old-"))
        os.replace(place, old / place.name)
        shutil.rmtree(old)
    os.replace(new, place)


def _copy(file: Path, place: Path) -> None:
    with _incoming() as folder:
        shutil.copyfile(file, folder / place.name)
        os.replace(folder / place.name, place)


@contextmanager
def _lock() -> Iterator[None]:
    """Let one build at a time fetch data; the next finds it there."""
    from filelock import FileLock  # torch needs it, so it is there

    ROOT.mkdir(parents=True, exist_ok=True)
    with FileLock(ROOT / ".lock"):
        yield


if __name__ == "__main__":
    for each in _GET:
        prepare(each, again="--again" in sys.argv[1:])
