"""What a scrape of `/metrics` costs: its lines, its bytes, and the CPU time to write it."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from statistics import median

from reconciler.model.guard_use import GuardUse
from reconciler.model.job import Account, JobRef, ObservedJob, Phase
from reconciler.model.report import AccountReport, Report, Row
from reconciler.model.request_rate import LimitedBy, RequestRate
from reconciler.model.watch_status import Result, WatchStatus
from reconciler.telemetry.metrics import Metrics
from reconciler.telemetry.metrics_options import MetricsOptions, metric_labels
from tests.benchmarks.figures import number
from tests.support.full_scrape import PRICE
from tests.support.markdown_table import table
from tests.support.page_scene import a_job
from tests.support.reports import NOW

JOBS, ACCOUNTS, TIMES = 5_000, 8, 5
HEAD = ("Scrape", "Lines", "Series of jobs, per job", "KiB", "CPU, ms")
ALL = MetricsOptions()
LABELLED = MetricsOptions(labels=metric_labels(["team"]))
NONE = MetricsOptions(has_jobs=False)


def measure() -> str:
    """Measure scrapes of a watch with many jobs, and return the table."""
    rows = [a_job(f"job-{number:04}") for number in range(JOBS)]
    accounts = [Account("openai", f"https://host-{number}.example.org/v1") for number in range(ACCOUNTS)]
    plain = [replace(row, ref=JobRef(accounts[at % ACCOUNTS], f"ftjob-{row.name}")) for at, row in enumerate(rows)]
    priced = [replace(row, price=PRICE, seen=_seen(row)) for row in plain]
    scrapes = {
        "default": (plain, ALL),
        "with prices and a label": (priced, LABELLED),
        "`--metrics-jobs none`": (priced, NONE),
    }
    return table(HEAD, *((name, *_measured(*each, accounts)) for name, each in scrapes.items()))


def _seen(row: Row) -> ObservedJob:
    finish_at = NOW + timedelta(hours=2)
    return ObservedJob(id=row.name, phase=Phase.RUNNING, provider_status="running", estimated_finish_at=finish_at)


def _measured(rows: list[Row], options: MetricsOptions, accounts: list[Account]) -> tuple[str, ...]:
    names = [str(account) for account in accounts]
    use = GuardUse(account=0, overall=0, max_cancels=3, max_cancel_percent=30, max_cancels_absolute=20)
    watch = WatchStatus(
        interval_s=60,
        heartbeat_at=0,
        progress_at=0,
        watched_at=0,
        finished_at=NOW,
        report=Report(rows=tuple(rows)),
        seen_at=dict.fromkeys(names, NOW),
        rates=dict.fromkeys(names, RequestRate(10.0, LimitedBy.NOTHING)),
        guard=dict.fromkeys(names, use),
    )
    metrics = Metrics(lambda: watch, lambda: NOW, options)
    reports = tuple(AccountReport(name=str(account), account=account, jobs=1) for account in accounts)
    metrics.count_pass(Report(accounts=reports), 0.1, [(name, Result.SUCCESS) for name in names])
    used_s = []
    for _ in range(TIMES):
        begun_s = time.process_time()
        text, _ = metrics.text()
        used_s.append(time.process_time() - begun_s)
    lines = text.decode().splitlines()
    of_jobs = sum('name="job-' in line for line in lines)
    return f"{len(lines):,}", number(of_jobs / JOBS), f"{len(text) / 1024:,.0f}", number(1000 * median(used_s))
