"""What a pass publishes, and what its report contains if publishing fails."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from reconciler.controller.build_report import PassResult
from reconciler.controller.desired_specs import load_desired_specs
from reconciler.controller.publish import LINES_MAX, NOT_PUBLISHED, commit_message, publish
from reconciler.controller.resolution_cache import ResolutionCache
from reconciler.controller.run_options import RunOptions
from reconciler.controller.runtime import Runtime
from reconciler.errors import PublishError
from reconciler.model.action import Progress
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Phase
from reconciler.model.report import Report, Row
from tests.support.build import a_spec, a_status
from tests.support.in_memory_accounts import SharedBranch, a_case, a_world, an_account, controlled
from tests.support.subjects import MINUTE
from tests.unit.test_log import a_row

RESULT = PassResult(Report(rows=(a_row(a_status()),)), (), frozenset(), MINUTE)


def published(runtime: Runtime) -> Report:
    """Publish a pass in which one job was cancelled."""
    desired = load_desired_specs(runtime, RunOptions(), ResolutionCache(), by_content=True)
    return asyncio.run(publish(RESULT, desired, runtime)).report


def runtime_with(branch: SharedBranch, **rest: Any) -> Runtime:
    return controlled(a_world(an_account(), a_spec(), **rest), publisher=branch)


def test_a_pass_is_published_as_one_commit_named_in_its_report() -> None:
    branch = SharedBranch()
    report = published(runtime_with(branch))

    assert report.published == "commit-1"
    assert branch.messages == [commit_message(RESULT.report)]


def test_the_report_is_unchanged_without_a_publisher() -> None:
    assert published(controlled(a_world(an_account(), a_spec()))) is RESULT.report


def test_a_dry_run_publishes_nothing() -> None:
    branch = SharedBranch()

    assert published(replace(runtime_with(branch), control=None)) is RESULT.report
    assert branch.messages == []


def test_a_revision_that_is_not_trusted_publishes_nothing() -> None:
    branch = SharedBranch()
    report = published(runtime_with(branch, why_not_trusted="the branch was rewound"))

    assert branch.messages == []
    assert report.notices == (NOT_PUBLISHED,)


def test_a_failed_publish_is_an_error_of_the_report_and_sets_the_exit_code() -> None:
    report = published(runtime_with(SharedBranch(trouble=PublishError("the remote does not answer"))))

    assert report.errors == ("the statuses could not be published: the remote does not answer",)
    assert report.published is None
    assert report.exit_code is ExitCode.SOFTWARE


def rows(*names: str, **rest: Any) -> tuple[Row, ...]:
    return tuple(replace(a_row(a_status(name)), **rest) for name in names)


def test_a_commit_message_lists_changes_before_stalled_and_other_jobs() -> None:
    case = a_case(a_spec())
    stalled = a_case(a_spec(desiredState="running"), Phase.FAILED).decision.status
    report = Report(
        rows=(
            *rows("calm"),
            replace(a_row(stalled), name="broken"),
            replace(
                a_row(case.decision.status), name="stopped", action=case.decision.action, progress=Progress.ACCEPTED
            ),
        ),
        removed=("gone",),
        revision="4be1f0c2d3e4a5b6",
    )

    assert commit_message(report).splitlines() == [
        "reconcile: stopped: cancel accepted, running (CancelPending), and 3 more",
        "",
        "stopped: cancel accepted, running (CancelPending)",
        "broken: failed (JobFailed)",
        "calm: cancelled (Cancelled)",
        "gone: its spec was deleted",
        "",
        "from the specs at 4be1f0c2d3e4",
    ]


def test_a_commit_message_omits_superseded_and_unchanged_jobs() -> None:
    known = a_status("known")
    report = Report(rows=(*rows("chat", progress=Progress.OVERTAKEN), a_row(known, known)))

    assert commit_message(report) == "reconcile: statuses"


@pytest.mark.parametrize(
    ("count", "last"), [(LINES_MAX, "job-199: cancelled (Cancelled)"), (LINES_MAX + 1, "and 1 more")]
)
def test_a_commit_message_names_a_limited_number_of_jobs(count: int, last: str) -> None:
    message = commit_message(Report(rows=rows(*(f"job-{number:03}" for number in range(count)))))

    assert message.splitlines()[0] == f"reconcile: job-000: cancelled (Cancelled), and {count - 1} more"
    assert message.splitlines()[-1] == last
