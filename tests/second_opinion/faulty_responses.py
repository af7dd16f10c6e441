"""The effects of the faults on a response: they replace it, or change its rows, its list or the whole of it.

There are four tables, by the kinds of `faults`. They know only the jobs that are passed to them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from tests.second_opinion.faults import Fault

Row = dict[str, Any]


@dataclass
class Answer:
    """A response, and how it is sent: whole, cut, reset, or whole followed by a closed connection."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    wire: str = "whole"
    delay: float = 0.0


def as_json(payload: Any, status: int = 200) -> Answer:
    """Return an answer whose body is `payload`."""
    return Answer(status, json.dumps(payload).encode(), {"Content-Type": "application/json"})


def error(status: int, message: str, code: str | None = None, kind: str = "invalid_request_error") -> Answer:
    """Return an error in the documented format of the API."""
    return as_json({"error": {"message": message, "type": kind, "param": None, "code": code}}, status)


def html(status: int) -> Answer:
    """Return a page such as a proxy between the client and the API sends."""
    page = f"<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center></body></html>"
    return Answer(status, page.encode(), {"Content-Type": "text/html"})


def throttled(hint: str | None) -> Answer:
    """Return HTTP 429, with or without a Retry-After."""
    answer = error(429, "Rate limit reached for requests", "rate_limit_exceeded", "requests")
    if hint is not None:
        answer.headers["Retry-After"] = hint
    return answer


def silence() -> Answer:
    """Return no response: the connection is reset."""
    return Answer(0, b"", wire="reset")


@dataclass(frozen=True)
class Asked:
    """The facts about a request that a fault may use."""

    now: float
    authorization: str
    stranger: str
    path: str


INSTEAD: dict[str, Callable[[Fault, Asked], Answer]] = {
    "throttled": lambda fault, _: throttled(str(int(fault.seconds))),
    "throttled-no-hint": lambda _, __: throttled(None),
    "throttled-date": lambda fault, asked: throttled(formatdate(asked.now + fault.seconds, usegmt=True)),
    "throttled-nonsense": lambda _, __: throttled("soon"),
    "quota": lambda _, __: error(429, "You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
    "html-500": lambda _, __: html(500),
    "html-502": lambda _, __: html(502),
    "html-503": lambda _, __: html(503),
    "gateway-504": lambda _, __: html(504),
    "timeout-408": lambda _, __: error(408, "Request timed out", None, "server_error"),
    "key-401": lambda _, __: error(401, "Incorrect API key provided", "invalid_api_key"),
    "key-403": lambda _, __: error(403, "You have insufficient permissions for this operation", None),
    "echo-401": lambda _, asked: error(401, f"Incorrect API key: {asked.authorization}. See https://x.test/?key=1"),
    "reset-before": lambda _, __: silence(),
    "not-found": lambda _, __: error(404, "Could not find fine tune", "fine_tune_not_found"),
    "redirect": lambda _, asked: Answer(307, b"", {"Location": asked.stranger + asked.path}),
    "refused-409": lambda _, __: error(409, "The job cannot be changed now", "conflict"),
    "refused-400": lambda _, __: error(400, "The job cannot be changed now", None),
}
"""The responses that replace the one of the world. The request has no effect."""


def _date(answer: Answer, fault: Fault, asked: Asked, skew: float | None) -> Answer:
    del fault
    answer.headers["Date"] = "" if skew is None else formatdate(asked.now + skew, usegmt=True)
    return answer


def _wired(wire: str) -> Callable[[Answer, Fault, Asked], Answer]:
    def change(answer: Answer, _fault: Fault, _asked: Asked) -> Answer:
        answer.wire = wire
        return answer

    return change


def _slow(answer: Answer, fault: Fault, _asked: Asked) -> Answer:
    answer.delay = fault.seconds
    return answer


AFTER: dict[str, Callable[[Answer, Fault, Asked], Answer]] = {
    "reset-after": lambda _, __, ___: silence(),
    "cut-body": _wired("cut"),
    "silent-close": _wired("silent-close"),
    "slow": _slow,
    "html-502-after": lambda _, __, ___: html(502),
    "throttled-after": lambda _, __, ___: throttled("1"),
    "no-date": lambda answer, fault, asked: _date(answer, fault, asked, None),
    "date-ahead": lambda answer, fault, asked: _date(answer, fault, asked, 90000),
    "date-behind": lambda answer, fault, asked: _date(answer, fault, asked, -90000),
    "empty-200": lambda _, __, ___: Answer(200, b"", {"Content-Type": "application/json"}),
    "null-200": lambda _, __, ___: as_json(None),
    "html-200": lambda _, __, ___: html(200),
    "odd-202": lambda _, __, ___: Answer(202, b"", {}),
    "odd-204": lambda _, __, ___: Answer(204, b"", {}),
    "brace-200": lambda _, __, ___: as_json({}),
}
"""The changes of the response to a request that took effect."""

ROWS: dict[str, dict[str, Any]] = {
    "row-word": {"status": "hibernating"},
    "row-null-status": {"status": None},
    "row-no-status": {"status": ...},
    "row-number-status": {"status": 7},
    "row-no-created": {"created_at": ...},
    "row-null-created": {"created_at": None},
    "row-huge-created": {"created_at": 10**13},
    "row-text-created": {"created_at": "yesterday"},
    "row-ended-no-end": {"finished_at": None},
    "row-other-id": {"id": "ftjob-somebodyelse"},
}
"""The false values of a row, by fault. `...` omits the field."""


def garbled(row: Row, kind: str) -> Row:
    """Return the row as a fault of `kind` shows it."""
    return {name: value for name, value in {**row, **ROWS[kind]}.items() if value is not ...}


def listed(rows: list[Row], kind: str, job: str | None) -> list[Any]:
    """Return the rows of a whole list as a fault of `kind` shows them, before they are cut into pages."""
    if kind == "list-forgets":
        return [row for row in rows if row["id"] != (job or rows[0]["id"])] if rows else rows
    if kind == "list-short":
        return rows[: len(rows) // 2]
    if kind == "list-empty":
        return []
    if kind == "list-garbled-row":
        return [*rows[:1], {"object": "fine_tuning.job", "status": "running"}, *rows[1:]]
    if kind == "list-null-row":
        return [*rows[:1], None, *rows[1:]]
    if kind == "list-twice":
        return [*rows, *rows[:2]]
    return list(rows)


def page(rows: list[Any], after: str | None, limit: int, kind: str | None) -> dict[str, Any]:
    """Return the page after the job `after`, as a fault of `kind` shows it."""
    names = [row.get("id") if isinstance(row, dict) else None for row in rows]
    start = 0 if kind == "list-goes-round" or after not in names else names.index(after) + 1
    data = rows[start : start + limit]
    payload: dict[str, Any] = {"object": "list", "data": data, "has_more": start + limit < len(rows)}
    if kind in ("list-says-more", "list-goes-round"):
        payload["has_more"] = True
    if kind == "list-no-data":
        del payload["data"]
    return payload
