"""The series that a scrape returns."""

from __future__ import annotations

import platform
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from prometheus_client.samples import Sample

from reconciler.controller.build_report import PassResult
from reconciler.controller.health import HealthTracker
from reconciler.model.action_record import Sent
from reconciler.model.guard_use import GuardUse
from reconciler.model.job import ObservedJob, Phase
from reconciler.model.notification import SinkDelivery
from reconciler.model.price import Meter, Price
from reconciler.model.reason import Reason
from reconciler.model.report import AccountReport, Report
from reconciler.model.request_rate import LimitedBy, RequestRate
from reconciler.model.status import Outcome
from reconciler.model.watch_status import Result, WatchStatus
from reconciler.telemetry.metrics import NO_OPTIONS, Metrics
from reconciler.telemetry.metrics_options import MetricsOptions, metric_labels
from tests.support.build import ACCOUNT, NOW, a_status
from tests.support.page_scene import EAST, OUTAGE, TEAMS, WEST, a_job, a_refused_job, a_watch
from tests.support.reports import OPENAI, a_stalled_row
from tests.support.subjects import HOUR, a_receipt
from tests.unit.test_log import a_row

PROVIDER = str(ACCOUNT)


class Board:
    """A watch status that a test can replace, and the metrics computed from it."""

    def __init__(self, options: MetricsOptions = NO_OPTIONS) -> None:
        self.overview = WatchStatus(interval_s=60, heartbeat_at=100, progress_at=88, watched_at=100)
        self.metrics = Metrics(lambda: self.overview, lambda: NOW, options)

    def value(self, series: str, /, **labels: str) -> float | None:
        """Return the value of a series, or None if the series does not exist."""
        return self.metrics.registry.get_sample_value(f"reconcile_{series}", labels)

    def samples(self, name: str | None = None) -> list[Sample]:
        """Return all samples, or those of one metric."""
        found = [sample for family in self.metrics.registry.collect() for sample in family.samples]
        return [each for each in found if name is None or each.name == f"reconcile_{name}"]

    def series(self, name: str) -> list[dict[str, str]]:
        """Return the labels of each series of a metric."""
        return [each.labels for each in self.samples(name)]


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
    while_there = board.series("resource_info")
    board.overview = replace(board.overview, report=Report())

    assert [labels["name"] for labels in while_there] == ["support-triage"]
    assert board.series("resource_info") == []


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


def test_a_job_has_one_series_with_its_state_and_the_reason(board: Board) -> None:
    board.overview = replace(board.overview, report=Report(rows=(a_stalled_row("typo"),)))

    assert board.series("resource_info") == [
        {
            "name": "typo",
            "kind": "FineTuningJob",
            "provider": str(OPENAI),
            "desired": "running",
            "observed": "absent",
            "ready": "False",
            "stalled": "true",
            "suspended": "false",
            "limit_not_judged": "false",
            "reason": "JobNotFound",
        }
    ]


def test_a_job_shows_whether_its_limit_cannot_be_judged(board: Board) -> None:
    ready = a_status().ready
    unjudged = replace(ready, reason=Reason.AS_DESIRED, message="running at the provider; its limit cannot be judged")
    board.overview = replace(board.overview, report=Report(rows=(a_row(a_status(conditions=(unjudged,))),)))
    while_unjudged = [each["limit_not_judged"] for each in board.series("resource_info")]
    counted = board.value("limits_not_judged", provider=PROVIDER)
    board.overview = replace(board.overview, report=Report(rows=(a_row(a_status()),)))

    assert (while_unjudged, counted) == (["true"], 1)
    assert [each["limit_not_judged"] for each in board.series("resource_info")] == ["false"]
    assert board.value("limits_not_judged", provider=PROVIDER) is None


def test_jobs_are_counted_by_account_and_readiness(board: Board) -> None:
    rows = (a_job("one"), a_job("two"), a_refused_job("three"), a_job("four", WEST))
    board.overview = replace(board.overview, report=Report(rows=rows))
    states = {str(EAST): {("True", "false", "AsDesired"): 2, ("False", "true", "RefusedByGuard"): 1}}
    states[str(WEST)] = {("True", "false", "AsDesired"): 1}

    assert {
        provider: {
            state: board.value("jobs", provider=provider, ready=state[0], stalled=state[1], reason=state[2])
            for state in counts
        }
        for provider, counts in states.items()
    } == states
    assert len(board.series("jobs")) == 3


def test_an_author_cannot_add_series_to_the_counts(board: Board) -> None:
    unknown = [replace(a_stalled_row(f"job-{n}"), ref=None, provider=f"no-provider-{n}") for n in range(50)]
    board.overview = replace(board.overview, report=Report(rows=tuple(unknown)))

    assert [labels["provider"] for labels in board.series("jobs")] == [""]
    assert len(board.series("resource_info")) == 50


def test_specs_of_one_name_do_not_repeat_a_series(board: Board) -> None:
    board.overview = replace(board.overview, report=Report(rows=(a_stalled_row("twice"), a_stalled_row("twice"))))

    assert len(board.series("resource_info")) == 1
    assert [sample.value for sample in board.samples("jobs")] == [2]


@pytest.mark.parametrize(("has_jobs", "series"), [(True, 3), (False, 0)])
def test_a_job_has_at_most_three_series(*, has_jobs: bool, series: int) -> None:
    board = Board(MetricsOptions(has_jobs=has_jobs))
    price = Price("openai", "FineTuningJob", "*", Meter.HOUR, Decimal("3.00"), "USD")
    row = a_job("priced")
    seen = ObservedJob(
        id="ftjob-priced", phase=Phase.RUNNING, provider_status="running", estimated_finish_at=NOW + HOUR
    )
    board.overview = replace(a_watch([replace(row, price=price, seen=seen)]), finished_at=NOW)
    named = [each.name for each in board.samples() if "priced" in each.labels.values()]

    assert len(named) == series, named
    assert [each.value for each in board.samples("jobs")] == [1]


def test_a_job_has_the_chosen_labels_of_its_spec() -> None:
    board = Board(MetricsOptions(labels=metric_labels(["team", "example.org/cost-center"])))
    board.overview = a_watch([a_job("triage"), replace(a_job("broken"), document=None)])

    assert [(each["label_team"], each["label_example_org_cost_center"]) for each in board.series("resource_info")] == [
        ("", ""),
        (TEAMS[sum(map(ord, "triage")) % len(TEAMS)], ""),
    ]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["a b"], "is not a label key"),
        (["cost-center", "cost_center"], "two of the labels are both called label_cost_center"),
        ([f"l{n}" for n in range(11)], "there are 11 labels: name at most 10"),
    ],
)
def test_labels_that_metrics_cannot_have_are_refused(keys: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metric_labels(keys)


def test_the_guards_use_and_limits_are_shown_for_each_account(board: Board) -> None:
    use = GuardUse(account=2, overall=5, max_cancels=3, max_cancel_percent=30, max_cancels_absolute=20, doubt="lost")
    board.overview = replace(board.overview, guard={PROVIDER: use})

    shown = ("guard_changes", "guard_max_cancels", "guard_max_cancel_percent", "guard_max_cancels_absolute")
    assert [board.value(each, provider=PROVIDER) for each in shown] == [2, 3, 30, 20]
    assert (board.value("guard_changes_overall"), board.value("guard_doubt", provider=PROVIDER)) == (5, 1)


def test_an_unobserved_account_has_a_series_with_the_reason(board: Board) -> None:
    suspect = replace(OUTAGE, account=PROVIDER, reason=Reason.OBSERVATION_SUSPECT, jobs=("ftjob-1",))
    board.overview = replace(board.overview, outages=(OUTAGE, suspect))

    assert board.series("account_unobserved") == [
        {"provider": str(WEST), "reason": "CannotObserveProvider", "scope": "account"},
        {"provider": PROVIDER, "reason": "ObservationSuspect", "scope": "jobs"},
    ]


def test_the_build_and_the_process_are_shown() -> None:
    board = Board(MetricsOptions(version="1.2.3"))

    assert board.series("build_info") == [{"version": "1.2.3", "python": platform.python_version()}]
    assert (board.metrics.registry.get_sample_value("process_resident_memory_bytes") or 0) > 0


def test_warnings_last_from_the_first_to_the_last_pass_that_had_them(board: Board) -> None:
    health = HealthTracker.beginning(0.0, 60.0)
    lasted = []
    for minute, notices in enumerate([("away",), ("away",), ("away",), (), ("away",)]):
        result = PassResult(Report(notices=notices), (), frozenset(), timedelta(seconds=60))
        health.passed(result, [], NOW + minute * timedelta(minutes=1))
        board.overview = health.overview
        lasted.append(board.value("warnings_duration_seconds"))

    assert lasted == [0, 60, 120, 0, 0]


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


def test_the_deliveries_of_a_sink_are_counted_and_what_is_due_has_an_age(board: Board) -> None:
    due = SinkDelivery(sent=3, failed=2, dropped=1, waiting=4, due_since=NOW - timedelta(minutes=20))
    board.overview = replace(board.overview, sinks={"chat": due, "held": SinkDelivery(waiting=2)})

    results = [board.value("notifications_total", sink="chat", result=each) for each in ("sent", "failed", "dropped")]
    assert results == [3, 2, 1]
    assert board.value("notifications_waiting", sink="chat") == 4
    assert board.value("notification_age_seconds", sink="chat") == 1200
    assert board.value("notifications_waiting", sink="held") == 2
    assert board.value("notification_age_seconds", sink="held") == 0
