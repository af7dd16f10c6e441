"""What a watch logs, and what it does not."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

from reconciler.model.job import Phase
from reconciler.model.report import AccountReport, Report, Row
from reconciler.model.spec import DesiredState
from reconciler.model.status import JobStatus
from reconciler.telemetry.log import PassLog, make_logger
from tests.support.build import ACCOUNT, a_status
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


def logged(*reports: Report, secrets: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    stream = io.StringIO()
    log = PassLog(make_logger(stream, is_json=True, secrets=secrets))
    for report in reports:
        log.passed(report)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def away(why: str | None) -> Report:
    reason = "CannotObserveProvider" if why else None
    return Report(accounts=(AccountReport(name="main", account=ACCOUNT, jobs=1, unseen_reason=reason, message=why),))


def test_a_transition_is_one_line_with_name_account_and_revision() -> None:
    (line,) = logged(Report(rows=(a_row(a_status()),), revision="4be1f0c"))

    assert (line["name"], line["account"], line["revision"]) == ("support-triage", str(ACCOUNT), "4be1f0c")
    assert (line["phase"], line["reason"], line["level"]) == ("cancelled", "Cancelled", "info")
    assert line["message"] == "cancelled at the provider"


def test_a_poll_without_news_says_nothing() -> None:
    status = a_status()
    first, quiet = Report(rows=(a_row(status),)), Report(rows=(a_row(status, status),))

    assert len(logged(first, quiet, quiet)) == 1


def test_progress_that_is_no_transition_says_nothing() -> None:
    status = a_status(phase=Phase.RUNNING)
    moved = replace(status, observed_generation=2)

    assert len(logged(Report(rows=(a_row(status),)), Report(rows=(a_row(moved, status),)))) == 1


def test_an_outage_is_one_line_and_its_end_another() -> None:
    lines = logged(away("no answer"), away("no answer"), away("HTTP 500"), away(None), away(None))

    assert [line["message"] for line in lines] == [
        "an account cannot be looked at",
        "the account can be looked at again",
    ]


def test_what_is_wrong_is_said_once_and_again_only_after_it_was_right() -> None:
    wrong, right = Report(notices=("a status counts as none",)), Report()

    assert len(logged(wrong, wrong, right, wrong)) == 2


def test_no_secret_gets_past() -> None:
    lines = logged(away("the key sk-canary-0123 was refused"), secrets=("sk-canary-0123",))

    assert "canary" not in json.dumps(lines)
    assert lines[0]["why"] == "the key [redacted] was refused"


def test_for_people_a_line_begins_with_its_time_and_says_the_sentence() -> None:
    stream = io.StringIO()
    PassLog(make_logger(stream, is_json=False)).passed(Report(rows=(a_row(a_status()),)))

    assert "cancelled at the provider" in stream.getvalue()
    assert "name=support-triage" in stream.getvalue()
