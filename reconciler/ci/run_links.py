"""Where a CI job's repository, commit and run are found, from the variables that GitHub Actions and GitLab CI set.

A value of an unexpected form is not used, because it would become part of a link.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.ci.github_event import event_value
from reconciler.views.repository_links import RepositoryLinks

_ADDRESS = re.compile(r"https?://[\w.-]+(:\d+)?(/[\w.~-]+)*", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_NUMBER = re.compile(r"\d{1,20}", re.ASCII)


def links_of(environ: Mapping[str, str]) -> RepositoryLinks | None:
    """Return the addresses of the CI job that these variables describe, or None if they describe none."""
    return _github(environ) if environ.get("GITHUB_ACTIONS") == "true" else _gitlab(environ)


def _github(environ: Mapping[str, str]) -> RepositoryLinks | None:
    base = _matching(_ADDRESS, f"{environ.get('GITHUB_SERVER_URL', '')}/{environ.get('GITHUB_REPOSITORY', '')}")
    commit, run = _matching(_COMMIT, environ.get("GITHUB_SHA")), _matching(_NUMBER, environ.get("GITHUB_RUN_ID"))
    if base is None or commit is None or run is None:
        return None
    return RepositoryLinks(
        base=base,
        commit=commit,
        head=_matching(_COMMIT, event_value(environ.get("GITHUB_EVENT_PATH"), "pull_request", "head", "sha")),
        run=f"run {_matching(_NUMBER, environ.get('GITHUB_RUN_NUMBER')) or run}",
        run_url=f"{base}/actions/runs/{run}",
    )


def _gitlab(environ: Mapping[str, str]) -> RepositoryLinks | None:
    project = _matching(_ADDRESS, environ.get("CI_PROJECT_URL"))
    commit, run = _matching(_COMMIT, environ.get("CI_COMMIT_SHA")), _matching(_NUMBER, environ.get("CI_PIPELINE_ID"))
    if project is None or commit is None or run is None:
        return None
    return RepositoryLinks(
        base=f"{project}/-",
        commit=commit,
        head=_matching(_COMMIT, environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA")),
        run=f"pipeline {run}",
        run_url=f"{project}/-/pipelines/{run}",
    )


def _matching(form: re.Pattern[str], text: object) -> str | None:
    return text if isinstance(text, str) and form.fullmatch(text) else None
