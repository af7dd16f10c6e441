"""Fine-tuning APIs, implemented from their public references, with jobs that change by themselves.

OpenAI's endpoints: `GET /v1/fine_tuning/jobs` with `after` and `limit`, `GET …/jobs/ID`, `POST …/jobs/ID/cancel`,
`…/pause`, `…/resume`, `GET …/jobs/ID/events`, `GET …/jobs/ID/checkpoints`. `dialects` has those of other vendors.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.second_opinion import faulty_responses
from tests.second_opinion.clock import Clock
from tests.second_opinion.dialects import DIALECTS, Dialect
from tests.second_opinion.faults import Fault
from tests.second_opinion.faulty_responses import Answer, Asked
from tests.second_opinion.jobs import Job
from tests.second_opinion.request_log import CHANGES, Exchange, RequestLog


@dataclass(frozen=True)
class Account:
    """An account: its provider type, its key, and the project that each request must name, if it has one."""

    name: str
    key: str
    project: str | None = None
    type: str = "openai"

    @property
    def dialect(self) -> Dialect:
        """Return the dialect of its provider."""
        return DIALECTS[self.type]

    def sent(self, path: str, headers: dict[str, str]) -> bool:
        """Return whether a request is for this account and has its key."""
        here = path == self.dialect.root or path.startswith(self.dialect.root + "/")
        return here and self.dialect.is_of(self.key, headers) and headers.get("openai-project") == self.project


class World:
    """The jobs of some accounts, the current faults, and the record of all requests."""

    def __init__(self, clock: Clock, accounts: list[Account]) -> None:
        self.clock = clock
        self.accounts = accounts
        self.record = RequestLog()
        self.faults: list[Fault] = []
        self.jobs: dict[tuple[str, str], Job] = {}
        self.refuses_ended_with = 400
        self.takes = 0.0
        self.lag = 0.0
        self.stranger = "http://127.0.0.1:9"
        self.errors: list[str] = []
        self.before_change: Callable[[Exchange], None] | None = None
        self.lock = threading.Lock()

    def add(self, job: Job) -> Job:
        """Add a job to its account, and return it."""
        self.jobs[job.account, job.id] = job
        return job

    def here(self, account: str, moment: float) -> list[Job]:
        """Return the jobs of an account at `moment`, newest first."""
        mine = [job for (owner, _), job in self.jobs.items() if owner == account and job.created <= moment]
        return sorted((job for job in mine if not job.is_gone(moment)), key=lambda job: (-job.created, job.id))

    def answer(self, method: str, target: str, headers: dict[str, str]) -> tuple[Answer, Exchange]:
        """Handle a request, with the current fault if there is one. Return the response and its record."""
        with self.lock:
            parts = urlsplit(target)
            account = next((each for each in self.accounts if each.sent(parts.path, headers)), None)
            verb, job = account.dialect.verb(method, parts.path) if account else ("other", None)
            exchange = Exchange(
                self.clock.now(), verb, job, account.name if account else None, parts.query, headers=headers
            )
            self.record.add(exchange)
            if exchange.change and self.before_change is not None:
                self.before_change(exchange)
            if account is None:
                answer = faulty_responses.error(401, "Incorrect API key provided", "invalid_api_key")
            else:
                asked = Asked(exchange.at, headers.get("authorization", ""), self.stranger, target)
                answer = account.dialect.refusal(self._with_faults(exchange, account, asked))
            exchange.status = answer.status if answer.wire != "reset" else None
            exchange.whole = answer.wire in ("whole", "silent-close")
            if account is not None and exchange.whole and answer.status == 200:
                _note(exchange, answer, account.dialect)
            return answer, exchange

    def _with_faults(self, exchange: Exchange, account: Account, asked: Asked) -> Answer:
        faults = (each for each in self.faults if each.meets(exchange.verb, exchange.job, account.name))
        fault = next(faults, None)
        if fault is None:
            return self._done(exchange, account, None)
        fault.left -= 1
        fault.met += 1
        exchange.fault = fault.kind
        if fault.kind in faulty_responses.INSTEAD:
            return faulty_responses.INSTEAD[fault.kind](fault, asked)
        answer = self._done(exchange, account, fault)
        if fault.kind in faulty_responses.AFTER:
            return faulty_responses.AFTER[fault.kind](answer, fault, asked)
        return answer

    def _done(self, exchange: Exchange, account: Account, fault: Fault | None) -> Answer:
        if exchange.verb == "list":
            return self._listed(exchange, account, fault)
        job = self.jobs.get((account.name, exchange.job or ""))
        if exchange.verb == "other" or job is None or job.is_gone(exchange.at) or job.created > exchange.at:
            return faulty_responses.error(404, f"Could not find fine tune: {exchange.job}", "fine_tune_not_found")
        if exchange.verb in CHANGES:
            return self._changed(exchange, account, job, fault)
        if exchange.verb in ("events", "checkpoints"):
            return faulty_responses.as_json({"object": "list", "data": [], "has_more": False})
        row = job.row(exchange.at)
        if fault is not None and fault.kind in faulty_responses.ROWS:
            row = faulty_responses.garbled(row, fault.kind)
        return faulty_responses.as_json(account.dialect.said(_swapped(row, fault)))

    def _listed(self, exchange: Exchange, account: Account, fault: Fault | None) -> Answer:
        after, limit = account.dialect.paging(parse_qs(exchange.query))
        exchange.first_page = after is None
        kind = fault.kind if fault is not None else None
        lag = fault.seconds if fault is not None and kind == "list-lags" else self.lag
        jobs = self.here(account.name, exchange.at - lag)
        rows = [job.row(exchange.at - lag) for job in jobs]
        if fault is not None and kind in faulty_responses.ROWS:
            rows = [faulty_responses.garbled(row, kind) if fault.job in (None, row["id"]) else row for row in rows]
        shown = faulty_responses.listed(rows, kind, fault.job if fault else None) if kind else list(rows)
        page = faulty_responses.page(shown, after, limit, kind)
        if "data" in page:
            page["data"] = [account.dialect.said(row) if isinstance(row, dict) else row for row in page["data"]]
        return faulty_responses.as_json(account.dialect.page(page))

    def _changed(self, exchange: Exchange, account: Account, job: Job, fault: Fault | None) -> Answer:
        now, word = exchange.at, job.word(exchange.at)
        exchange.word_before = word
        if not _possible(exchange.verb, word):
            exchange.refused_as_ended = True
            return faulty_responses.error(
                self.refuses_ended_with, f"Job {job.id} is {word}: it cannot be changed", None
            )
        if fault is not None and fault.kind == "ignored":
            return account.dialect.changed(job.row(now))
        takes = fault.seconds if fault is not None and fault.kind == "late" else self.takes
        exchange.effect = True
        if exchange.verb == "cancel":
            job.cancel(now, takes, shown=account.dialect.shows_cancelling)
        else:
            getattr(job, exchange.verb)(now, takes)
        return account.dialect.changed(_swapped(job.row(now), fault))


def _swapped(row: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
    """Return the row, or if the fault requires it, a cancelled row with the ID of another job."""
    if fault is not None and fault.kind == "other-job-200":
        return {**row, "id": "ftjob-other", "status": "cancelled"}
    return row


def _possible(verb: str, word: str) -> bool:
    if verb == "cancel":
        return word in ("validating_files", "queued", "running", "pausing", "paused")
    return word == "paused" if verb == "resume" else word in ("queued", "running", "validating_files")


def _note(exchange: Exchange, answer: Answer, dialect: Dialect) -> None:
    try:
        payload = json.loads(answer.body)
    except ValueError:
        return
    if not isinstance(payload, dict):
        return
    rows = dialect.rows(payload) if exchange.verb == "list" else [payload]
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict):
            name, word, raw = dialect.understood(row)
            if isinstance(name, str):
                exchange.shown[name], exchange.said[name] = word, raw
    exchange.last_page = exchange.verb == "list" and dialect.is_last(payload)
