"""The files, commands and comments that reconcile writes for GitHub Actions, with a stand-in for the GitHub API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from xml.dom.minidom import parse

import pytest

from reconciler.ci.github_text import ANNOTATIONS_MAX, SUMMARY_MAX
from tests.support.cli import Checkout
from tests.support.github_api import BODY_MAX, GitHubApi, github_api
from tests.support.sandbox_client import Sandbox

KEY = "ghs_sandbox_only"
MARKER = "<!-- reconcile specs -->"
_OUTPUT = re.compile(r"^([\w-]+)<<(end-[0-9a-f]{32})\n(.*?)\n\2$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    with github_api(KEY) as served:
        yield served


@pytest.fixture
def step(tmp_path: Path, checkout: Checkout, api: GitHubApi) -> Checkout:
    """Return the checkout as a step of a pull request's workflow has it."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7}}), encoding="utf-8")
    runner = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": api.url,
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_REPOSITORY": "ada/jobs",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "GITHUB_TOKEN": KEY,
        "GITHUB_WORKSPACE": str(tmp_path),
        "RUNNER_TEMP": str(tmp_path),
    }
    return Checkout(checkout.root, {**checkout.environ, **runner})


def outputs(step: Checkout) -> dict[str, str]:
    text = (step.root / "output").read_text(encoding="utf-8")
    return {name: value for name, _, value in _OUTPUT.findall(text)}


def summary(step: Checkout) -> str:
    return (step.root / "summary").read_text(encoding="utf-8")


def test_a_plan_creates_annotations_a_summary_outputs_and_a_comment(
    step: Checkout, sandbox: Sandbox, api: GitHubApi
) -> None:
    (job_id,) = sandbox.create(1)
    step.want("runaway", job_id)
    ran = step.run("plan", "--detailed-exitcode", "--out", "plan.json")
    told = outputs(step)

    assert ran.code == 2
    assert "::notice file=specs/runaway.yaml,line=1,title=Would cancel::runaway: " in ran.err
    assert summary(step).startswith("### Plan: 1 to cancel")
    assert (told["exit-code"], told["has-changes"], told["changes"], told["cancels"]) == ("2", "true", "1", "1")
    assert [each["type"] for each in json.loads(told["result-json"])] == ["version", "planned_change", "change_summary"]
    assert Path(told["result-file"]).read_text(encoding="utf-8").rstrip() == told["result-json"]
    assert (told["on-the-way"], told["stalled"], told["comment-id"]) == ("1", "0", "1")
    assert told["plan-json"] == (step.root / "plan.json").read_text(encoding="utf-8").rstrip()
    assert Path(told["summary-path"]).read_text(encoding="utf-8") == summary(step)
    assert [each["body"] for each in api.comments] == [f"{MARKER}\n{summary(step)}"]
    assert KEY not in ran.out + ran.err + summary(step) + str(told)


def test_the_comment_is_updated_in_place_and_a_persons_comment_is_never_changed(
    step: Checkout, sandbox: Sandbox, api: GitHubApi
) -> None:
    api.add(f"{MARKER} a person's copy", "User")
    for _ in range(120):
        api.add("something else", "Bot")
    (job_id,) = sandbox.create(1)
    for state in ("cancelled", "observed"):
        step.want("runaway", job_id, state)
        step.run("plan")
    ours = [each["body"] for each in api.comments if each["body"].startswith(MARKER)]

    assert api.writes == ["POST", "PATCH"]
    assert outputs(step)["comment-id"] == "122"
    assert ours[0] == f"{MARKER} a person's copy"
    assert "### Plan: nothing to change" in ours[1]


def test_each_selection_has_its_own_comment(step: Checkout, sandbox: Sandbox, api: GitHubApi) -> None:
    (job_id,) = sandbox.create(1)
    step.want("runaway", job_id)
    parts = ("--selector=team=a", "--selector=team=b", "--provider=main", "--kind=BatchJob", "--selector=team=a")
    for part in parts:
        step.run("plan", part)

    assert api.writes == ["POST", "POST", "POST", "POST", "PATCH"]


@pytest.mark.parametrize(
    "refusal", [HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.BAD_GATEWAY]
)
def test_a_rejected_comment_is_a_warning(step: Checkout, sandbox: Sandbox, api: GitHubApi, refusal: HTTPStatus) -> None:
    api.refuses = refusal
    (job_id,) = sandbox.create(1)
    step.want("runaway", job_id)
    ran = step.run("plan")

    assert ran.code == 0
    assert f"warning: the comment on pull request 7 could not be written: HTTP {refusal}" in ran.err
    assert outputs(step)["changes"] == "1"


@pytest.mark.parametrize("odd", ["a text", {"id": 1, "user": "a text", "body": None}])
def test_an_odd_list_of_comments_is_no_bug(step: Checkout, sandbox: Sandbox, api: GitHubApi, odd: Any) -> None:
    api.comments.append(odd)
    (job_id,) = sandbox.create(1)
    step.want("runaway", job_id)
    ran = step.run("plan")

    assert ran.code == 0
    assert "bug" not in ran.err
    assert api.writes == ([] if isinstance(odd, str) else ["POST"])


def test_a_token_is_not_sent_over_plain_http(step: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    step.want("runaway", job_id)
    ran = step.run("plan", GITHUB_API_URL="http://api.example.org")

    assert ran.code == 0
    assert "no token is sent over plain http" in ran.err


def test_a_pass_writes_a_step_summary(step: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    step.want("runaway", job_id)
    ran = step.run("--once", "--wait", "--junit", "junit.xml")
    cases = parse(str(step.root / "junit.xml")).getElementsByTagName("testcase")  # noqa: S318 - our own

    assert ran.code == 0, ran.err
    assert "- runaway: cancel accepted, confirmed cancelled" in summary(step)
    assert outputs(step)["converged"] == "true"
    assert [case.getAttribute("name") for case in cases] == ["runaway"]


@pytest.mark.long
def test_a_plan_of_five_hundred_changes_stays_within_githubs_limits(
    step: Checkout, sandbox: Sandbox, api: GitHubApi
) -> None:
    jobs = sandbox.create(500)
    words = "::error::%0A ##[error] @ada <b>|`x`| " * 8
    specs = [
        f"apiVersion: jobs.reconciler/v1\nkind: FineTuningJob\nmetadata: {{name: job-{number:03}}}\n"
        f"spec: {{provider: main, jobId: {job_id}, desiredState: cancelled, reason: '{words}'}}\n"
        for number, job_id in enumerate(jobs)
    ]
    step.write("all.yaml", "---\n".join(specs))
    ran = step.run("plan", "--max-cancels-absolute", "1000", "--max-cancels", "1000")
    body = api.comments[0]["body"]
    lines = (ran.out + ran.err).splitlines()
    commands = [line for line in lines if line.lstrip().startswith("::")]
    last = [line for line in body.splitlines() if line.startswith("| **cancel**")][-1]

    assert ran.code == 0, ran.err
    assert outputs(step)["changes"] == "500"
    assert len(json.loads(outputs(step)["plan-json"])["changes"]) == 500
    assert len(commands) == ANNOTATIONS_MAX
    assert all(re.match(r"::notice (file=[^:]*,line=\d+,)?title=[^:]*::", line) for line in commands)
    assert not any("##[" in line for line in lines if line not in commands)
    assert len(body) <= BODY_MAX
    assert "_Cut after" in body
    assert re.search(r"\| all\.yaml:\d+ \|$", last)
    assert "job-499" in summary(step)
    assert len(summary(step).encode()) <= SUMMARY_MAX
