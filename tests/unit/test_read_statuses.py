"""What `get` shows: the statuses, compared with the current specs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.controller.read_statuses import read_rows
from reconciler.controller.run_options import Selection
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Phase, Unobserved
from reconciler.model.reason import Reason
from reconciler.model.report import Report, Row
from reconciler.model.spec import DesiredState, FineTuningJob, spec_digest
from reconciler.model.status import Condition, ConditionStatus, ConditionType, JobStatus, ProviderStatus
from reconciler.ports import BrokenJob, Located, Snapshot, StoredStatuses, Unread
from tests.support.build import ACCOUNT, NOW
from tests.support.conditions_oracle import violations
from tests.support.in_memory_operator import Operator
from tests.support.named_specs import a_named_spec, a_named_status
from tests.support.subjects import HOUR

UNREAD_FILE = Unread("a.yaml", "Permission denied", "allow it to be read")
OUTAGE = ProviderStatus(
    name="openai", account=str(ACCOUNT), reason=Reason.CANNOT_OBSERVE_PROVIDER, message="no answer", since=NOW - HOUR
)


def read(snapshot: Snapshot, *statuses: JobStatus, only: tuple[str, ...] = (), **stored: Any) -> Report:
    """Return the report that `get` shows. `stored` adds other contents of the status tree."""
    tree = StoredStatuses(jobs=statuses, **stored)
    return read_rows(snapshot, tree, Operator(), Selection(names=only).predicate(), NOW)


def specs(*names: str, **spec: Any) -> Snapshot:
    return Snapshot(jobs=tuple(a_named_spec(name, **spec) for name in names))


def current(spec: Located[FineTuningJob], reason: Reason = Reason.AS_DESIRED, **facts: Any) -> JobStatus:
    """Return a status that was written for this version of the spec."""
    digest = spec_digest(spec.document.spec, ACCOUNT)
    status = a_named_status(spec.document.metadata.name, observed_spec=digest, **facts)
    (ready,) = status.conditions
    return replace(status, conditions=(replace(ready, reason=reason),))


def stalled_too(status: JobStatus) -> JobStatus:
    """Return the status with the condition `Stalled`."""
    ready: Condition = status.ready
    false = replace(ready, status=ConditionStatus.FALSE)
    return replace(status, conditions=(false, replace(ready, type=ConditionType.STALLED, status=ConditionStatus.TRUE)))


def the_row(report: Report) -> Row:
    (row,) = report.rows
    return row


def test_a_status_of_the_current_spec_is_shown_unchanged() -> None:
    spec = a_named_spec("a")
    status = current(spec)
    row = the_row(read(specs("a"), status))

    assert (row.status, row.before, row.unobserved) == (status, status, None)
    assert (row.name, row.source, row.provider, row.wanted) == ("a", "a.yaml", "openai", DesiredState.CANCELLED)
    assert row.ref is not None
    assert row.document == spec.document


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ([a_named_status("a")], "the spec changed after the last observation of its job"),
        ([current(a_named_spec("a"), Reason.SPEC_DELETED)], "the spec changed after the last observation of its job"),
        ([], "its job has not been observed yet"),
    ],
    ids=["an earlier spec", "the spec that was gone for a while", "no status"],
)
def test_a_status_of_an_earlier_spec_or_a_missing_status_is_out_of_date(statuses: list[JobStatus], said: str) -> None:
    row = the_row(read(specs("a"), *statuses))

    assert (row.status.ready.reason, row.status.ready.message) == (Reason.OUT_OF_DATE, said)
    assert row.status.ready.status is ConditionStatus.UNKNOWN
    assert row.unobserved == Unobserved(Reason.OUT_OF_DATE, said)
    assert row.status.phase is (Phase.RUNNING if statuses else Phase.UNKNOWN)
    assert violations(row.status) == []


def test_a_status_with_reason_host_not_trusted_is_shown_unchanged() -> None:
    status = a_named_status("a")
    (ready,) = status.conditions
    untrusted = replace(status, conditions=(replace(ready, reason=Reason.HOST_NOT_TRUSTED),))

    assert the_row(read(specs("a"), untrusted)).status == untrusted


def test_an_invalid_job_id_shows_the_spec_as_stalled_despite_its_status() -> None:
    row = the_row(read(specs("a", jobId="../x"), a_named_status("a")))

    assert row.status.is_stalled
    assert row.status.ready.reason is Reason.INVALID_SPEC


def test_an_invalid_spec_is_shown_with_only_its_name_and_source() -> None:
    broken = BrokenJob(name="a", file="a.yaml", diagnostics=())
    row = the_row(read(Snapshot(broken_jobs=(broken,))))

    assert (row.name, row.source, row.provider, row.ref, row.wanted, row.document) == (
        "a",
        "a.yaml",
        None,
        None,
        None,
        None,
    )
    assert row.status.is_stalled
    assert row.status.ready.message == "the spec is not valid"


def test_an_unreadable_status_is_shown_as_unknown_and_the_exit_code_is_70() -> None:
    report = read(specs("a"), unread=(UNREAD_FILE,))

    assert the_row(report).status.ready.reason is Reason.STATUS_UNKNOWN
    assert report.exit_code is ExitCode.SOFTWARE
    assert [each.partition(":")[0] for each in report.errors] == ["specs/status/a.yaml cannot be read"]


def test_reading_current_statuses_has_exit_code_0_and_no_errors() -> None:
    report = read(specs("a"), current(a_named_spec("a")))

    assert (report.exit_code, report.errors, report.diagnostics, report.accounts) == (ExitCode.OK, (), (), ())


def test_an_unknown_provider_is_reported_as_a_diagnostic() -> None:
    assert [each.field for each in read(specs("a", provider="opnai")).diagnostics] == ["spec.provider"]


def test_only_selected_rows_are_shown_sorted_by_name() -> None:
    snapshot = specs("c", "a", "b")

    assert [row.name for row in read(snapshot).rows] == ["a", "b", "c"]
    assert [row.name for row in read(snapshot, only=("b", "c")).rows] == ["b", "c"]


# Accounts that could not be observed


def test_a_job_of_an_unobserved_account_is_shown_as_unobserved() -> None:
    status = current(a_named_spec("a"))
    report = read(specs("a"), status, providers=(OUTAGE,))
    (account,) = report.accounts

    assert the_row(report).status == status
    assert the_row(report).unobserved == Unobserved(Reason.CANNOT_OBSERVE_PROVIDER, "no answer")
    assert (account.name, account.account, account.jobs, account.since) == ("openai", None, 1, NOW - HOUR)
    assert account.unobserved == Unobserved(Reason.CANNOT_OBSERVE_PROVIDER, "no answer", is_transient=False)


@pytest.mark.parametrize(
    "outage",
    [replace(OUTAGE, account="openai https://eu.example/v1"), replace(OUTAGE, jobs=("ftjob-b",))],
    ids=["another account", "another job of it"],
)
def test_an_outage_of_another_account_or_job_does_not_affect_a_row(outage: ProviderStatus) -> None:
    report = read(specs("a"), current(a_named_spec("a")), providers=(outage,))

    assert the_row(report).unobserved is None
    assert [each.jobs for each in report.accounts] == [0]


@pytest.mark.parametrize(
    ("status", "counted"),
    [
        (current(a_named_spec("a"), phase=Phase.CANCELLED, final=True), 0),
        (stalled_too(current(a_named_spec("a"), Reason.JOB_FAILED)), 1),
    ],
    ids=["it has ended for good", "it waits for a person"],
)
def test_a_final_or_stalled_job_is_shown_unchanged_during_an_outage(status: JobStatus, counted: int) -> None:
    report = read(specs("a"), status, providers=(OUTAGE,))

    assert (the_row(report).status, the_row(report).unobserved) == (status, None)
    assert [each.jobs for each in report.accounts] == [counted]


def test_a_changed_spec_is_shown_as_out_of_date_during_an_outage() -> None:
    row = the_row(read(specs("a"), a_named_status("a"), providers=(OUTAGE,)))

    assert row.unobserved is not None
    assert row.unobserved.reason is Reason.OUT_OF_DATE


def test_an_invalid_spec_is_not_shown_as_unobserved_during_an_outage() -> None:
    report = read(specs("a", jobId="../x"), providers=(OUTAGE,))

    assert the_row(report).unobserved is None


def test_an_outage_that_affects_no_selected_job_is_not_shown() -> None:
    snapshot = specs("a", "b")
    only_b = replace(OUTAGE, jobs=("ftjob-b",))

    assert read(snapshot, providers=(only_b,), only=("a",)).accounts == ()
    assert len(read(snapshot, providers=(only_b,), only=("b",)).accounts) == 1
    assert len(read(snapshot, providers=(only_b,)).accounts) == 1


def test_an_outage_of_the_batches_of_an_account_is_named_like_in_the_report_of_a_pass() -> None:
    outage = replace(OUTAGE, name="openai--batchjob", account=str(ACCOUNT.of_kind("BatchJob")))
    (account,) = read(specs("a"), providers=(outage,)).accounts

    assert account.name == "openai BatchJob"
