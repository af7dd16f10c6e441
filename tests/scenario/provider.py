"""The provider of a run: a world behind an API, with faults between the API and the product.

Rules: the sandbox's own rules cause the faults that it supports, and `CountedFaults` only counts them. Any other fault
is a `ResponseFault`, which this module applies to whole responses. Every request is recorded with its true response.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reconciler.model.job import Phase
from reconciler.ports import Clock
from reconciler.sandbox.app import create_app
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.faults import Call, Fault, Faults
from reconciler.sandbox.world import InvalidRequestError, UnknownJobError
from tests.contract.dialects.services import Service
from tests.scenario.batch_services import is_about_batches, words_of
from tests.scenario.history import ABSENT, INTACT, ChangeSent, ExternalEvent, History, ProviderRequest
from tests.scenario.reviving_world import RevivingBatches, RevivingWorld
from tests.support.limited_provider import LimitedProvider

KEY = "sk-canary-0123456789abcdef"
"""The secret that no output may contain."""
_ABSURD_TIMES: tuple[object, ...] = (None, 0, -5, 10**13, "soon", True, 1e300, [])
_ERROR = 400
"""The lowest HTTP status of an error."""
_NO_SUCH_JOB = ("fine_tune_not_found", 404)
_NO_SUCH_BATCH = "No batch found with id"
_GARBLED: tuple[object, ...] = ("nonsense", None, [], {"status": "running"}, {"id": 7})
ODDLY_TAKEN: Mapping[str, tuple[int, bytes]] = {
    "taken-silently": (204, b""),
    "taken-with-nothing": (202, b""),
    "taken-in-own-words": (200, b'{"status": "success"}'),
}
"""Responses of 2xx that contain no job, by name."""
REFUSED_IN_200 = "refused-in-200"
THROTTLED = "throttled"
"""The name of the fault for requests beyond `Host.limit`."""
ONE_JOB = "one job: "
"""The beginning of the names of faults that affect the requests for one job."""


_met: ContextVar[str | None] = ContextVar("met", default=None)
"""The fault that affected the request of this task."""
_recorded: ContextVar[ProviderRequest | None] = ContextVar("recorded", default=None)
"""The request of this task, as it was recorded."""


class CountedFaults(Faults):
    """The sandbox's faults, with a record of the fault of each request."""

    def pick(self, call: Call) -> Fault | None:
        """Return the fault of a call, or None, and record it for the request."""
        fault = super().pick(call)
        _met.set(_label(fault) if fault else None)
        return fault

    def remove(self, rule: Fault) -> None:
        """End one fault, if it still lasts."""
        for place, each in enumerate(self._rules):
            if each is rule:
                del self._rules[place], self._matched[place]
                return


def _label(fault: Fault) -> str:
    status = getattr(fault, "status", None)
    own = " of its own" if getattr(fault, "code", None) == _NO_SUCH_JOB[0] else ""
    retry = " with retry-after" if getattr(fault, "retry_after", None) else ""
    whose = ONE_JOB if fault.job is not None else "list: " if fault.on == "list" else ""
    return whose + (f"status {status}{own}{retry}" if status else fault.fault)


@dataclass(slots=True)
class ResponseFault:
    """A fault of the next responses.

    It is `absurd-times`, `echoed-key` or `no-date`; `garbled-rows`, for lists; one of `ODDLY_TAKEN`, for the responses
    to changes that take effect; or `refused-in-200`, for the next changes, which do not take effect.
    """

    kind: str
    times: int
    seed: int = 0


@dataclass(slots=True)
class _Answer:
    """A response before it is sent."""

    status: int | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        else:
            self.body += message.get("body", b"")

    def header(self, name: bytes) -> str | None:
        return next((value.decode() for key, value in self.headers if key == name), None)

    def with_header(self, name: bytes, value: bytes | None) -> None:
        kept = [(key, text) for key, text in self.headers if key != name]
        self.headers = kept if value is None else [*kept, (name, value)]

    def with_body(self, body: bytes) -> None:
        self.body = body
        if self.header(b"content-length") is not None:
            self.with_header(b"content-length", str(len(body)).encode())

    def messages(self) -> Iterable[Message]:
        yield {"type": "http.response.start", "status": self.status, "headers": self.headers}
        yield {"type": "http.response.body", "body": self.body}


@dataclass(slots=True)
class Host:
    """What the accounts of one Provider document share: its address, its key, its limit and its faults."""

    name: str
    base_url: str
    skew: timedelta = timedelta(0)
    """How far the provider's clock is ahead of the local clock."""
    is_wrong_project: bool = False
    """Whether the key opens another project, which has none of the jobs."""
    limit: LimitedProvider | None = None
    """The limit beyond which requests are throttled. None means no limit."""
    open_error: Exception | None = None
    """The error that opening an account raises, or None."""

    def end_faults(self) -> None:
        """End every fault."""
        self.skew = timedelta(0)
        self.is_wrong_project = False
        self.limit = None
        self.open_error = None


class Provider:
    """One account at a provider: its jobs of one kind."""

    def __init__(
        self, name: str, host: Host, service: Service, world: RevivingWorld, clock: Clock, history: History
    ) -> None:
        self.name = name
        self.host = host
        self.service = service
        self.world = world
        self.faults = CountedFaults()
        self.response_faults: list[ResponseFault] = []
        self.overtakers: list[Phase] = []
        """The states that the jobs of the next cancels enter right before the cancels arrive."""
        self.met: Counter[str] = Counter()
        self._clock = clock
        self._history = history
        world.faults = self.faults
        self._here = create_app(world, clock.now, api_key=KEY)
        self._elsewhere = create_app(type(world)(SandboxOptions(), clock.now()), clock.now, api_key=KEY)
        self._words = words_of(service) if self.has_batches else service.front.hides

    @property
    def has_batches(self) -> bool:
        """Whether the jobs are batches."""
        return isinstance(self.world, RevivingBatches)

    def end_faults(self) -> None:
        """End every fault of this provider."""
        self.faults.clear()
        self.response_faults.clear()
        self.overtakers.clear()
        self.host.end_faults()

    def app(self, life: int, effect: Callable[[str], None]) -> ASGIApp:
        """Return the application for one process, in the service's own dialect.

        `effect` is called before a request arrives, and may raise.
        """

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            tail = scope["path"].removeprefix(self.service.front.inside).strip("/").split("/")
            effect(f"{scope['method']} {self.name} {'/'.join(tail)}")
            if len(tail) > 1:
                self._history.events.append(ChangeSent(self._clock.now(), self.name, *tail))
                self._overtake(*tail)
            await self._answer(life, tail, scope, receive, send)

        front = self.service.front(application, KEY)

        async def service(scope: Scope, receive: Receive, send: Send) -> None:
            async def tell(message: Message) -> None:
                if message["type"] == "http.response.start" and message["status"] >= _ERROR:
                    self._record_refusal(message["status"])
                await send(message)

            _recorded.set(None)
            await front(scope, receive, tell)

        return service

    def _record_refusal(self, status: int) -> None:
        """Correct the record of a change that the sandbox accepted, and that the service refused in its own dialect."""
        accepted = _recorded.get()
        if accepted is not None and accepted.is_change and accepted.is_well:
            events = self._history.events
            place = next(place for place in reversed(range(len(events))) if events[place] is accepted)
            events[place] = replace(accepted, status=status, words={})

    def _overtake(self, job_id: str, verb: str) -> None:
        if verb == "cancel" and self.overtakers and not self.host.is_wrong_project:
            phase, now = self.overtakers.pop(0), self._clock.now()
            with suppress(UnknownJobError, InvalidRequestError):
                self.world.cut(job_id, phase, now)
                who = "another user cancels" if phase is Phase.CANCELLED else "ended"
                self._history.events.append(ExternalEvent(now, f"{who} before our cancel", f"{self.name}/{job_id}"))

    async def _answer(self, life: int, tail: list[str], scope: Scope, receive: Receive, send: Send) -> None:
        at = self._clock.now()
        _met.set(None)
        answer = _Answer()
        try:
            await self._ask(scope, receive, answer)
        except BaseException:
            self._note(life, at, tail, scope, _Answer(), _met.get())
            raise
        played = self._play(scope, answer)
        self._note(life, at, tail, scope, answer, _met.get() or played)
        for message in answer.messages():
            await send(message)

    async def _ask(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        async def keep(message: Message) -> None:
            answer.take(message)

        limit = self.host.limit
        status, headers = limit.answer(self._clock.monotonic()) if limit is not None else (INTACT, {})
        if status != INTACT:
            _met.set(THROTTLED)
            answer.status, answer.body = status, b'{"error": {"message": "too many requests", "code": null}}'
            answer.headers = [(b"content-type", b"application/json"), *_as_bytes(headers)]
            return
        if (
            scope["method"] == "POST"
            and (response_fault := self._next(REFUSED_IN_200)) is not None
            and not self.host.is_wrong_project
        ):
            response_fault.times -= 1
            _met.set(REFUSED_IN_200)
            date = format_datetime(self._clock.now(), usegmt=True).encode()
            answer.status, answer.body = INTACT, b'{"error": "this cannot be done now"}'
            answer.headers = [(b"content-type", b"application/json"), (b"date", date)]
            return
        await (self._elsewhere if self.host.is_wrong_project else self._here)(scope, receive, keep)
        answer.headers += _as_bytes(headers)
        if self.has_batches and answer.status == _NO_SUCH_JOB[1] and _code(_parsed(answer.body)) == _NO_SUCH_JOB[0]:
            # The sandbox's fault has the not-found error of fine-tuning jobs, so it is replaced by that of batches.
            message = f"{_NO_SUCH_BATCH} '{scope['path'].rpartition('/')[2]}'."
            answer.with_body(json.dumps({"error": {"message": message}}).encode())

    def _next(self, kind: str) -> ResponseFault | None:
        return next((each for each in self.response_faults if each.times > 0 and each.kind == kind), None)

    def _play(self, scope: Scope, answer: _Answer) -> str | None:
        """Apply the host's faults and the next response fault. Return the name of the applied fault, or None."""
        kind = "switched account" if self.host.is_wrong_project else None
        if self.host.skew:
            at = self._clock.now() + self.host.skew
            answer.with_header(b"date", format_datetime(at, usegmt=True).encode())
            kind = kind or "clocks disagree"
        left = (each for each in self.response_faults if each.times > 0)
        response_fault = next((each for each in left if _fits(each.kind, scope, answer)), None)
        if response_fault is None or _met.get() is not None or self.host.is_wrong_project:
            return kind
        response_fault.times -= 1
        match response_fault.kind:
            case "absurd-times":
                answer.with_body(_with_absurd_times(answer.body, response_fault.seed + response_fault.times))
            case "echoed-key":
                key = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
                said = {"error": {"message": f"Incorrect key {key} at https://x.example/?key={key}", "code": key}}
                answer.status = (400, 401, 500)[response_fault.times % 3]
                answer.with_body(json.dumps(said).encode())
            case "no-date":
                answer.with_header(b"date", None)
            case "garbled-rows":
                answer.with_body(_with_garbled_rows(answer.body, response_fault.seed + response_fault.times))
            case kind:
                answer.status, body = ODDLY_TAKEN[kind]
                answer.with_body(body)
        return response_fault.kind

    def _note(self, life: int, at: datetime, tail: list[str], scope: Scope, answer: _Answer, fault: str | None) -> None:
        job_id = tail[0] or None
        verb = tail[1] if len(tail) > 1 else "retrieve" if job_id else "list"
        if fault is not None:
            self.met[fault] += 1
        retry_after = answer.header(b"retry-after")
        request = ProviderRequest(
            at=at,
            ended_at=self._clock.now(),
            life=life,
            account=self.name,
            verb=verb,
            job_id=job_id,
            status=answer.status,
            fault=fault,
            retry_after_s=float(retry_after) if retry_after else None,
            words=self._shown(answer, job_id) if scope["method"] == "GET" or answer.status == INTACT else {},
            dated=_date(answer),
        )
        self._history.events.append(request)
        _recorded.set(request)

    def _shown(self, answer: _Answer, job_id: str | None) -> dict[str, str]:
        """Return the phase of each job that a reader of the response learns. A dialect may merge some phases."""
        body = _parsed(answer.body)
        if answer.status == _NO_SUCH_JOB[1] and job_id and _says_absent(body):
            return {job_id: ABSENT}
        if answer.status != INTACT or not isinstance(body, dict):
            return {}
        rows = body["data"] if body.get("object") == "list" else [body]
        shown = [row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]
        return {row["id"]: self._words.get(row["status"], row["status"]) for row in shown}


def app_of(providers: Iterable[Provider], life: int, effect: Callable[[str], None]) -> ASGIApp:
    """Return the application of a host for one process. The path of a request determines the account.

    So a request for a batch that is sent to the path of fine-tuning jobs reaches the fine-tuning job with that ID.
    """
    apps = {each.has_batches: each.app(life, effect) for each in providers}

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        here = apps.get(is_about_batches(scope["path"]), next(iter(apps.values())))
        await here(scope, receive, send)

    return application


def _as_bytes(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _date(answer: _Answer) -> datetime | None:
    date = answer.header(b"date")
    return parsedate_to_datetime(date) if date is not None else None


def _fits(kind: str, scope: Scope, answer: _Answer) -> bool:
    """Return whether a fault can occur in this response."""
    if kind in ODDLY_TAKEN:
        return scope["method"] == "POST" and answer.status == INTACT
    if kind == REFUSED_IN_200:
        return False
    return kind != "garbled-rows" or len(_rows_of(answer.body)) > 1


def _rows_of(body: bytes) -> list[Any]:
    told = _parsed(body)
    rows = told.get("data") if isinstance(told, dict) and told.get("object") == "list" else None
    return rows if isinstance(rows, list) else []


def _with_garbled_rows(body: bytes, seed: int) -> bytes:
    """Return a list in which every second row is unreadable."""
    told = _parsed(body)
    garbled = _GARBLED[seed % len(_GARBLED)]
    told["data"] = [garbled if place % 2 == seed % 2 else row for place, row in enumerate(told["data"])]
    return json.dumps(told).encode()


def _says_absent(body: Any) -> bool:
    """Return whether a body is the sandbox's error for an ID that no job has."""
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return _code(body) == _NO_SUCH_JOB[0] or str(message).startswith(_NO_SUCH_BATCH)


def _code(body: Any) -> object:
    error = body.get("error") if isinstance(body, dict) else None
    return error.get("code") if isinstance(error, dict) else None


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _with_absurd_times(body: bytes, seed: int) -> bytes:
    told = _parsed(body)
    if not isinstance(told, dict):
        return body
    absurd = _ABSURD_TIMES[seed % len(_ABSURD_TIMES)]
    for row in told["data"] if told.get("object") == "list" else [told]:
        if isinstance(row, dict) and "created_at" in row:
            row["created_at"] = absurd
    return json.dumps(told).encode()
