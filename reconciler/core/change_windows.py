"""Change windows: when changes of a job may be requested.

Rules: a change of a job without windows may be requested at any time. If a job has windows that allow changes, they may
be requested only within one of these windows. A window that denies changes takes precedence. The hours of a window are
wall-clock times in its zone, so a window is an hour longer or shorter on a day on which the clocks change. A time that
the clocks skip is the moment of the change. If a time occurs twice, the window is stricter: an allowed period begins at
the second occurrence and ends at the first, and a denied period begins at the first and ends at the second. The
functions are pure: a zone is a value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from reconciler.core.conditions import Readiness, Verdict
from reconciler.model.change_window import ChangeWindow, Period
from reconciler.model.reason import Reason
from reconciler.model.spec import render_instant
from reconciler.model.status import JobStatus, Verb

_DAY = timedelta(days=1)
_AHEAD = timedelta(days=15)
"""How far ahead to search for an opening. It is more than a week, so that every recurring opening is found."""
_FORESEEABLE = timedelta(days=3650)
"""An opening that is later than this is not announced."""
_SECOND = timedelta(seconds=1)


def matching(windows: Collection[ChangeWindow], labels: Collection[tuple[str, str]]) -> tuple[ChangeWindow, ...]:
    """Return the windows that apply to a job with these labels."""
    return tuple(each for each in windows if set(each.labels) <= set(labels))


def is_open(windows: Collection[ChangeWindow], at: datetime) -> bool:
    """Return whether the windows of a job allow a change to be requested at this moment."""
    if any(_contains(each, at) for each in windows if each.is_deny):
        return False
    allowing = [each for each in windows if not each.is_deny]
    return not allowing or any(_contains(each, at) for each in allowing)


@lru_cache(256)
def next_opening(windows: tuple[ChangeWindow, ...], after: datetime) -> datetime | None:
    """Return the next moment at which changes may be requested, or None if there is none in the foreseeable future.

    The results are cached, because a pass calls this function for every job that waits.
    """
    last = after + _FORESEEABLE
    ends = [each.when.end for each in windows if isinstance(each.when, Period) and after < each.when.end < last]
    # Weekly hours repeat within `_AHEAD`, so only a single period can delay the opening further. Therefore it is enough
    # to search after `after`, and after the end of each single period.
    for begin in sorted({after, *ends}):
        until = min(begin + _AHEAD, last)
        edges = {edge for edge in _edges(windows, begin, until) if after < edge <= until}
        opening = next((edge for edge in sorted(edges) if is_open(windows, edge)), None)
        if opening is not None:
            return opening
    return None


def _edges(windows: Collection[ChangeWindow], first: datetime, last: datetime) -> Iterator[datetime]:
    """Yield the moments at which a window that allows begins, or a window that denies ends."""
    for window in windows:
        for period in _periods(window, first, last):
            yield period.end if window.is_deny else period.start


def _contains(window: ChangeWindow, at: datetime) -> bool:
    return any(each.start <= at < each.end for each in _periods(window, at, at))


def _periods(window: ChangeWindow, first: datetime, last: datetime) -> Iterator[Period]:
    """Yield at least the periods of a window that have a moment between two moments."""
    when = window.when
    if isinstance(when, Period):
        yield when
        return
    day = (first.astimezone(window.zone) - 2 * _DAY).date()
    while day <= (last.astimezone(window.zone) + _DAY).date():
        if day.weekday() in when.days:
            start = _moment(day, when.start, window.zone, is_second=not window.is_deny)
            yield Period(start, _moment(day, when.end, window.zone, is_second=window.is_deny))
        day += _DAY


def _moment(day: date, minutes: int, zone: tzinfo, *, is_second: bool) -> datetime:
    """Return the moment of a wall-clock time, in UTC. If it occurs twice, `is_second` selects the second occurrence.

    If the clocks skip the time, return the moment at which they change.
    """
    naive = datetime.combine(day, time()) + timedelta(minutes=minutes)
    first, second = (naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return second if is_second else first
    # The clocks skip this time. They change between `second` and `first`; bisection finds the moment.
    before = second.astimezone(zone).utcoffset()
    while first - second > _SECOND:
        middle = second + (first - second) // 2
        if middle.astimezone(zone).utcoffset() == before:
            second = middle
        else:
            first = middle
    return first.replace(microsecond=0)


def outside(
    windows: tuple[ChangeWindow, ...], verb: Verb, digest: str, last: JobStatus | None, now: datetime
) -> Verdict:
    """Return the verdict on a job whose change waits for a window. `digest` is that of its spec."""
    opening = next_opening(windows, now)
    until = f"the next one opens at {render_instant(opening)}" if opening else "none opens in the next ten years"
    why = "".join(f"; {each.name}: {each.reason}" for each in windows if each.reason and _prevents(each, now))
    message = f"{_waiting(verb, digest, last, now)}; {until}{why}"
    return Verdict(Readiness.SUSPENDED, Reason.OUTSIDE_WINDOW, message)


def _prevents(window: ChangeWindow, now: datetime) -> bool:
    return _contains(window, now) == window.is_deny


def _waiting(verb: Verb, digest: str, last: JobStatus | None, now: datetime) -> str:
    """Return since when this change of this version of the spec has been waiting, as text.

    The text of the last status is kept, because neither the history nor the condition records the version of the spec.
    """
    begin = f"the {verb} has been waiting for a change window since "
    if last is not None and last.observed_spec == digest and last.ready.reason is Reason.OUTSIDE_WINDOW:
        before, _, _ = last.ready.message.partition(";")
        if before.startswith(begin):
            return before
    return f"{begin}{render_instant(now)}"
