"""The gauges of jobs: at most three series for each job, and counts for each account.

Rules:

- The values of labels that a spec's author chooses are only in the series of that author's job. Counts have the
  account and words of this program as labels, so an author cannot add series to them.
- If two specs have the same name, their jobs may share a series, because a scrape must not have a series twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily

from reconciler.model.money import Amount
from reconciler.model.reason import Reason
from reconciler.model.report import Row
from reconciler.model.watch_status import WatchStatus
from reconciler.telemetry.gauge_families import gauges
from reconciler.telemetry.metrics_options import MetricsOptions
from reconciler.views.cost_text import left, spent, watched_rows

_INFO = (
    "name",
    "kind",
    "provider",
    "desired",
    "observed",
    "ready",
    "stalled",
    "suspended",
    "limit_not_judged",
    "reason",
)


def job_metrics(watch: WatchStatus, options: MetricsOptions) -> Iterator[GaugeMetricFamily]:
    """Yield the gauges of all jobs, and with the option also the series of each job."""
    rows = watch.report.rows
    yield from _counts(rows)
    if options.has_jobs:
        yield _info(rows, options.labels)
        yield from _costs(watch)


def _counts(rows: Sequence[Row]) -> Iterator[GaugeMetricFamily]:
    jobs: Counter[tuple[str, ...]] = Counter(
        (
            _account(row),
            str(row.status.ready.status),
            _word(is_true=row.status.is_stalled),
            str(row.status.ready.reason),
        )
        for row in rows
    )
    yield gauges(
        "jobs", "Number of jobs of an account, by their readiness.", ("provider", "ready", "stalled", "reason"), jobs
    )
    unjudged: Counter[tuple[str, ...]] = Counter((_account(row),) for row in rows if row.status.has_unjudged_limit)
    yield gauges("limits_not_judged", "Number of jobs with a limit that cannot be judged.", ("provider",), unjudged)


def _info(rows: Sequence[Row], labels: Mapping[str, str]) -> GaugeMetricFamily:
    values = {(*_info_of(row), *_labels_of(row, labels)): 1.0 for row in rows}
    help_ = "1 for each spec, with its desired state, the state of its job, and labels of the spec."
    return gauges("resource_info", help_, (*_INFO, *labels.values()), values)


def _info_of(row: Row) -> tuple[str, ...]:
    status, ready = row.status, row.status.ready
    return (
        row.name,
        status.kind.name,
        _provider(row),
        str(row.wanted or ""),
        str(status.phase),
        str(ready.status),
        _word(is_true=status.is_stalled),
        _word(is_true=ready.reason is Reason.SUSPENDED),
        _word(is_true=status.has_unjudged_limit),
        str(ready.reason),
    )


def _labels_of(row: Row, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of these labels of a spec. The value of a label that it does not have is empty."""
    own = row.document.metadata.labels if row.document is not None else {}
    return tuple(own.get(key, "") for key in labels)


def _costs(watch: WatchStatus) -> Iterator[GaugeMetricFamily]:
    """Yield the costs at the end of the last pass. A job whose cost is unknown has a series of `job_cost_unknown`."""
    if watch.finished_at is None or not any(row.price is not None for row in watch.report.rows):
        return
    so_far: dict[tuple[str, ...], float] = {}
    more: dict[tuple[str, ...], float] = {}
    unknown: dict[tuple[str, ...], float] = {}
    for row in watched_rows(watch):
        for found, cost in ((so_far, spent(row, watch.finished_at)), (more, left(row, watch.finished_at))):
            if isinstance(cost, Amount):
                found[row.name, _provider(row), cost.currency, cost.basis, cost.document or ""] = float(cost.value)
            elif cost is not None and found is so_far:
                unknown[row.name, _provider(row)] = 1
    labels = ("name", "provider", "currency", "basis", "document")
    yield gauges("job_cost", "What a job has cost so far, at the stated prices.", labels, so_far)
    yield gauges("job_cost_left", "What an unfinished job will still cost if nothing stops it.", labels, more)
    yield gauges("job_cost_unknown", "1 for each job whose cost so far is unknown.", labels[:2], unknown)


def _account(row: Row) -> str:
    """Return the account of a job, or an empty text if it is not known."""
    return str(row.ref.account) if row.ref else ""


def _provider(row: Row) -> str:
    return _account(row) or row.provider or ""


def _word(*, is_true: bool) -> str:
    return "true" if is_true else "false"
