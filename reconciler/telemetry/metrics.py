"""Prometheus metrics, named as in https://prometheus.io/docs/practices/naming.

Rules:

- Counters and histograms are updated by each request and each pass.
- Gauges are computed from the watch status at each scrape, so the series of a deleted spec disappear.
- Only gauges use the name of a spec as a label, because there may be many specs (`job_metrics`).
- After the first pass over an account, its counters and histograms exist, with the value 0 if nothing was counted. The
  exception is the counter of requests with a status code other than 200, which appears when the code first occurs. Once
  no spec uses the account, all its series are removed.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from reconciler.model.action_record import Sent
from reconciler.model.election import ElectionStatus
from reconciler.model.receipt_parts import cancel_amounts
from reconciler.model.report import Report, Row
from reconciler.model.transition import Transition
from reconciler.model.watch_status import Result, WatchStatus
from reconciler.telemetry.account_metrics import account_metrics
from reconciler.telemetry.gauge_families import NAMESPACE, gauge, gauges
from reconciler.telemetry.job_metrics import job_metrics
from reconciler.telemetry.metrics_options import MetricsOptions
from reconciler.telemetry.sink_metrics import sink_metrics

NO_ANSWER = "none"
"""The value of the label `code` for a request without a response."""
METHODS = ("GET", "POST")
"""The methods for which an account has series from the beginning."""
PASS_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300)
LATENCY_BUCKETS = (1, 5, 15, 60, 300, 900, 3600, 21600)
NO_OPTIONS = MetricsOptions()


class Metrics:
    """The metrics of a watch and its process, in their own registry.

    `watch_status` returns the current status of the watch, and `now` the current time.
    """

    def __init__(
        self,
        watch_status: Callable[[], WatchStatus],
        now: Callable[[], datetime],
        options: MetricsOptions = NO_OPTIONS,
    ) -> None:
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
            "Failed observations of an account that a retry cannot resolve.",
            "provider",
        )
        self._retries = counter("workqueue_retries", "Jobs that were requeued because of a failure or a conflict.")
        self._requests = counter(
            "provider_requests",
            "Requests that were sent, by HTTP status (`none` without a response).",
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
        self._saved = counter(
            "saved_cost",
            "The spending that confirmed cancels prevented, as estimated when they were requested.",
            "currency",
            "basis",
            "priced_by",
        )
        registry.register(_Gauges(watch_status, now, options))
        ProcessCollector(registry=registry)

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
            if receipt.has_cancelled and receipt.confirmed_at:
                self._cancels.observe((receipt.confirmed_at - receipt.requested_at).total_seconds())
                _, saved = cancel_amounts(receipt)
                if saved is not None:
                    priced_by = "operator" if saved.document is None else "provider"
                    self._saved.labels(saved.currency, saved.basis, priced_by).inc(float(saved.value))

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

    def __init__(
        self, watch_status: Callable[[], WatchStatus], now: Callable[[], datetime], options: MetricsOptions
    ) -> None:
        self._watch_status = watch_status
        self._now = now
        self._options = options

    def collect(self) -> Iterator[Metric]:
        watch_status, now = self._watch_status(), self._now()
        build = (self._options.version, platform.python_version())
        yield gauges(
            "build_info", "1, with the versions of reconcile and of Python.", ("version", "python"), {build: 1}
        )
        if (shard := self._options.shard) is not None:
            help_ = "The number of shards, with the number of this one; with --shard."
            yield gauges("shards", help_, ("shard",), {(str(shard.index),): shard.count})
        if watch_status.leadership is not None:
            yield _of_election(watch_status.leadership)
        yield from _of_queue(watch_status)
        yield from _of_passes(watch_status, now)
        yield from account_metrics(watch_status, now)
        yield from sink_metrics(watch_status.sinks, now)
        yield from job_metrics(watch_status, self._options)


def _of_election(leadership: ElectionStatus) -> Metric:
    return gauges(
        "is_leader",
        "1 if the watch leads, and 0 if it stands by; with --leader-elect.",
        ("lease",),
        {(leadership.lease,): float(leadership.is_leader)},
    )


def _of_queue(watch_status: WatchStatus) -> Iterator[Metric]:
    yield gauge("workqueue_depth", "Jobs that will be observed again.", watch_status.waiting)
    yield gauge(
        "workqueue_overdue",
        "Jobs that are due to be observed again while an earlier observation of their account continues.",
        watch_status.overdue,
    )
    yield gauge(
        "workqueue_longest_running_processor_seconds",
        "Time since the last progress of the slowest running pass or account; 0 if neither is running.",
        max(0.0, watch_status.heartbeat_at - watch_status.progress_at),
    )


def _of_passes(watch_status: WatchStatus, now: datetime) -> Iterator[Metric]:
    report, finished_at = watch_status.report, watch_status.finished_at
    yield gauge("interval_seconds", "The interval at which all specs are read again.", watch_status.interval_s)
    yield gauge(
        "last_success_timestamp_seconds",
        "End of the last pass, as a Unix time; 0 before the first pass ends.",
        finished_at.timestamp() if finished_at else 0.0,
    )
    yield gauge(
        "drift_seconds",
        "Longest time that a job has been Reconciling.",
        max((_age(row, now) for row in report.rows if row.status.is_reconciling), default=0.0),
    )
    yield gauge(
        "warnings",
        "Notices and errors of the last pass, such as an unreachable remote or unpublished statuses.",
        len(report.notices) + len(report.errors),
    )
    since = watch_status.warned_since
    yield gauge(
        "warnings_duration_seconds",
        "Time from the first to the last of the consecutive passes with warnings; 0 if the last pass has none.",
        (finished_at - since).total_seconds() if finished_at and since else 0.0,
    )
    yield gauge(
        "shadow",
        "1 if the watch runs in shadow mode, in which it requests no change, else 0.",
        float(report.is_shadow),
    )


def _age(row: Row, now: datetime) -> float:
    return max(0.0, (now - row.status.ready.last_transition_time).total_seconds())
