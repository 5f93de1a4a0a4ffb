"""Whatever is edited, in whatever order, what is shown equals a clean build."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from codeout import Block, Config, Engine
from codeout.observe.audit import VARIABLE
from helpers import block

STEPS = int(os.environ.get("CODEOUT_STEPS", "50"))  # of each of the four walks; 5,000 in all: CODEOUT_STEPS=1250
LINES = (
    "import helper; print(helper.value())",
    "import importlib; print(importlib.import_module('other').X)",
    "exec(open(root + '/lib/other.py').read()); print(X)",
    "print(open(root + '/data.csv').read())",
    "print(os.path.exists(root + '/flag'))",
    "print(sorted(os.listdir(root + '/folder')))",
    "n += 1; print(n)",
    "n = n * 2",
    "print(os.environ.get('MODE'))",
    "print(random.random())",
    "try:\n    import extra; print(extra.X)\nexcept ImportError:\n    print('no extra')",
    "import subprocess; print(subprocess.run(['cat', root + '/data.csv'], capture_output=True).returncode)",
)
START = "import os, random\nrandom.seed(0)\nroot = os.environ['CODEOUT_ROOT']\nn = 0"


class Site:
    """A small site that is edited at random."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.root, self.chance = root, chance
        self.codes = [START, *(self.code() for _ in range(3))]
        self.variables = {"MODE": "0"}
        self.write("lib/helper.py", "import other\ndef value(): return (other.X, 0)")
        self.write("lib/other.py", "X = 0")
        self.write("data.csv", "0")
        self.write("folder/first", "")

    def code(self) -> str:
        return "\n".join(self.chance.choice(LINES) for _ in range(self.chance.randrange(1, 3)))

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def toggle(self, path: str, text: str = "") -> None:
        if (self.root / path).exists():
            (self.root / path).unlink()
        else:
            self.write(path, text)

    def edit(self) -> str:
        """Change something; return what."""
        number = self.chance.randrange(10)  # of one digit, so that sizes stay the same
        edits = {
            "code": lambda: self.codes.__setitem__(self.chance.randrange(1, len(self.codes)), self.code()),
            "helper": lambda: self.write("lib/helper.py", f"import other\ndef value(): return (other.X, {number})"),
            "other": lambda: self.write("lib/other.py", f"X = {number}"),
            "data": lambda: self.write("data.csv", str(number)),
            "flag": lambda: self.toggle("flag"),
            "folder": lambda: self.toggle(f"folder/{number}"),
            "extra": lambda: self.toggle("lib/extra.py", "X = 1"),
            "variable": lambda: self.variables.update(MODE=str(number)),
        }
        name = self.chance.choice(sorted(edits))
        edits[name]()
        return name

    def blocks(self) -> list[Block]:
        return [block(code, line=10 * number) for number, code in enumerate(self.codes, start=1)]


@pytest.fixture
def engines() -> Iterator[list[Engine]]:
    opened: list[Engine] = []
    yield opened
    for engine in opened:
        engine.close()


@pytest.mark.parametrize("seed", range(4))  # the last two where no supervisor can be
def test_what_is_shown_equals_a_clean_build_after_every_edit(
    tmp_path: Path, seed: int, engines: list[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    if seed >= 2:
        monkeypatch.setenv(VARIABLE, "1")
    site = Site(tmp_path / "site", chance)
    settings = {"root": site.root, "paths": ["lib"], "variables": ["MODE"]}
    served: Engine | None = None
    history: list[str] = []
    for _ in range(STEPS):
        history.append(site.edit())
        monkeypatch.setenv("MODE", site.variables["MODE"])
        if served is None or chance.random() < 0.3:  # start anew, serving with checkpoints or building
            is_served = chance.random() < 0.6
            if served is not None:
                served.close()
            served = Engine(Config.from_options({**settings, "checkpoints": is_served}))
            engines.append(served)
        shown = [run.outputs for run in served.run(site.blocks())]
        clean = Engine(Config.from_options({**settings, "cache": "../clean"}))
        engines.append(clean)
        assert shown == [run.outputs for run in clean.run(site.blocks())], history
        clean.close()
        for path in (tmp_path / "clean").glob("??/*.json"):
            path.unlink()
