"""The gauges of accounts: when their jobs were observed, their outages, request rates and use of the guard's limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily

from reconciler.model.guard_use import GuardUse
from reconciler.model.request_rate import LimitedBy, RequestRate
from reconciler.model.watch_status import WatchStatus
from reconciler.telemetry.gauge_families import gauge, gauges

_ACCOUNT = ("provider",)


def account_metrics(watch: WatchStatus, now: datetime) -> Iterator[GaugeMetricFamily]:
    """Yield the gauges of all accounts."""
    yield gauges(
        "observation_age_seconds",
        "Time since the least recently observed job of an account was observed.",
        _ACCOUNT,
        {(name,): max(0.0, (now - at).total_seconds()) for name, at in watch.seen_at.items()},
    )
    yield gauges(
        "account_unobserved",
        "1 while an account cannot be observed (scope account), or some of its jobs cannot (scope jobs).",
        ("provider", "reason", "scope"),
        {(each.account, each.reason, "jobs" if each.jobs else "account"): 1 for each in watch.outages},
    )
    yield from _of_rates({name: each for name, each in watch.rates.items() if name in watch.seen_at})
    yield from _of_guard(watch.guard)


def _of_rates(rates: Mapping[str, RequestRate]) -> Iterator[GaugeMetricFamily]:
    yield gauges(
        "provider_request_rate",
        "Requests per second that may be sent to an account now.",
        _ACCOUNT,
        {(name,): rate.per_second for name, rate in rates.items()},
    )
    yield gauges(
        "provider_request_rate_limit",
        "1 for the cause that limits the request rate now, else 0.",
        ("provider", "by"),
        {(name, by): float(by is rate.limited_by) for name, rate in rates.items() for by in LimitedBy},
    )


def _of_guard(uses: Mapping[str, GuardUse]) -> Iterator[GaugeMetricFamily]:
    counted = {
        "guard_changes": ("Changes of the last hour that count towards the guard's limits of an account.", "account"),
        "guard_max_cancels": (
            "Guard: number of changes per hour that is allowed, even if it exceeds the percentage.",
            "max_cancels",
        ),
        "guard_max_cancel_percent": (
            "Guard: percentage of the unfinished jobs that may change per hour.",
            "max_cancel_percent",
        ),
        "guard_max_cancels_absolute": (
            "Guard: maximum number of changes per hour, whatever the percentage allows.",
            "max_cancels_absolute",
        ),
    }
    for name, (help_, field) in counted.items():
        yield gauges(name, help_, _ACCOUNT, {(account,): getattr(use, field) for account, use in uses.items()})
    yield from _of_sunk_costs(uses)
    yield gauges(
        "guard_doubt",
        "1 if the changes of the last hour cannot be counted, so that the guard allows none, else 0.",
        _ACCOUNT,
        {(account,): float(use.doubt is not None) for account, use in uses.items()},
    )
    yield gauge(
        "guard_changes_overall",
        "Changes of the last hour that count towards the guard's limits of all accounts together.",
        max((use.overall or 0 for use in uses.values()), default=0),
    )


def _of_sunk_costs(uses: Mapping[str, GuardUse]) -> Iterator[GaugeMetricFamily]:
    """Yield the limits on the sunk cost of cancels, and how much of them is used, of the accounts with such a limit."""
    limits = {account: use.max_sunk_cost for account, use in uses.items() if use.max_sunk_cost is not None}
    if not limits:
        return
    labels = (*_ACCOUNT, "currency")
    yield gauges(
        "guard_cancels_cost",
        "Guard: what the jobs cancelled within the last hour had cost at most, as far as that is known.",
        labels,
        {(account, limit.currency): float(uses[account].sunk_cost.known) for account, limit in limits.items()},
    )
    yield gauges(
        "guard_cancels_cost_unknown",
        "Guard: number of the cancels of the last hour whose jobs had an unknown cost.",
        _ACCOUNT,
        {(account,): uses[account].sunk_cost.unknown for account in limits},
    )
    yield gauges(
        "guard_max_cancels_cost",
        "Guard: the most that the jobs cancelled per hour may have cost.",
        labels,
        {(account, limit.currency): float(limit.value) for account, limit in limits.items()},
    )
    yield gauges(
        "guard_cancels_cost_overall",
        "Guard: what the jobs of all accounts that were cancelled within the last hour had cost at most.",
        ("currency",),
        {
            (limit.currency,): float(cost.known)
            for account, limit in limits.items()
            if (cost := uses[account].overall_sunk_cost) is not None
        },
    )
