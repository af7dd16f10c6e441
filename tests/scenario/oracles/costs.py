"""Whether cancels stayed within what the operator's file allows them to cost, by the prices of the run.

Rules: only the prices of the operator count for the limit on costs. The costs are computed from the provider's log and
the world. A cost is a lower bound of what the product must have counted, because some time passes between its
observation and its request.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from reconciler.providers import load
from tests.scenario.batch_services import kind_of, provider_of
from tests.scenario.history import Edited, History, ProviderRequest
from tests.scenario.price_book import CURRENCY, hours
from tests.scenario.repository import JobSpec

_WAITING = {"validating_files", "queued"}
_SLACK = timedelta(minutes=5)
"""The longest time between the observation of a job and its cancel."""
_HOUR = timedelta(minutes=59)
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class _Spent:
    """What the job of one cancel had cost at least when the cancel was requested; None if its cost was unknown."""

    at: datetime
    job_id: str
    cost: Decimal | None


def is_over_cost(history: History, job_spec: JobSpec, at: datetime) -> bool:
    """Return whether a job may have certainly cost more than the limit of its spec, at a price of the run.

    A price in a Provider document applies if the operator states none, from the time at which it is written. A pass may
    still use an earlier price. If the provider can pause the job, no lower bound of its cost is known. A limit in
    another currency never acts. If the provider reports no times, the product counts from its first observation of the
    job, which is after its creation.
    """
    book = history.prices
    if book is None or job_spec.max_cost is None or job_spec.currency != CURRENCY:
        return False
    type_ = history.first_revision.service(job_spec.account).type
    created_at = history.exists_since(job_spec.account, job_spec.job_id, at)
    if created_at is None or not (job_spec.is_batch or not load(type_).capabilities.can_pause):
        return False
    cost = book.cost(type_, job_spec.account, at - created_at)
    if cost is not None:
        return cost > job_spec.max_cost
    highest = max(_declared(history, job_spec.account, at), default=Decimal(0))
    return highest * hours(at - created_at) > job_spec.max_cost


def _declared(history: History, account: str, at: datetime) -> Iterator[Decimal]:
    """Yield every price that the Provider document of an account has stated for its jobs until a time."""
    key = provider_of(account), kind_of(account)
    for event in history.events:
        if isinstance(event, Edited) and event.at <= at and key in event.revision.declared_prices:
            yield event.revision.declared_prices[key]


def cost_limit_exceeded(history: History) -> Iterator[str]:
    """Yield the cancels of jobs with an unknown cost, and the hours whose cancels cost more than the limit."""
    book = history.prices
    if book is None or book.most_an_hour is None:
        return
    spent = [_spent(history, each) for each in _first_cancels(history)]
    for each in spent:
        if each.cost is None:
            yield f"{each.at:%T} cancel of {each.job_id}, whose cost is unknown"
    for place, first in enumerate(spent):
        within = [each for each in spent[place:] if each.at - first.at < _HOUR]
        total = sum((each.cost or Decimal(0) for each in within), Decimal(0))
        if total > book.most_an_hour + _CENT:
            yield f"{first.at:%T} to {within[-1].at:%T}: cancelled jobs had cost at least {total:.2f}"


def _first_cancels(history: History) -> list[ProviderRequest]:
    found: dict[tuple[str, str], ProviderRequest] = {}
    for event in history.events:
        # A throttled request has no effect, so it does not count as an attempt.
        if isinstance(event, ProviderRequest) and event.verb == "cancel" and event.job_id and event.status != 429:
            found.setdefault((event.account, event.job_id), event)
    return sorted(found.values(), key=lambda each: each.at)


def _spent(history: History, cancel: ProviderRequest) -> _Spent:
    """Return what the job of a cancel had cost at least."""
    account, job_id, book = cancel.account, str(cancel.job_id), history.prices
    type_, created_at = history.first_revision.service(account).type, history.created_at(account, job_id, cancel.at)
    is_priced = book is not None and book.cost(type_, account, _SLACK) is not None
    if is_priced and {history.truth(account, job_id, cancel.at - lag) for lag in (_SLACK, timedelta(0))} & _WAITING:
        return _Spent(cancel.at, job_id, Decimal(0))
    if book is None or created_at is None:
        return _Spent(cancel.at, job_id, None)
    return _Spent(cancel.at, job_id, book.cost(type_, account, cancel.at - _SLACK - created_at))
