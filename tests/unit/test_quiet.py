"""Quiet hours in time zones with clock changes."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from reconciler.core.quiet import held_until, not_held
from reconciler.model.change_window import ChangeWindow
from reconciler.model.notification import NotificationSeverity, Waiting
from reconciler.model.quiet_hours import QuietHours
from reconciler.model.weekly_hours import parse_weekly_hours
from tests.support.news_cases import a_notification


def quiet(hours: str, zone: str = "Europe/Amsterdam") -> QuietHours:
    """Return quiet hours in which only errors are sent."""
    window = ChangeWindow(name="quietHours", is_deny=True, when=parse_weekly_hours(hours), zone=ZoneInfo(zone))
    return QuietHours(window, frozenset({NotificationSeverity.ERROR}))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "now", "end"),
    [
        ("Europe/Amsterdam", "2026-11-23T20:59:59", None),
        ("Europe/Amsterdam", "2026-11-23T21:00:00", "2026-11-24T06:00:00"),
        ("Europe/Amsterdam", "2026-11-24T05:59:59", "2026-11-24T06:00:00"),
        ("Europe/Amsterdam", "2026-11-24T06:00:00", None),
        # The clocks go forward on 29 March and back on 25 October.
        ("Europe/Amsterdam", "2026-03-28T23:00:00", "2026-03-29T05:00:00"),
        ("Europe/Amsterdam", "2026-10-24T21:30:00", "2026-10-25T06:00:00"),
        # In the southern hemisphere, they go back on 5 April and forward on 4 October.
        ("Australia/Sydney", "2026-04-04T12:00:00", "2026-04-04T21:00:00"),
        ("Australia/Sydney", "2026-10-03T13:00:00", "2026-10-03T20:00:00"),
    ],
)
def test_the_hours_end_at_their_wall_clock_time(zone: str, now: str, end: str | None) -> None:
    assert held_until(quiet("Mon-Sun 22:00-07:00", zone), utc(now)) == (None if end is None else utc(end))


def test_adjacent_hours_are_one_hold() -> None:
    assert held_until(quiet("Sat,Sun 00:00-24:00"), utc("2026-11-28T12:00:00")) == utc("2026-11-29T23:00:00")


def test_only_the_severities_that_are_sent_at_once_pass() -> None:
    waiting = [Waiting(a_notification(1)), Waiting(a_notification(2, severity=NotificationSeverity.ERROR))]

    assert not_held(waiting, quiet("Mon-Sun 22:00-07:00"), utc("2026-11-23T23:00:00")) == waiting[1:]
    assert not_held(waiting, quiet("Mon-Sun 22:00-07:00"), utc("2026-11-23T12:00:00")) == waiting
