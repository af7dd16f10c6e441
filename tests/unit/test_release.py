"""What a release reads from the repository and checks before it publishes anything."""

from __future__ import annotations

import re
import runpy
from typing import Any

import pytest
import yaml

from tests.support.markdown_table import ROOT
from tests.support.tables import README

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


def test_every_readme_link_on_the_package_page_is_absolute_and_has_a_target() -> None:
    text = README.read_text(encoding="utf-8")
    shown = RELEASE["with_absolute_links"](text, "acme/reconcile", "v1.0.0")
    targets = re.findall(r"\]\(([^)]+)\)", shown)
    ours = "https://github.com/acme/reconcile/blob/v1.0.0/"

    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    assert f"({ours}.github/CI.md)" in shown
    assert "(https://raw.githubusercontent.com/acme/reconcile/v1.0.0/.github/terminal.svg)" in shown
    assert RELEASE["with_absolute_links"](shown, "acme/reconcile", "v1.0.0") == shown
    for target in targets:
        if target.startswith(ours):
            assert (ROOT / target.removeprefix(ours).partition("#")[0]).exists(), target


def test_nothing_is_published_before_tests_package_and_image_have_passed() -> None:
    jobs = workflow("release")["jobs"]
    holders = [name for name, job in jobs.items() if "id-token" in job.get("permissions", {})]

    assert jobs["test"]["uses"] == "./.github/workflows/ci.yml"
    assert holders == ["publish"]
    assert set(jobs["publish"]["needs"]) == {"build", "image"}
    assert set(jobs["image"]["needs"]) == {"test", "build"}
    assert "workflow_call" in workflow("ci")[True]  # which is how YAML 1.1 reads `on`


def test_a_pre_release_tag_starts_no_release() -> None:
    assert workflow("release")[True]["push"]["tags"] == ["v[0-9]+.[0-9]+.[0-9]+"]
