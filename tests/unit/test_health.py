"""What a watch reports about itself after a pass, and how the footer of the terminal shows it."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from reconciler.cli.live_footer import footer
from reconciler.controller.build_report import PassResult
from reconciler.controller.health import HealthTracker
from reconciler.model.election import ElectionStatus
from reconciler.model.job import Account, JobRef, Phase, Unobserved
from reconciler.model.notification import SinkDelivery
from reconciler.model.reason import Reason
from reconciler.model.report import AccountReport, Report
from reconciler.model.request_rate import LimitedBy, RequestRate
from reconciler.model.status import JobStatus
from reconciler.model.watch_status import WatchStatus, readiness_problems
from tests.support.build import ACCOUNT, NOW, a_job, a_status
from tests.support.subjects import MINUTE, REF, a_receipt
from tests.unit.test_log import a_row

RUNNING = a_status(phase=Phase.RUNNING, final=False)
CANCELLING = replace(RUNNING, receipts=(a_receipt(),))


AWAY = Unobserved(Reason.RATE_LIMITED, "the provider asks us to wait")


def a_pass(status: JobStatus, unobserved: Unobserved | None = None, ref: JobRef = REF) -> PassResult:
    """Return a pass over one job, which was observed unless `unobserved` is given."""
    account = AccountReport(name="main", account=ref.account, jobs=1, unobserved=unobserved)
    row = replace(a_row(status), name=ref.id, ref=ref, unobserved=unobserved)
    wanted = frozenset() if status.final else frozenset({ref})
    return PassResult(Report(rows=(row,), accounts=(account,)), (), frozenset({row.name}), MINUTE, wanted=wanted)


def after_a_pass(status: JobStatus, unobserved: Unobserved | None = None) -> WatchStatus:
    health = HealthTracker.beginning(0.0, 60.0)
    health.passed(a_pass(status, unobserved), [(12.0, REF)], NOW)
    return health.overview


def shown(overview: WatchStatus, now: float) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=80).print(footer(overview, now))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_a_new_state_of_the_deliveries_is_reported_once() -> None:
    health, reported = HealthTracker.beginning(0.0, 60.0), list[WatchStatus]()
    health.on_change = reported.append
    for sent in (0, 1, 1):
        health.delivered({"chat": SinkDelivery(sent=sent)})

    assert [each.sinks["chat"].sent for each in reported] == [0, 1]
    assert health.overview == reported[-1]


@pytest.mark.parametrize(
    ("status", "unobserved", "why"),
    [
        (RUNNING, None, "running, Cancelled"),
        (CANCELLING, None, "check whether the cancel took effect"),
        (CANCELLING, AWAY, "retry, because the last observation failed"),
    ],
)
def test_the_footer_shows_what_is_due_next_and_why(status: JobStatus, unobserved: Unobserved | None, why: str) -> None:
    overview = after_a_pass(status, unobserved)

    assert f"in 2 s  {REF.id}  {why}" in shown(overview, 10.0)


def test_the_last_line_of_the_footer_reports_a_blocked_event_loop() -> None:
    assert shown(after_a_pass(RUNNING), 100.0)[-1] == "the event loop is blocked: nothing has run for 100 s"


def test_an_account_has_no_observation_time_once_all_its_jobs_are_final() -> None:
    assert after_a_pass(RUNNING).seen_at == {str(ACCOUNT): NOW}
    assert after_a_pass(a_status(final=True)).seen_at == {}


def test_an_account_never_observed_has_the_start_of_the_first_pass_that_needed_it() -> None:
    health = HealthTracker.beginning(0.0, 60.0)
    for minutes in (0, 40):
        health.passed(a_pass(RUNNING, AWAY), [], NOW + minutes * MINUTE)

    assert health.overview.seen_at == {str(ACCOUNT): NOW}


def test_a_job_that_a_slow_first_pass_could_not_show_counts_as_observed_when_that_pass_began() -> None:
    health = HealthTracker.beginning(0.0, 60.0)
    health.passed(a_pass(RUNNING, AWAY), [], NOW + 3 * MINUTE, took_s=180.0)

    assert health.overview.seen_at == {str(ACCOUNT): NOW}


def test_observing_one_job_does_not_renew_the_observation_time_of_another() -> None:
    health, other = HealthTracker.beginning(0.0, 60.0), JobRef(ACCOUNT, "ftjob-other")
    both = frozenset({REF, other})
    for minutes, ref in enumerate((REF, other, other, other)):
        health.passed(replace(a_pass(RUNNING, ref=ref), wanted=both), [], NOW + minutes * MINUTE)

    assert health.overview.seen_at == {str(ACCOUNT): NOW}


def test_a_watch_is_ready_once_each_first_account_was_observed_or_reported_a_reason() -> None:
    health, slow = (
        HealthTracker.beginning(0.0, 60.0),
        JobRef(Account("openai", "https://slow.example.org"), "ftjob-slow"),
    )
    nothing = PassResult(Report(), (), frozenset(), MINUTE, wanted=frozenset({REF, slow}))
    told = []
    for result in (
        nothing,
        replace(a_pass(RUNNING), wanted=nothing.wanted),
        replace(a_pass(RUNNING, AWAY, ref=slow), wanted=nothing.wanted),
        replace(nothing, wanted=frozenset({JobRef(Account("openai", "https://new.example.org"), "ftjob-new")})),
    ):
        health.passed(result, [], NOW)
        told.append(readiness_problems(health.overview))

    assert told == [
        (f"not observed yet: {ACCOUNT}, {slow.account}",),
        (f"not observed yet: {slow.account}",),
        (),
        (),
    ]


def beaten(*, moved_at: float | None = None, is_watching: bool = True, pass_since: float | None = None) -> WatchStatus:
    """Return the status, at second 100, of a watch whose account has been working since second 10."""
    health = HealthTracker.beginning(0.0, 60.0)
    if moved_at is not None:
        health.moved(ACCOUNT, moved_at)
    health.beat(100.0, {ACCOUNT: 10.0}, pass_since, {}, is_watching=is_watching)
    return health.overview


def test_a_worker_that_waits_for_the_requests_of_another_kind_makes_progress() -> None:
    health = HealthTracker.beginning(0.0, 60.0)
    health.moved(ACCOUNT, 95.0)
    health.beat(100.0, {ACCOUNT: 90.0, ACCOUNT.of_kind("BatchJob"): 10.0}, None, {}, is_watching=True)

    assert health.overview.progress_at == 95.0


@pytest.mark.parametrize(("is_waiting", "progress_at"), [(True, 100.0), (False, 10.0)])
def test_a_worker_whose_request_waits_for_its_turn_makes_progress(*, is_waiting: bool, progress_at: float) -> None:
    health, batches = HealthTracker.beginning(0.0, 60.0), ACCOUNT.of_kind("BatchJob")
    rates = {str(ACCOUNT): RequestRate(1 / 60, LimitedBy.THROTTLING, is_waiting=is_waiting)}
    health.beat(100.0, {batches: 10.0}, None, rates, is_watching=True)

    assert health.overview.progress_at == progress_at


def test_an_idle_watch_makes_progress() -> None:
    health = HealthTracker.beginning(0.0, 60.0)
    rates = {str(ACCOUNT): RequestRate(2.5, LimitedBy.THROTTLING)}
    health.beat(100.0, {}, None, rates, is_watching=True)

    assert health.overview.rates == rates
    assert (health.overview.heartbeat_at, health.overview.progress_at, health.overview.watched_at) == (
        100.0,
        100.0,
        100.0,
    )


def test_progress_of_a_working_account_is_the_end_of_its_last_request() -> None:
    assert beaten().progress_at == 10.0
    assert beaten(moved_at=70.0).progress_at == 70.0
    assert beaten(moved_at=5.0).progress_at == 10.0  # a request before this work began does not count


def test_progress_during_a_pass_is_no_later_than_the_start_of_the_pass() -> None:
    assert beaten(moved_at=70.0, pass_since=40.0).progress_at == 40.0


def test_the_watched_time_does_not_advance_while_specs_are_not_watched() -> None:
    assert beaten(is_watching=False).watched_at == 0.0


def test_a_stopping_watch_reports_that_it_is_stopping() -> None:
    health = HealthTracker.beginning(0.0, 60.0)
    health.stopping()

    assert health.overview.is_stopping


def test_the_observation_time_of_an_account_never_moves_backwards() -> None:
    health = HealthTracker.beginning(0.0, 60.0)
    ages = []
    for seen_at in (NOW, NOW + 5 * MINUTE, NOW + 2 * MINUTE):
        health.passed(replace(a_pass(RUNNING), seen_at={REF: seen_at}), [], NOW + 9 * MINUTE)
        ages.append(health.overview.seen_at[str(ACCOUNT)])

    assert ages == [NOW + 9 * MINUTE, NOW + 9 * MINUTE, NOW + 9 * MINUTE]
    later = NOW + 30 * MINUTE
    health.passed(replace(a_pass(RUNNING), seen_at={REF: later}), [], later)
    assert health.overview.seen_at == {str(ACCOUNT): later}


def test_an_account_has_no_observation_time_once_no_spec_needs_its_job() -> None:
    health = HealthTracker.beginning(0.0, 60.0)
    health.passed(a_pass(RUNNING), [], NOW)
    health.passed(replace(a_pass(RUNNING), wanted=frozenset()), [], NOW + MINUTE)

    assert health.overview.seen_at == {}


def test_a_due_job_without_a_spec_is_counted_as_waiting_but_not_listed() -> None:
    health = HealthTracker.beginning(0.0, 60.0)
    health.passed(a_pass(RUNNING), [(12.0, REF), (5.0, JobRef(ACCOUNT, "ftjob-gone"))], NOW)

    assert [(each.name, each.at) for each in health.overview.upcoming] == [(REF.id, 12.0)]
    assert health.overview.waiting == 2


def test_an_account_observed_again_is_no_longer_shown_as_unobserved() -> None:
    health = HealthTracker.beginning(0.0, 60.0)
    health.passed(a_pass(RUNNING, AWAY), [(12.0, REF)], NOW)
    health.passed(a_pass(RUNNING), [(12.0, REF)], NOW)

    assert [each.why for each in health.overview.upcoming] == ["running, Cancelled"]


def test_the_last_observation_of_a_job_is_kept_while_a_spec_names_it_and_dropped_then() -> None:
    health = HealthTracker.beginning(0.0, 60.0)
    kept = []
    for number in range(4):
        ref = JobRef(ACCOUNT, f"ftjob-{number}")
        result = a_pass(RUNNING, ref=ref)
        rows = tuple(replace(row, seen=a_job(trained_tokens=number)) for row in result.report.rows)
        health.passed(replace(result, report=replace(result.report, rows=rows)), [], NOW)
        health.passed(result, [], NOW)  # a pass that does not observe the job
        assert health.overview.observed[ref].trained_tokens == number
        kept.append(len(health.overview.observed))

    assert kept == [1, 1, 1, 1]


def test_a_watch_reports_that_its_last_pass_could_request_no_change() -> None:
    health = HealthTracker.beginning(0.0, 60.0)
    told = []
    for is_halted in (True, False):
        health.passed(replace(a_pass(RUNNING), is_halted=is_halted), [], NOW)
        told.append(health.overview.is_halted)

    assert told == [True, False]


def test_a_pass_is_counted_with_its_duration() -> None:
    health = HealthTracker.beginning(0.0, 60.0)
    for took_s in (0.5, 1.5):
        health.passed(a_pass(RUNNING), [], NOW, took_s=took_s)

    assert (health.overview.passes, health.overview.took_s) == (2, 1.5)


def test_a_standby_beats_with_each_attempt_and_is_not_stopping_when_its_term_ends() -> None:
    health = HealthTracker.beginning(0.0, 60.0)
    health.elected(ElectionStatus("lease:a/b", is_leader=True), 100.0)
    assert health.overview.heartbeat_at == 0.0, "a leader beats by itself"
    health.elected(ElectionStatus("lease:a/b", holder="other"), 200.0)
    health.stopping()

    assert (health.overview.heartbeat_at, health.overview.progress_at, health.overview.watched_at) == (200.0,) * 3
    assert not health.overview.is_stopping


def test_the_end_of_a_term_leaves_nothing_but_the_interval_and_the_election() -> None:
    health = HealthTracker.beginning(0.0, 60.0)
    health.elected(ElectionStatus("lease:a/b", is_leader=True), 1.0)
    health.passed(a_pass(RUNNING), [(12.0, REF)], NOW)
    passes = health.overview.passes
    health.forget(50.0)
    leadership = ElectionStatus("lease:a/b", is_leader=True)
    fresh = HealthTracker.beginning(50.0, MINUTE.total_seconds()).overview

    assert health.overview == replace(fresh, passes=passes + 1, leadership=leadership)
