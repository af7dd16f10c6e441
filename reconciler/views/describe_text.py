"""The full description of one job: its spec, its status, and one timeline of its history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from reconciler.model.job import JobCounts
from reconciler.model.job_log import JobCheckpoint, JobEvent
from reconciler.model.kind import JobDocument
from reconciler.model.report import Row
from reconciler.model.spec import Limits, Suspension, render_duration, render_instant
from reconciler.model.status import JobFacts, JobStatus
from reconciler.views.cost_text import cost_text
from reconciler.views.job_history import TimelineEntry, timeline
from reconciler.views.layout import STYLES, listing, section, styled
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import row_state
from reconciler.views.text import NO_VALUE, age, moment, second

Fact = tuple[str, str | None]
"""A label and its value. A fact without a value is not shown."""


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
        *_facts([*job_facts(row.status, context.now), ("cost", cost_text(row, context.now))]),
    ]
    parts: list[RenderableType] = [
        styled(row.name, "bold"),
        Text(),
        section(f"Spec ({row.source})", listing(list(_facts(spec_facts(job.document))))),
        section("Status", listing(status_rows), style),
    ]
    if entries := timeline(row.status, job.log):
        parts.append(section("History (UTC)", listing([_line(entry) for entry in entries])))
    return context.canvas.render(parts).rstrip() + "\n"


def _facts(facts: Iterable[Fact]) -> Iterator[tuple[Text, Text]]:
    return ((styled(label, "dim"), styled(value)) for label, value in facts if value is not None)


def spec_facts(document: JobDocument | None) -> list[Fact]:
    """Return what the spec says, or that it is not valid."""
    if document is None:
        return [("", "The spec is not valid: `reconcile validate` shows what is wrong.")]
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
        str(limits.max_cost) if limits.max_cost else "",
        f"warnBefore {render_duration(limits.warn_before)}" if limits.warn_before else "",
    ]
    return ", ".join(filter(None, parts)) or None


def _suspension(suspension: Suspension | None) -> str | None:
    if suspension is None:
        return None
    until = f"until {moment(suspension.until)}" if suspension.until else "until it is removed from the spec"
    return f"{until}: {suspension.reason}" if suspension.reason else until


def job_facts(status: JobStatus, now: datetime) -> list[Fact]:
    """Return what the status records about the job."""
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


def _line(entry: TimelineEntry) -> tuple[Text, ...]:
    at, _, source, text = entry
    return styled(second(at) if at else NO_VALUE, "dim"), styled(source), styled(text)
