"""The warning before a limit acts: when it is written, when the limit acts, and where it is shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reconciler.core.decide import Decision, decide
from reconciler.core.news import news_since
from reconciler.core.subject import Subject
from reconciler.model.job import Phase
from reconciler.model.notification import NotificationSeverity, NotificationType
from reconciler.model.reason import Reason
from reconciler.model.report import Report
from reconciler.model.status import Because, JobStatus, LimitWarning, Verb
from reconciler.views.overview_page import overview_page
from reconciler.views.page_layout import Frame
from reconciler.views.plan_text import plan_text
from reconciler.views.watch_view import watch_view
from tests.support.build import NOW
from tests.support.news_cases import found
from tests.support.page_scene import MONOTONIC, a_watch
from tests.support.page_scene import a_job as a_page_job
from tests.support.reports import CONTEXT
from tests.support.subjects import CANNOT_PAUSE, DAY, EDGES, HOUR, MINUTE, SECOND, a_look, a_subject, carried_out

CREATED_AT = NOW - 2 * HOUR
WARNED = {"maxAge": "3h", "warnBefore": "30m"}


def limited(wanted: str = "running", **limits: str) -> Subject:
    return a_subject(wanted, CANNOT_PAUSE, limits=limits)


def at(subject: Subject, now: datetime, last: JobStatus | None = None, phase: Phase = Phase.RUNNING) -> Decision:
    """Decide about a job that was created two hours before `NOW`."""
    return decide(subject, a_look(phase, now, created_at=CREATED_AT), last, now)


@pytest.mark.parametrize(("edge", "where"), EDGES)
def test_a_warning_is_written_from_warn_before_the_limit_on(edge: timedelta, where: str) -> None:
    now = CREATED_AT + 2.5 * HOUR + edge
    decision = at(limited(**WARNED), now)

    expected = None if where == "just before" else LimitWarning("maxAge 3h", now)
    assert (decision.status.warning, decision.action) == (expected, None)
    assert decision.status.ready.reason is (Reason.AS_DESIRED if expected is None else Reason.LIMIT_NEAR)
    assert decision.status.is_ready


def test_a_job_is_polled_when_its_warning_is_due_and_when_its_limit_acts() -> None:
    subject = limited(**WARNED)
    first = at(subject, CREATED_AT + 2.5 * HOUR - 10 * SECOND)
    warned = at(subject, CREATED_AT + 3 * HOUR - 10 * SECOND, at(subject, CREATED_AT + 2.5 * HOUR).status)

    assert (first.requeue, warned.requeue) == (11 * SECOND, 11 * SECOND)


@pytest.mark.parametrize(("edge", "where"), EDGES)
def test_a_limit_that_was_warned_of_in_time_acts_when_it_is_exceeded(edge: timedelta, where: str) -> None:
    subject = limited(**WARNED)
    warned = at(subject, CREATED_AT + 2.5 * HOUR).status
    action = at(subject, CREATED_AT + 3 * HOUR + edge, warned).action

    assert (action is not None) == (where == "just after")
    assert action is None or (action.verb, action.because, action.reason) == (
        Verb.CANCEL,
        Because.LIMIT_REACHED,
        "maxAge 3h",
    )


@pytest.mark.parametrize(("edge", "where"), EDGES)
def test_a_limit_that_was_exceeded_before_its_warning_acts_only_warn_before_later(edge: timedelta, where: str) -> None:
    subject = limited(maxAge="1h", warnBefore="30m")
    warned = at(subject, NOW)

    assert warned.action is None
    assert warned.status.ready.message == (
        "running at the provider; it will be cancelled because of maxAge 1h, not before 2026-11-23T14:33:20Z"
    )
    assert (at(subject, NOW + HOUR / 2 + edge, warned.status).action is not None) == (where != "just before")


def test_another_value_of_a_limit_is_a_new_warning() -> None:
    warned = at(limited(maxAge="1h", warnBefore="30m"), NOW).status
    other = at(limited(maxAge="90m", warnBefore="30m"), NOW + HOUR, warned)

    assert other.action is None
    assert other.status.warning == LimitWarning("maxAge 90m", NOW + HOUR)


def test_a_higher_limit_ends_the_warning() -> None:
    warned = at(limited(maxAge="1h", warnBefore="30m"), NOW).status
    raised = at(limited(maxAge="9h", warnBefore="30m"), NOW + MINUTE, warned).status

    assert (raised.warning, raised.ready.reason) == (None, Reason.AS_DESIRED)


def test_a_warning_from_the_future_begins_anew() -> None:
    subject = limited(maxAge="1h", warnBefore="30m")
    ahead = replace(at(subject, NOW).status, warning=LimitWarning("maxAge 1h", NOW + DAY))

    assert at(subject, NOW + MINUTE, ahead).status.warning == LimitWarning("maxAge 1h", NOW + MINUTE)


@pytest.mark.parametrize("wanted", ["cancelled", "observed"])
def test_a_job_that_no_limit_can_cancel_gets_no_warning(wanted: str) -> None:
    assert at(limited(wanted, maxAge="1h", warnBefore="30m"), NOW).status.warning is None


def test_a_suspended_job_gets_no_warning_and_is_warned_after_its_suspension() -> None:
    subject = limited(maxAge="1h", warnBefore="30m")
    until = NOW + 40 * MINUTE
    paused = a_subject(
        "running",
        CANNOT_PAUSE,
        limits={"maxAge": "1h", "warnBefore": "30m"},
        suspend={"until": until.isoformat()},
    )
    warned = at(subject, NOW).status
    suspended = at(paused, NOW + MINUTE, warned).status
    after = at(paused, until, suspended)

    assert suspended.warning is None
    assert (after.action, after.status.warning) == (None, LimitWarning("maxAge 1h", until))


def test_a_cancel_that_was_requested_stays_wanted_if_a_warning_is_set_afterwards() -> None:
    last = carried_out(limited(maxAge="1h"), a_look(Phase.RUNNING, NOW), None, NOW)
    again = at(limited(maxAge="1h", warnBefore="1d"), NOW + MINUTE, last)

    assert again.status.open_receipt is not None
    assert again.status.ready.reason is Reason.CANCEL_PENDING


def test_the_settings_warn_of_limits_of_specs_that_do_not_say_how_long_before() -> None:
    subject = replace(limited(maxAge="1h"), warn_default=HOUR)
    own = replace(limited(maxAge="1h", warnBefore="30m"), warn_default=HOUR)

    assert (subject.warn_before, own.warn_before) == (HOUR, 30 * MINUTE)
    assert at(subject, NOW).action is None


def test_a_warning_is_notified_once_with_what_to_do() -> None:
    status = at(limited(maxAge="1h", warnBefore="30m"), NOW).status
    (news,) = news_since({}, found(status))
    told = {key: mark for key, mark in news.marks.items() if mark is not None}

    assert (news.notification.type, news.notification.severity) == (
        NotificationType.LIMIT_NEAR,
        NotificationSeverity.WARNING,
    )
    assert news.notification.text == (
        "support-triage is near maxAge 1h: running at the provider; it will be cancelled because of maxAge 1h, not "
        "before 2026-11-23T14:33:20Z. To keep the job, raise the limit in bots.yaml, or suspend the job."
    )
    assert news_since(told, found(status)) == ()
    assert len(news_since(told, found(replace(status, warning=LimitWarning("maxAge 1h", NOW + DAY))))) == 1


def test_plan_and_page_list_the_jobs_that_are_near_a_limit() -> None:
    row = a_page_job("ranker", reason=Reason.LIMIT_NEAR, message="it will be cancelled because of maxAge 1h")
    row = replace(row, status=replace(row.status, warning=LimitWarning("maxAge 1h", NOW)))

    assert "Limits that are near: they will cancel these jobs\n  ranker  it will be cancelled because of" in plan_text(
        Report(rows=(row,)), CONTEXT
    )
    page = overview_page(watch_view(a_watch([row])), [], Frame(NOW, MONOTONIC, "1", "/page.css", "/page.js"))
    assert "Near a limit (1)" in page
    assert "maxAge 1h, warned" in page
