"""What the workflows call: published runs, external links, environments with another PyTorch, proposals."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZipFile

import pytest

import links
import offline
import propose
import published
import versions
from codeout.publish.compat import read_result
from site_helpers import ROOT


class Handler(BaseHTTPRequestHandler):
    """Answers with the status that the path begins with."""

    def do_GET(self) -> None:
        code = int(self.path.strip("/").partition("/")[0] or 200)
        self.send_response(code)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def host() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def run_tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def zipped(**files: str) -> bytes:
    file = io.BytesIO()
    with ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return file.getvalue()


# ------------------------------------------------------------------------------------------------------ published runs


def test_published_runs_are_downloaded_and_unpacked(tmp_path: Path) -> None:
    (tmp_path / "cache" / "ab").mkdir(parents=True)
    name = f"ab{'0' * 38}-{'1' * 16}-{'2' * 16}.json"
    (tmp_path / "cache" / "ab" / name).write_text("{}")
    (tmp_path / "cache" / "memo").mkdir()
    (tmp_path / "cache" / "memo" / "layouts.json").write_text("[]")
    offline.write_zip(tmp_path / "cache", tmp_path / "runs.zip", patterns=("??", "images"))
    done = run_tool("published.py", tmp_path / "published", "--address", tmp_path.as_uri())
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "published").rglob("*.json")] == [name]


def test_where_nothing_is_published_the_folder_stays_empty(tmp_path: Path, host: str) -> None:
    done = run_tool("published.py", tmp_path / "published", "--address", f"{host}/404/")
    assert done.returncode == 0
    assert "nothing has been published yet" in done.stderr
    assert list((tmp_path / "published").iterdir()) == []


def test_a_site_that_does_not_answer_is_an_error(tmp_path: Path, host: str) -> None:
    for site in (f"{host}/500", "http://127.0.0.1:9", (tmp_path / "nowhere").as_uri(), "no address"):
        done = run_tool("published.py", tmp_path / "published", "--address", site)
        assert done.returncode == 1
        assert "runs.zip:1: " in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "name", ["../out.json", "/out.json", "ab/../../out.json", "ab\\..\\..\\out.json", "run.sh", "ab/" + "x" * 300]
)
def test_a_zip_with_anything_but_runs_and_pictures_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(published.UnusableRuns, match="unexpected file"):
        published.unpack(zipped(**{name: "x"}), tmp_path / "in" / "side")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_damaged_or_too_large_zip_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(published.UnusableRuns, match="not a zip"):
        published.unpack(b"not a zip", tmp_path)
    monkeypatch.setattr(published, "MAX_BYTES", 10)
    with pytest.raises(published.UnusableRuns, match="unpacks to more than 10 bytes"):
        published.unpack(zipped(a="x" * 100), tmp_path)


def test_zips_are_the_same_for_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "ab").mkdir(parents=True)
        for file in ("y", "x") if name == "one" else ("x", "y"):
            (tmp_path / name / "ab" / file).write_text(file)
        offline.write_zip(tmp_path / name, tmp_path / f"{name}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


# --------------------------------------------------------------------------------------------------------------- links


def test_a_link_that_is_gone_fails_and_one_that_cannot_be_checked_does_not(
    tmp_path: Path, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    addresses = [f"{host}/200/a#part", f"{host}/404/b", f"{host}/429/c", "http://127.0.0.1:9/d", "https://mine/e"]
    anchors = "".join(f'<a href="{url}">x</a>' for url in [*addresses, "local.html", "mailto:x@y"])
    (tmp_path / "page.html").write_text(anchors)
    pages = links.external_links(tmp_path)
    assert {*pages} == {url.partition("#")[0] for url in addresses}
    assert links.find_broken_links(pages, skip=["https://mine/"]) == [f"{host}/404/b"]
    printed = capsys.readouterr().out
    assert f"page.html:1: {host}/404/b: 404 Not Found\n" in printed
    assert f"{host}/429/c: 429 Too Many Requests (could not be checked)" in printed
    assert "4 addresses, 1 gone" in printed
    assert run_tool("links.py", tmp_path, "--skip", f"{host}/404", "https://mine/").returncode == 0


def test_a_missing_site_is_an_error(tmp_path: Path) -> None:
    done = run_tool("links.py", tmp_path)
    assert done.returncode == 1
    assert "no built site" in done.stderr


def test_external_links_of_the_site_are_found(site: Path) -> None:
    assert len(links.external_links(site)) > 20


# ------------------------------------------------------------------------------------------------- versions, proposals


@pytest.mark.parametrize(
    ("version", "torch"),
    [
        ("2.8.0", ["torch==2.8.0", "torchvision"]),
        ("oldest", [f"torch=={versions.OLDEST}", "torchvision"]),
        ("newest", ["torch", "torchvision"]),
        ("nightly", [*versions.NIGHTLY, "torch", "torchvision"]),
    ],
)
def test_an_environment_has_the_requirements_of_the_site_and_another_torch(version: str, torch: list[str]) -> None:
    requirements = versions.requirements(version)
    assert requirements[: len(torch)] == torch
    assert "mkdocs==1.6.1" in requirements
    assert requirements[requirements.index("-e") + 1] == "packages/codeout"
    assert not [each for each in requirements if each.startswith(("pytest", "torch==2.15", "torchvision=="))]


def test_the_oldest_version_runs_all_pages_and_the_one_before_it_does_not() -> None:
    results = [read_result(path) for path in (ROOT / "recordings" / "compat").glob("torch-[0-9]*.json")]
    by_version = {tuple(map(int, dict(result.packages)["torch"].split("."))): result for result in results}
    oldest = tuple(map(int, versions.OLDEST.split(".")))
    assert oldest in by_version
    unsupported = [result for version, result in by_version.items() if version < oldest]
    assert unsupported
    assert all(any(page.error for page in result.pages) for result in unsupported)
    supported = [result for version, result in by_version.items() if version >= oldest]
    assert not [page.error for result in supported for page in result.pages if page.error]


def test_an_issue_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.json").write_text(
        '{"packages": [["torch", "9"]], "pages": [{"error": "docs/a.md:1: `x`\\n~~~~\\n@all"}, {"error": ""}]}'
    )
    commands: list[tuple[str, ...]] = []

    def run(*command: str) -> str:
        commands.append(command)
        return "[]" if len(commands) == 1 else '[{"title": "Pages fail with torch 9"}]'

    monkeypatch.setattr(propose, "run", run)
    propose.open_issues(tmp_path)
    propose.open_issues(tmp_path)
    assert [command[2] for command in commands] == ["list", "create", "list"]
    assert commands[1][-1] == "~~~~~~~\ndocs/a.md:1: `x` ~~~~ @all\n~~~~~~~", "a fence that no error closes"
