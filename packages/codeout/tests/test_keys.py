"""What makes a block stale, and what does not."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from codeout import Block, Config, PageError
from codeout.cache import environment as env
from codeout.cache.distributions import InstalledPackages
from codeout.cache.keys import Environment, File, Key, KeyInputs, Step, accumulate_inputs, describe_changes, normalize
from codeout.model.blocks import group_sessions
from helpers import block

HERE = Environment("3.11.7", "Linux x86_64", "CPU", (("torch", "2.15.0"),), ())


def keys_of_codes(*codes: str) -> list[Key]:
    return accumulate_keys([Step(code, (), (), HERE) for code in codes], [])


def accumulate_keys(steps: list[Step], session_files: list[File]) -> list[Key]:
    return [inputs.key for inputs in accumulate_inputs(steps, session_files)]


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        pytest.param("a = 1", "a = 5", [True, True, True], id="an edit reaches the blocks below"),
        pytest.param("a + 1", "a + 2", [False, True, True], id="and spares the blocks above"),
        pytest.param("a = 1", "a = 1   ", [False, False, False], id="trailing white space does not count"),
        pytest.param("'''x'''", "'''x  \n'''", [False, False, True], id="unless it is in a string"),
        pytest.param("a + 1", "a + 1  # why", [False, True, True], id="a comment may be shown by a warning"),
    ],
)
def test_an_edit_reruns_what_it_can_change(old: str, new: str, stale: list[bool]) -> None:
    codes = ["a = 1", "a + 1", "'''x'''"]
    pairs = zip(keys_of_codes(*codes), keys_of_codes(*(code.replace(old, new) for code in codes)), strict=True)
    assert [before != after for before, after in pairs] == stale


@pytest.mark.parametrize(
    "change",
    [
        {"python": "3.12.1"},
        {"device": "NVIDIA H100"},
        {"platform": "Darwin arm64"},
        {"packages": (("torch", "2.14.1"),)},
        {"variables": (("MODE", "fast"),)},
    ],
)
def test_another_environment_is_another_run_of_the_same_code(change: dict[str, object]) -> None:
    other = dataclasses.replace(HERE, **change)  # type: ignore[arg-type]
    key, other_key = keys_of_codes("a = 1")[0], accumulate_keys([Step("a = 1", (), (), other)], [])[0]
    assert key.code == other_key.code
    assert key.environment != other_key.environment


def test_files_of_the_session_and_modules_of_a_block_count() -> None:
    steps = [Step("a", (), (), HERE), Step("import m", (), (File("m.py", "1"),), HERE), Step("b", (), (), HERE)]
    changed = [steps[0], Step("import m", (), (File("m.py", "2"),), HERE), steps[2]]
    plain, edited = accumulate_keys(steps, []), accumulate_keys(changed, [])
    assert [one != other for one, other in zip(plain, edited, strict=True)] == [False, True, True]
    assert accumulate_keys(steps, [File("data.json", "1")])[0] != plain[0]


def test_code_that_is_not_valid_python_keeps_its_white_space() -> None:
    assert normalize("a = (  \n") == "a = (  \n"


def test_a_module_is_followed_to_the_modules_that_it_imports(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("import two\n")
    (tmp_path / "two.py").write_text("import json\n")
    (tmp_path / "other.py").write_text("")
    config = Config.from_options({"root": tmp_path, "paths": ["."]})
    assert [file.path for file in env.find_local_modules("from one import x", config)] == ["one.py", "two.py"]


def test_a_change_in_an_imported_module_reruns_from_the_block_that_imports_it(tmp_path: Path) -> None:
    config = Config.from_options({"root": tmp_path, "paths": ["."]})
    session = [block("a = 1"), block("import one"), block("b = 1")]
    (tmp_path / "one.py").write_text("x = 1\n")
    before = key_inputs_of(session, config)
    (tmp_path / "one.py").write_text("x = 2\n")
    after = key_inputs_of(session, config)
    assert [one != other for one, other in zip(before, after, strict=True)] == [False, True, True]


def test_prelude_data_and_variables_are_in_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prelude.py").write_text("seed = 0\n")
    (tmp_path / "d.csv").write_text("1\n")
    settings = {"root": tmp_path, "prelude": "prelude.py", "data": {"s*": ["d.csv"]}, "variables": ["MODE"]}
    distinct_keys = set()
    for change in (
        lambda: None,
        lambda: (tmp_path / "prelude.py").write_text("seed = 1\n"),
        lambda: (tmp_path / "d.csv").write_text("2\n"),
        lambda: monkeypatch.setenv("MODE", "x"),
        lambda: monkeypatch.setenv("TZ", "Asia/Tokyo"),
    ):
        change()
        distinct_keys.add(str(key_inputs_of([block("a")], Config.from_options(settings))[0].key))
    assert len(distinct_keys) == 5


def test_packages_are_those_that_the_code_can_load(tmp_path: Path) -> None:
    pillow_only = dict(
        env.read_environment(["import PIL.Image", "import sys, json"], Config.from_options({"root": tmp_path})).packages
    )
    assert {"pillow", "ipython"} <= set(pillow_only)
    with_matplotlib = dict(
        env.read_environment(["import matplotlib"], Config.from_options({"root": tmp_path})).packages
    )
    assert {"matplotlib", "numpy", "pillow"} <= set(with_matplotlib)
    assert not {"torch", "mkdocs", "requests"} & {*pillow_only, *with_matplotlib}


def test_reading_versions_imports_nothing(tmp_path: Path) -> None:
    loaded = set(sys.modules)
    env.read_environment(["import torch, matplotlib"], Config.from_options({"root": tmp_path}))
    assert not {name for name in set(sys.modules) - loaded if name.split(".")[0] in ("torch", "matplotlib")}


def test_a_missing_data_file_is_reported_with_the_block_that_needs_it(tmp_path: Path) -> None:
    config = Config.from_options({"root": tmp_path, "data": {"s": ["gone.json"]}})
    with pytest.raises(
        PageError, match=r"^docs/page\.md:1: session 's' depends on the data file gone\.json, which does not exist$"
    ):
        key_inputs_of([block("a")], config)


def test_a_data_file_can_declare_its_source(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text(json.dumps({"name": "D", "kind": "placeholder", "note": "drawn"}))
    (source,) = env.read_sources(
        group_sessions([block("a")])[0], Config.from_options({"root": tmp_path, "data": {"s": ["d.json"]}})
    )
    assert (source.name, source.note, source.is_placeholder) == ("D", "drawn", True)


def test_package_versions_are_read_again_after_an_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def install(version: str) -> None:
        folder = tmp_path / "site-packages" / f"thing-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: thing\nVersion: {version}\n")

    install("1.0")
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    installed = InstalledPackages(tmp_path / "packages.json")
    assert installed.versions(["thing"]) == {"thing": "1.0"}
    assert InstalledPackages(tmp_path / "packages.json").versions(["thing"]) == {"thing": "1.0"}
    (tmp_path / "site-packages" / "thing-1.0.dist-info").rename(tmp_path / "gone")
    install("2.0")
    assert installed.versions(["thing"]) == {"thing": "2.0"}
    assert InstalledPackages(tmp_path / "packages.json").versions(["thing"]) == {"thing": "2.0"}


def test_a_damaged_memo_of_packages_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "packages.json").write_text("[")
    assert "pillow" in InstalledPackages(tmp_path / "packages.json").versions(["PIL"])


def key_inputs_of(blocks: list[Block], config: Config) -> tuple[KeyInputs, ...]:
    (session,) = group_sessions(blocks)
    return env.add_keys(session, config).inputs


def last_inputs(*codes: str, files: dict[str, str] | None = None, **environment: object) -> KeyInputs:
    session_files = [File(path, digest) for path, digest in (files or {}).items()]
    other = dataclasses.replace(HERE, **environment)  # type: ignore[arg-type]
    return accumulate_inputs([Step(code, (), (), other) for code in codes], session_files)[-1]


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (last_inputs("a"), last_inputs("a"), []),
        (last_inputs("a", "b"), last_inputs("a", "c"), ["its own code changed"]),
        (last_inputs("a", "b", "c"), last_inputs("a", "x", "c"), ["block 2 above it changed"]),
        (last_inputs("a", "c"), last_inputs("a", "b", "c"), ["the blocks above it changed"]),
        (last_inputs("a"), last_inputs("a", packages=(("torch", "2.14.1"),)), ["torch 2.15.0 → 2.14.1"]),
        (last_inputs("a"), last_inputs("a", packages=()), ["torch 2.15.0 → none"]),
        (
            last_inputs("a"),
            last_inputs("a", device="NVIDIA H100", python="3.12"),
            ["python 3.11.7 → 3.12", "device CPU → NVIDIA H100"],
        ),
        (last_inputs("a"), last_inputs("a", variables=(("TZ", "UTC"),)), ["$TZ changed"]),
        (
            last_inputs("a", files={"figures.py": "1"}),
            last_inputs("a", files={"figures.py": "2"}),
            ["figures.py changed"],
        ),
    ],
)
def test_changes_of_key_inputs_are_described(old: KeyInputs, new: KeyInputs, changes: list[str]) -> None:
    assert describe_changes(old, new) == changes
    assert (old.key == new.key) == (changes == [])


def test_a_package_that_a_lower_block_imports_does_not_touch_those_above(tmp_path: Path) -> None:
    config = Config.from_options({"root": tmp_path})
    before = key_inputs_of([block("a = 1"), block("b = 1")], config)
    after = key_inputs_of([block("a = 1"), block("import PIL")], config)
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False]
