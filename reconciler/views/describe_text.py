"""The full description of one job: its spec, its status, and one timeline of its history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import RenderableType
from rich.text import Text

from reconciler.model.job import TERMINAL, JobCounts
from reconciler.model.job_log import JobCheckpoint, JobEvent
from reconciler.model.kind import JobDocument
from reconciler.model.report import Row
from reconciler.model.spec import Limits, Suspension, render_duration, render_instant
from reconciler.model.status import JobFacts, JobStatus, Receipt
from reconciler.views.layout import STYLES, listing, section, styled
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import cause_text, row_state
from reconciler.views.text import NO_VALUE, age, moment

TimelineEntry = tuple[datetime | None, int, str, str]
"""The time or None, the rank among entries of the same second, the source, and the text."""
CREATED, STARTED, REQUESTED, ACCEPTED, OBSERVED, LOGGED, FINISHED, CONFIRMED, OBSERVED_ENDED = range(9)
"""The ranks of timeline entries. Times have a resolution of one second, so a cause ranks before its effect."""


@dataclass(frozen=True, slots=True)
class JobDescription:
    """Everything that is known about one job.

    Args:
        row: the job's status, compared with the current spec.
        document: its spec, or None if the spec is not valid.
        log: the events and checkpoints that the provider has for the job; empty unless they were requested.
    """

    row: Row
    document: JobDocument | None
    log: Sequence[JobEvent | JobCheckpoint] = ()


def describe_text(job: JobDescription, context: RenderContext) -> str:
    """Return the job's spec, its status and its history."""
    row = job.row
    state = row_state(row)
    style = STYLES[state.job_state]
    status_rows = [
        (styled("ready", "dim"), styled(state.ready, style)),
        (styled("reason", "dim"), styled(state.reason, style)),
        (styled("message", "dim"), styled(state.message or NO_VALUE)),
        *_facts(_job_facts(row.status, context.now)),
    ]
    parts: list[RenderableType] = [
        styled(row.name, "bold"),
        Text(),
        section(f"Spec ({row.source})", listing(list(_facts(_spec(job.document))))),
        section("Status", listing(status_rows), style),
    ]
    if timeline := sorted((*_status_entries(row.status), *_log_entries(job.log)), key=_order):
        parts.append(section("History (UTC)", listing([_line(entry) for entry in timeline])))
    return context.canvas.render(parts).rstrip() + "\n"


def _facts(facts: Iterable[tuple[str, str | None]]) -> Iterator[tuple[Text, Text]]:
    return ((styled(label, "dim"), styled(value)) for label, value in facts if value is not None)


def _spec(document: JobDocument | None) -> list[tuple[str, str | None]]:
    if document is None:
        return [("", "not valid: `reconcile validate` shows what is wrong")]
    spec = document.spec
    labels = ", ".join(f"{key}={value}" for key, value in document.metadata.labels.items())
    return [
        ("wants", spec.desired_state),
        ("why", spec.reason),
        ("provider", spec.provider),
        ("job", spec.job_id),
        ("labels", labels or None),
        ("limits", _limits(spec.limits)),
        ("suspend", _suspension(spec.suspend)),
    ]


def _limits(limits: Limits | None) -> str | None:
    if limits is None:
        return None
    parts = [
        f"maxAge {render_duration(limits.max_age)}" if limits.max_age else "",
        f"maxQueued {render_duration(limits.max_queued)}" if limits.max_queued else "",
        f"notAfter {render_instant(limits.not_after)}" if limits.not_after else "",
    ]
    return ", ".join(filter(None, parts)) or None


def _suspension(suspension: Suspension | None) -> str | None:
    if suspension is None:
        return None
    until = f"until {moment(suspension.until)}" if suspension.until else "until it is removed from the spec"
    return f"{until}: {suspension.reason}" if suspension.reason else until


def _job_facts(status: JobStatus, now: datetime) -> list[tuple[str, str | None]]:
    job, kind = status.job, status.kind
    phase = str(status.phase)
    if status.final:
        phase += f", in doubt since {moment(status.doubted_at)}" if status.doubted_at else ", final"
    if job is None:
        return [("phase", phase)]
    has_own_word = job.provider_status not in (None, status.phase.value)
    return [
        ("phase", f"{phase} (the provider reports {job.provider_status!r})" if has_own_word else phase),
        ("account", job.account),
        ("model", job.model),
        ("result", kind.result_of(job)),
        ("age", age(job.created_at, now) if job.created_at else None),
        ("expires", moment(job.expires_at) if job.expires_at else None),
        ("requests", _requests(job.counts)),
        (kind.counts, f"{used:,}" if (used := kind.count_of(job)) is not None else None),
        ("error", _error(job)),
    ]


def _error(job: JobFacts) -> str | None:
    if job.error is None:
        return None
    code, message = job.error.code, job.error.message
    is_named = code is not None and message is not None and message.startswith(f"{code}:")
    return ": ".join(filter(None, (None if is_named else code, message)))


def _requests(counts: JobCounts | None) -> str | None:
    """Return how many requests of a batch are done and how many of them failed, or None if the numbers are unknown."""
    done = str(counts or "") or None
    return f"{done}, {counts.failed:,} failed" if done and counts is not None and counts.failed else done


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
    for entry in reversed(status.history):  # the order of entries of the same second is kept
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
        yield receipt.confirmed_at, CONFIRMED, "confirmed", f"{receipt.verb}: the job was observed {receipt.outcome}"


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


def _line(entry: TimelineEntry) -> tuple[Text, ...]:
    at, _, source, text = entry
    time = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at else NO_VALUE
    return styled(time, "dim"), styled(source), styled(text)
