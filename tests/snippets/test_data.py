"""Where data comes from: the disk, a download, a mirror or a placeholder; and what is never used."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import shutil
import subprocess
import sys
import tarfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from torchvision.datasets import CIFAR10
from torchvision.models import ResNet18_Weights

import data
import data_files
from data_sets import Cifar10, Resnet18Weights
from site_helpers import ROOT

BATCHES = Cifar10.BATCHES


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty data folder, on a machine where every download is refused."""
    monkeypatch.setattr(data_files, "ROOT", tmp_path / "data")
    monkeypatch.delenv("TUTORIAL_MIRROR", raising=False)
    monkeypatch.delenv("TUTORIAL_PLACEHOLDERS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for proxy in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(urllib.request, "_opener", None)  # urllib remembers the proxies of its first request
    for name in ("train_list", "test_list", "meta", "url", "tgz_md5"):
        monkeypatch.setattr(CIFAR10, name, getattr(CIFAR10, name))
    return tmp_path / "data"


@pytest.fixture
def mirror(placeholders: Path, tmp_path: Path) -> Path:
    """Return a mirror of the placeholders, with a manifest of its md5s."""
    folder = tmp_path / "mirror"
    shutil.copytree(placeholders / "data" / BATCHES, folder / BATCHES)
    files = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in (folder / BATCHES).iterdir()}
    (folder / "manifest.json").write_text(json.dumps({"dataset": "CIFAR10", "note": "a copy", "files": files}))
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Serve `tmp_path` over HTTP."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def pretend_original(monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    """Have torchvision take files with these md5s for the original."""
    monkeypatch.setattr(CIFAR10, "train_list", [[name, files[name]] for name, _ in CIFAR10.train_list])
    monkeypatch.setattr(CIFAR10, "test_list", [[name, files[name]] for name, _ in CIFAR10.test_list])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": files["batches.meta"]})


def test_a_refused_download_gives_its_reason_in_one_line_and_a_placeholder_is_made(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = data.prepare("cifar10")
    lines = capsys.readouterr().err.strip().splitlines()
    assert (source.kind, source.is_placeholder) == ("placeholder", True)
    assert len([line for line in lines if line.startswith("cifar10: download: URLError")]) == 1
    assert json.loads((root / "cifar10.json").read_text())["kind"] == "placeholder"


def test_torchvision_reads_the_placeholder_as_it_reads_the_original(root: Path) -> None:
    assert data.ready("cifar10").is_placeholder
    picture, label = CIFAR10(str(root), train=False)[0]
    assert picture.size == (32, 32)
    assert 0 <= label < 10
    assert len(CIFAR10(str(root), train=True)) == 10_000


def test_a_placeholder_is_the_same_each_time(root: Path) -> None:
    first = data.prepare("cifar10").files
    shutil.rmtree(root)
    assert data.prepare("cifar10").files == first


def test_placeholder_weights_fit_the_network(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models import resnet18

    monkeypatch.setenv("TORCH_HOME", str(root / "torch"))
    assert data.ready("resnet18").kind == "placeholder"
    assert len(resnet18(weights=ResNet18_Weights.DEFAULT).state_dict()) == 122


def test_the_original_is_downloaded_by_torchvision(
    root: Path, server: str, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = mirror.parent / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(mirror / BATCHES, BATCHES)
    monkeypatch.setattr(CIFAR10, "url", f"{server}/{archive.name}")
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    pretend_original(monkeypatch, json.loads((mirror / "manifest.json").read_text())["files"])
    assert data.prepare("cifar10").kind == "original"
    assert not list(root.glob(".new-*"))
    shutil.rmtree(root / BATCHES)
    archive.write_bytes(archive.read_bytes()[:1000])
    assert data.prepare("cifar10").kind == "placeholder", "a download that ends early is not used"


def test_original_files_that_somebody_put_there_are_used(
    root: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(mirror / BATCHES, root / BATCHES)
    pretend_original(monkeypatch, json.loads((mirror / "manifest.json").read_text())["files"])
    assert data.prepare("cifar10").kind == "original"


def test_weights_in_the_cache_of_the_home_folder_are_used_if_they_are_the_original(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / ".cache" / "torch" / "hub" / "checkpoints" / Resnet18Weights.FILE
    shared.parent.mkdir(parents=True)
    shared.write_bytes(b"weights")
    assert data.prepare("resnet18").kind == "placeholder", "damaged"
    shutil.rmtree(root)
    digest = hashlib.sha256(b"weights").hexdigest()
    monkeypatch.setattr(Resnet18Weights, "SHA256_PREFIX", digest[:8])
    assert data.prepare("resnet18").kind == "original"
    assert (root / "torch" / "hub" / "checkpoints" / Resnet18Weights.FILE).read_bytes() == b"weights"


@pytest.mark.parametrize("over_http", [False, True], ids=["a folder", "a URL"])
def test_a_mirror_is_used_before_anything_is_downloaded(
    root: Path, mirror: Path, server: str, monkeypatch: pytest.MonkeyPatch, over_http: bool
) -> None:
    monkeypatch.setenv("TUTORIAL_MIRROR", f"{server}/mirror" if over_http else str(mirror))
    monkeypatch.setattr(Cifar10, "download", lambda _: pytest.fail("asked the network"))
    source = data.prepare("cifar10")
    assert (source.kind, source.note) == ("mirror", "a copy")
    assert data.ready("cifar10") == source
    assert len(CIFAR10(str(root), train=False)) == 2_000


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        pytest.param(lambda m: (m / BATCHES / "test_batch").write_bytes(b"x"), "is damaged", id="a damaged file"),
        pytest.param(lambda m: (m / BATCHES / "test_batch").unlink(), "No such file", id="a missing file"),
        pytest.param(lambda m: (m / "manifest.json").write_text("{}"), "is not a manifest", id="no manifest"),
        pytest.param(
            lambda m: (m / "manifest.json").write_text('{"note": "", "files": {"../x": "0"}}'),
            "must list batches.meta, data_batch_1",
            id="a path that climbs out",
        ),
    ],
)
def test_a_damaged_mirror_is_never_used(
    root: Path,
    mirror: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    harm: Callable[[Path], object],
    message: str,
) -> None:
    harm(mirror)
    monkeypatch.setenv("TUTORIAL_MIRROR", str(mirror))
    assert data.prepare("cifar10").kind == "placeholder"
    assert message in capsys.readouterr().err


def test_weights_of_a_mirror_must_be_the_original(
    root: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (mirror / Resnet18Weights.FILE).write_bytes(b"weights")
    monkeypatch.setenv("TUTORIAL_MIRROR", str(mirror))
    assert data.prepare("resnet18").kind == "placeholder"
    assert "its SHA-256 does not begin with f37072fd" in capsys.readouterr().err
    monkeypatch.setattr(Resnet18Weights, "SHA256_PREFIX", hashlib.sha256(b"weights").hexdigest()[:8])
    assert data.prepare("resnet18").kind == "original", "whichever host it came from"


def test_damaged_files_on_disk_are_replaced(root: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTORIAL_MIRROR", str(mirror))
    expected = data.prepare("cifar10").files["data_batch_3"]
    damaged = root / BATCHES / "data_batch_3"
    damaged.write_bytes(b"damaged")
    data.prepare("cifar10")
    assert hashlib.md5(damaged.read_bytes()).hexdigest() == expected


def test_verified_files_are_not_fetched_again(root: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTORIAL_MIRROR", str(mirror))
    data.prepare("cifar10")
    shutil.rmtree(mirror)
    assert data.prepare("cifar10").kind == "mirror"


def test_a_mirror_replaces_a_placeholder(root: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data.prepare("cifar10").kind == "placeholder"
    monkeypatch.setenv("TUTORIAL_MIRROR", str(mirror))
    assert data.prepare("cifar10").kind == "mirror"


def test_a_placeholder_stays_without_another_download_until_somebody_asks(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.prepare("cifar10")
    monkeypatch.setattr(Cifar10, "download", lambda _: pytest.fail("asked the network"))
    assert data.prepare("cifar10").kind == "placeholder"
    with pytest.raises(pytest.fail.Exception):
        data.prepare("cifar10", again=True)


def test_real_data_stays_where_placeholders_are_preferred(
    root: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUTORIAL_MIRROR", str(mirror))
    data.prepare("cifar10")
    monkeypatch.setenv("TUTORIAL_PLACEHOLDERS", "only")
    assert data.prepare("cifar10").kind == "mirror"


@pytest.mark.parametrize("made_before", [False, True])
def test_placeholders_can_be_forbidden(root: Path, monkeypatch: pytest.MonkeyPatch, made_before: bool) -> None:
    if made_before:
        data.prepare("cifar10")
    monkeypatch.setenv("TUTORIAL_PLACEHOLDERS", "forbid")
    with pytest.raises(SystemExit, match=r"^snippets/support/data\.py:1: no cifar10 but placeholder data"):
        data.prepare("cifar10")


def test_a_wrong_setting_names_the_choices(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTORIAL_PLACEHOLDERS", "never")
    with pytest.raises(SystemExit, match="must be forbid, only or empty, not 'never'"):
        data.prepare("cifar10")


def test_two_builds_at_once_end_with_whole_files(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "snippets", tmp_path / "snippets", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {"TUTORIAL_PLACEHOLDERS": "only", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    command = [sys.executable, "snippets/support/data.py"]
    builds = [subprocess.Popen(command, cwd=tmp_path, env=environment) for _ in range(3)]
    assert [build.wait(120) for build in builds] == [0, 0, 0]
    source = json.loads((tmp_path / "data" / "cifar10.json").read_text())
    for name, md5 in source["files"].items():
        assert hashlib.md5((tmp_path / "data" / BATCHES / name).read_bytes()).hexdigest() == md5
    assert not [path for path in (tmp_path / "data").iterdir() if path.name.startswith((".new-", ".old-"))]
