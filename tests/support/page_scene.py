"""Watches with known states, for the tests and the pictures of the page: calm, with an outage, and with a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from reconciler.model.guard_use import GuardUse
from reconciler.model.job import Account, JobRef, ObservedJob, Phase
from reconciler.model.kind import BATCH, FINE_TUNING
from reconciler.model.money import Basis, RecordedAmount, Unpriced
from reconciler.model.price import Meter, Price
from reconciler.model.reason import Reason
from reconciler.model.report import Report, Row, in_order
from reconciler.model.request_rate import LimitedBy, RequestRate
from reconciler.model.spec import DesiredState, FineTuningJob
from reconciler.model.status import ConditionType, HistoryEntry, Outcome, ProviderStatus, Receipt
from reconciler.model.watch_status import Upcoming, WatchStatus
from reconciler.web.events import events_route
from reconciler.web.health_server import create_app, serving
from reconciler.web.page import PageServer
from tests.support.reports import CONFIRMED, NOW, a_row

EAST = Account("openai", "https://api.openai.com/v1", (("project", "proj_east"),))
WEST = Account("azure-openai", "https://west.openai.azure.com/openai")
BATCHES = EAST.of_kind("BatchJob")
MONOTONIC = 1_000.0
TEAMS = ("support", "search", "legal", "core")
OUTAGE = ProviderStatus(
    name="west",
    account=str(WEST),
    reason=Reason.CANNOT_OBSERVE_PROVIDER,
    message="cannot connect to west.openai.azure.com: connection refused",
    since=NOW - timedelta(hours=11, minutes=4),
)

HOURLY = Price("openai", "FineTuningJob", "*", Meter.HOUR, Decimal("8.24"), "USD")
UNPRICED = Unpriced("no price for openai")
SAVED = RecordedAmount("32.960000", "USD", Basis.ESTIMATE)


def a_job(name: str, account: Account = EAST, wanted: DesiredState = DesiredState.RUNNING, **state: object) -> Row:
    """Return the row of a job with a spec. The other arguments are those of `reports.a_row`."""
    provider = {EAST: "east", WEST: "west", BATCHES: "east"}[account]
    row = a_row(name, account=account, **state)  # type: ignore[arg-type]  # the arguments of `a_row`
    team = TEAMS[sum(map(ord, name)) % len(TEAMS)]
    document = FineTuningJob.model_validate(
        {
            "apiVersion": "jobs.reconciler/v1",
            "kind": "FineTuningJob",
            "metadata": {"name": name, "labels": {"team": team}},
            "spec": {"provider": provider, "jobId": f"ftjob-{name}", "desiredState": wanted},
        }
    )
    job = replace(row.status.job, model="gpt-4o-mini-2024-07-18") if row.status.job else None
    history = (HistoryEntry(NOW - timedelta(hours=5, minutes=3), row.status.phase, row.status.ready.reason),)
    moved_at = NOW - timedelta(minutes=3 + sum(map(ord, name)) % 290)
    conditions = tuple(replace(each, last_transition_time=moved_at) for each in row.status.conditions)
    status = replace(row.status, job=job, history=history, conditions=conditions, source=f"{team}/jobs.yaml")
    return replace(
        row, provider=provider, wanted=wanted, document=document, status=status, source=f"{team}/jobs.yaml", line=12
    )


def a_cancelled_job(name: str, minutes_ago: int = 42) -> Row:
    """Return the row of a job whose cancel was confirmed today."""
    at = NOW - timedelta(minutes=minutes_ago)
    receipt: Receipt = replace(
        CONFIRMED,
        reason="learning rate 10x too high, see #412",
        requested_at=at - timedelta(seconds=20),
        last_attempt_at=at - timedelta(seconds=20),
        accepted_at=at - timedelta(seconds=19),
        attempts=1,
        confirmed_at=at,
        outcome=Outcome.CANCELLED,
    )
    row = a_job(
        name,
        wanted=DesiredState.CANCELLED,
        phase=Phase.CANCELLED,
        reason=Reason.CANCELLED,
        message="",
        receipts=(receipt,),
    )
    return replace(row, status=replace(row.status, final=True))


def a_batch(name: str) -> Row:
    """Return the row of a running batch."""
    row = a_job(name, BATCHES, DesiredState.OBSERVED)
    return replace(row, status=replace(row.status, kind=BATCH))


def a_refused_job(name: str) -> Row:
    """Return the row of a job whose cancel the guard refused."""
    message = (
        "4 changes wanted at once: 40 % of 10 unfinished jobs (openai); the limit per hour is the larger of 3 and "
        "30 %, but at most 20"
    )
    return a_job(
        name,
        wanted=DesiredState.CANCELLED,
        reason=Reason.REFUSED_BY_GUARD,
        message=message,
        also=ConditionType.STALLED,
    )


def calm() -> list[Row]:
    """Return the rows of jobs without any problem."""
    return [
        *(a_job(f"support-triage-{number:02}") for number in range(9)),
        *(a_job(f"legal-summary-{number:02}", WEST) for number in range(6)),
        a_cancelled_job("runaway-ranker"),
        a_cancelled_job("nightly-labels-old", 400),
        a_job(
            "search-rerank-7b",
            wanted=DesiredState.CANCELLED,
            reason=Reason.CANCEL_PENDING,
            message="the cancel was accepted; the next observation shows whether it took effect",
            also=ConditionType.RECONCILING,
            receipts=(replace(CONFIRMED, confirmed_at=None, outcome=None),),
        ),
        a_job("eval-embeddings", reason=Reason.SUSPENDED, message="suspended: incident 7"),
        a_batch("nightly-labels"),
    ]


def refused() -> list[Row]:
    """Return the rows of `calm`, four jobs whose cancels the guard refused, and a job with a wrong ID."""
    wrong = a_job(
        "core-east-5", phase=Phase.ABSENT, reason=Reason.JOB_NOT_FOUND, message="", also=ConditionType.STALLED
    )
    return [*calm(), *(a_refused_job(f"core-east-{number}") for number in range(1, 5)), wrong]


def priced(rows: list[Row]) -> list[Row]:
    """Return the rows with a price for each hour of a fine-tuning job, and what each confirmed cancel saved."""
    return [
        replace(
            row,
            price=HOURLY if row.status.kind is FINE_TUNING else UNPRICED,
            status=replace(row.status, receipts=tuple(replace(each, not_spent=SAVED) for each in row.status.receipts)),
        )
        for row in rows
    ]


def a_watch(rows: list[Row], *outages: ProviderStatus, passes: int = 7) -> WatchStatus:
    """Return a watch that works, and whose last pass ended twelve seconds ago with these rows."""
    unfinished = {row.ref: row for row in rows if row.ref is not None and not row.status.final}
    return WatchStatus(
        interval_s=60,
        heartbeat_at=MONOTONIC - 1,
        progress_at=MONOTONIC - 1,
        watched_at=MONOTONIC - 1,
        finished_at=NOW - timedelta(seconds=12),
        passes=passes,
        took_s=1.4,
        report=Report(rows=in_order(rows), revision="4be1f0c2f7d9b1a0c3e5d7f9a1b2c3d4e5f60718"),
        seen_at={
            str(EAST): NOW - timedelta(seconds=12),
            str(BATCHES): NOW - timedelta(seconds=41),
            str(WEST): NOW - timedelta(hours=11, minutes=4),
        },
        upcoming=(Upcoming("search-rerank-7b", MONOTONIC + 48, "check whether the cancel took effect"),),
        rates={
            str(EAST): RequestRate(2.0, LimitedBy.CEILING, 4.0),
            str(WEST): RequestRate(10.0, LimitedBy.NOTHING, None, 41.0 if outages else 0.0),
        },
        outages=outages,
        observed={ref: _seen(ref, row) for ref, row in unfinished.items() if "triage" in row.name},
        guard={
            str(account): GuardUse(account=2, overall=3, max_cancels=3, max_cancel_percent=30, max_cancels_absolute=20)
            for account in (EAST, WEST, BATCHES)
        },
        waiting=len(unfinished),
    )


def _seen(ref: JobRef, row: Row) -> ObservedJob:
    return ObservedJob(
        id=ref.id,
        phase=Phase.RUNNING,
        provider_status="running",
        trained_tokens=1_000 * len(row.name),
        estimated_finish_at=NOW + timedelta(hours=7, minutes=sum(map(ord, row.name)) % 60),
    )


@dataclass(slots=True)
class PageScene:
    """A served page whose watch and time a test sets."""

    watch: WatchStatus
    now: datetime = NOW
    monotonic: float = MONOTONIC
    address: str = ""


@contextmanager
def a_page(watch: WatchStatus, port: int = 0) -> Iterator[PageScene]:
    """Serve the page of a watch until the body ends. Port 0 means any free port."""
    scene = PageScene(watch)
    page = PageServer(lambda: scene.watch, lambda: scene.monotonic, lambda: scene.now, "1")
    app = create_app(
        lambda: scene.watch,
        lambda: scene.monotonic,
        lambda: (b"up 1\n", "text/plain"),
        [*page.routes(), events_route(page)],
    )
    with serving(app, "127.0.0.1", port) as scene.address:
        yield scene


SCENES: dict[str, Callable[[], WatchStatus]] = {
    "calm": lambda: a_watch(priced(calm())),
    "outage": lambda: a_watch(priced(calm()), OUTAGE),
    "refusal": lambda: a_watch(priced(refused())),
}
"""The watches of the pictures."""
