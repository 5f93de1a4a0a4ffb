"""What sites of others have shown: each was a page that another tool built as it should be."""

from __future__ import annotations

import re
from pathlib import Path

from helpers import linux
from small_sites import article_text, build, codeout, fence, page_html, site_config, write_site

HTML = 'html="1"'
CFFI = """import sys


class Lib:
    __slots__ = ()


sys.modules["binding.lib"] = Lib()
import colorsys
print("loaded")"""


def test_something_among_the_modules_may_be_no_module(tmp_path: Path) -> None:
    page = f"# Page\n\n{fence(CFFI)}\n"
    done = build(write_site(tmp_path, {"mkdocs.yml": site_config(), "docs/index.md": page}))
    assert done.returncode == 0, done.stderr
    assert "loaded" in article_text(tmp_path)


def test_ids_of_printed_headings_are_the_same_in_a_cold_and_a_warm_build(tmp_path: Path) -> None:
    printed = '```md exec="on" source="tabbed-left"\n## Second\n```\n'
    pages = {f"docs/{name}.md": f"# Page\n\n{fence('print(1)')}\n\n{printed}" for name in ("index", "z")}
    write_site(tmp_path, {"mkdocs.yml": site_config(), **pages})
    ids = []
    for _ in range(3):
        assert build(tmp_path).returncode == 0
        ids.append(re.findall(r'id="(exec-\d+--second)"', page_html(tmp_path, "z")))
    assert ids == [["exec-4--second"]] * 3, "the fourth executed fence of the site, as in markdown-exec"


def test_the_site_s_folder_is_in_a_variable_that_makes_nothing_stale(tmp_path: Path) -> None:
    code = "import os\nprint(os.listdir(os.environ['MKDOCS_CONFIG_DIR'] + '/docs'))"
    config = site_config(codeout="variables: [MKDOCS_CONFIG_DIR]")
    write_site(tmp_path, {"mkdocs.yml": config, "docs/index.md": f"# Page\n\n{fence(code)}\n"})
    assert build(tmp_path, "--strict").returncode == 0
    assert "['index.md']" in article_text(tmp_path)
    assert codeout(tmp_path, "why") == "0 of 1 blocks are stale\n"


def test_every_session_that_has_run_has_a_timing(tmp_path: Path) -> None:
    pages = {f"docs/{name}.md": f"# Page\n\n{fence('print(1)')}\n" for name in ("index", "a", "b")}
    write_site(tmp_path, {"mkdocs.yml": site_config(), **pages})
    assert build(tmp_path).returncode == 0
    assert "unknown" not in codeout(tmp_path, "status")


def test_a_site_with_a_failed_block_is_not_ready(tmp_path: Path) -> None:
    page = "\n\n".join(["# Page", fence("print(1)"), fence("1 / 0"), fence("print(3)")])
    write_site(tmp_path, {"mkdocs.yml": site_config(codeout="errors: show"), "docs/index.md": page + "\n"})
    assert build(tmp_path).returncode == 0
    assert "raised an unexpected ZeroDivisionError" in codeout(tmp_path, "ready", status=1)
    assert codeout(tmp_path, "why") == "0 of 3 blocks are stale\n"


def test_a_command_neither_builds_nor_runs_the_projects_of_a_site(tmp_path: Path) -> None:
    project = {"mkdocs.yml": site_config(), "docs/index.md": f"# One\n\n{fence('print(1)')}\n"}
    write_site(tmp_path / "projects" / "one", project)
    write_site(tmp_path, {"mkdocs.yml": site_config("projects"), "docs/index.md": f"# Page\n\n{fence('print(2)')}\n"})
    assert "1 of 1 blocks are stale" in codeout(tmp_path, "status")
    assert not (tmp_path / "site").exists()
    assert not (tmp_path / "projects" / "one" / ".codeout").exists()


def test_a_warning_is_no_part_of_html_that_a_block_prints(tmp_path: Path) -> None:
    code = "import warnings\nwarnings.warn('<script>alert(1)</script>')\nprint('<b>bold</b>')"
    page = f"# Page\n\n{fence(code, HTML)}\n"
    write_site(tmp_path, {"mkdocs.yml": site_config(), "docs/index.md": page})
    assert build(tmp_path).returncode == 0
    html = (tmp_path / "site/index.html").read_text(encoding="utf8")
    assert "<b>bold</b>" in html
    assert "alert(1)" not in html


@linux
def test_blocks_without_a_session_share_what_they_import(tmp_path: Path) -> None:
    modules = {"heavy.py": "import os, time\ntime.sleep(0.3)\nPROCESS = os.getpid()\n"}
    code = "import heavy\nimport os\nprint('ahead' if heavy.PROCESS != os.getpid() else 'here')"
    opening = '```python exec="on"'
    pages = {
        f"docs/{name}.md": f"# {name}\n\n" + "".join(f"{opening}\n{code}\n# {number}\n```\n\n" for number in range(10))
        for name in ("index", "other")
    }
    write_site(tmp_path, {"mkdocs.yml": site_config(codeout="paths: [.]"), **modules, **pages})
    assert build(tmp_path, "--strict").returncode == 0
    first, other = (re.findall(r"\b(ahead|here)\b", article_text(tmp_path, name)) for name in ("", "other"))
    # The first block of all may begin before it is known that more will follow.
    assert first[1:] == ["ahead"] * 9
    assert other == ["ahead"] * 10
