"""Formatting of single values: untrusted text, numbers, names, spans and times. Each result is one line of text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher, get_close_matches
from heapq import nsmallest

NAMED_MAX = 5
NEAREST_MAX = 3
STEPS_MAX = 10
"""A word that differs from another only in its numbers is similar to it if they are at most this far apart."""
LIKENESS_RANGE = 0.25
"""A word is not suggested if another one is more similar by more than this ratio."""
WORD_MAX = 80
"""Only this many characters of a word are compared with other words."""
_NUMBER = re.compile(r"\d+")
NO_VALUE = "-"
"""What a table shows for a missing value."""


def clean(text: str) -> str:
    r"""Return untrusted text as one line that cannot control a terminal.

    Each white-space character becomes a space. Every other character that is not printable, such as an escape, a
    direction mark or a lone surrogate, is shown as an escape sequence such as `\x1b`.
    """
    if text.isprintable():
        return text
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    if char.isprintable():
        return char
    return " " if char.isspace() else char.encode("unicode_escape").decode()


def sentence_case(text: str) -> str:
    """Return a text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def count(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 job` or `2,000 jobs`. The plural of the noun must end in `s`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def names(all_names: Sequence[str]) -> str:
    """Return the first `NAMED_MAX` names, and how many more there are: `a, b, c, d, e and 3 more`."""
    shown = ", ".join(clean(name) for name in all_names[:NAMED_MAX])
    rest = len(all_names) - NAMED_MAX
    return f"{shown} and {rest:,} more" if rest > 0 else shown


def span(length: timedelta) -> str:
    """Return a span in its largest unit and the next smaller one, without zeros: `3d4h`, `5h`, `42s`.

    A negative span is `0s`.
    """
    seconds = max(0, int(length.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    units = ((days, "d"), (hours, "h"), (minutes, "m"), (seconds % 60, "s"))
    first = next((index for index, (size, _) in enumerate(units) if size), len(units) - 1)
    return "".join(f"{size}{unit}" for size, unit in units[first : first + 2] if size) or "0s"


def moment(at: datetime) -> str:
    """Return a time in UTC without seconds, such as `2026-11-23 09:12 UTC`."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def second(at: datetime) -> str:
    """Return a time in UTC with seconds and without the zone, such as `2026-11-23 09:12:04`."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def age(since: datetime | None, now: datetime) -> str:
    """Return how long ago a time was, such as `3d4h`, or a dash if the time is None."""
    return NO_VALUE if since is None else span(now - since)


def span_of_seconds(seconds: float) -> str:
    """Return a number of seconds as a span, rounded up to whole seconds."""
    return span(timedelta(seconds=math.ceil(seconds)))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `Did you mean 'a', 'b' or 'c'?` with similar words, or an empty text if no known word is similar."""
    found = [repr(each) for each in nearest(word, known)]
    if not found:
        return ""
    return f"Did you mean {', '.join(found[:-1])}{' or ' if len(found) > 1 else ''}{found[-1]}?"


def nearest(word: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return up to `NEAREST_MAX` similar words, the most similar first. Case and leading dashes are ignored.

    If words differ only in their numbers, the nearest number comes first: for `job-5`, `job-05` before `job-15`.
    """
    by_lower = {each.lower().lstrip("-"): each for each in known}
    wanted = word[:WORD_MAX].lower().lstrip("-")
    steps = {each: _number_steps(wanted, each) for each in by_lower}
    # Among many numbered words, `get_close_matches` may miss those with the nearest numbers.
    numbered = nsmallest(
        NEAREST_MAX, (each for each, away in steps.items() if away <= STEPS_MAX), key=steps.__getitem__
    )

    found = {*numbered, *get_close_matches(wanted, by_lower, n=10)}
    likeness = {each: SequenceMatcher(None, wanted, each).ratio() for each in found}
    least = max(likeness.values(), default=0) - LIKENESS_RANGE
    near = [each for each in found if each in numbered or likeness[each] >= least]
    near.sort(key=lambda each: (steps[each], -likeness[each], each))
    return tuple(by_lower[each] for each in near[:NEAREST_MAX])


def _number_steps(word: str, other: str) -> float:
    """Return how far the numbers in two words are apart, or infinity if the words differ in anything else."""
    numbers, other_numbers = _NUMBER.findall(word), _NUMBER.findall(other)
    if not numbers or _NUMBER.sub("0", word) != _NUMBER.sub("0", other):
        return math.inf
    return sum(abs(int(a) - int(b)) for a, b in zip(numbers, other_numbers, strict=True))
