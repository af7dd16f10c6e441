"""A scrape in which every metric of a watch has a series, and the table of these metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from reconciler.model.action_record import Sent
from reconciler.model.election import ElectionStatus
from reconciler.model.job import ObservedJob, Phase
from reconciler.model.money import Basis, RecordedAmount, Unpriced
from reconciler.model.notification import SinkDelivery
from reconciler.model.price import Meter, Price
from reconciler.model.report import AccountReport, Report
from reconciler.model.shard import Shard
from reconciler.model.sunk_cost import SunkCostLimit
from reconciler.model.watch_status import Result, WatchStatus
from reconciler.telemetry.metrics import Metrics
from reconciler.telemetry.metrics_options import MetricsOptions, metric_labels
from tests.support.markdown_table import table
from tests.support.page_scene import EAST, OUTAGE, a_cancelled_job, a_job, a_watch, refused
from tests.support.reports import NOW

PRICE = Price("openai", "FineTuningJob", "*", Meter.HOUR, Decimal("3.00"), "USD")
CREATED = "_created"
"""The end of the names of series with the time at which a counter began. The library adds them."""
OF_PROCESS = "process_"
BUCKET = "le"


def a_full_watch() -> WatchStatus:
    """Return a leader with an outage, a refusal, limits, an unjudged limit, priced and unpriced jobs, and a sink."""
    seen = ObservedJob(
        id="ftjob-priced", phase=Phase.RUNNING, provider_status="running", estimated_finish_at=NOW + timedelta(hours=2)
    )
    rows = [
        *refused(),
        a_job("unjudged", message="running at the provider; its limit cannot be judged"),
        replace(a_job("priced"), price=PRICE, seen=seen),
        replace(a_job("unpriced"), price=Unpriced("no price")),
    ]
    sinks = {"audit": SinkDelivery(sent=1, waiting=1, due_since=NOW)}
    leadership = ElectionStatus("lease:jobs/reconcile", is_leader=True)
    watch = replace(a_watch(rows, OUTAGE), sinks=sinks, leadership=leadership)
    limit = SunkCostLimit(Decimal(500), "USD")
    return replace(watch, guard={name: replace(use, max_sunk_cost=limit) for name, use in watch.guard.items()})


def full_scrape() -> str:
    """Return the text of a scrape of this watch, after a pass and a request."""
    watch = a_full_watch()
    metrics = Metrics(
        lambda: watch, lambda: NOW, MetricsOptions("1.2.3", shard=Shard(2, 3), labels=metric_labels(["team"]))
    )
    cancelled = a_cancelled_job("saved")
    saved = RecordedAmount("12.5", "USD", Basis.ESTIMATE)
    receipts = tuple(replace(each, not_spent=saved) for each in cancelled.status.receipts)
    row = replace(cancelled, status=replace(cancelled.status, receipts=receipts))
    report = Report(accounts=(AccountReport(name="east", account=EAST, jobs=1),), rows=(row,))
    metrics.count_pass(report, 0.1, [(str(EAST), Result.SUCCESS)])
    metrics.count_request(str(EAST), Sent(method="GET", status=200, took_s=0.2, waited_s=0))
    return metrics.text()[0].decode()


def families() -> Iterator[Metric]:
    """Yield the metrics of the scrape that are not about the process, in order."""
    for family in text_string_to_metric_families(full_scrape()):
        if not family.name.endswith(CREATED) and not family.name.startswith(OF_PROCESS):
            yield family


def metrics_table() -> str:
    """Return the table of all metrics: their names, types and labels, and what they mean."""
    rows = []
    for family in families():
        total = "_total" if family.type == "counter" else ""
        labels = {label: None for sample in family.samples for label in sample.labels if label != BUCKET}
        rows.append(
            (f"`{family.name}{total}`", family.type, ", ".join(f"`{each}`" for each in labels), family.documentation)
        )
    return table(("Metric", "Type", "Labels", "Meaning"), *rows)
