from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.controller.archive_choice import ArchivedFile, choose
from reconciler.core.archiving import ended_at, why_kept
from reconciler.core.losses import lost_since, marks_of, without_archived
from reconciler.model.journal import KnownStatuses
from reconciler.model.reason import Reason
from reconciler.model.report import Report, Row
from reconciler.model.spec import API_VERSION, Settings
from reconciler.model.status import Because, ConditionStatus, JobStatus, Outcome, Receipt, Verb
from reconciler.ports import Located, Snapshot
from tests.support.build import NOW, a_status

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LATER = NOW + 100 * DAY
PROVEN = Receipt(
    verb=Verb.CANCEL,
    because=Because.DESIRED_STATE,
    reason=None,
    origin=None,
    requested_at=NOW - MINUTE,
    last_attempt_at=NOW - MINUTE,
    attempts=1,
    accepted_at=NOW,
    confirmed_at=NOW + MINUTE,
    outcome=Outcome.CANCELLED,
)
OPEN = replace(PROVEN, confirmed_at=None, outcome=None)
ENDED = a_status(receipts=(PROVEN,))


def not_ready(status: JobStatus) -> JobStatus:
    ready = replace(status.ready, status=ConditionStatus.FALSE, reason=Reason.JOB_FAILED)
    return replace(status, conditions=(ready,))


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (ENDED, None),
        (replace(ENDED, receipts=(OPEN,)), "its cancel is not proven yet"),
        (replace(ENDED, final=False), "it has not ended for good"),
        (replace(ENDED, doubted_at=LATER), "it has not ended for good"),
        (not_ready(ENDED), "it is not as its spec wants it (JobFailed)"),
    ],
)
def test_only_the_status_of_a_job_that_needs_nothing_more_is_archived(status: JobStatus, why: str | None) -> None:
    assert why_kept(status, LATER) == why


def test_a_status_is_kept_while_the_guard_counts_its_request() -> None:
    assert why_kept(ENDED, NOW + 58 * MINUTE) == "the guard still counts its request"
    assert why_kept(ENDED, NOW + 59 * MINUTE) is None


def test_the_age_of_an_ended_job_is_that_of_the_newest_fact_about_it() -> None:
    job = ENDED.job
    assert job is not None

    assert ended_at(a_status()) == NOW
    assert ended_at(ENDED) == NOW + MINUTE
    assert ended_at(replace(ENDED, job=replace(job, finished_at=NOW - DAY))) == NOW + MINUTE
    assert ended_at(replace(ENDED, job=replace(job, finished_at=NOW + DAY))) == NOW + DAY


def a_row(name: str, source: str, status_source: str | None = None, *, is_final: bool = True) -> Row:
    status = a_status(name, source=status_source or source, final=is_final)
    return Row(name=name, source=source, provider="openai", ref=None, wanted=None, status=status, before=None)


def test_a_file_is_archived_only_as_a_whole() -> None:
    rows = (
        a_row("old", "old.yaml"),
        a_row("one", "both.yaml"),
        a_row("other", "both.yaml", is_final=False),
        a_row("beside", "mixed.yaml"),
        a_row("broken", "broken.yaml"),
        a_row("moved", "new.yaml", "elsewhere.yaml"),
    )
    settings = Settings.model_validate(
        {"apiVersion": API_VERSION, "kind": "Settings", "metadata": {"name": "settings"}, "spec": {}}
    )
    snapshot = Snapshot(
        settings=(Located(document=settings, file="mixed.yaml", line=1),), broken_files=frozenset({"broken.yaml"})
    )

    choice = choose(Report(rows=rows), snapshot, 90 * DAY, LATER)

    shared = "another document in its file is kept"
    assert choice.files == (ArchivedFile("old.yaml", ("old",)),)
    assert choice.kept == {
        "one": shared,
        "other": "it has not ended for good",
        "beside": shared,
        "broken": shared,
        "moved": "its spec was moved after the last observation",
    }


def test_a_job_that_ended_too_recently_is_kept() -> None:
    report = Report(rows=(a_row("old", "old.yaml"),))

    assert choose(report, Snapshot(), 101 * DAY, LATER).kept == {"old": "it ended less than 101d ago"}
    assert choose(report, Snapshot(), 100 * DAY, LATER).files == (ArchivedFile("old.yaml", ("old",)),)


def test_a_status_that_was_moved_to_the_archive_is_not_lost() -> None:
    statuses = [replace(ENDED, name=f"job-{number}") for number in range(4)]
    lost = lost_since(KnownStatuses(marks=marks_of(statuses)), {}, (), LATER)
    another = replace(statuses[0], receipts=())

    assert without_archived(lost, statuses, LATER) == {}
    assert set(without_archived(lost, [another, *statuses[1:]], LATER)) == {"job-0"}
    assert without_archived(lost, statuses, NOW) == lost, "the guard still counts their requests"
