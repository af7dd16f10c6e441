"""The history of one job as one list of entries: from its status, its receipts, and the events of its provider."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from reconciler.model.job import TERMINAL
from reconciler.model.job_log import JobCheckpoint, JobEvent
from reconciler.model.receipt_parts import cancel_amounts
from reconciler.model.status import JobStatus, Receipt
from reconciler.views.row_state import cause_text

TimelineEntry = tuple[datetime | None, int, str, str]
"""The time or None, the rank among entries of the same second, the source, and the text."""
CREATED, STARTED, REQUESTED, ACCEPTED, OBSERVED, LOGGED, FINISHED, CONFIRMED, OBSERVED_ENDED = range(9)
"""The ranks of timeline entries. Times have a resolution of one second, so a cause ranks before its effect."""


def timeline(status: JobStatus, log: Iterable[JobEvent | JobCheckpoint] = ()) -> list[TimelineEntry]:
    """Return the entries of a job, the oldest first. `log` contains the events and checkpoints of its provider."""
    return sorted((*_status_entries(status), *_log_entries(log)), key=_order)


def _status_entries(status: JobStatus) -> Iterator[TimelineEntry]:
    observed_at = {entry.at for entry in status.history}
    if job := status.job:
        times = (
            (job.created_at, CREATED, "created"),
            (job.finished_at, FINISHED, "finished"),
        )
        yield from ((at, rank, "provider", text) for at, rank, text in times if at is not None)
        if job.started_at is not None and job.started_at not in observed_at:
            # The status records the provider's start time, or else the first observation, and does not say which.
            yield job.started_at, STARTED, "observed", "first observed running, or the provider's start time"
    for receipt in status.receipts:
        yield from _receipt_entries(receipt)
    for entry in reversed(status.history):  # oldest first, so entries of the same second keep their order
        rank = OBSERVED_ENDED if entry.phase in TERMINAL else OBSERVED
        yield entry.at, rank, "observed", f"{entry.phase}, {entry.reason}"


def _receipt_entries(receipt: Receipt) -> Iterator[TimelineEntry]:
    origin = f" (commit {receipt.origin.commit} by {receipt.origin.author})" if receipt.origin else ""
    approval = f" (allowed by {receipt.approved_by})" if receipt.approved_by else ""
    cause = cause_text(receipt.because, receipt.reason)
    yield receipt.requested_at, REQUESTED, "requested", f"{receipt.verb}, {cause}{origin}{approval}"
    if receipt.attempts > 1:
        text = f"{receipt.verb} again, {receipt.attempts} times in all"
        yield receipt.last_attempt_at, REQUESTED, "requested", text
    if receipt.accepted_at is not None:
        yield receipt.accepted_at, ACCEPTED, "provider", f"{receipt.verb} accepted"
    if receipt.is_refused:
        yield receipt.last_attempt_at, ACCEPTED, "provider", f"{receipt.verb} refused"
    elif receipt.is_moot:
        yield receipt.last_attempt_at, ACCEPTED, "provider", f"{receipt.verb} refused: already {receipt.outcome}"
    if receipt.confirmed_at is not None:
        cost, saved = cancel_amounts(receipt)
        money = f"; it had cost {cost}" if cost is not None else ""
        money += f"; {saved.with_document} not spent" if saved is not None else ""
        text = f"{receipt.verb}: the job was observed {receipt.outcome}{money}"
        yield receipt.confirmed_at, CONFIRMED, "confirmed", text


def _log_entries(log: Iterable[JobEvent | JobCheckpoint]) -> Iterator[TimelineEntry]:
    for line in log:
        if isinstance(line, JobEvent):
            yield line.at, LOGGED, f"log {line.level}", line.message
        else:
            step = "" if line.step is None else f"step {line.step:,}: "
            yield line.at, LOGGED, "checkpoint", f"{step}{line.model}"


def _order(entry: TimelineEntry) -> tuple[bool, float, int]:
    """Return the sort key of an entry: entries without a time first, then by time and rank."""
    at, rank, *_ = entry
    return at is not None, at.timestamp() if at else 0.0, rank
