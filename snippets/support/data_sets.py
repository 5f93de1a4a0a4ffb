"""CIFAR-10 and the weights of resnet18: how to find, download or copy each, and how to make a placeholder for it."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import data_files
from data_files import md5, move_into_place, sha256, temporary_folder

TIMEOUT = 20.0  # seconds without an answer, after which a download is given up


class Unavailable(Exception):
    """A data set cannot be had from one origin; the message says why in one line."""


@dataclass(frozen=True)
class Source:
    """Where a data set came from."""

    name: str
    """As pages show it."""
    kind: str
    """`original`, `mirror` or `placeholder`."""
    note: str
    """What the files hold."""
    files: Mapping[str, str]
    """The MD5 of each file, by name."""

    @property
    def is_placeholder(self) -> bool:
        """Whether the data was generated because the real data could not be downloaded."""
        return self.kind == "placeholder"


class DataSet(Protocol):
    """A data set, and the four origins it may come from."""

    @property
    def folder(self) -> Path:
        """The folder of its files."""

    def find(self) -> Source:
        """Verify the original files on disk, whoever put them there."""

    def download(self) -> Source:
        """Download the original."""

    def copy_from_mirror(self) -> Source:
        """Copy the files of the mirror."""

    def make_placeholder(self) -> Source:
        """Generate placeholder data."""


class Cifar10:
    """60,000 small photographs of ten classes."""

    BATCHES = "cifar-10-batches-py"
    FILES = ("batches.meta", *(f"data_batch_{number}" for number in range(1, 6)), "test_batch")

    @property
    def folder(self) -> Path:
        """The folder that torchvision reads."""
        return data_files.ROOT / self.BATCHES

    def find(self) -> Source:
        """Verify the files on disk against the MD5s that torchvision knows."""
        md5s = self._original_md5s()
        _require_files(self.folder, md5s)
        if any(md5(self.folder / name) != digest for name, digest in md5s.items()):
            raise Unavailable(f"the files in {self.folder} are damaged or not the original; they are not used")
        return Source("CIFAR-10", "original", "the original files, md5 verified", md5s)

    def download(self) -> Source:
        """Download and verify the archive with torchvision."""
        from torchvision.datasets import CIFAR10

        with temporary_folder() as folder:
            _download(lambda: CIFAR10(str(folder), download=True))
            move_into_place(folder / self.BATCHES, self.folder)
        return self.find()

    def copy_from_mirror(self) -> Source:
        """Copy the files that the mirror's manifest lists, and verify them against it."""
        try:
            manifest = json.loads(_read_mirror("manifest.json"))
            note, md5s = str(manifest["note"]), {str(name): str(value) for name, value in manifest["files"].items()}
        except (ValueError, KeyError, AttributeError) as problem:
            raise Unavailable(f"{mirror()}/manifest.json is not a manifest: {problem!r}") from problem
        if not {*self.FILES} <= {*md5s} or any(Path(name).name != name for name in md5s):
            raise Unavailable(f"{mirror()}/manifest.json must list {', '.join(self.FILES)}, without folders")
        with temporary_folder() as folder:
            for name, digest in md5s.items():
                (folder / name).write_bytes(_read_mirror(f"{self.BATCHES}/{name}"))
                if md5(folder / name) != digest:
                    raise Unavailable(f"{mirror()}/{self.BATCHES}/{name} is damaged: its md5 is not the manifest's")
            move_into_place(folder, self.folder)
        return Source("CIFAR-10", "mirror", note, md5s)

    def make_placeholder(self) -> Source:
        """Generate striped images in the same layout."""
        import placeholder

        with temporary_folder() as folder:
            placeholder.write_cifar10(folder)
            md5s = {path.name: md5(path) for path in sorted(folder.iterdir())}
            move_into_place(folder, self.folder)
        return Source("CIFAR-10", "placeholder", placeholder.CIFAR10_NOTE, md5s)

    @staticmethod
    def accept(source: Source, data_set: Any) -> None:
        """Tell the class of torchvision the MD5s of these files, because it accepts only those of the original."""
        data_set.train_list = [[name, source.files[name]] for name, _ in data_set.train_list]
        data_set.test_list = [[name, source.files[name]] for name, _ in data_set.test_list]
        data_set.meta = {**data_set.meta, "md5": source.files[data_set.meta["filename"]]}

    @staticmethod
    def _original_md5s() -> dict[str, str]:
        from torchvision.datasets import CIFAR10

        batches = {name: digest for name, digest in [*CIFAR10.train_list, *CIFAR10.test_list]}  # noqa: C416 (lists)
        return batches | {CIFAR10.meta["filename"]: CIFAR10.meta["md5"]}


class Resnet18Weights:
    """The weights of resnet18, trained on ImageNet."""

    FILE = "resnet18-f37072fd.pth"
    SHA256_PREFIX = "f37072fd"  # PyTorch puts it in the name

    @property
    def folder(self) -> Path:
        """The folder that `torch.hub` reads; the prelude sets TORCH_HOME."""
        return data_files.ROOT / "torch" / "hub" / "checkpoints"

    def find(self) -> Source:
        """Verify the file on disk, or the copy that other projects left in the home folder."""
        shared = Path.home() / ".cache" / "torch" / "hub" / "checkpoints" / self.FILE
        if shared.is_file() and not (self.folder / self.FILE).exists():
            with temporary_folder() as folder:
                move_into_place(Path(shutil.copyfile(shared, folder / self.FILE)), self.folder / self.FILE)
        _require_files(self.folder, [self.FILE])
        if not self._is_original(self.folder / self.FILE):
            raise Unavailable(f"{self.folder / self.FILE} is damaged or not the original; it is not used")
        note = "the published ImageNet weights, SHA-256 verified"
        return Source("resnet18", "original", note, {self.FILE: md5(self.folder / self.FILE)})

    def download(self) -> Source:
        """Download and verify the file with `torch.hub`."""
        from torch.hub import load_state_dict_from_url
        from torchvision.models import ResNet18_Weights

        with temporary_folder() as folder:
            url = ResNet18_Weights.DEFAULT.url
            _download(lambda: load_state_dict_from_url(url, model_dir=str(folder), check_hash=True))
            move_into_place(folder / self.FILE, self.folder / self.FILE)
        return self.find()

    def copy_from_mirror(self) -> Source:
        """Copy the file of the mirror, which must be the original."""
        with temporary_folder() as folder:
            (folder / self.FILE).write_bytes(_read_mirror(self.FILE))
            if not self._is_original(folder / self.FILE):
                problem = f"its SHA-256 does not begin with {self.SHA256_PREFIX}"
                raise Unavailable(f"{mirror()}/{self.FILE} is damaged: {problem}")
            move_into_place(folder / self.FILE, self.folder / self.FILE)
        return self.find()

    def make_placeholder(self) -> Source:
        """Write random weights."""
        import placeholder

        with temporary_folder() as folder:
            placeholder.write_resnet18(folder / self.FILE)
            move_into_place(folder / self.FILE, self.folder / self.FILE)
        files = {self.FILE: md5(self.folder / self.FILE)}
        return Source("resnet18", "placeholder", placeholder.RESNET18_NOTE, files)

    def _is_original(self, path: Path) -> bool:
        return sha256(path).startswith(self.SHA256_PREFIX)


def mirror() -> str:
    """Return the folder or URL of the mirror; empty if there is none."""
    return os.environ.get("TUTORIAL_MIRROR", "").rstrip("/")


def _read_mirror(path: str) -> bytes:
    try:
        if not mirror().startswith(("http://", "https://")):
            return (Path(mirror()).expanduser() / path).read_bytes()
        import urllib.request  # on use: a build that has its data does not wait for the import

        with urllib.request.urlopen(f"{mirror()}/{path}", timeout=TIMEOUT) as answer:  # noqa: S310 (http or https)
            return bytes(answer.read())
    except OSError as problem:
        raise Unavailable(f"{mirror()}/{path}: {problem}".splitlines()[0]) from problem


def _download(download: Callable[[], object]) -> None:
    """Run a download with a time limit; turn a network error into one line."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        download()
    except (OSError, RuntimeError, EOFError) as problem:  # torchvision raises RuntimeError for a wrong checksum
        raise Unavailable(f"{type(problem).__name__}: {problem}".splitlines()[0]) from problem
    finally:
        socket.setdefaulttimeout(before)


def _require_files(folder: Path, names: Mapping[str, str] | list[str]) -> None:
    if not all((folder / name).is_file() for name in names):
        raise Unavailable("no files yet")
