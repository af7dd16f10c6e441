"""Hours that recur every week, such as `Mon-Fri 08:00-18:00`.

Rules: the day is the day on which the hours begin, so they may cross midnight. `24:00` is the end of a day. The start
is included, and the end is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from reconciler.model.scalar import quoted

DAY_MINUTES = 24 * 60
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = f"(?:{'|'.join(_DAYS)})"
_DAY_RANGE = f"{_DAY}(?:-{_DAY})?"
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_PATTERN = f"({_DAY_RANGE}(?:,{_DAY_RANGE})*) ({_TIME})-({_TIME}|24:00)"
_TEXT = re.compile(_PATTERN, re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class WeeklyHours:
    """The same hours on some days of every week."""

    days: frozenset[int]
    """The days on which the hours begin: 0 is Monday."""
    start: int
    """The start, in minutes after midnight."""
    end: int
    """The end, in minutes after the midnight before the start. It is later than the start."""

    @property
    def is_always(self) -> bool:
        """Whether every moment of a week is within the hours."""
        return len(self.days) == len(_DAYS) and self.end - self.start >= DAY_MINUTES


def parse_weekly_hours(text: str) -> WeeklyHours:
    """Return the hours of a text such as `Mon-Fri 08:00-18:00`. Raises `ValueError` if it is not such a text."""
    match = _TEXT.fullmatch(text)
    if match is None:
        msg = f"{quoted(text)} is not days and hours: write them as Mon-Fri 08:00-18:00, or Sat,Sun 00:00-24:00"
        raise ValueError(msg)
    days, start, end = match.groups()
    first, last = _minutes(start), _minutes(end)
    if first == last:
        msg = f"{quoted(text)} begins and ends at the same time: for a whole day, write 00:00-24:00"
        raise ValueError(msg)
    return WeeklyHours(frozenset(_days(days.lower())), first, last if first < last else last + DAY_MINUTES)


def _days(text: str) -> Iterator[int]:
    for part in text.split(","):
        begin, _, end = part.partition("-")
        first = _DAYS.index(begin)
        number = (_DAYS.index(end or begin) - first) % len(_DAYS)
        yield from ((first + day) % len(_DAYS) for day in range(number + 1))


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _parsed(value: object) -> object:
    if isinstance(value, WeeklyHours):
        return value
    if not isinstance(value, str):
        msg = "must be days and hours, such as Mon-Fri 08:00-18:00"
        raise ValueError(msg)  # noqa: TRY004  pydantic reports a ValueError as an error in the document
    return parse_weekly_hours(value)


WeeklyHoursText = Annotated[
    WeeklyHours,
    BeforeValidator(_parsed),
    WithJsonSchema({"type": "string", "examples": ["Mon-Fri 08:00-18:00"]}),
]
