"""The addresses of a CI run, from the variables of GitHub Actions and GitLab CI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.ci.run_links import links_of
from reconciler.views.repository_links import RepositoryLinks

COMMIT, HEAD = "a" * 40, "b" * 40
GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.example:8443",
    "GITHUB_REPOSITORY": "acme/infra.specs",
    "GITHUB_SHA": COMMIT,
    "GITHUB_RUN_ID": "123",
    "GITHUB_RUN_NUMBER": "88",
}
GITLAB = {
    "CI_PROJECT_URL": "https://gitlab.example/group/acme/infra",
    "CI_COMMIT_SHA": COMMIT,
    "CI_PIPELINE_ID": "71",
}


def event(directory: Path, sha: object) -> dict[str, str]:
    """Return the variables of a run for a pull request with this last commit."""
    path = directory / "event.json"
    path.write_text(json.dumps({"pull_request": {"number": 7, "head": {"sha": sha}}}), encoding="utf-8")
    return GITHUB | {"GITHUB_EVENT_PATH": str(path)}


def test_github_names_the_repository_the_commit_and_the_run() -> None:
    assert links_of(GITHUB) == RepositoryLinks(
        base="https://github.example:8443/acme/infra.specs",
        commit=COMMIT,
        head=None,
        run="run 88",
        run_url="https://github.example:8443/acme/infra.specs/actions/runs/123",
    )


def test_a_pull_request_also_names_its_last_commit(tmp_path: Path) -> None:
    found = links_of(event(tmp_path, HEAD))

    assert found is not None
    assert found.head == HEAD
    assert [found.knows(each) for each in (COMMIT, HEAD, "c" * 40, None)] == [True, True, False, False]


def test_gitlab_names_the_project_the_commit_and_the_pipeline() -> None:
    found = links_of(GITLAB | {"CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": HEAD})

    assert found is not None
    assert (found.head, found.run) == (HEAD, "pipeline 71")
    assert found.run_url == "https://gitlab.example/group/acme/infra/-/pipelines/71"
    assert found.file_url(COMMIT, "specs/a.yaml", 3).endswith(f"/group/acme/infra/-/blob/{COMMIT}/specs/a.yaml#L3")


@pytest.mark.parametrize("name", ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_SHA", "GITHUB_RUN_ID"])
@pytest.mark.parametrize("value", ["", "x) [y](https://evil.example", "javascript:alert(1)", "a b", "<b>"])
def test_a_run_with_an_odd_variable_has_no_links(name: str, value: str) -> None:
    assert links_of(GITHUB | {name: value}) is None


@pytest.mark.parametrize("sha", [None, 7, "main", f"{HEAD})", f"{HEAD}\n"])
def test_an_odd_commit_of_a_pull_request_is_ignored(tmp_path: Path, sha: object) -> None:
    found = links_of(event(tmp_path, sha))

    assert found is not None
    assert found.head is None


def test_there_are_no_links_outside_ci() -> None:
    assert links_of({}) is None


def test_a_path_cannot_end_an_address() -> None:
    found = links_of(GITHUB)

    assert found is not None
    assert found.file_url(COMMIT, "a) [b](c d#?.yaml", None).endswith(
        f"/blob/{COMMIT}/a%29%20%5Bb%5D%28c%20d%23%3F.yaml"
    )
