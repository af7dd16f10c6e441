"""The series that a scrape returns."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.model.action_record import Sent
from reconciler.model.reason import Reason
from reconciler.model.report import AccountReport, Report
from reconciler.model.request_rate import LimitedBy, RequestRate
from reconciler.model.status import Outcome
from reconciler.model.watch_status import Result, WatchStatus
from reconciler.telemetry.metrics import Metrics
from tests.support.build import ACCOUNT, NOW, a_status
from tests.support.subjects import a_receipt
from tests.unit.test_log import a_row

PROVIDER = str(ACCOUNT)


class Board:
    """A watch status that a test can replace, and the metrics computed from it."""

    def __init__(self) -> None:
        self.overview = WatchStatus(interval_s=60, heartbeat_at=100, progress_at=88, watched_at=100)
        self.metrics = Metrics(lambda: self.overview, lambda: NOW)

    def value(self, series: str, /, **labels: str) -> float | None:
        """Return the value of a series, or None if the series does not exist."""
        return self.metrics.registry.get_sample_value(f"reconcile_{series}", labels)


@pytest.fixture
def board() -> Board:
    return Board()


def a_report(**more: object) -> Report:
    return Report(accounts=(AccountReport(name="main", account=ACCOUNT, jobs=1),), **more)  # type: ignore[arg-type]


def test_every_series_of_an_account_starts_at_0(board: Board) -> None:
    board.metrics.count_pass(a_report(), 0.1, [])

    assert [board.value("reconcile_total", provider=PROVIDER, result=each) for each in Result] == [0] * 4
    assert board.value("reconcile_errors_total", provider=PROVIDER) == 0
    assert board.value("provider_requests_total", provider=PROVIDER, method="POST", code="200") == 0


def test_the_request_rate_of_an_account_is_shown_with_what_limits_it(board: Board) -> None:
    rates = {PROVIDER: RequestRate(2.5, LimitedBy.THROTTLING), "gone": RequestRate(10, LimitedBy.NOTHING)}
    board.overview = replace(board.overview, rates=rates, seen_at={PROVIDER: NOW})

    assert board.value("provider_request_rate", provider=PROVIDER) == 2.5
    assert board.value("provider_request_rate", provider="gone") is None
    assert {by: board.value("provider_request_rate_limit", provider=PROVIDER, by=by) for by in LimitedBy} == {
        LimitedBy.NOTHING: 0,
        LimitedBy.CEILING: 0,
        LimitedBy.THROTTLING: 1,
        LimitedBy.HEADERS: 0,
    }


def test_a_request_is_counted_with_its_duration_and_its_wait(board: Board) -> None:
    board.metrics.count_request(PROVIDER, Sent(method="POST", status=429, took_s=0.2, waited_s=3))
    board.metrics.count_request(PROVIDER, Sent(method="POST", status=None, took_s=45, waited_s=0))

    assert board.value("provider_requests_total", provider=PROVIDER, method="POST", code="429") == 1
    assert board.value("provider_requests_total", provider=PROVIDER, method="POST", code="none") == 1
    assert board.value("provider_request_duration_seconds_sum", provider=PROVIDER, method="POST") == 45.2
    assert board.value("rate_limiter_wait_seconds_sum", provider=PROVIDER) == 3


@pytest.mark.parametrize(("result", "errors", "retries"), [("error", 1, 1), ("requeue", 0, 1), ("success", 0, 0)])
def test_a_job_is_counted_by_its_result(board: Board, result: str, errors: int, retries: int) -> None:
    board.metrics.count_pass(a_report(), 0.1, [(PROVIDER, Result(result))])

    assert board.value("reconcile_total", provider=PROVIDER, result=result) == 1
    assert board.value("reconcile_errors_total", provider=PROVIDER) == errors
    assert board.value("workqueue_retries_total") == retries


def test_the_latency_of_a_confirmed_cancel_is_recorded_once(board: Board) -> None:
    asked = a_receipt(age=timedelta(seconds=40))
    proved = replace(asked, outcome=Outcome.CANCELLED, confirmed_at=NOW)
    before, after = a_status(receipts=(asked,)), a_status(receipts=(proved,))

    board.metrics.count_pass(a_report(rows=(a_row(after, before),)), 0.1, [])
    board.metrics.count_pass(a_report(rows=(a_row(after, after),)), 0.1, [])

    assert board.value("cancel_latency_seconds_count") == 1
    assert board.value("cancel_latency_seconds_sum") == 40


def test_the_series_of_a_removed_spec_are_removed(board: Board) -> None:
    board.overview = replace(board.overview, report=Report(rows=(a_row(a_status()),)))
    ready = {"name": "support-triage", "type": "Ready", "status": "True"}
    while_there = board.value("reconcile_condition", **ready)
    board.overview = replace(board.overview, report=Report())

    assert while_there == 1
    assert board.value("reconcile_condition", **ready) is None


def test_the_series_of_an_account_without_specs_are_removed(board: Board) -> None:
    board.metrics.count_pass(a_report(rows=(a_row(a_status()),)), 0.1, [(PROVIDER, Result.SUCCESS)])
    board.metrics.count_pass(Report(rows=(a_row(a_status()),)), 0.1, [])
    while_named = board.value("reconcile_total", provider=PROVIDER, result="success")
    board.metrics.count_pass(Report(), 0.1, [])

    assert while_named == 1
    assert board.value("reconcile_total", provider=PROVIDER, result="success") is None
    assert board.value("provider_requests_total", provider=PROVIDER, method="GET", code="200") is None


def test_gauges_are_computed_from_the_watch_status_at_each_scrape(board: Board) -> None:
    board.overview = replace(
        board.overview, waiting=7, finished_at=NOW, seen_at={PROVIDER: NOW - timedelta(seconds=30)}
    )

    assert board.value("workqueue_depth") == 7
    assert board.value("interval_seconds") == board.overview.interval_s
    assert board.value("workqueue_longest_running_processor_seconds") == 12
    assert board.value("observation_age_seconds", provider=PROVIDER) == 30
    assert board.value("last_success_timestamp_seconds") == NOW.timestamp()


def test_a_limit_has_a_series_while_it_cannot_be_judged(board: Board) -> None:
    ready = a_status().ready
    unjudged = replace(ready, reason=Reason.AS_DESIRED, message="running at the provider; its limit cannot be judged")
    board.overview = replace(board.overview, report=Report(rows=(a_row(a_status(conditions=(unjudged,))),)))
    while_unjudged = board.value("limit_not_judged", name="support-triage", provider=PROVIDER)
    board.overview = replace(board.overview, report=Report(rows=(a_row(a_status()),)))

    assert while_unjudged == 1
    assert board.value("limit_not_judged", name="support-triage", provider=PROVIDER) is None


def test_only_gauges_name_a_job(board: Board) -> None:
    board.overview = replace(board.overview, report=Report(rows=(a_row(a_status()),)))
    board.metrics.count_pass(a_report(rows=(a_row(a_status()),)), 0.1, [(PROVIDER, Result.SUCCESS)])
    named = {
        family.type
        for family in board.metrics.registry.collect()
        for sample in family.samples
        if "support-triage" in sample.labels.values()
    }

    assert named == {"gauge"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed: apt install prometheus")
def test_promtool_reports_no_problem(board: Board) -> None:
    board.overview = replace(board.overview, report=Report(rows=(a_row(a_status()),)), seen_at={PROVIDER: NOW})
    board.metrics.count_pass(a_report(), 0.1, [(PROVIDER, Result.SUCCESS)])
    text, _ = board.metrics.text()

    ran = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


def test_the_warnings_gauge_counts_those_of_the_last_pass_only(board: Board) -> None:
    board.overview = replace(board.overview, report=Report(notices=("the remote is away",), errors=("not published",)))
    warned = board.value("warnings")
    board.overview = replace(board.overview, report=Report())

    assert (warned, board.value("warnings")) == (2, 0)
