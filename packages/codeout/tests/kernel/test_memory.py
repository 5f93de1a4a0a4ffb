"""The peak of a block's memory, in the line below its output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from bs4 import BeautifulSoup

from codeout import Run
from helpers import PROVENANCE, linux, renderer
from small_sites import convert, page

Runner = Callable[..., list[Run]]


@linux
def test_each_block_has_a_peak_of_its_own(run: Runner) -> None:
    first, second, third = run("1", "large = bytearray(200_000_000)\nlarge = None", "2")
    peaks = [each.provenance.memory for each in (first, second, third)]
    assert peaks[1] > peaks[0] + 150_000_000
    assert peaks[1] > peaks[2] + 150_000_000
    assert peaks[0] > 5_000_000


@linux
def test_a_page_says_how_much_memory_a_block_took(tmp_path: Path) -> None:
    html = convert(page(('source="above"', "large = bytearray(300_000_000)\nprint(1)")), tmp_path)
    facts = BeautifulSoup(html, "html.parser").select_one(".codeout-run pre")
    assert facts is not None
    (line,) = [line for line in facts.get_text().split("\n") if line.startswith("Memory: ")]
    assert 300 < int(line.removeprefix("Memory: ").removesuffix(" MB at most")) < 400


def test_what_is_not_known_is_not_said(run: Runner) -> None:
    (shown,) = run("print(1)")
    unknown = msgspec.structs.replace(shown, provenance=PROVENANCE)
    assert "emory" not in renderer().render_run(unknown, "a")
    on_gpu = msgspec.structs.replace(PROVENANCE, memory=1_500_000_000, gpu_memory=20_000_000)
    html = renderer().render_run(msgspec.structs.replace(shown, provenance=on_gpu), "a")
    assert "Memory: 1,500 MB at most\nGPU memory: 20 MB at most\n" in html


@pytest.mark.parametrize("memory", ["-1", "1e400", str(2**61), '"much"'])
def test_a_memory_that_cannot_be_is_refused(memory: str) -> None:
    text = msgspec.json.encode(PROVENANCE).decode().replace('"memory":0', f'"memory":{memory}')
    with pytest.raises(msgspec.ValidationError if memory != "1e400" else msgspec.DecodeError):
        msgspec.json.decode(text, type=type(PROVENANCE))
