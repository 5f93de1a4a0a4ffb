"""Where the data of an output came from: what a session has read, or the settings declare."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codeout import Config, Engine, PageError, Run, Source
from helpers import block

SOURCE = {"name": "D", "kind": "placeholder", "note": "drawn", "paths": ["data/d", "data/one.txt"]}


def run(tmp_path: Path, *codes: str, **settings: object) -> list[Run]:
    config = Config.from_options(
        {"root": tmp_path, "sandbox": True, "links": ["data"], "sources": ["data/d.json"], **settings}
    )
    engine = Engine(config)
    try:
        return engine.run([block(code) for code in codes])
    finally:
        engine.close()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "data" / "d" / "deep").mkdir(parents=True)
    for path in ("d/deep/x.txt", "one.txt", "d-other.txt"):
        (tmp_path / "data" / path).write_text("content")
    (tmp_path / "data" / "d.json").write_text(json.dumps(SOURCE))
    return tmp_path


def names(runs: list[Run]) -> list[list[str]]:
    return [[source.name for source in run.provenance.sources] for run in runs]


@pytest.mark.parametrize("path", ["data/d/deep/x.txt", "data/one.txt"])
def test_a_block_that_reads_data_names_its_source_and_so_do_those_below(site: Path, path: str) -> None:
    runs = run(site, "x = 1", f"text = open('{path}').read()", "print(text)")
    assert names(runs) == [[], ["D"], ["D"]]
    assert runs[1].provenance.sources == (Source("D", "placeholder", "drawn"),)


def test_a_session_that_reads_other_files_names_none(site: Path) -> None:
    assert names(run(site, "open('data/d-other.txt').read()")) == [[]]


def test_a_session_that_declares_a_source_names_it_before_it_reads_anything(site: Path) -> None:
    assert names(run(site, "x = 1", data={"s": ["data/d.json"]})) == [["D"]]


def test_a_source_that_is_declared_and_read_is_named_once(site: Path) -> None:
    assert names(run(site, "open('data/one.txt').read()", data={"s": ["data/d.json"]})) == [["D"]]


def test_a_missing_file_of_the_settings_is_an_error(site: Path) -> None:
    with pytest.raises(PageError, match=r"^mkdocs.yml:1: codeout: 'sources': cannot read data/gone.json: No such file"):
        run(site, "1", sources=["data/gone.json"])


@pytest.mark.parametrize("content", ["[]", "{", '{"name": "D"}', '{"name": 1, "kind": 2, "note": 3, "paths": 4}'])
def test_a_file_that_names_no_source_is_an_error(site: Path, content: str) -> None:
    (site / "data" / "d.json").write_text(content)
    with pytest.raises(PageError, match=r"^data/d.json:1: not a data source, which looks like"):
        run(site, "1")
