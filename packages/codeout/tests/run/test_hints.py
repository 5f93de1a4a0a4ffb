"""What to do about a failed block, where its cause is a difference from elsewhere: in the message and on the page."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from codeout import BlockError, Run
from helpers import block, posix

Runner = Callable[..., list[Run]]
MAGICS = "IPython's magics and shell commands need the setting `magics: true`"


@pytest.mark.parametrize(
    ("code", "settings", "hint"),
    [
        ("%matplotlib inline", {}, MAGICS),
        ("x = 1\n!ls", {}, MAGICS),
        ("files = !ls", {}, MAGICS),
        ("print?", {}, MAGICS),
        ("get_ipython()", {}, MAGICS),
        ("import mypkg.part", {}, "src/mypkg/__init__.py is there: add `src` to the setting `paths`"),
        ("import alone", {}, "docs/alone.py is there: add `docs` to the setting `paths`"),
        (
            "open('data.csv')",
            {},
            "docs/data.csv is there, but the block works in '.': set the option `workdir=\"docs\"`",
        ),
        (
            "open('docs/data.csv')",
            {"sandbox": True},
            'docs/data.csv is there, but the block works in an empty folder: set the option `workdir="."`',
        ),
        (
            "import os\nos.environ['MY_TOKEN']",
            {},
            "the build has the variable MY_TOKEN, but blocks do not see it: add it to the setting `variables`",
        ),
        (
            "import nowhere",
            {},
            "no package with the module nowhere is installed in the environment that builds the site",
        ),
        ("name = input()", {}, "a block has no one to answer `input()`: assign the answer instead"),
        (
            "print(df)",
            {},
            "docs/page.md:90 sets `df`, but not for this block: blocks see what those above them set only if they have",
        ),
    ],
)
def test_a_failed_block_says_what_to_do(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, settings: dict[str, object], hint: str
) -> None:
    monkeypatch.setenv("MY_TOKEN", "secret")
    for name in ("src/mypkg/__init__.py", "src/mypkg/part.py", "docs/alone.py", "docs/data.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "docs" / "page.md").write_text("# A page\n" + "\n" * 88 + "df = 1\n")
    with pytest.raises(BlockError) as caught:
        run(code, **settings)
    assert f"\nHint: {hint}" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "code",
    [
        "1 +",
        "x = 5 % y",
        "import os.nowhere",
        "raise EOFError",
        "df = df",
        "open('gone.csv')",
        "{}['MY_TOKEN']",
        "import os\nos.environ['NOT_SET']",
        "z",
    ],
)
def test_other_failures_have_no_hint(run: Runner, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setenv("MY_TOKEN", "secret")
    with pytest.raises(BlockError) as caught:
        run(code)
    assert "Hint" not in str(caught.value)


@posix
def test_a_pool_whose_workers_fail_shows_their_error_and_where_the_block_waits(run: Runner) -> None:
    code = "import multiprocessing as mp\ndef f(x): return x\n"
    code += "with mp.get_context('spawn').Pool(1) as pool: pool.map(f, [1])"
    with pytest.raises(BlockError) as caught:
        run(block(code, timeout=3.0))
    message = str(caught.value)
    assert "AttributeError: Can't get attribute 'f'" in message
    assert 'File "docs/page.md", line 4 in <module>' in message
    assert message.count("most recent call first") == 1
    assert "sitecustomize" not in message


def test_paths_of_the_machine_are_in_no_warning_and_no_traceback(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("import warnings\nwarnings.warn('odd')\ndef fail(): raise ValueError('x')\n")
    first, second = run("import helper", block("helper.fail()", line=11, raises="ValueError"), paths=["."])
    assert [o.text for o in first.outputs] == ["helper.py:2: UserWarning: odd\n  warnings.warn('odd')\n"]  # type: ignore[union-attr]
    assert 'File "helper.py", line 3' in second.error.traceback  # type: ignore[union-attr]
    assert str(tmp_path) not in f"{first}{second}"
    assert os.sep + "helper.py" not in f"{first}{second}".replace(f"{tmp_path}{os.sep}helper.py", "")
