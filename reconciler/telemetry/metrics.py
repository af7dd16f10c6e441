"""What Prometheus is told: https://prometheus.io/docs/practices/naming.

Rules: counters are counted from records and results that others hand in; what can be read off the overview is read off
it at each scrape, so that the series of a spec that is gone are gone too; only gauges name a job; every series of an
account is there, with 0, before anything happens to it, and goes once no spec names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from reconciler.model.action_record import Sent
from reconciler.model.report import Report, Row
from reconciler.model.status import ConditionStatus, ConditionType, Outcome, Verb
from reconciler.model.transition import Transition
from reconciler.model.watch_status import Result, WatchStatus

NAMESPACE = "reconcile"
NO_ANSWER = "none"
METHODS = ("GET", "POST")
PASS_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300)
LATENCY_BUCKETS = (1, 5, 15, 60, 300, 900, 3600, 21600)


class Metrics:
    """A registry of our own."""

    def __init__(self, overview: Callable[[], WatchStatus], now: Callable[[], datetime]) -> None:
        self.registry = registry = CollectorRegistry()
        self._known: set[str] = set()

        def counter(name: str, help_: str, *labels: str) -> Counter:
            return Counter(name, help_, labels, namespace=NAMESPACE, registry=registry)

        def histogram(name: str, help_: str, *labels: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, help_, labels, namespace=NAMESPACE, registry=registry, buckets=buckets)

        self._results = counter("reconcile", "Jobs that a pass looked at, by how that went.", "provider", "result")
        self._errors = counter("reconcile_errors", "Looks at a job that failed.", "provider")
        self._terminal = counter(
            "terminal_reconcile_errors", "Looks that failed in a way that only a person can mend.", "provider"
        )
        self._retries = counter("workqueue_retries", "Jobs that are due again because something failed.")
        self._requests = counter(
            "provider_requests", "Requests that were sent, by HTTP status.", "provider", "method", "code"
        )
        self._passes = histogram("reconcile_duration_seconds", "How long a pass took.", buckets=PASS_BUCKETS)
        self._took = histogram(
            "provider_request_duration_seconds", "How long a request took.", "provider", "method", buckets=PASS_BUCKETS
        )
        self._waited = histogram(
            "rate_limiter_wait_seconds", "How long a request waited for its turn.", "provider", buckets=PASS_BUCKETS
        )
        self._cancels = histogram(
            "cancel_latency_seconds",
            "From the request of a cancel to the look that proved it.",
            buckets=LATENCY_BUCKETS,
        )
        registry.register(_Gauges(overview, now))

    def text(self) -> tuple[bytes, str]:
        """Return what a scrape is answered, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def sent(self, provider: str, sent: Sent) -> None:
        """Count a request that left."""
        code = NO_ANSWER if sent.status is None else str(sent.status)
        self._requests.labels(provider, sent.method, code).inc()
        self._took.labels(provider, sent.method).observe(sent.took_s)
        self._waited.labels(provider).observe(sent.waited_s)

    def passed(self, report: Report, took_s: float, results: Iterable[tuple[str, Result]]) -> None:
        """Count a pass; `results` are of the jobs that it looked at, by account."""
        for account in report.accounts:
            self._be_ready_for(str(account.account))
            if account.has_failed and account.unseen and not account.unseen.is_transient:
                self._terminal.labels(str(account.account)).inc()
        self._passes.observe(took_s)
        for provider, result in results:
            self._be_ready_for(provider)
            self._results.labels(provider, result).inc()
            if result is Result.ERROR:
                self._errors.labels(provider).inc()
            if result in {Result.ERROR, Result.REQUEUE}:
                self._retries.inc()
        for each in report.transitions:
            self._observe_proofs(each)
        named = {str(row.ref.account) for row in report.rows if row.ref is not None}
        self._forget(self._known - named - {str(each.account) for each in report.accounts})

    def _observe_proofs(self, transition: Transition) -> None:
        """Observe the cancels that this pass proved."""
        for receipt in transition.closed:
            is_proof = receipt.verb is Verb.CANCEL and receipt.outcome in {Outcome.CANCELLED, Outcome.GONE}
            if is_proof and receipt.confirmed_at:
                self._cancels.observe((receipt.confirmed_at - receipt.requested_at).total_seconds())

    def _forget(self, providers: Iterable[str]) -> None:
        for provider in providers:
            self._known.discard(provider)
            for each in (self._results, self._errors, self._terminal, self._requests, self._took, self._waited):
                each.remove_by_labels({"provider": provider})

    def _be_ready_for(self, provider: str) -> None:
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
    """What is read off the overview."""

    def __init__(self, overview: Callable[[], WatchStatus], now: Callable[[], datetime]) -> None:
        self._overview = overview
        self._now = now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        overview, now = self._overview(), self._now()
        yield _gauge("workqueue_depth", "Jobs that will be looked at again.", value=overview.waiting)
        yield _gauge(
            "workqueue_longest_running_processor_seconds",
            "How long the pass under way has not moved; 0 between passes.",
            value=max(0.0, overview.heartbeat_at - overview.progress_at),
        )
        yield _gauge("interval_seconds", "How often everything is looked at.", value=overview.interval_s)
        finished_at = overview.finished_at.timestamp() if overview.finished_at else 0.0
        yield _gauge("last_success_timestamp_seconds", "When the last pass ended; 0 before.", value=finished_at)
        ages = _gauge(
            "observation_age_seconds",
            "How long ago the job of an account was seen that has not been seen for the longest.",
            "provider",
        )
        for provider, seen_at in overview.seen_at.items():
            ages.add_metric([provider], max(0.0, (now - seen_at).total_seconds()))
        yield ages
        yield _gauge(
            "drift_seconds",
            "How long the job that has been so the longest is not as its spec wants, and on its way.",
            value=max((_age(row, now) for row in overview.report.rows if row.status.is_reconciling), default=0.0),
        )
        yield _gauge(
            "warnings",
            "What the last pass warned of: a remote that is away, a branch that was rewound, statuses not published.",
            value=len(overview.report.notices) + len(overview.report.errors),
        )
        yield from _of_rows(overview.report.rows)


def _of_rows(rows: Sequence[Row]) -> Iterator[GaugeMetricFamily]:
    labels = ("name", "provider", "desired", "observed", "ready", "suspended")
    info = _gauge("resource_info", "One for each spec: what it wants, and what is.", *labels)
    conditions = _gauge("reconcile_condition", "Whether a condition of a spec is true.", "name", "type", "status")
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
            is_so = condition.status if condition else ConditionStatus.FALSE
            for status in ConditionStatus:
                conditions.add_metric([row.name, type_, status], float(status is is_so))
    unjudged = _gauge("limit_not_judged", "1 for each spec with a limit that cannot be judged.", "name", "provider")
    for row in rows:
        if row.status.has_unjudged_limit:
            unjudged.add_metric([row.name, _provider(row)], 1)
    yield info
    yield conditions
    yield unjudged


def _gauge(name: str, help_: str, *labels: str, value: float | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{NAMESPACE}_{name}", help_, labels=labels or None, value=value)


def _provider(row: Row) -> str:
    return str(row.ref.account) if row.ref else row.provider or ""


def _age(row: Row, now: datetime) -> float:
    return max(0.0, (now - row.status.ready.last_transition_time).total_seconds())
