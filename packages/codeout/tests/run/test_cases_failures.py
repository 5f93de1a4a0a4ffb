"""What a site does with mistakes: settings, errors that are shown, and warm builds after them."""

from __future__ import annotations

from pathlib import Path

import pytest

from small_sites import article_text, build, fence, site_config, write_site

HOOK = "def on_page_markdown(markdown, **_):\n    return markdown\n"
SHOW = "errors: show"
TRAINING = 'session="training"'


def failing_page(folder: Path) -> str:
    """Return a page whose second block fails; the file `log` shows how often each of its blocks ran."""
    count = f"_ = open({str(folder / 'log')!r}, 'a').write"
    return "\n\n".join(
        [
            "# Page",
            fence(f"{count}('1')\nprint('the good prefix')"),
            fence(f"{count}('2')\nprint('before')\n1 / 0"),
            fence(f"{count}('3')\nprint('never')"),
            "End.\n",
        ]
    )


CASES = [
    ("", "exclusive: [trainig]"),
    ("", "data: {trainig: []}"),
    ("", "require_recordings: [trainig]"),
    *((plugin, "gpu: [trainig]") for plugin in ("", "tags", "macros", "include-markdown", "HOOK")),
]


@pytest.mark.parametrize(("plugin", "setting"), CASES)
def test_a_setting_that_names_no_session_is_an_error(setting: str, plugin: str, tmp_path: Path) -> None:
    config = site_config(
        *([plugin] if plugin not in ("", "HOOK") else []),
        codeout=setting,
        rest="hooks: [hook.py]\n" if plugin == "HOOK" else "",
    )
    page = f"# Page\n\n{fence('x = 1', TRAINING)}\n"
    done = build(write_site(tmp_path, {"mkdocs.yml": config, "docs/index.md": page, "hook.py": HOOK}))
    assert done.returncode != 0
    name = setting.partition(":")[0]
    assert f"mkdocs.yml:1: codeout: {name!r}: no session matches 'trainig'; did you mean 'training'" in done.stderr


def test_a_setting_is_an_error_where_no_session_has_a_name(tmp_path: Path) -> None:
    page = f"# Page\n\n{fence('x = 1', '')}\n"
    done = build(write_site(tmp_path, {"mkdocs.yml": site_config(codeout="gpu: [training]"), "docs/index.md": page}))
    assert done.returncode != 0
    assert "mkdocs.yml:1: codeout: 'gpu': no session matches 'training'" in done.stderr


def test_a_page_with_a_mistake_hides_no_session_from_the_settings(tmp_path: Path) -> None:
    page = f"# Page\n\n{fence('1 / 0', TRAINING)}\n"
    done = build(write_site(tmp_path, {"mkdocs.yml": site_config(codeout="gpu: [training]"), "docs/index.md": page}))
    assert "ZeroDivisionError" in done.stderr
    assert "no session matches" not in done.stderr


def test_a_dirty_build_does_not_judge_settings_by_a_part_of_the_site(tmp_path: Path) -> None:
    page = f"# Page\n\n{fence('x = 1', TRAINING)}\n"
    config = site_config(codeout="gpu: [training]")
    project = write_site(tmp_path, {"mkdocs.yml": config, "docs/index.md": "# Home\n", "docs/page.md": page})
    assert build(project).returncode == 0
    (project / "docs/index.md").write_text(f"# Home\n\n{fence('x = 1', '')}\n")
    done = build(project, "--dirty")
    assert done.returncode == 0, done.stderr


def test_a_setting_may_name_a_session_of_any_page(tmp_path: Path) -> None:
    fences = {name: fence("x = 1", f'session="{name}"') for name in ("index", "other")}
    pages = {f"docs/{name}.md": f"# P\n\n{block}\n" for name, block in fences.items()}
    config = site_config("tags", codeout="exclusive: [other]")
    assert build(write_site(tmp_path, {"mkdocs.yml": config, **pages}), "--strict").returncode == 0


def test_an_error_that_is_shown_fails_a_strict_build(tmp_path: Path) -> None:
    project = write_site(tmp_path, {"mkdocs.yml": site_config(codeout=SHOW), "docs/index.md": failing_page(tmp_path)})
    strict = build(project, "--strict")
    assert strict.returncode != 0
    assert "Aborted with 1 warnings in strict mode" in strict.stdout + strict.stderr
    assert strict.stderr.count("docs/index.md:11: ZeroDivisionError") == 1
    again = build(project, "--strict")
    assert again.returncode != 0, "also when nothing runs"


def test_an_error_is_shown_with_what_preceded_it_and_is_not_run_again(tmp_path: Path) -> None:
    project = write_site(tmp_path, {"mkdocs.yml": site_config(codeout=SHOW), "docs/index.md": failing_page(tmp_path)})
    first = build(project)
    assert first.returncode == 0, first.stderr
    assert first.stderr.count("docs/index.md:11: ZeroDivisionError") == 1
    shown = article_text(project)
    assert "the good prefix" in shown and "before" in shown and "ZeroDivisionError: division by zero" in shown
    assert (tmp_path / "log").read_text() == "12"
    second = build(project)
    assert "running" not in second.stderr
    assert (tmp_path / "log").read_text() == "12"
    assert article_text(project) == shown
    assert second.stderr.count("docs/index.md:11: ZeroDivisionError") == 1


def test_a_failure_is_run_again_when_its_code_changes(tmp_path: Path) -> None:
    page = failing_page(tmp_path)
    project = write_site(tmp_path, {"mkdocs.yml": site_config(codeout=SHOW), "docs/index.md": page})
    build(project)
    write_site(project, {"docs/index.md": page.replace("1 / 0", "1 / 1")})
    done = build(project, "--strict")
    assert done.returncode == 0, done.stderr
    assert "never" in article_text(project)


def test_each_error_of_a_site_is_reported_at_once(tmp_path: Path) -> None:
    pages = {f"docs/{name}.md": f"# P\n\n{fence('1 / 0')}\n" for name in ("index", "other")}
    done = build(write_site(tmp_path, {"mkdocs.yml": site_config(), **pages}))
    assert done.returncode != 0
    assert "docs/index.md:4: ZeroDivisionError" in done.stderr
    assert "docs/other.md:4: ZeroDivisionError" in done.stderr
