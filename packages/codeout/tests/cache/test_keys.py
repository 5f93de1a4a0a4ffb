"""What makes a block stale, and what does not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from codeout import Block, Config, PageError
from codeout.cache import environment as env
from codeout.cache.distributions import InstalledPackages
from codeout.cache.environment import declared_sources
from codeout.cache.input_reader import InputReader
from codeout.cache.keys import (
    Environment,
    File,
    Key,
    KeyedCode,
    KeyInputs,
    accumulate_inputs,
    describe_changes,
    normalize,
)
from codeout.model.blocks import group_sessions
from helpers import block

TORCH = (("torch", "2.15.0"),)
HERE = Environment(python="3.11.7", platform="Linux x86_64", device="CPU", packages=TORCH, variables=())


def keys_of_codes(*codes: str) -> list[Key]:
    return accumulate_keys([KeyedCode(code, ()) for code in codes])


def accumulate_keys(
    steps: list[KeyedCode],
    environment: Environment = HERE,
    session: str = "docs/a.md s",
    settings: tuple[str, ...] = (),
) -> list[Key]:
    return [inputs.key for inputs in accumulate_inputs(steps, environment, session, settings, [])]


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
    other = replace(HERE, **change)
    key, other_key = keys_of_codes("a = 1")[0], accumulate_keys([KeyedCode("a = 1", ())], other)[0]
    assert key.code == other_key.code
    assert key.environment != other_key.environment


def test_the_session_and_the_settings_that_blocks_notice_count() -> None:
    steps = [KeyedCode("a = 1", ())]
    keys = {
        accumulate_keys(steps)[0],
        accumulate_keys(steps, session="docs/b.md s")[0],
        accumulate_keys(steps, session="docs/a.md t")[0],
        accumulate_keys(steps, settings=("links=('data',)",))[0],
    }
    assert len({key.code for key in keys}) == 4


def test_code_that_is_not_valid_python_keeps_its_white_space() -> None:
    assert normalize("a = (  \n") == "a = (  \n"


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


def test_reading_versions_imports_nothing(tmp_path: Path) -> None:
    loaded = set(sys.modules)
    config = Config.from_options({"root": tmp_path, "packages": ["torch", "matplotlib", "not-installed"]})
    versions = dict(env.read_environment(config, InputReader(config).packages).packages)
    assert versions["matplotlib"]
    assert "not-installed" not in versions
    assert not {name for name in set(sys.modules) - loaded if name.split(".")[0] in ("torch", "matplotlib")}


def test_a_missing_data_file_is_reported_with_the_block_that_needs_it(tmp_path: Path) -> None:
    config = Config.from_options({"root": tmp_path, "data": {"s": ["gone.json"]}})
    with pytest.raises(
        PageError, match=r"^docs/page\.md:1: session 's' depends on the data file gone\.json, which does not exist$"
    ):
        key_inputs_of([block("a")], config)


def test_a_data_file_can_declare_its_source(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text(json.dumps({"name": "D", "kind": "placeholder", "note": "drawn"}))
    config = Config.from_options({"root": tmp_path, "data": {"s": ["d.json"]}})
    (source,) = declared_sources(group_sessions([block("a")])[0], config)
    assert (source.name, source.note, source.is_placeholder) == ("D", "drawn", True)


def installed_packages(folder: Path) -> InstalledPackages:
    installed = InstalledPackages(folder / "packages.json")
    installed.refresh()
    return installed


def test_package_versions_are_read_again_after_an_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def install(version: str) -> None:
        folder = tmp_path / "site-packages" / f"thing-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: thing\nVersion: {version}\n")
        (folder / "RECORD").write_text(f"thing/__init__.py,sha256={version},1\n{folder.name}/RECORD,,\n")

    install("1.0")
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    installed = installed_packages(tmp_path)
    assert installed.version("Thing") == "1.0"
    assert installed_packages(tmp_path).owners("thing") == ["thing"]
    (tmp_path / "site-packages" / "thing-1.0.dist-info").rename(tmp_path / "gone")
    install("2.0")
    installed.refresh()
    assert installed.version("thing") == "2.0"
    assert installed_packages(tmp_path).version("thing") == "2.0"


def test_a_damaged_memo_of_packages_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "packages.json").write_text("[")
    assert installed_packages(tmp_path).owners("PIL") == ["pillow"]


def key_inputs_of(blocks: list[Block], config: Config) -> tuple[KeyInputs, ...]:
    (session,) = group_sessions(blocks)
    return env.add_keys(session, config, InputReader(config)).inputs


def last_inputs(*codes: str, files: dict[str, str] | None = None, **environment: object) -> KeyInputs:
    session_files = [File(path, digest) for path, digest in (files or {}).items()]
    other = replace(HERE, **environment)
    return accumulate_inputs([KeyedCode(code, ()) for code in codes], other, "docs/a.md s", (), session_files)[-1]


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
