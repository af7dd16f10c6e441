"""The log, files, outputs and note that reconcile writes in a job of GitLab CI, with a stand-in for the GitLab API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from reconciler.ci.gitlab import OUTPUTS
from tests.support.cli import Checkout
from tests.support.gitlab_api import BOT, JOB_TOKEN, NUMBER, PROJECT, SOMEBODY, GitLabApi, gitlab_api
from tests.support.sandbox_client import Sandbox

TOKEN = "glpat-of-the-project"  # noqa: S105 - a canary
MARKER = "<!-- reconcile specs -->"
_SECTION = re.compile(r"\x1b\[0Ksection_(start|end):\d+:(\w+)(?:\[collapsed=true\])?\n\x1b\[0K")
"""The beginning or the end of a section. The output is read as text, in which a carriage return is a line break."""


@pytest.fixture
def api() -> Iterator[GitLabApi]:
    with gitlab_api(TOKEN) as served:
        yield served


@pytest.fixture
def job(tmp_path: Path, checkout: Checkout, api: GitLabApi) -> Checkout:
    """Return the checkout as a job of a merge request's pipeline has it."""
    runner = {
        "CI": "true",
        "CI_API_V4_URL": api.url,
        "CI_COMMIT_SHA": "a" * 40,
        "CI_JOB_TOKEN": JOB_TOKEN,
        "CI_MERGE_REQUEST_IID": str(NUMBER),
        "CI_MERGE_REQUEST_PROJECT_ID": str(PROJECT),
        "CI_PIPELINE_ID": "71",
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_PROJECT_DIR": str(tmp_path),
        "CI_PROJECT_URL": "https://gitlab.example/ada/jobs",
        "GITLAB_CI": "true",
        "GITLAB_TOKEN": TOKEN,
        "RECONCILE_REPORTS": "reports",
    }
    return Checkout(checkout.root, {**checkout.environ, **runner})


def outputs(job: Checkout) -> dict[str, str]:
    lines = (job.root / "reports" / OUTPUTS).read_text(encoding="utf-8").splitlines()
    return {name.removeprefix("RECONCILE_RESULT_"): value for name, _, value in (line.partition("=") for line in lines)}


def test_a_plan_writes_a_section_files_outputs_and_a_note(job: Checkout, sandbox: Sandbox, api: GitLabApi) -> None:
    (job_id,) = sandbox.create(1)
    job.want("runaway", job_id)
    ran = job.run("plan", "--detailed-exitcode")
    told = outputs(job)
    summary = (job.root / told["SUMMARY_PATH"]).read_text(encoding="utf-8")
    (note,) = api.notes

    assert ran.code == 2
    assert [found[1] for found in _SECTION.finditer(ran.err)] == ["start", "end"]
    assert "1 notice about the specs\nnotice: Would cancel: specs/runaway.yaml:1: runaway: " in ran.err
    assert "::" not in ran.err
    assert summary.startswith("### Plan: 1 to cancel")
    assert note["body"] == f"{MARKER}\n{summary}"
    assert {name: told[name] for name in ("EXIT_CODE", "CHANGES", "CANCELS", "ON_THE_WAY", "COMMENT_ID")} == {
        "EXIT_CODE": "2",
        "CHANGES": "1",
        "CANCELS": "1",
        "ON_THE_WAY": "1",
        "COMMENT_ID": str(note["id"]),
    }
    assert json.loads((job.root / told["RESULT_FILE"]).read_text(encoding="utf-8"))[-1]["type"] == "change_summary"
    assert [secret for secret in (TOKEN, JOB_TOKEN) if secret in ran.out + ran.err + summary + str(told)] == []


def test_the_note_is_updated_and_the_note_of_another_user_is_never_changed(
    job: Checkout, sandbox: Sandbox, api: GitLabApi
) -> None:
    api.add(f"{MARKER} a copy", SOMEBODY)
    (job_id,) = sandbox.create(1)
    for state in ("cancelled", "observed"):
        job.want("runaway", job_id, state)
        job.run("plan")
    bodies = [each["body"] for each in api.notes if each["author"]["id"] == BOT]

    assert api.writes == ["POST", "PUT"]
    assert api.notes[0]["body"] == f"{MARKER} a copy"
    assert len(bodies) == 1
    assert "### Plan: nothing to change" in bodies[0]


def test_the_text_of_a_spec_is_no_quick_action_and_no_reference_in_the_note(
    job: Checkout, sandbox: Sandbox, api: GitLabApi
) -> None:
    (job_id,) = sandbox.create(1)
    job.write(
        "runaway.yaml",
        "apiVersion: jobs.reconciler/v1\nkind: FineTuningJob\nmetadata: {name: runaway}\n"
        f"spec: {{provider: main, jobId: {job_id}, desiredState: cancelled, "
        'reason: "/close @ada !12 section_end:1:y"}\n',
    )
    ran = job.run("plan")
    (note,) = api.notes

    assert ran.code == 0, ran.err
    assert not re.search(r"^\s*/", note["body"], re.MULTILINE)
    assert "\\@<!-- -->ada \\!12" in note["body"]
    assert "section\\u005fend:1:y" in ran.out


@pytest.mark.parametrize("refusal", [HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.BAD_GATEWAY])
def test_a_rejected_note_is_a_warning(job: Checkout, sandbox: Sandbox, api: GitLabApi, refusal: HTTPStatus) -> None:
    api.refuses = refusal
    (job_id,) = sandbox.create(1)
    job.want("runaway", job_id)
    ran = job.run("plan")

    assert ran.code == 0
    assert f"warning: the comment on merge request !{NUMBER} could not be written: HTTP {refusal}" in ran.err
    assert outputs(job)["CHANGES"] == "1"


def test_without_a_token_no_note_is_attempted(job: Checkout, sandbox: Sandbox, api: GitLabApi) -> None:
    (job_id,) = sandbox.create(1)
    job.want("runaway", job_id)
    ran = job.run("plan", GITLAB_TOKEN="")

    assert (ran.code, api.notes) == (0, [])
    assert "warning" not in ran.err


def test_problems_are_written_as_a_code_quality_report(job: Checkout) -> None:
    job.write("odd.yaml", "apiVersion: jobs.reconciler/v1\nkind: FineTuningJob\nmetadata: {name: odd}\nspec: {x: 1}\n")
    ran = job.run("validate", "--code-quality", "quality.json")
    found = json.loads((job.root / "quality.json").read_text(encoding="utf-8"))

    assert ran.code == 65
    assert {(each["location"]["path"], each["check_name"]) for each in found} == {("specs/odd.yaml", "InvalidDocument")}
    assert len({each["fingerprint"] for each in found}) == len(found) > 1
    assert "COMMENT_ID" not in outputs(job)
