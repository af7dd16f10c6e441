"""Which notifications are held in quiet hours, and until when.

Rules: the hours are wall-clock times in a time zone, as those of a change window that denies. The end of a problem has
the severity of the problem, so it is held or sent as the problem is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from reconciler.core.change_windows import is_open, next_opening
from reconciler.model.notification import Waiting
from reconciler.model.quiet_hours import QuietHours


def held_until(quiet: QuietHours, now: datetime) -> datetime | None:
    """Return when the quiet hours end, or None if they are not now."""
    if is_open((quiet.window,), now):
        return None
    # The time is cut to the minute, so that calls within the same minute find the cached result.
    return next_opening((quiet.window,), now.replace(second=0, microsecond=0))


def not_held(waiting: Sequence[Waiting], quiet: QuietHours, now: datetime) -> Sequence[Waiting]:
    """Return what may be sent now, in the same order."""
    if is_open((quiet.window,), now):
        return waiting
    return [each for each in waiting if each.notification.severity in quiet.at_once]
