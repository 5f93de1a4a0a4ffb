"""A live server of sites with included files, docstrings and mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from helpers import posix
from servers import Server, until
from small_sites import fence, site_config, write_site

pytestmark = posix  # the server is stopped by Ctrl-C
ABOVE = 'source="above"'
README = f"# Project\n\n{fence('print(40 + 1)', ABOVE)}\n\n{fence('print(40 + 2)', ABOVE)}\n"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[dict[str, str]], Server]]:
    """Return what starts a server of a site; it is stopped when the test ends."""
    servers: list[Server] = []

    def start(files: dict[str, str]) -> Server:
        servers.append(Server(write_site(tmp_path, files)))
        return servers[-1]

    yield start
    for server in servers:
        with suppress(ProcessLookupError):
            server.close()


def wait_for_blocks(server: Server, count: int) -> dict[str, str]:
    """Return the HTML of each block, by its name, once this many have run."""
    html: dict[str, str] = {}
    with closing(server.events()) as events:
        for states in events:
            shown = {name: state.get("html", "") for name, state in states.items()}
            html |= {name: each for name, each in shown.items() if "codeout-block" in each}
            if len(html) >= count:
                return html
    raise AssertionError("the stream has ended")


def test_each_block_of_an_included_file_runs(serve: Callable[[dict[str, str]], Server]) -> None:
    server = serve({"mkdocs.yml": site_config(), "docs/index.md": '--8<-- "README.md"\n', "README.md": README})
    assert "codeout-block" in server.page("")
    html = wait_for_blocks(server, 2)
    assert sorted(html) == ["docs/index.md #1 1", "docs/index.md #2 1"]
    assert "<code>41</code>" in html["docs/index.md #1 1"]
    assert "<code>42</code>" in html["docs/index.md #2 1"]


def test_a_docstring_is_updated_in_the_session_of_its_page(serve: Callable[[dict[str, str]], Server]) -> None:
    block = fence("print('documented', x)").replace("\n", "\n    ")
    server = serve(
        {
            "mkdocs.yml": site_config("mkdocstrings: {handlers: {python: {paths: [src]}}}"),
            "docs/index.md": f"# API\n\n{fence('x = 5')}\n\n::: package.first\n",
            "src/package/__init__.py": f'"""Module."""\n\n\ndef first():\n    """First.\n\n    {block}\n    """\n',
        }
    )
    assert "codeout-block" in server.page("")
    assert "<code>documented 5</code>" in wait_for_blocks(server, 2)["docs/index.md a 2"]


def test_a_mistake_is_shown_as_the_page_and_an_edit_mends_it(
    serve: Callable[[dict[str, str]], Server], tmp_path: Path
) -> None:
    page = f"# Page\n\n{fence('print(7)', 'rasies=' + chr(34) + 'ValueError' + chr(34))}\n"
    server = serve({"mkdocs.yml": site_config(), "docs/index.md": page})
    assert "docs/index.md:3: unknown option &#x27;rasies&#x27;" in server.page("")
    write_site(tmp_path, {"docs/index.md": f"# Page\n\n{fence('print(7)')}\n"})
    until(lambda: "unknown option" not in server.page(""))
    assert "codeout-block" in server.page("")
