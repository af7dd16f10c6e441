"""Whether a watch sends its requests in time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from tests.scenario.disruptions import EVENTS_MISSED, Disruption
from tests.scenario.history import History, ProviderRequest
from tests.scenario.oracles.desired_spans import wanted_cancels
from tests.scenario.oracles.requests import MAY
from tests.scenario.oracles.undisrupted_spans import Span, clear_spans

SOON = timedelta(seconds=15)
"""How long a watch may take to observe all jobs of a simulated account, and to send a request afterwards."""
SCANNED = timedelta(seconds=66)
"""The maximum time until a change without a notification is found: until the next scan."""


def late_request(history: History) -> Iterator[str]:
    """Yield the due cancels that were not sent in time, although nothing disturbed their jobs."""
    for (account, job_id), spans in wanted_cancels(history).items():
        clear = clear_spans(history, account, job_id)
        sent = [each.at for each in history.events if _is_cancel(each, account, job_id)]
        for wanted in spans:
            if any(at <= wanted.since for at in sent):
                continue  # requested before: another oracle checks when a request is repeated
            since, until = _known_at(history, wanted.since), min([wanted.until, *sent])
            for gap in (each.within(Span(since, until)) for each in clear):
                if gap.length > SOON and _is_cancellable(history, account, job_id, gap):
                    yield f"{gap.since:%T} the cancel of {job_id} is due, and was not sent until {gap.until:%T}"


def _known_at(history: History, at: datetime) -> datetime:
    """Return when a change of the specs at a given time could be known: at once, or at the next scan."""
    drops_changes = any(
        each.at <= at <= each.until
        for each in history.events
        if isinstance(each, Disruption) and each.kind.startswith(EVENTS_MISSED)
    )
    return at + SCANNED if drops_changes else at


def _is_cancel(event: object, account: str, job_id: str) -> bool:
    return isinstance(event, ProviderRequest) and (event.account, event.verb, event.job_id) == (
        account,
        "cancel",
        job_id,
    )


def _is_cancellable(history: History, account: str, job_id: str, span: Span) -> bool:
    return {history.truth(account, job_id, at) for at in (span.since, span.until)} <= MAY["cancel"]
