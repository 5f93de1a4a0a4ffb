"""Settings: what is accepted, and the message about what is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import fields

from codeout import Config, PageError
from codeout.errors import suggest


@pytest.mark.parametrize("setting", sorted({field.name for field in fields(Config)} - {"source"}))
def test_every_setting_is_checked(setting: str) -> None:
    with pytest.raises(PageError, match=f"^site.yml:1: codeout: '{setting}' must .*, not <object object"):
        Config.from_options({setting: object()}, "site.yml")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prelud": "x"}, "unknown setting 'prelud'; did you mean 'prelude'?"),
        ({"colour": "x"}, "unknown setting 'colour'; available: base, cache, checkpoints, data, docs_dir, downloads, "),
        ({"source": "x.yml"}, "unknown setting 'source'; "),
        ({"prelude": None}, "'prelude' must be a string, not None"),
        ({"root": None}, "'root' must be a path, not None"),
        ({"paths": "snippets"}, "'paths' must be a list of names, not 'snippets'"),
        ({"packages": [1]}, "'packages' must be a list of names, not [1]"),
        ({"page_notes": ["link", 1]}, "'page_notes' must be a list of names, not ['link', 1]"),
        ({"data": ["x"]}, "'data' must map session names to lists of files, not ['x']"),
        ({"data": {"s": "x"}}, "'data' must be a list of names, not 'x'"),
        ({"open_in": "Lab"}, "'open_in' must map link texts to URLs, not 'Lab'"),
        ({"open_in": {"Lab": 1}}, "'open_in' must be a string, not 1"),
        ({"open_in": {"Lab": "https://lab/{name}"}}, "'open_in' may contain {page} and {VARIABLE}, not {name}"),
        ({"downloads": ["ipynb", "pdf"]}, "'downloads' may contain 'ipynb', 'py' and 'md', not 'pdf'"),
        ({"page_notes": ["run"]}, "'page_notes' may contain 'sentence', 'run_line' and 'link', not 'run'"),
        ({"errors": "ignore"}, "'errors' must be 'raise' or 'show', not 'ignore'"),
        ({"errors": ["raise"]}, "'errors' must be 'raise' or 'show', not ['raise']"),
        ({"checkpoints": "yes"}, "'checkpoints' must be true or false, not 'yes'"),
        ({"timeout": "long"}, "'timeout' must be a non-negative number, not 'long'"),
        ({"timeout": float("nan")}, "'timeout' must be a non-negative number, not nan"),
        ({"max_recording_age": True}, "'max_recording_age' must be a non-negative number, not True"),
        ({"jobs": -1}, "'jobs' must be a non-negative integer, not -1"),
        ({"jobs": 1.5}, "'jobs' must be a non-negative integer, not 1.5"),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_names_the_choices(options: dict[str, object], message: str) -> None:
    with pytest.raises(PageError, match=f"^site.yml:1: codeout: {re.escape(message)}"):
        Config.from_options(options, "site.yml")


def test_settings_are_typed_and_keep_the_path_of_their_file() -> None:
    config = Config.from_options({"paths": ["a", "b"], "data": {1: ["d.csv"]}, "timeout": 2}, "site.yml")
    assert (config.paths, config.data, config.timeout) == (("a", "b"), {"1": ("d.csv",)}, 2)
    assert config.source == "site.yml"
    assert Config.from_options({}).source == "mkdocs.yml"


def test_paths_are_relative_to_the_root(tmp_path: Path) -> None:
    assert Config.from_options({"root": str(tmp_path)}).path("a/../b") == (tmp_path / "b").resolve()
    urls = {"Lab": "https://lab/{page}?v={VERSION_2}"}
    assert Config.from_options({"open_in": urls}).open_in == urls


@pytest.mark.parametrize("setting", ["data", "gpu", "exclusive", "require_recordings"])
def test_a_pattern_that_matches_no_session_is_an_error(setting: str) -> None:
    def check(*sessions: str) -> None:
        patterns = {"trian*": ["x"]} if setting == "data" else ["trian*"]
        Config.from_options({setting: patterns}, "site.yml").check_patterns(sessions)

    check("trians", "test")
    check()
    expected = f"site.yml:1: codeout: {setting!r}: no session matches 'trian*'; did you mean 'train'?"
    with pytest.raises(PageError, match=f"^{re.escape(expected)}$"):
        check("train", "test", "")


def test_a_name_like_no_choice_lists_all_choices() -> None:
    assert suggest("colour", ["b", "a"]) == "; available: a, b"
    assert suggest("colour", []) == "; available: none"
