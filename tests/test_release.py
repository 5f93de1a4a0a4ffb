"""A release: a tag that fits, a changelog that says so, and wheels that are equal whoever builds them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import lowest
import release
from site_helpers import ROOT
from workflows import workflow


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Return a copy of the packages, in a repository of its own, with a section for their version in each changelog."""
    copy = tmp_path / "packages"
    shutil.copytree(ROOT / "packages", copy, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "tests"))
    for name in ("codeout", "mkdocs-mathml"):
        file = copy / name / "CHANGELOG.md"
        file.write_text(file.read_text("utf8").replace("## [0.1.0] - unreleased", "## [0.1.0] - 2026-12-01"), "utf8")
    author = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "x", "--date=2026-01-01T00:00:00Z"]):
        subprocess.run(["git", *command], cwd=copy, check=True)
    return copy


def test_a_tag_names_a_package_at_its_version(packages: Path) -> None:
    assert release.find_package("codeout-0.1.0", packages) == packages / "codeout"
    assert release.find_package("mkdocs-mathml-0.1.0", packages) == packages / "mkdocs-mathml"


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("v0.1.0", "v0.1.0: not a tag of a release; write PACKAGE-VERSION, such as codeout-0.2.0"),
        ("codeout-0.1", "codeout-0.1: not a tag of a release"),
        ("codeout-9.0.0", "packages/codeout/pyproject.toml:1: the version is 0.1.0, but the tag says 9.0.0"),
    ],
)
def test_a_tag_that_does_not_fit_is_one_sentence(tag: str, message: str, packages: Path) -> None:
    with pytest.raises(release.NotReady) as caught:
        release.find_package(tag, packages)
    assert str(caught.value).startswith(message)


def test_a_release_needs_a_dated_section_in_the_changelog(packages: Path) -> None:
    file = packages / "codeout" / "CHANGELOG.md"
    file.write_text(file.read_text("utf8").replace("2026-12-01", "unreleased"), "utf8")
    with pytest.raises(release.NotReady, match=r"CHANGELOG\.md:1: no section `## \[0\.1\.0\] - YYYY-MM-DD`; add it"):
        release.find_package("codeout-0.1.0", packages)


def test_two_builds_of_a_wheel_are_equal(packages: Path, tmp_path: Path) -> None:
    for dist in ("a", "b"):
        release.build(packages / "codeout", tmp_path / dist)
    (first,), (second,) = ((tmp_path / dist).glob("codeout-*.whl") for dist in "ab")
    assert first.read_bytes() == second.read_bytes()
    assert [lowest.CODEOUT.wheels(tmp_path / "a"), lowest.MATHML.wheels(tmp_path / "a")] == [[first], []]


def test_nothing_is_published_that_was_not_tried_on_three_systems() -> None:
    jobs = workflow("release")["jobs"]
    assert [jobs[name].get("needs") for name in ("build", "try", "attest", "publish")] == [
        None,
        "build",
        "try",
        "attest",
    ]
    assert {system.split("-")[0] for system in jobs["try"]["strategy"]["matrix"]["system"]} == {
        "ubuntu",
        "macos",
        "windows",
    }
    assert jobs["publish"]["environment"] == {"name": "pypi"}
    assert "secrets" not in str(jobs)
