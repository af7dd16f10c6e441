"""Change windows: when they are open, on the days on which the clocks change too, and what a job does until then."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest

from reconciler.controller.run_options import RunOptions
from reconciler.core.change_windows import is_open, matching, next_opening
from reconciler.core.decide import decide
from reconciler.model.change_window import ChangeWindow, Period
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.spec import parse_instant
from reconciler.model.weekly_hours import WeeklyHours, parse_weekly_hours
from reconciler.views.row_state import JobState, row_state
from tests.support.build import NOW
from tests.support.clock import in_virtual_time
from tests.support.in_memory_accounts import named_specs
from tests.support.subjects import CANNOT_PAUSE, HOUR, MINUTE, a_look, a_receipt, a_subject
from tests.support.watch_in_memory import running_watch

AMSTERDAM, SYDNEY = "Europe/Amsterdam", "Australia/Sydney"
SECOND = timedelta(seconds=1)


def allow(text: str, zone: str = "UTC", **more: object) -> ChangeWindow:
    return ChangeWindow("allowed", is_deny=False, when=parse_weekly_hours(text), zone=ZoneInfo(zone), **more)  # type: ignore[arg-type]


def deny(text: str, zone: str = "UTC") -> ChangeWindow:
    return ChangeWindow("denied", is_deny=True, when=parse_weekly_hours(text), zone=ZoneInfo(zone))


def freeze(start: datetime, end: datetime, reason: str | None = None) -> ChangeWindow:
    return ChangeWindow("year-end", is_deny=True, when=Period(start, end), reason=reason)


@pytest.mark.parametrize(
    ("text", "days", "start", "end"),
    [
        ("Mon-Fri 08:00-18:00", {0, 1, 2, 3, 4}, 480, 1080),
        ("sat,SUN 00:00-24:00", {5, 6}, 0, 1440),
        ("Fri-Mon 22:00-06:00", {4, 5, 6, 0}, 1320, 1800),
        ("Mon,Wed-Thu 23:59-00:00", {0, 2, 3}, 1439, 1440),
    ],
)
def test_days_and_hours_are_parsed(text: str, days: set[int], start: int, end: int) -> None:
    assert parse_weekly_hours(text) == WeeklyHours(frozenset(days), start, end)


@pytest.mark.parametrize(
    "text", ["", "08:00-18:00", "Mon-Fri", "Mon 8:00-9:00", "Mon 08:00-25:00", "Mon 24:00-06:00", "Mon 06:00-06:00"]
)
def test_other_texts_are_no_days_and_hours(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not days and hours|begins and ends at the same time"):
        parse_weekly_hours(text)


@pytest.mark.parametrize(
    ("window", "start", "end"),
    [
        # Amsterdam, 2026-03-29: the clocks skip from 02:00 to 03:00, at 01:00 UTC.
        (allow("Sun 01:00-02:30", AMSTERDAM), "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"),
        (allow("Sun 02:30-04:00", AMSTERDAM), "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"),
        (allow("Sun 00:00-24:00", AMSTERDAM), "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        (deny("Sun 02:30-04:00", AMSTERDAM), "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"),
        # Amsterdam, 2026-10-25: 02:00 to 03:00 occurs twice, from 00:00 and from 01:00 UTC.
        (allow("Sun 01:00-02:30", AMSTERDAM), "2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z"),
        (allow("Sun 02:30-04:00", AMSTERDAM), "2026-10-25T01:30:00Z", "2026-10-25T03:00:00Z"),
        (allow("Sun 00:00-24:00", AMSTERDAM), "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        (deny("Sun 01:00-02:30", AMSTERDAM), "2026-10-24T23:00:00Z", "2026-10-25T01:30:00Z"),
        (deny("Sun 02:30-04:00", AMSTERDAM), "2026-10-25T00:30:00Z", "2026-10-25T03:00:00Z"),
        # Sydney, 2026-04-05: 02:00 to 03:00 occurs twice, from 15:00 and from 16:00 UTC of the day before.
        (allow("Sun 02:30-04:00", SYDNEY), "2026-04-04T16:30:00Z", "2026-04-04T18:00:00Z"),
        (deny("Sun 02:30-04:00", SYDNEY), "2026-04-04T15:30:00Z", "2026-04-04T18:00:00Z"),
        # Sydney, 2026-10-04: the clocks skip from 02:00 to 03:00, at 16:00 UTC of the day before.
        (allow("Sun 02:30-04:00", SYDNEY), "2026-10-03T16:00:00Z", "2026-10-03T17:00:00Z"),
        (allow("Sat 22:00-06:00", SYDNEY), "2026-10-03T12:00:00Z", "2026-10-03T19:00:00Z"),
        # An ordinary night.
        (allow("Mon 22:00-06:00"), "2026-11-23T22:00:00Z", "2026-11-24T06:00:00Z"),
    ],
)
def test_a_window_begins_and_ends_at_the_moments_of_its_wall_clock_times(
    window: ChangeWindow, start: str, end: str
) -> None:
    begins, ends = parse_instant(start), parse_instant(end)
    is_within = not window.is_deny

    assert [is_open([window], at) for at in (begins - SECOND, begins, ends - SECOND, ends)] == [
        not is_within,
        is_within,
        is_within,
        not is_within,
    ]
    assert next_opening((window,), begins - SECOND) == (ends if window.is_deny else begins)


@pytest.mark.parametrize(
    "windows",
    [
        (allow("Mon-Fri 08:00-18:00", AMSTERDAM),),
        (allow("Mon-Fri 08:00-18:00", AMSTERDAM), allow("Sat 10:00-12:00", SYDNEY), deny("Mon 00:00-12:30")),
        (deny("Mon-Sun 06:00-22:00"), deny("Tue 22:00-06:00", SYDNEY)),
        (allow("Tue 09:00-10:00"), freeze(NOW, NOW + timedelta(days=8, hours=18, minutes=26, seconds=40))),
        (deny("Mon-Sun 12:00-13:00"), freeze(NOW - HOUR, NOW + HOUR + SECOND), freeze(NOW, NOW + 2 * HOUR)),
    ],
)
@pytest.mark.parametrize("since", ["2026-03-27T00:07:00Z", "2026-10-23T00:07:00Z", "2026-11-23T14:03:20Z"])
def test_the_next_opening_is_the_first_open_moment(windows: tuple[ChangeWindow, ...], since: str) -> None:
    after = parse_instant(since)
    closed_at = next(at for number in count() if not is_open(windows, at := after + number * MINUTE))
    opening = next_opening(windows, closed_at)

    assert opening is not None
    assert is_open(windows, opening)
    assert not is_open(windows, opening - SECOND)
    steps = int((opening - closed_at) / MINUTE)
    assert not any(is_open(windows, closed_at + number * MINUTE) for number in range(0, steps, 5))


def test_windows_that_never_open_have_no_next_opening() -> None:
    never = (allow("Mon 08:00-10:00"), deny("Mon 07:00-11:00"))
    for_ever = (freeze(NOW, datetime(9999, 12, 31, 23, 59, tzinfo=UTC)), allow("Mon-Sun 08:00-10:00", SYDNEY))

    assert next_opening(never, NOW) is None
    assert next_opening(for_ever, NOW) is None


def test_a_window_applies_to_jobs_with_all_of_its_labels() -> None:
    ours, everyone = allow("Mon 08:00-09:00", labels=(("team", "support"), ("env", "prod"))), deny("Sun 00:00-24:00")
    windows = (ours, everyone)

    assert matching(windows, {"team": "support", "env": "prod", "tier": "1"}.items()) == (ours, everyone)
    assert matching(windows, {"team": "support"}.items()) == (everyone,)


# Decisions


def test_the_status_says_since_when_a_change_waits_why_and_until_when() -> None:
    subject = a_subject("cancelled", CANNOT_PAUSE)
    closed = replace(subject, windows=(freeze(NOW - HOUR, NOW + HOUR, "the year's accounts"),))
    queued = decide(closed, a_look(Phase.QUEUED, NOW), None, NOW)
    later = NOW + 10 * MINUTE
    running = decide(closed, a_look(Phase.RUNNING, later), queued.status, later)

    assert queued.action is running.action is None
    assert running.status.ready.reason is Reason.OUTSIDE_WINDOW
    assert (
        running.status.ready.message
        == queued.status.ready.message
        == (
            "the cancel has been waiting for a change window since 2026-11-23T14:03:20Z; the next one opens at "
            "2026-11-23T15:03:20Z; year-end: the year's accounts"
        )
    )
    assert running.status.ready.last_transition_time == NOW
    assert decide(closed, a_look(Phase.RUNNING, NOW + HOUR), running.status, NOW + HOUR).action is not None


def test_the_status_counts_the_wait_from_the_edit_of_the_spec_and_then_stays_as_it_is() -> None:
    windows = (freeze(NOW - HOUR, NOW + HOUR),)
    first = replace(a_subject("cancelled", CANNOT_PAUSE), windows=windows)
    edited = replace(a_subject("cancelled", CANNOT_PAUSE, limits={"maxAge": "90d"}), windows=windows)
    before = decide(first, a_look(Phase.RUNNING, NOW), None, NOW).status
    later = NOW + 10 * MINUTE
    after = decide(edited, a_look(Phase.RUNNING, later), before, later).status

    assert "since 2026-11-23T14:13:20Z" in after.ready.message
    assert decide(edited, a_look(Phase.RUNNING, later), after, later + MINUTE).status == after


def test_a_phase_that_alternates_does_not_change_since_when_a_change_waits() -> None:
    subject = replace(a_subject("cancelled", CANNOT_PAUSE), windows=(freeze(NOW - HOUR, NOW + HOUR),))
    last, messages = None, set()
    for number in range(6):
        now = NOW + number * MINUTE
        phase = (Phase.RUNNING, Phase.QUEUED)[number % 2]
        last = decide(subject, a_look(phase, now), last, now).status
        messages.add(last.ready.message)

    assert len(messages) == 1


def test_a_job_is_polled_at_the_moment_when_its_window_opens() -> None:
    subject = replace(a_subject("cancelled", CANNOT_PAUSE), windows=(freeze(NOW - HOUR, NOW + 40 * SECOND),))

    assert decide(subject, a_look(Phase.RUNNING, NOW), None, NOW).requeue == 40 * SECOND


def test_a_limit_cancels_only_within_a_window() -> None:
    subject = a_subject("running", CANNOT_PAUSE, limits={"maxAge": "1h"})
    closed = replace(subject, windows=(freeze(NOW - HOUR, NOW + HOUR),))
    look = a_look(Phase.RUNNING, NOW)

    assert decide(subject, look, None, NOW).action is not None
    waiting = decide(closed, look, None, NOW)
    assert (waiting.action, waiting.status.ready.reason) == (None, Reason.OUTSIDE_WINDOW)


def test_a_request_is_not_repeated_outside_a_window() -> None:
    subject = a_subject("cancelled", CANNOT_PAUSE)
    asked = decide(subject, a_look(Phase.RUNNING, NOW), None, NOW).status
    asked = replace(asked, receipts=(a_receipt(requested_at=NOW, last_attempt_at=NOW),))
    later = NOW + HOUR
    closed = replace(subject, windows=(freeze(later, later + 20 * SECOND),))

    assert decide(subject, a_look(Phase.RUNNING, later), asked, later).action is not None
    waiting = decide(closed, a_look(Phase.RUNNING, later), asked, later)
    assert (waiting.action, waiting.status.ready.reason) == (None, Reason.CANCEL_PENDING)
    assert waiting.requeue == 20 * SECOND


# A watch


def test_a_watch_requests_a_waiting_cancel_once_as_soon_as_the_window_opens() -> None:
    opens_after_s = 900.0
    windows = (freeze(NOW - HOUR, NOW + timedelta(seconds=opens_after_s)),)

    async def main() -> None:
        async with running_watch(*named_specs("chat"), options=RunOptions(windows=windows)) as watch:
            await asyncio.sleep(opens_after_s - 1.0)
            changes, reason = list(watch.account.changes), watch.reason("chat")
            (row,) = watch.health.overview.report.rows
            await asyncio.sleep(600.0)

            assert (changes, reason) == ([], Reason.OUTSIDE_WINDOW)
            assert row_state(row).job_state is JobState.WITHHELD
            assert watch.account.when("cancel ftjob-chat") == [pytest.approx(opens_after_s, abs=1.5)]
            assert watch.reason("chat") is Reason.CANCELLED

    in_virtual_time(main)


def test_a_request_that_is_still_queued_when_the_window_closes_is_not_sent() -> None:
    windows = (freeze(NOW + 2 * SECOND, NOW + HOUR),)

    async def main() -> None:
        async with running_watch(*named_specs("chat"), options=RunOptions(windows=windows)) as watch:
            await asyncio.sleep(0)
            watch.account.takes_s["ftjob-chat"] = 0.0
            watch.account.takes_s["cancel ftjob-chat"] = 5.0
            await asyncio.sleep(60.0)
            before = list(watch.account.changes)
            (status,) = watch.world.statuses.jobs.values()
            await asyncio.sleep(3600.0)

            assert before == []
            assert status.receipts == ()
            assert watch.account.when("cancel ftjob-chat") == [pytest.approx(3605.0, abs=2.0)]

    in_virtual_time(main)
