"""Which events a watch logs, and which it does not."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

from reconciler.model.action import CommitApproval
from reconciler.model.election import ElectionStatus
from reconciler.model.job import Phase, Unobserved
from reconciler.model.reason import Reason
from reconciler.model.report import AccountReport, Report, Row
from reconciler.model.spec import DesiredState
from reconciler.model.status import JobStatus
from reconciler.redaction import KNOWN_SECRETS
from reconciler.telemetry.log import PassLog, make_logger
from reconciler.views.log_text import log_line
from tests.support.build import ACCOUNT, NOW, a_status
from tests.support.reports import a_refusal, a_stalled_row
from tests.support.subjects import REF


def a_row(status: JobStatus, before: JobStatus | None = None) -> Row:
    return Row(
        name=status.name,
        source=status.source,
        provider="openai",
        ref=REF,
        wanted=DesiredState.CANCELLED,
        status=status,
        before=before,
    )


def logged(*reports: Report) -> list[dict[str, Any]]:
    stream = io.StringIO()
    log = PassLog(make_logger(stream))
    for report in reports:
        log.log_pass(report, [row.name for row in report.rows])
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def away(why: str | None) -> Report:
    return Report(
        accounts=(AccountReport(name="main", account=ACCOUNT, jobs=1, unobserved=unobserved(why) if why else None),)
    )


def unobserved(why: str) -> Unobserved:
    return Unobserved(Reason.CANNOT_OBSERVE_PROVIDER, why)


def test_a_transition_is_logged_as_one_line_with_name_account_and_revision() -> None:
    (line,) = logged(Report(rows=(a_row(a_status()),), revision="4be1f0c"))

    assert (line["name"], line["account"], line["revision"]) == ("support-triage", str(ACCOUNT), "4be1f0c")
    assert (line["phase"], line["reason"], line["level"]) == ("cancelled", "Cancelled", "info")
    assert line["message"] == "cancelled at the provider"


def test_a_poll_without_a_transition_is_not_logged() -> None:
    status = a_status()
    first, quiet = Report(rows=(a_row(status),)), Report(rows=(a_row(status, status),))

    assert len(logged(first, quiet, quiet)) == 1


def test_a_status_change_without_a_transition_is_not_logged() -> None:
    status = a_status(phase=Phase.RUNNING)
    moved = replace(status, observed_generation=2)

    assert len(logged(Report(rows=(a_row(status),)), Report(rows=(a_row(moved, status),)))) == 1


def test_an_outage_is_logged_once_when_it_begins_and_once_when_it_ends() -> None:
    lines = logged(away("no answer"), away("no answer"), away("HTTP 500"), away(None), away(None))

    assert [line["message"] for line in lines] == [
        "cannot be observed: no answer",
        "observed again",
    ]


def test_a_warning_is_logged_again_only_after_it_was_resolved() -> None:
    wrong, right = Report(notices=("a status counts as none",)), Report()

    assert [line["message"] for line in logged(wrong, wrong, right, wrong)] == [
        "a status counts as none",
        "resolved: a status counts as none",
        "a status counts as none",
    ]


def test_a_refusal_is_logged_as_resolved_only_once_its_jobs_are_no_longer_refused() -> None:
    refusal = a_refusal("overall", "one", "other", unfinished=2, max_cancels=1)
    fewer = replace(refusal, requested=1, names=("one",))
    one, other = (a_stalled_row(name, Reason.REFUSED_BY_GUARD, "refused") for name in refusal.names)
    rows = tuple(replace(row, before=row.status) for row in (one, other))
    calm = a_status(name="one")
    lines = logged(
        Report(rows=rows, refusals=(refusal,)),
        Report(rows=rows),
        Report(rows=rows, refusals=(refusal,)),
        Report(rows=(rows[0],), refusals=(fewer,)),
        Report(rows=(a_row(calm, calm),)),
    )

    assert [line["message"] for line in lines] == [
        str(refusal),
        str(fewer),
        f"resolved: {refusal}",
        f"resolved: {fewer}",
    ]


def test_a_known_secret_is_redacted_in_the_log() -> None:
    KNOWN_SECRETS.add("a test", "sk-canary-0123")
    lines = logged(away("the key sk-canary-0123 was refused"))

    assert "canary" not in json.dumps(lines)
    assert lines[0]["message"] == "cannot be observed: the key [redacted] was refused"


def test_an_outage_ends_only_once_every_unobserved_job_was_observed_again() -> None:
    one, other = a_status(name="one", final=False), a_status(name="other", final=False)
    rows = a_row(one, one), a_row(other, other)
    down = replace(away("no answer"), rows=tuple(replace(row, unobserved=unobserved("no answer")) for row in rows))
    up = replace(away(None), rows=rows)
    stream = io.StringIO()
    log = PassLog(make_logger(stream))
    log.log_pass(down, ["one", "other"])
    log.log_pass(up, ["one"])
    after_a_part = stream.getvalue()
    log.log_pass(up, ["other"])

    assert "observed again" not in after_a_part
    assert "observed again" in stream.getvalue()


def test_many_jobs_observed_for_the_first_time_are_summarized_in_one_line() -> None:
    rows = tuple(a_row(a_status(name=f"job-{number}")) for number in range(5000))
    stalled = a_row(a_stalled_row("typo").status)
    lines = logged(Report(rows=(*rows, stalled)))

    assert [line["message"] for line in lines] == [
        "first status of 5,000 jobs: 5,000 Cancelled",
        "look for a typo",
    ]


def test_a_text_log_line_shows_time_name_and_message_and_all_fields_if_verbose() -> None:
    event = {
        "event": "cancelled at the provider",
        "level": "info",
        "at": "2026-11-23T14:03:20Z",
        "name": "support-triage",
        "account": "openai https://api.openai.com/v1",
        "revision": "4be1f0c",
    }

    assert log_line(event, is_verbose=False).plain == "14:03:20 support-triage  cancelled at the provider"
    assert log_line(event, is_verbose=True).plain == (
        "14:03:20 support-triage  cancelled at the provider  account=openai https://api.openai.com/v1 revision=4be1f0c"
    )


def test_the_log_of_a_refusal_says_that_an_approval_of_a_commit_was_ignored() -> None:
    ignored = CommitApproval("4be1f0c", NOW, 1, frozenset({"one"}), "it touches a status")
    refusal = a_refusal("overall", "one", ignored=(ignored,))
    messages = [each["message"] for each in logged(Report(refusals=(refusal,)))]

    assert "The Approve-Cancels line of commit 4be1f0c is ignored: it touches a status." in messages


def test_each_change_of_the_election_is_one_line() -> None:
    stream = io.StringIO()
    log, before = PassLog(make_logger(stream)), None
    leader = ElectionStatus("lease:a/b", is_leader=True)
    for known in (
        ElectionStatus("lease:a/b", holder="other"),
        ElectionStatus("lease:a/b", holder="other"),
        ElectionStatus("lease:a/b", problem="no answer"),
        leader,
        replace(leader, problem="no answer"),
        replace(leader, problem="no answer"),
        leader,
        ElectionStatus("lease:a/b", problem="the lease has ended"),
    ):
        log.log_leadership(before, known)
        before = known

    assert [(each["level"], each["message"]) for each in map(json.loads, stream.getvalue().splitlines())] == [
        ("info", "standing by for lease:a/b: other holds the lease"),
        ("warning", "standing by for lease:a/b: no answer"),
        ("info", "leading, with lease:a/b"),
        ("warning", "the lease could not be renewed: no answer"),
        ("info", "the lease is renewed again"),
        ("warning", "no longer leading: the lease has ended"),
    ]
