"""Commands see the site that its generator builds, however it is configured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from small_sites import build, codeout, fence, site_config, write_site

PAGE = f"# Page\n\n{fence('print(7)')}\n"
FAILS = f"# Page\n\n{fence('1 / 0')}\n"


def states(project: Path, *arguments: str, cwd: Path | None = None) -> dict[str, str]:
    """Return the state of each block by its place, as `codeout status` shows it."""
    rows = json.loads(codeout(cwd or project, *arguments, "status", "--json"))["blocks"]
    return {row["block"]: row["state"] for row in rows}


def built(project: Path, *arguments: str, **options: str) -> str:
    """Build a site, which must succeed; return its log."""
    done = build(project, *arguments, **options)
    assert done.returncode == 0, done.stderr
    return done.stderr


SNIPPET_PAGE = '# Page\n\n```python exec="on" source="above"\n--8<-- "part.py"\n```\n'
SITES: dict[str, tuple[dict[str, str], str]] = {
    "INHERIT": ({"mkdocs.yml": "INHERIT: base.yml\nsite_name: Child\n", "base.yml": site_config()}, "docs/index.md:3"),
    "INHERIT in a folder": (
        {"mkdocs.yml": "INHERIT: parts/base.yml\nsite_name: Child\n", "parts/base.yml": site_config()},
        "docs/index.md:3",
    ),
    "mappings that INHERIT": (
        {
            "mkdocs.yml": "INHERIT: base.yml\nmarkdown_extensions:\n  codeout: {cache: .other}\n",
            "base.yml": "site_name: A\nplugins: {codeout: {}, markdown-exec: {languages: [python]}}\n"
            "markdown_extensions: {pymdownx.superfences: {}, codeout: {timeout: 9}}\n",
        },
        "docs/index.md:3",
    ),
    "!ENV": (
        {
            "mkdocs.yml": site_config(
                codeout="timeout: !ENV [NO_SUCH_VARIABLE, 30]", rest="site_url: !ENV [X_URL, '']\n"
            )
        },
        "docs/index.md:3",
    ),
    "!relative": (
        {
            "mkdocs.yml": site_config(snippets="[!relative ]"),
            "docs/index.md": SNIPPET_PAGE,
            "docs/part.py": "print(7)\n",
        },
        "docs/index.md:3 (docs/part.py:1)",
    ),
    "!relative $docs_dir": (
        {
            "mkdocs.yml": site_config(snippets="[!relative $docs_dir/parts]"),
            "docs/index.md": SNIPPET_PAGE,
            "docs/parts/part.py": "print(7)\n",
        },
        "docs/index.md:3 (docs/parts/part.py:1)",
    ),
    "!relative $config_dir": (
        {
            "mkdocs.yml": site_config(snippets="[!relative $config_dir/parts]"),
            "docs/index.md": SNIPPET_PAGE,
            "parts/part.py": "print(7)\n",
        },
        "docs/index.md:3 (parts/part.py:1)",
    ),
    "mkdocs.yaml": ({"mkdocs.yaml": site_config()}, "docs/index.md:3"),
    "another docs_dir": (
        {"mkdocs.yml": site_config(rest="docs_dir: pages\n"), "pages/index.md": PAGE},
        "pages/index.md:3",
    ),
    "a hook that adds a page": (
        {
            "mkdocs.yml": site_config(rest="hooks: [hook.py]\n"),
            "docs/index.md": "# Home\n",
            "hook.py": "from mkdocs.structure.files import File\n\n\ndef on_files(files, config):\n"
            f"    files.append(File.generated(config, 'made.md', content={PAGE!r}))\n",
        },
        "docs/made.md:3",
    ),
    **{
        f"the ending {ending}": (
            {"mkdocs.yml": site_config(), "docs/index.md": "# Home\n", f"docs/page{ending}": PAGE},
            f"docs/page{ending}:3",
        )
        for ending in (".markdown", ".mdown", ".mkdn", ".mkd")
    },
}


@pytest.mark.parametrize("name", SITES)
def test_commands_see_what_the_build_sees(name: str, tmp_path: Path) -> None:
    files, place = SITES[name]
    project = write_site(tmp_path / "project", {"docs/index.md": PAGE, **files})
    assert states(project) == {place: "stale"}
    assert "running 1 block" in built(project, "--strict")
    assert states(project) == {place: "hit"}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    config = str(project / next(name for name in files if name.startswith("mkdocs.")))
    assert states(project, "-f", config, cwd=elsewhere) == {place: "hit"}
    assert "removed 0 runs" in codeout(elsewhere, "-f", config, "clean")
    assert "running" not in built(elsewhere, "-f", config, "--strict")


def test_a_snippet_beside_a_page_in_a_folder_is_found(tmp_path: Path) -> None:
    files = {
        "mkdocs.yml": site_config(snippets="[!relative ]"),
        "docs/index.md": "# Home\n",
        "docs/sub/page.md": SNIPPET_PAGE,
        "docs/sub/part.py": 'print("from beside the page")\n',
    }
    built(write_site(tmp_path, files), "--strict")
    assert "from beside the page" in (tmp_path / "site/sub/page/index.html").read_text(encoding="utf8")
    assert states(tmp_path) == {"docs/sub/page.md:3 (docs/sub/part.py:1)": "hit"}


NOT_IN_THE_SITE = {
    "exclude_docs": ("exclude_docs: |\n  _drafts/\n  /includes/\n", ["_drafts/d.md", "includes/part.md"]),
    "draft_docs": ("draft_docs: |\n  wip/\n  later.md\n", ["wip/d.md", "later.md"]),
    "hidden folders": ("", [".hidden/h.md", "a/.hidden/h.md"]),
    "a hook": ("hooks: [hook.py]\n", ["gone.md"]),
}


@pytest.mark.parametrize("name", NOT_IN_THE_SITE)
def test_commands_leave_out_pages_that_are_not_built(name: str, tmp_path: Path) -> None:
    rest, pages = NOT_IN_THE_SITE[name]
    hook = "def on_files(files, config):\n    [files.remove(f) for f in list(files) if f.src_uri == 'gone.md']\n"
    files = {"mkdocs.yml": site_config(rest=rest), "hook.py": hook, "docs/index.md": PAGE}
    project = write_site(tmp_path, files | {f"docs/{page}": FAILS for page in pages})
    assert list(states(project)) == ["docs/index.md:3"]
    assert "1 blocks are up to date" in codeout(project, "run")
    assert "running" not in built(project)
    assert "ready to publish" in codeout(project, "ready")


@pytest.mark.parametrize("file", ["properdocs.yml", "properdocs.yaml"])
def test_properdocs_has_a_configuration_file_of_its_own(file: str, tmp_path: Path) -> None:
    project = write_site(tmp_path, {file: site_config(), "docs/index.md": PAGE})
    assert states(project) == {"docs/index.md:3": "stale"}
    assert "running 1 block" in built(project, "-f", file, generator="properdocs")
    assert states(project) == {"docs/index.md:3": "hit"}
    assert "removed 0 runs" in codeout(project, "clean")


def test_commands_of_a_folder_without_a_site_say_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "codeout", "status"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "mkdocs.yml:1: not found; name the site's configuration file: codeout -f FILE COMMAND" in done.stderr


WITHOUT_GENERATOR = """
import importlib.util, sys
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in ("mkdocs", "properdocs") else find_spec(name, *rest)
sys.modules["mkdocs"] = sys.modules["properdocs"] = None
from codeout.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def without_generator(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command where neither MkDocs nor ProperDocs can be imported."""
    command = [sys.executable, "-c", WITHOUT_GENERATOR, *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, env={**os.environ})


def test_without_a_generator_the_record_of_the_last_build_is_used(tmp_path: Path) -> None:
    project = write_site(tmp_path, {"mkdocs.yml": site_config(codeout="timeout: 50"), "docs/index.md": PAGE})
    built(project)
    for command, expected in {
        ("status",): "0 of 1 blocks are stale",
        ("why", "--json"): '"block": "docs/index.md:3"',
        ("run",): "1 blocks are up to date",
        ("clean",): "removed 0 runs, 1 remain",
        ("export", "-o", "out"): "index.ipynb",
    }.items():
        done = without_generator(project, *command)
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout


def test_without_a_generator_a_cache_elsewhere_is_found(tmp_path: Path) -> None:
    project = write_site(tmp_path, {"mkdocs.yml": site_config(codeout="cache: other"), "docs/index.md": PAGE})
    built(project)
    done = without_generator(project, "status")
    assert "0 of 1 blocks are stale" in done.stdout, done.stderr


def test_without_a_generator_and_a_record_the_command_says_what_it_needs(tmp_path: Path) -> None:
    done = without_generator(write_site(tmp_path, {"mkdocs.yml": site_config(), "docs/index.md": PAGE}), "status")
    assert done.returncode != 0
    assert "no site generator is installed" in done.stderr
    assert "Traceback" not in done.stderr


def test_clean_says_first_what_it_would_remove(tmp_path: Path) -> None:
    project = write_site(tmp_path, {"mkdocs.yml": site_config(), "docs/index.md": PAGE})
    built(project)
    runs = {*(project / ".codeout").rglob("*")}
    write_site(project, {"docs/index.md": PAGE.replace("print(7)", "print(8)")})
    built(project)
    said = codeout(project, "clean", "--dry-run")
    assert "would remove 1 runs, 1 remain" in said
    kept = {path for path in runs if path.is_dir() or not {"memo", "times"} & {*path.parts}}
    assert kept <= {*(project / ".codeout").rglob("*")}
    assert "removed 1 runs, 1 remain" in codeout(project, "clean")
    assert "running" not in built(project)


def test_clean_keeps_what_the_last_build_used_of_an_edited_page(tmp_path: Path) -> None:
    project = write_site(tmp_path, {"mkdocs.yml": site_config(), "docs/index.md": PAGE})
    built(project)
    write_site(project, {"docs/index.md": PAGE.replace("print(7)", "print(8)")})
    assert "removed 0 runs" in codeout(project, "clean")


def test_blocks_in_printed_markdown_are_run_as_well(tmp_path: Path) -> None:
    inner = fence("print(6 * 7)").replace("```", "~~~")
    page = "# Page\n\n" + fence(f"print({inner!r})", 'session="b"') + "\n"
    project = write_site(tmp_path, {"mkdocs.yml": site_config(), "docs/index.md": page})
    assert "2 blocks are up to date" in codeout(project, "run")
    assert "running" not in built(project)


def test_a_failure_is_retried_on_request(tmp_path: Path) -> None:
    code = f"from pathlib import Path\nlog = Path({str(tmp_path)!r}, 'log')\n_ = log.open('a').write('x')\n1 / 0"
    page = f"# Page\n\n{fence('print(1)')}\n\n{fence(code)}\n"
    project = write_site(tmp_path, {"mkdocs.yml": site_config(codeout="errors: show"), "docs/index.md": page})
    built(project)
    codeout(project, "run")
    assert (project / "log").read_text() == "x"
    codeout(project, "run", "--failed")
    assert (project / "log").read_text() == "xx"
    assert "running" not in built(project)
