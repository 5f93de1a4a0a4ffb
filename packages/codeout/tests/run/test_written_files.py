"""Files that blocks write into the project: an edit runs what a full run would, and a second build runs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from codeout import Block, Config, Engine, Run
from helpers import block, linux, printed_text

RESUMED = {
    "a folder that is removed and created": (
        "import os, shutil\nshutil.rmtree('data', ignore_errors=True)",
        "os.makedirs('data/run'); print('{word}', len(os.listdir('data')))",
    ),
    "a file that is removed and created": (
        "import os\nfrom pathlib import Path\nPath('x').unlink(missing_ok=True)",
        "open('x', 'x').write('1'); print('{word}', os.path.getsize('x'))",
    ),
    "a folder that is emptied and filled": (
        "import os\nos.makedirs('d', exist_ok=True)\nfor name in os.listdir('d'): os.remove('d/' + name)",
        "open('d/{word}', 'w').close(); print(os.listdir('d'))",
    ),
    "a file that is written and renamed": (
        "import os\nopen('a', 'w').write('1');",
        "os.rename('a', 'b'); print('{word}', os.path.exists('a'), open('b').read())",
    ),
    "a file that is written and removed": (
        "import os\nopen('a', 'w').write('1');",
        "os.remove('a'); print('{word}', os.path.exists('a'))",
    ),
    "a file that is written twice": (
        "open('a', 'w').write('first');",
        "print('{word}', open('a').read()); open('a', 'w').write('second');",
    ),
}


def blocks(*codes: str) -> list[Block]:
    return [block(code, line=1 + 20 * number) for number, code in enumerate(codes)]


def texts(runs: list[Run]) -> list[str]:
    errors = [run.error.traceback for run in runs if run.error]
    assert not errors, errors
    return [printed_text(run) for run in runs]


@linux
@pytest.mark.parametrize("name", RESUMED)
def test_an_edit_shows_what_a_full_run_in_the_same_folder_shows(name: str, tmp_path: Path) -> None:
    first, second = RESUMED[name]
    (tmp_path / "edited").mkdir()
    (tmp_path / "clean").mkdir()
    engine = Engine(Config.from_options({"root": tmp_path / "edited", "checkpoints": True, "errors": "show"}))
    for word in ("one", "two", "three"):
        codes = first, second.format(word=word)
        clean = Engine(Config.from_options({"root": tmp_path / "clean", "errors": "show"}))
        assert texts(engine.run(blocks(*codes))) == texts(clean.run(blocks(*codes)))
    engine.close()


LEFT = {
    "a path that was not there": "print(os.path.exists('data/x.txt'))",
    "a folder whose names were listed": "print(os.listdir('data'))",
    "a folder that was searched": "import glob\nprint(glob.glob('data/*'))",
    "a file whose size was asked for": "print(os.path.getsize('old.txt'))",
    "a file that was read": "print(open('old.txt').read())",
    "a file that is removed": "print(open('gone.txt').read())",
    "a file that could not be opened": "try: open('data/x.txt')\nexcept OSError: print('none')",
}
WRITE = "open('data/x.txt', 'w').write('1'); open('old.txt', 'w').write('longer'); os.remove('gone.txt');"


@pytest.mark.parametrize("name", LEFT)
def test_what_a_later_block_of_the_session_changes_is_no_change_from_outside(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "old.txt").write_text("old")
    (tmp_path / "gone.txt").write_text("gone")
    codes = "import os", LEFT[name], WRITE
    config = Config.from_options({"root": tmp_path})
    first = texts(Engine(config).run(blocks(*codes)))
    caplog.set_level("INFO")
    caplog.clear()
    assert texts(Engine(config).run(blocks(*codes))) == first
    assert "running" not in caplog.text, "the second build runs nothing"


@pytest.mark.parametrize(
    ("look", "path"), [("print(open('old.txt').read())", "old.txt"), ("print(os.listdir('data'))", "data/new.txt")]
)
def test_a_change_from_outside_reruns_what_a_later_block_has_changed_as_well(
    look: str, path: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "old.txt").write_text("old")
    codes = "import os", look, "open('data/x.txt', 'w').write('1'); open('old.txt', 'w').write('longer');"
    config = Config.from_options({"root": tmp_path})
    Engine(config).run(blocks(*codes))
    (tmp_path / path).write_text("from outside")
    caplog.set_level("INFO")
    Engine(config).run(blocks(*codes))
    assert "running" in caplog.text
