"""How a healthy watch looks over time at an interval, and what each fault changes. Times are seconds since 1970."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from reconciler.model.election import ElectionStatus
from reconciler.model.notification import SinkDelivery
from reconciler.model.reason import Reason
from reconciler.model.report import Report, Row, in_order
from reconciler.model.status import ConditionType, ProviderStatus
from reconciler.model.watch_status import WatchStatus
from tests.support.page_scene import BATCHES, EAST, OUTAGE, WEST, a_job, a_refused_job, a_watch, calm
from tests.support.reports import a_stalled_row
from tests.support.scrapes import Scraped, at

MINUTE, HOUR, DAY = 60, 3600, 86_400
POLLED_EVERY = 5
"""A job that has been running for long is polled once in this many intervals."""
OUTAGE_AT, CANCEL_AT, WARNING_AT, DEPLOY_AT = DAY + 10 * HOUR, 2 * DAY, 3 * DAY, 5 * DAY
RESTART_AT = 3 * HOUR
"""The time of day of a restart."""
LEASE = "lease:jobs/reconcile"
ROWS = in_order(row for row in calm() if not row.status.is_reconciling)


def since(row: Row, began_s: float) -> Row:
    """Return a row whose conditions last changed at a time."""
    conditions = tuple(replace(each, last_transition_time=at(began_s)) for each in row.status.conditions)
    return replace(row, status=replace(row.status, conditions=conditions))


def a_change(began_s: float) -> Row:
    """Return the row of a job whose cancel was requested at a time."""
    return since(a_job("change", reason=Reason.CANCEL_PENDING, message="", also=ConditionType.RECONCILING), began_s)


def healthy(now_s: float, interval_s: float, rows: tuple[Row, ...] = ROWS) -> WatchStatus:
    """Return a watch that works."""
    passed, polled = now_s // interval_s * interval_s, now_s // (POLLED_EVERY * interval_s) * POLLED_EVERY * interval_s
    is_polling = now_s - polled < 2 * MINUTE and now_s // (2 * MINUTE) % 3 == 0
    return replace(
        a_watch(list(rows)),
        interval_s=interval_s,
        finished_at=at(passed),
        seen_at={str(account): at(polled) for account in (EAST, BATCHES, WEST)},
        overdue=40 if is_polling else 0,
        sinks={"audit": SinkDelivery(sent=5), "chat": SinkDelivery(waiting=2)},
    )


def in_a_normal_week(now_s: float, interval_s: float) -> WatchStatus | None:
    """Return a watch in a normal week.

    It is restarted each day. The week has a short outage of an account, a change, and a short problem with the remote.
    """
    if RESTART_AT <= now_s % DAY < RESTART_AT + 3 * MINUTE:
        return None
    watch = healthy(now_s, interval_s)
    if OUTAGE_AT <= now_s < OUTAGE_AT + 10 * MINUTE:
        away = replace(OUTAGE, since=at(OUTAGE_AT))
        watch = replace(watch, outages=(away,), seen_at={**watch.seen_at, str(WEST): _last_poll(OUTAGE_AT, interval_s)})
    if CANCEL_AT <= now_s < CANCEL_AT + 12 * MINUTE:
        watch = healthy(now_s, interval_s, (*ROWS, a_change(CANCEL_AT)))
    if WARNING_AT <= now_s < WARNING_AT + max(5 * MINUTE, interval_s):
        watch = with_warnings(watch, WARNING_AT)
    return watch


def _last_poll(now_s: float, interval_s: float) -> datetime:
    return healthy(now_s, interval_s).seen_at[str(WEST)]


def with_warnings(watch: WatchStatus, began_s: float) -> WatchStatus:
    """Return the watch with a warning in all passes since a time."""
    report = replace(watch.report, notices=("the remote is unreachable",))
    return replace(watch, report=report, warned_since=at(began_s))


def normal_week(interval_s: float) -> Mapping[str, Callable[[float], Scraped]]:
    """Return the instances of a normal week. On the sixth day, a new instance replaces the first."""

    def scrape(now_s: float) -> Scraped:
        return Scraped(in_a_normal_week(now_s, interval_s), (now_s - RESTART_AT) // DAY * DAY)

    nothing = Scraped(None, is_target=False)
    return {
        "first": lambda now_s: scrape(now_s) if now_s < DEPLOY_AT else nothing,
        "second": lambda now_s: scrape(now_s) if now_s >= DEPLOY_AT + 2 * MINUTE else nothing,
    }


def _with_rows(watch: WatchStatus, *rows: Row) -> WatchStatus:
    return replace(watch, report=Report(rows=in_order((*ROWS, *rows))))


def _unjudged() -> Row:
    return a_job("unjudged", message="running at the provider; its limit cannot be judged")


def _suspect(began_s: float) -> ProviderStatus:
    return replace(OUTAGE, reason=Reason.OBSERVATION_SUSPECT, since=at(began_s), jobs=("ftjob-1", "ftjob-2"))


def standing_by(watch: WatchStatus) -> WatchStatus:
    """Return the watch of a replica that waits to lead, and so knows no job."""
    return WatchStatus(
        interval_s=watch.interval_s,
        heartbeat_at=watch.heartbeat_at,
        progress_at=watch.progress_at,
        watched_at=watch.watched_at,
        leadership=ElectionStatus(LEASE, holder="another replica"),
    )


Fault = Callable[[WatchStatus, float, float], WatchStatus]
"""A fault: the healthy watch, when the fault began and the current time."""
FAULTS: Mapping[str, Fault] = {
    "ReconcileHasNoLeader": lambda watch, *_: standing_by(watch),
    "ReconcileStandsStill": lambda watch, began, _: replace(watch, finished_at=at(began)),
    "ReconcileCannotSeeProvider": lambda watch, began, _: replace(
        watch, seen_at={**watch.seen_at, str(WEST): at(began)}
    ),
    "ReconcileAccountIsSuspect": lambda watch, began, _: replace(watch, outages=(_suspect(began),)),
    "ReconcileGuardRefuses": lambda watch, *_: _with_rows(watch, a_refused_job("refused")),
    "ReconcileQueueGrows": lambda watch, began, now: replace(watch, overdue=1 + int((now - began) // MINUTE)),
    "ReconcileJobIsStalled": lambda watch, *_: _with_rows(watch, a_stalled_row("typo")),
    "ReconcileLimitNotJudged": lambda watch, *_: _with_rows(watch, _unjudged()),
    "ReconcileDriftLasts": lambda watch, began, _: _with_rows(watch, a_change(began)),
    "ReconcileNotificationsAreLate": lambda watch, began, _: replace(
        watch, sinks={**watch.sinks, "chat": SinkDelivery(failed=9, waiting=1, due_since=at(began))}
    ),
    "ReconcileNotificationIsDropped": lambda watch, *_: replace(
        watch, sinks={**watch.sinks, "audit": SinkDelivery(sent=5, dropped=1)}
    ),
    "ReconcileWarns": lambda watch, began, _: with_warnings(watch, began),
}
"""For each alert about a running watch, what goes wrong."""
