"""Which decisions a change of a status by another writer makes outdated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from reconciler.controller.outdated import OutdatedDecisions
from reconciler.formats.status_changes import changed_statuses
from reconciler.formats.status_writer import render_provider_status, render_status
from reconciler.git.change_log import CHANGES_MAX, ChangeLog
from reconciler.model.reason import Reason
from reconciler.model.status import JobStatus, ProviderStatus
from tests.support.build import NOW, a_spec, a_status
from tests.support.in_memory_accounts import a_case
from tests.support.subjects import HOUR, a_receipt

CASE = a_case(a_spec())
ACCOUNT = str(CASE.subject.ref.account)
NAME = CASE.subject.name


def about(name: str, account: str = "openai elsewhere", job_id: str = "ftjob-other", **facts: Any) -> JobStatus:
    status = a_status(name, **facts)
    assert status.job is not None
    return replace(status, job=replace(status.job, account=account, id=job_id))


def is_outdated(
    before: Mapping[str, JobStatus | bytes],
    after: Mapping[str, JobStatus | bytes],
    *,
    is_counted: bool = True,
    is_sharded: bool = True,
) -> bool:
    """Return whether a cancel must be decided again after others have replaced these statuses, given by path."""
    trees = (
        {path: each if isinstance(each, bytes) else render_status(each).encode() for path, each in tree.items()}
        for tree in (before, after)
    )
    found = OutdatedDecisions.of(changed_statuses(*trees))
    return found.include(CASE.subject, is_counted=is_counted, is_sharded=is_sharded)


def test_a_status_of_another_spec_and_account_makes_no_decision_of_a_shard_outdated() -> None:
    requested = about("other", receipts=(a_receipt(age=HOUR),))

    assert not is_outdated({}, {"other.yaml": about("other")})
    assert not is_outdated({"other.yaml": about("other")}, {"other.yaml": requested})
    assert not is_outdated({"other.yaml": requested}, {})


@pytest.mark.parametrize(
    "status",
    [about(NAME), about("renamed", ACCOUNT, CASE.subject.ref.id), b"# jobs.reconciler/v1: damaged"],
    ids=["its name", "its job under another name", "a damaged file"],
)
def test_a_status_with_the_name_the_job_or_the_file_of_a_spec_makes_its_decision_outdated(
    status: JobStatus | bytes,
) -> None:
    path = f"{status.name}.yaml" if isinstance(status, JobStatus) else f"{NAME}.yaml"

    assert is_outdated({}, {path: status}, is_counted=False)
    assert is_outdated({path: status}, {}, is_counted=False)


def test_requests_by_others_make_a_first_attempt_outdated_but_no_repeated_one() -> None:
    before, after = {"other.yaml": about("other")}, {"other.yaml": about("other", receipts=(a_receipt(age=HOUR),))}
    seen = {"other.yaml": about("other", source="team.yaml")}

    assert is_outdated(before, after, is_sharded=False)
    assert is_outdated(before, {}, is_sharded=False), "a removed status may be a loss"
    assert not is_outdated(before, after, is_sharded=False, is_counted=False)
    assert not is_outdated(before, seen, is_sharded=False), "an observation requests nothing"


def test_requests_by_others_in_the_account_of_a_shard_make_its_first_attempts_outdated() -> None:
    before, after = about("other", ACCOUNT), about("other", ACCOUNT, receipts=(a_receipt(age=HOUR),))

    assert is_outdated({"other.yaml": before}, {"other.yaml": after})


def test_a_provider_status_makes_the_decisions_of_its_account_outdated() -> None:
    trouble = ProviderStatus(
        name="openai", account=ACCOUNT, reason=Reason.OBSERVATION_SUSPECT, message="few jobs were listed", since=NOW
    )
    path = "_providers/openai.yaml"

    assert is_outdated({}, {path: render_provider_status(trouble).encode()}, is_counted=False)
    assert not is_outdated({}, {path: render_provider_status(replace(trouble, account="openai else")).encode()})


def test_changes_are_kept_for_decisions_from_after_the_first_pull_up_to_a_maximum() -> None:
    log = ChangeLog()
    (change,) = changed_statuses({}, {"other.yaml": render_status(about("other")).encode()})
    log.add(2, [change])

    assert log.since(0) is None, "the first pull replaces every status"
    assert log.since(1) == (change,)
    assert log.since(2) == ()

    log.add(3, [change] * CHANGES_MAX)

    assert log.since(1) is None
    assert log.since(2) == (change,) * CHANGES_MAX
