"""Whether everything due happens: the next pass, the next observation, the retry that a user requested, and the end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from tests.scenario.disruptions import RetryRequested
from tests.scenario.history import Edited, History, PassStarted, ProviderRequest, StopRequested, WatchEnded
from tests.scenario.oracles.desired_spans import named_spans, wanted_cancels
from tests.scenario.oracles.health import lives
from tests.scenario.oracles.requests import MAY
from tests.scenario.oracles.status_yaml import UNFINISHED
from tests.scenario.oracles.undisrupted_spans import Span, clear_spans

STOPPED = timedelta(seconds=25)
SCAN = timedelta(seconds=66 + 10)
"""The maximum time between two scans, plus the duration of a pass."""
LOOKED = timedelta(seconds=5 * 60 + 20)
"""The maximum time between two observations of a running job: five intervals, plus the duration of a pass."""
HEEDED = timedelta(seconds=2 + 15)
"""The maximum time until a requested retry is sent. The request is read at the next heartbeat."""


def late_stop(history: History) -> Iterator[str]:
    """Yield the watches that did not end within the promised time after a stop was requested."""
    wished_at: datetime | None = None
    for event in history.events:
        match event:
            case StopRequested(at=at):
                wished_at = at
            case WatchEnded(at=at) if wished_at is not None:
                if at - wished_at > STOPPED:
                    yield f"{at:%T} the watch ended {at - wished_at} after the request to stop"
                wished_at = None


def missed_pass(history: History) -> Iterator[str]:
    """Yield the times at which a watch had made no pass for longer than `SCAN`. Faults of accounts are no excuse."""
    begun = [each.at for each in history.events if isinstance(each, PassStarted)]
    clear = clear_spans(history, "")
    for life in lives(history):
        for gap in (each.within(life) for each in clear):
            moments = [gap.since, *(at for at in begun if gap.since < at < gap.until), gap.until]
            for before, after in pairwise(moments):
                if after - before > SCAN:
                    yield f"{after:%T} no pass was made since {before:%T}"


def missed_poll(history: History) -> Iterator[str]:
    """Yield the running jobs that were not observed within the promised time, although nothing disturbed them."""
    for (account, job_id), spans in named_spans(history).items():
        seen = [each.at for each in history.events if _shows(each, account, job_id)]
        for gap in (each.within(span) for each in clear_spans(history, account, job_id) for span in spans):
            moments = [gap.since, *(at for at in seen if gap.since < at < gap.until), gap.until]
            for before, after in pairwise(moments):
                goes_on = {history.truth(account, job_id, at) for at in (before, after)} <= UNFINISHED
                if after - before > LOOKED and goes_on:
                    yield f"{after:%T} {job_id} was not observed since {before:%T}"


def _shows(event: object, account: str, job_id: str) -> bool:
    return isinstance(event, ProviderRequest) and event.account == account and job_id in event.words


def ignored_retry(history: History) -> Iterator[str]:
    """Yield the retries that a person requested and that were not sent, for cancels that had been sent before."""
    wanted = wanted_cancels(history)
    for asked in (each for each in history.events if isinstance(each, RetryRequested)):
        due = Span(asked.at, asked.at + HEEDED)
        for (account, job_id), spans in wanted.items():
            sent = [each.at for each in history.events if _is_cancel(each, account, job_id)]
            if (
                _is_named(history, asked, account, job_id)
                and any(span.since < due.since and due.until < span.until for span in spans)
                and any(each.within(due) == due for each in clear_spans(history, account, job_id))
                and {history.truth(account, job_id, at) for at in (due.since, due.until)} <= MAY["cancel"]
                and any(at < due.since for at in sent)
                and not any(due.since <= at <= due.until for at in sent)
            ):
                yield f"{due.until:%T} the retry of {asked.name} was not sent"


def _is_cancel(event: object, account: str, job_id: str) -> bool:
    return isinstance(event, ProviderRequest) and (event.account, event.verb, event.job_id) == (
        account,
        "cancel",
        job_id,
    )


def _is_named(history: History, asked: RetryRequested, account: str, job_id: str) -> bool:
    edits = [each for each in history.events if isinstance(each, Edited) and each.at <= asked.at]
    job_spec = edits[-1].revision.wish_for(account, job_id)
    return job_spec is not None and job_spec.name == asked.name
