"""What a release reads from the repository and checks before it publishes anything."""

from __future__ import annotations

import re
import runpy
from typing import Any

import pytest
import yaml

from tests.support.markdown_table import ROOT

RELEASE = runpy.run_path(str(ROOT / ".ci" / "release.py"))
CHANGELOG = """\
# Changelog

## [Unreleased]

## [1.1.0] - 2026-12-24

### Added

- Snow.

## [1.0.0] - 2026-12-01

- First.
"""


def workflow(name: str) -> Any:
    """Return a workflow of this repository."""
    return yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))


def test_the_release_notes_are_the_changelog_section_of_the_version() -> None:
    assert RELEASE["notes"]("v1.1.0", CHANGELOG) == "### Added\n\n- Snow.\n"
    assert RELEASE["notes"]("v1.0.0", CHANGELOG) == "- First.\n"


@pytest.mark.parametrize("tag", ["v1.0", "v2.0.0", "v1.0.0rc1"])
def test_a_release_without_a_changelog_section_fails(tag: str) -> None:
    with pytest.raises(SystemExit, match=f"no section for {re.escape(tag)}"):
        RELEASE["notes"](tag, CHANGELOG)


def test_a_release_whose_tag_is_not_the_version_fails() -> None:
    with pytest.raises(SystemExit, match=r"the tag is v9\.9\.9"):
        RELEASE["check"]("v9.9.9")


def absolute(text: str, file: str = "README.md") -> str:
    """Return Markdown of a file in `acme/reconcile`, as the release `v1.0.0` shows it elsewhere."""
    return str(RELEASE["with_absolute_links"](text, file, "acme/reconcile", "v1.0.0"))


OURS = "https://github.com/acme/reconcile/blob/v1.0.0/"
PICTURES = "https://raw.githubusercontent.com/acme/reconcile/v1.0.0/"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[a](b.md)", f"[a]({OURS}b.md)"),
        ("[a\nb](c.md#d)", f"[a\nb]({OURS}c.md#d)"),
        ("[`a`](b.md)", f"[`a`]({OURS}b.md)"),
        ('[a](b.md "c")', f'[a]({OURS}b.md "c")'),
        ("![a](b.svg)", f"![a]({PICTURES}b.svg)"),
        ("[![a](b.svg)](c.md)", f"[![a]({PICTURES}b.svg)]({OURS}c.md)"),
        ("[a]: b.md", f"[a]: {OURS}b.md"),
    ],
)
def test_a_relative_link_leads_to_the_repository(text: str, shown: str) -> None:
    assert absolute(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "[a](https://b.example)",
        "[a](#b)",
        "[a](mailto:b@c.example)",
        "[a](//b.example)",
        "`[a](b)`",
        "```\n[a](b)\n```",
    ],
)
def test_another_link_and_code_are_not_changed(text: str) -> None:
    assert absolute(text) == text


def test_a_link_of_the_changelog_is_relative_to_its_folder() -> None:
    shown = absolute("[a](OPERATIONS.md#b) [c](../README.md) [d](deploy/e.yaml)", ".github/CHANGELOG.md")

    assert shown == f"[a]({OURS}.github/OPERATIONS.md#b) [c]({OURS}README.md) [d]({OURS}.github/deploy/e.yaml)"


@pytest.mark.parametrize("file", ["README.md", ".github/CHANGELOG.md"])
def test_every_link_that_a_release_shows_elsewhere_has_a_target(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    shown = absolute(text, file)
    targets = [found.partition("#")[0] for found in re.findall(r"\]\(([^)\s]+)", shown)]
    here = [each.removeprefix(top) for each in targets for top in (OURS, PICTURES) if each.startswith(top)]

    assert len(here) > 5
    assert [each for each in here if not (ROOT / each).exists()] == []
    assert absolute(shown, file) == shown


def test_nothing_is_published_before_tests_package_and_image_have_passed() -> None:
    jobs = workflow("release")["jobs"]
    holders = [name for name, job in jobs.items() if "id-token" in job.get("permissions", {})]

    assert jobs["test"]["uses"] == "./.github/workflows/ci.yml"
    assert holders == ["publish"]
    assert set(jobs["publish"]["needs"]) == {"package", "image", "try"}
    assert (jobs["package"]["needs"], jobs["try"]["needs"]) == ("build", "image")
    assert set(jobs["image"]["needs"]) == {"test", "build"}
    assert "workflow_call" in workflow("ci")[True]  # which is how YAML 1.1 reads `on`


def test_a_pre_release_tag_starts_no_release() -> None:
    assert workflow("release")[True]["push"]["tags"] == ["v[0-9]+.[0-9]+.[0-9]+"]
