"""Prometheus metrics, named as in https://prometheus.io/docs/practices/naming.

Rules:

- Counters and histograms are updated by each request and each pass.
- Gauges are computed from the watch status at each scrape, so the series of a deleted spec disappear.
- Only gauges use the name of a spec as a label, because there may be many specs.
- After the first pass over an account, its counters and histograms exist, with the value 0 if nothing was counted. The
  exception is the counter of requests with a status code other than 200, which appears when the code first occurs. Once
  no spec uses the account, all its series are removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from reconciler.model.action_record import Sent
from reconciler.model.money import Amount
from reconciler.model.report import Report, Row
from reconciler.model.request_rate import LimitedBy, RequestRate
from reconciler.model.status import ConditionStatus, ConditionType, Outcome, Verb
from reconciler.model.transition import Transition
from reconciler.model.watch_status import Result, WatchStatus
from reconciler.views.cost_text import left, spent, watched_rows

NAMESPACE = "reconcile"
NO_ANSWER = "none"
"""The value of the label `code` for a request without a response."""
METHODS = ("GET", "POST")
"""The methods for which an account has series from the beginning."""
PASS_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300)
LATENCY_BUCKETS = (1, 5, 15, 60, 300, 900, 3600, 21600)


class Metrics:
    """The metrics of a watch, in their own registry.

    `watch_status` returns the current status of the watch, and `now` the current time.
    """

    def __init__(self, watch_status: Callable[[], WatchStatus], now: Callable[[], datetime]) -> None:
        self.registry = registry = CollectorRegistry()
        self._known: set[str] = set()

        def counter(name: str, help_: str, *labels: str) -> Counter:
            return Counter(name, help_, labels, namespace=NAMESPACE, registry=registry)

        def histogram(name: str, help_: str, *labels: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, help_, labels, namespace=NAMESPACE, registry=registry, buckets=buckets)

        self._results = counter(
            "reconcile",
            "Reconciliations of jobs, by result: each pass counts each of its jobs once.",
            "provider",
            "result",
        )
        self._errors = counter("reconcile_errors", "Jobs that a pass could not observe.", "provider")
        self._terminal = counter(
            "terminal_reconcile_errors",
            "Failed observations of an account, if a retry cannot resolve the failure.",
            "provider",
        )
        self._retries = counter("workqueue_retries", "Jobs that were requeued because of a failure or a conflict.")
        self._requests = counter(
            "provider_requests",
            "Requests that were sent, by HTTP status; none if there was no response.",
            "provider",
            "method",
            "code",
        )
        self._passes = histogram("reconcile_duration_seconds", "Duration of a pass.", buckets=PASS_BUCKETS)
        self._took = histogram(
            "provider_request_duration_seconds", "Duration of a request.", "provider", "method", buckets=PASS_BUCKETS
        )
        self._waited = histogram(
            "rate_limiter_wait_seconds",
            "Time that a request waited for the rate and concurrency limits.",
            "provider",
            buckets=PASS_BUCKETS,
        )
        self._cancels = histogram(
            "cancel_latency_seconds",
            "Time from the first request of a cancel to its confirmation.",
            buckets=LATENCY_BUCKETS,
        )
        registry.register(_Gauges(watch_status, now))

    def text(self) -> tuple[bytes, str]:
        """Return the metrics as text for a scrape, with the content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def count_request(self, provider: str, sent: Sent) -> None:
        """Count a request that was sent."""
        code = NO_ANSWER if sent.status is None else str(sent.status)
        self._requests.labels(provider, sent.method, code).inc()
        self._took.labels(provider, sent.method).observe(sent.took_s)
        self._waited.labels(provider).observe(sent.waited_s)

    def count_pass(self, report: Report, took_s: float, results: Iterable[tuple[str, Result]]) -> None:
        """Count a pass that took `took_s` seconds.

        `results` contains the account and the result of each job that the pass handled.
        """
        for account in report.accounts:
            self._create_series(str(account.account))
            if account.has_failed and account.unobserved and not account.unobserved.is_transient:
                self._terminal.labels(str(account.account)).inc()
        self._passes.observe(took_s)
        for provider, result in results:
            self._create_series(provider)
            self._results.labels(provider, result).inc()
            if result is Result.ERROR:
                self._errors.labels(provider).inc()
            if result in {Result.ERROR, Result.REQUEUE}:
                self._retries.inc()
        for each in report.transitions:
            self._observe_cancels(each)
        named = {str(row.ref.account) for row in report.rows if row.ref is not None}
        self._remove_series(self._known - named - {str(each.account) for each in report.accounts})

    def _observe_cancels(self, transition: Transition) -> None:
        """Record the latency of each cancel that this pass confirmed."""
        for receipt in transition.closed:
            is_confirmed = receipt.verb is Verb.CANCEL and receipt.outcome in {Outcome.CANCELLED, Outcome.GONE}
            if is_confirmed and receipt.confirmed_at:
                self._cancels.observe((receipt.confirmed_at - receipt.requested_at).total_seconds())

    def _remove_series(self, providers: Iterable[str]) -> None:
        for provider in providers:
            self._known.discard(provider)
            for each in (self._results, self._errors, self._terminal, self._requests, self._took, self._waited):
                each.remove_by_labels({"provider": provider})

    def _create_series(self, provider: str) -> None:
        if provider in self._known:
            return
        self._known.add(provider)
        for result in Result:
            self._results.labels(provider, result)
        self._errors.labels(provider)
        self._terminal.labels(provider)
        self._waited.labels(provider)
        for method in METHODS:
            self._took.labels(provider, method)
            self._requests.labels(provider, method, "200")


class _Gauges(Collector):
    """The gauges, which are computed from the watch status at each scrape."""

    def __init__(self, watch_status: Callable[[], WatchStatus], now: Callable[[], datetime]) -> None:
        self._watch_status = watch_status
        self._now = now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        watch_status, now = self._watch_status(), self._now()
        yield _gauge("workqueue_depth", "Jobs that will be observed again.", value=watch_status.waiting)
        yield _gauge(
            "workqueue_longest_running_processor_seconds",
            "Time since the last progress of the slowest running pass or account; 0 if neither is running.",
            value=max(0.0, watch_status.heartbeat_at - watch_status.progress_at),
        )
        yield _gauge(
            "interval_seconds", "The interval at which all specs are read again.", value=watch_status.interval_s
        )
        finished_at = watch_status.finished_at.timestamp() if watch_status.finished_at else 0.0
        yield _gauge(
            "last_success_timestamp_seconds",
            "End of the last pass, as a Unix time; 0 before the first pass ends.",
            value=finished_at,
        )
        ages = _gauge(
            "observation_age_seconds",
            "Time since the least recently observed job of an account was observed.",
            "provider",
        )
        for provider, seen_at in watch_status.seen_at.items():
            ages.add_metric([provider], max(0.0, (now - seen_at).total_seconds()))
        yield ages
        yield from _of_rates({name: each for name, each in watch_status.rates.items() if name in watch_status.seen_at})
        yield _gauge(
            "drift_seconds",
            "Longest time that a job has been Reconciling.",
            value=max((_age(row, now) for row in watch_status.report.rows if row.status.is_reconciling), default=0.0),
        )
        yield _gauge(
            "warnings",
            "Notices and errors of the last pass, such as an unreachable remote or unpublished statuses.",
            value=len(watch_status.report.notices) + len(watch_status.report.errors),
        )
        yield _gauge(
            "shadow",
            "1 if the watch runs in shadow mode, in which it requests no change, else 0.",
            value=float(watch_status.report.is_shadow),
        )
        yield from _of_rows(watch_status.report.rows)
        yield from _of_costs(watch_status)


def _of_rates(rates: Mapping[str, RequestRate]) -> Iterator[GaugeMetricFamily]:
    per_second = _gauge("provider_request_rate", "Requests per second that may be sent to an account now.", "provider")
    limited_by = _gauge(
        "provider_request_rate_limit", "1 for the cause that limits the request rate now, else 0.", "provider", "by"
    )
    for provider, rate in rates.items():
        per_second.add_metric([provider], rate.per_second)
        for each in LimitedBy:
            limited_by.add_metric([provider, each], float(each is rate.limited_by))
    yield per_second
    yield limited_by


def _of_rows(rows: Sequence[Row]) -> Iterator[GaugeMetricFamily]:
    labels = ("name", "provider", "desired", "observed", "ready", "suspended")
    info = _gauge("resource_info", "1 for each spec, with its desired and observed state.", *labels)
    conditions = _gauge(
        "reconcile_condition", "1 for the current status of each condition, else 0.", "name", "type", "status"
    )
    for row in rows:
        ready = row.status.ready
        is_suspended = str(ready.reason == "Suspended").lower()
        wanted = [
            row.name,
            _provider(row),
            str(row.wanted or ""),
            str(row.status.phase),
            str(ready.status),
            is_suspended,
        ]
        info.add_metric(wanted, 1)
        for type_ in ConditionType:
            condition = row.status.condition(type_)
            current = condition.status if condition else ConditionStatus.FALSE
            for status in ConditionStatus:
                conditions.add_metric([row.name, type_, status], float(status is current))
    unjudged = _gauge("limit_not_judged", "1 for each spec with a limit that cannot be judged.", "name", "provider")
    for row in rows:
        if row.status.has_unjudged_limit:
            unjudged.add_metric([row.name, _provider(row)], 1)
    yield info
    yield conditions
    yield unjudged


def _of_costs(watch: WatchStatus) -> Iterator[GaugeMetricFamily]:
    """Yield the costs at the end of the last pass. A job whose cost is unknown has a series of `job_cost_unknown`."""
    if watch.finished_at is None or not any(row.price is not None for row in watch.report.rows):
        return
    labels = ("name", "provider", "currency", "basis")
    so_far = _gauge("job_cost", "What a job has cost so far, at the operator's prices.", *labels)
    more = _gauge("job_cost_left", "What an unfinished job will still cost if nothing stops it.", *labels)
    unknown = _gauge("job_cost_unknown", "1 for each job whose cost so far is unknown.", "name", "provider")
    for row in watched_rows(watch):
        for family, cost in ((so_far, spent(row, watch.finished_at)), (more, left(row, watch.finished_at))):
            if isinstance(cost, Amount):
                family.add_metric([row.name, _provider(row), cost.currency, cost.basis], float(cost.value))
            elif cost is not None and family is so_far:
                unknown.add_metric([row.name, _provider(row)], 1)
    yield so_far
    yield more
    yield unknown


def _gauge(name: str, help_: str, *labels: str, value: float | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{NAMESPACE}_{name}", help_, labels=labels or None, value=value)


def _provider(row: Row) -> str:
    return str(row.ref.account) if row.ref else row.provider or ""


def _age(row: Row, now: datetime) -> float:
    return max(0.0, (now - row.status.ready.last_transition_time).total_seconds())
