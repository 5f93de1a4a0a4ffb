"""What is stored carries a checksum: damage is a miss, and is never shown."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from codeout import Run, RunStore, Stream
from codeout.cache.files import read_sealed, write_sealed
from codeout.cache.keys import Key
from codeout.cache.layouts import LayoutCache
from helpers import PROVENANCE

KEY = Key("c" * 40, "e" * 16, "f" * 16)
RUN = Run(outputs=(Stream("stdout", "the output of the block\n"),), provenance=PROVENANCE)


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_byte_of_a_stored_run_is_a_miss_or_changes_nothing(tmp_path: Path, seed: int) -> None:
    store = RunStore(tmp_path)
    store.put(KEY, RUN)
    path = store.path_of(KEY)
    content = bytearray(path.read_bytes())
    chance = random.Random(seed)
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    assert store.get(KEY) in (None, RUN)


def test_a_flipped_letter_of_a_layout_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "layouts.json"
    layouts = LayoutCache.load(file, ())
    assert layouts.get({"code": "x"}, lambda: "<b>right</b>") == "<b>right</b>"
    layouts.save()
    assert LayoutCache.load(file, ()).get({"code": "x"}, lambda: "made anew") == "<b>right</b>"
    file.write_bytes(file.read_bytes().replace(b"right", b"wrong"))
    assert LayoutCache.load(file, ()).get({"code": "x"}, lambda: "made anew") == "made anew"


def test_layouts_are_made_anew_after_an_edit_of_a_site_s_own_extension(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site_extension.py").write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("site_extension")
    layouts = LayoutCache.load(tmp_path / "layouts.json", ())
    layouts.get({"code": "x"}, lambda: "old")
    layouts.save()
    (tmp_path / "site_extension.py").write_text("VALUE = 2\n")
    assert LayoutCache.load(tmp_path / "layouts.json", ()).get({"code": "x"}, lambda: "new") == "new"


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b'{"checksum": "0", "content": 1}', b"\xff", b"null"])
def test_what_is_no_sealed_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.json"):
        read_sealed(tmp_path / "x.json", msgspec.json.Decoder(int), 1_000_000)
    write_sealed(tmp_path / "x.json", b"7")
    assert read_sealed(tmp_path / "x.json", msgspec.json.Decoder(int), 1_000_000) == 7
