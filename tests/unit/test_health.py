"""What a watch tells of itself after a pass, and how its foot of a terminal shows it."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from reconciler.cli.live_footer import agenda_text
from reconciler.controller.build_report import PassResult
from reconciler.controller.health import Lookout
from reconciler.model.job import Phase
from reconciler.model.report import AccountReport, Report
from reconciler.model.status import JobStatus
from reconciler.model.watch_status import Overview
from tests.support.build import ACCOUNT, NOW, a_status
from tests.support.subjects import REF, a_receipt
from tests.unit.test_log import a_row

RUNNING = a_status(phase=Phase.RUNNING, final=False)
CANCELLING = replace(RUNNING, receipts=(a_receipt(),))


def after_a_pass(status: JobStatus, unseen_reason: str | None = None) -> Overview:
    lookout = Lookout.beginning(0.0, 60.0)
    account = AccountReport(name="main", account=ACCOUNT, jobs=1, unseen_reason=unseen_reason)
    report = Report(rows=(a_row(status),), accounts=(account,))
    lookout.passed(PassResult(report, (), frozenset(), timedelta(seconds=60)), [(12.0, REF)], NOW)
    return lookout.overview


def shown(overview: Overview, now: float) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=80).print(agenda_text(overview, now))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("status", "unseen_reason", "why"),
    [
        (RUNNING, None, "running, Cancelled"),
        (CANCELLING, None, "whether the cancel took effect"),
        (CANCELLING, "RateLimited", "again, because the last look failed"),
    ],
)
def test_what_is_due_next_is_told_with_why(status: JobStatus, unseen_reason: str | None, why: str) -> None:
    overview = after_a_pass(status, unseen_reason)

    assert f"in 2 s  support-triage  {why}" in shown(overview, 10.0)


def test_what_is_wrong_with_the_watch_itself_is_told_below() -> None:
    assert shown(after_a_pass(RUNNING), 100.0)[-1] == "the event loop is blocked: nothing runs, for 100 s"


def test_an_account_whose_jobs_have_all_ended_is_not_missed_when_nobody_looks_at_it() -> None:
    assert after_a_pass(RUNNING).seen_at == {str(ACCOUNT): NOW}
    assert after_a_pass(a_status(final=True)).seen_at == {}


def test_an_account_that_was_never_seen_is_missed_since_it_was_first_wanted() -> None:
    lookout = Lookout.beginning(0.0, 60.0)
    account = AccountReport(name="main", account=ACCOUNT, jobs=1, unseen_reason="RateLimited")
    report = Report(rows=(a_row(RUNNING),), accounts=(account,))
    for minutes in (0, 40):
        result = PassResult(report, (), frozenset(), timedelta(seconds=60))
        lookout.passed(result, [], NOW + timedelta(minutes=minutes))

    assert lookout.overview.seen_at == {str(ACCOUNT): NOW}
