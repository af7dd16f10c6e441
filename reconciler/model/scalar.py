"""Parse and render the scalars of documents: durations, times, numbers, names.

Rules: every scalar is parsed from its text in the file, so no YAML parser guesses its type. For an invalid scalar,
`ValueError` is raised with a message for the author of the document. Messages about an address or the name of a
variable do not quote the value, because it may contain a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

_DURATION = re.compile(r"(?P<count>[0-9]{1,9})(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ADDRESS = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
REASON_MAX = 1024
QUOTED_MAX = 80
DURATION_MAX = timedelta(days=36_500)
"""The maximum duration. Adding it to a present-day time cannot overflow."""


def quoted(text: str) -> str:
    """Return a text in quotes for a message, cut at `QUOTED_MAX` characters and with control characters escaped."""
    return repr(text if len(text) <= QUOTED_MAX else f"{text[: QUOTED_MAX - 1]}…")


def parse_duration(text: str) -> timedelta:
    """Return the duration of a text such as `90s`, `15m`, `6h` or `7d`. Raises `ValueError` if it is not a duration."""
    match = _DURATION.fullmatch(text)
    if match is None:
        msg = f"{quoted(text)} is not a duration: write a whole number and one of s, m, h, d, such as 90s or 6h"
        raise ValueError(msg)
    return timedelta(**{_UNITS[match["unit"]]: int(match["count"])})


def render_duration(span: timedelta) -> str:
    """Return the duration, in whole seconds, as text in the largest unit that represents it exactly."""
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def parse_instant(text: str) -> datetime:
    """Return the time of an RFC 3339 text with a zone, in UTC. Raises `ValueError` if it is not such a time."""
    if _INSTANT.fullmatch(text) is None:
        msg = f"{quoted(text)} is not a time with a zone: write it as 2026-12-01T00:00:00Z"
        raise ValueError(msg)
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        msg = f"{quoted(text)} is not a valid time: {error}"
        raise ValueError(msg) from None


def render_instant(moment: datetime) -> str:
    """Return an aware time as text in UTC with a `Z`. The fraction of a second is dropped."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def read_flag(value: object) -> object:
    """Return the bool for the text `true` or `false`. A value that is not text is returned unchanged.

    Raises `ValueError` for any other text.
    """
    if isinstance(value, str):
        try:
            return {"true": True, "false": False}[value]
        except KeyError:
            msg = f"{quoted(value)} is not true or false"
            raise ValueError(msg) from None
    return value


def _count(value: object) -> object:
    if isinstance(value, str) and _COUNT.fullmatch(value) is None:
        msg = f"{quoted(value)} is not a whole number from 0 to 999999999"
        raise ValueError(msg)
    return value


def _number(value: object) -> object:
    if isinstance(value, str) and _NUMBER.fullmatch(value) is None:
        msg = f"{quoted(value)} is not a number such as 2 or 0.5"
        raise ValueError(msg)
    return value


def _span(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _moment(value: object) -> object:
    return parse_instant(value) if isinstance(value, str) else value


def _in_range(span: timedelta) -> timedelta:
    if not timedelta(0) < span <= DURATION_MAX:
        msg = f"must be longer than 0s and at most {render_duration(DURATION_MAX)}"
        raise ValueError(msg)
    return span


def _matching(pattern: re.Pattern[str], problem: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if pattern.fullmatch(value) is None:
            msg = f"{quoted(value)} {problem}"
            raise ValueError(msg)
        return value

    return check


def _printable(value: str) -> str:
    if _CONTROL.search(value):
        msg = "must not contain control characters"
        raise ValueError(msg)
    return value


def _one_line(value: str) -> str:
    if value != value.strip() or "\n" in value or "\t" in value:
        msg = "must be one line without tabs, and must not begin or end with a space"
        raise ValueError(msg)
    return value


def _address(value: str) -> str:
    # The message omits the value, because it may contain a password.
    if _ADDRESS.fullmatch(value) is None:
        msg = "must be an address such as https://host/path, without a user, a query or a fragment"
        raise ValueError(msg)
    return value


def _variable(value: str) -> str:
    # The message omits the value, because it may be the secret itself.
    if _VARIABLE.fullmatch(value) is None:
        msg = "must be the name of an environment variable, such as OPENAI_API_KEY"
        raise ValueError(msg)
    return value


NAME_MAX = 63
"""The maximum length of the name of a document."""


def is_name(text: str) -> bool:
    """Return whether a text is a valid name of a document."""
    return _LABEL.fullmatch(text) is not None


Duration = Annotated[
    timedelta,
    BeforeValidator(_span),
    AfterValidator(_in_range),
    PlainSerializer(render_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,9}[smhd]$", "examples": ["90s", "15m", "6h", "7d"]}),
]
Instant = Annotated[
    datetime,
    BeforeValidator(_moment),
    PlainSerializer(render_instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Flag = Annotated[bool, BeforeValidator(read_flag)]
Name = Annotated[
    str,
    AfterValidator(
        _matching(
            _LABEL,
            "is not a name: use at most 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit",
        )
    ),
    WithJsonSchema({"type": "string", "pattern": f"^{_LABEL.pattern}$"}),
]
_LABEL_FORM = "use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"
check_label_key = _matching(
    _LABEL_KEY, f"is not a label key: {_LABEL_FORM}, after an optional prefix such as example.org/"
)
check_label_value = _matching(_LABEL_VALUE, f"is not a label value: {_LABEL_FORM}")
LabelKey = Annotated[str, AfterValidator(check_label_key)]
LabelValue = Annotated[str, AfterValidator(check_label_value)]
Text = Annotated[str, Field(min_length=1, max_length=REASON_MAX), AfterValidator(_printable)]
Word = Annotated[str, Field(min_length=1, max_length=512), AfterValidator(_printable), AfterValidator(_one_line)]
Variable = Annotated[Word, AfterValidator(_variable)]
Address = Annotated[Word, AfterValidator(_address)]
Count = Annotated[int, BeforeValidator(_count)]
Number = Annotated[float, BeforeValidator(_number)]
