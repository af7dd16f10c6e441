"""One job, whole: what its spec wants, where it stands, and what happened when, as one line of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import RenderableType
from rich.text import Text

from reconciler.model.job import TERMINAL, JobCheckpoint, JobEvent
from reconciler.model.kind import JobDocument
from reconciler.model.report import Row
from reconciler.model.spec import Limits, Suspension, render_duration, render_instant
from reconciler.model.status import JobFacts, JobStatus, Receipt
from reconciler.views.layout import STYLES, listing, section, styled
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import outlook, why
from reconciler.views.text import NOTHING, age, moment

Happening = tuple[datetime | None, int, str, str]
"""When; which comes first, of what happened in the same second; who or what; and what it did."""
CREATED, STARTED, ASKED, ACCEPTED, SEEN, LOGGED, FINISHED, PROVEN, SEEN_ENDED = range(9)


@dataclass(frozen=True, slots=True)
class JobDescription:
    """Everything that is known of one job.

    Args:
        row: the job, read against today's spec.
        document: its spec; None where that is not valid.
        log: what the provider tells of its life, if somebody asked.
    """

    row: Row
    document: JobDocument | None
    log: Sequence[JobEvent | JobCheckpoint] = ()


def describe_text(job: JobDescription, context: RenderContext) -> str:
    """Return the job's spec, its status, and what happened when."""
    row = job.row
    look = outlook(row)
    style = STYLES[look.standing]
    where = [
        (styled("ready", "dim"), styled(look.ready, style)),
        (styled("reason", "dim"), styled(look.reason, style)),
        (styled("said", "dim"), styled(look.message or NOTHING)),
        *_facts(_job_facts(row.status, context.now)),
    ]
    parts: list[RenderableType] = [
        styled(row.name, "bold"),
        Text(),
        section(f"Spec ({row.source})", listing(list(_facts(_spec(job.document))))),
        section("Status", listing(where), style),
    ]
    if happened := sorted((*_happened(row.status), *_logged(job.log)), key=_order):
        parts.append(section("What happened (UTC)", listing([_line(each) for each in happened])))
    return context.canvas.render(parts).rstrip() + "\n"


def _facts(facts: Iterable[tuple[str, str | None]]) -> Iterator[tuple[Text, Text]]:
    return ((styled(label, "dim"), styled(said)) for label, said in facts if said is not None)


def _spec(document: JobDocument | None) -> list[tuple[str, str | None]]:
    if document is None:
        return [("", "not valid: `reconcile validate` says what is wrong")]
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
    told = [
        f"maxAge {render_duration(limits.max_age)}" if limits.max_age else "",
        f"maxQueued {render_duration(limits.max_queued)}" if limits.max_queued else "",
        f"notAfter {render_instant(limits.not_after)}" if limits.not_after else "",
    ]
    return ", ".join(filter(None, told)) or None


def _suspension(suspension: Suspension | None) -> str | None:
    if suspension is None:
        return None
    until = f"until {moment(suspension.until)}" if suspension.until else "until somebody ends it"
    return f"{until}: {suspension.reason}" if suspension.reason else until


def _job_facts(status: JobStatus, now: datetime) -> list[tuple[str, str | None]]:
    job, kind = status.job, status.kind
    phase = str(status.phase)
    if status.final:
        phase += f", in doubt since {moment(status.doubted_at)}" if status.doubted_at else ", for good"
    if job is None:
        return [("phase", phase)]
    is_other_word = job.provider_status not in (None, status.phase.value)
    return [
        ("phase", f"{phase} (the provider says {job.provider_status!r})" if is_other_word else phase),
        ("account", job.account),
        ("model", job.model),
        ("result", kind.result_of(job)),
        ("age", age(job.created_at, now) if job.created_at else None),
        (kind.counts, f"{used:,}" if (used := kind.count_of(job)) is not None else None),
        ("error", _error(job)),
    ]


def _error(job: JobFacts) -> str | None:
    if job.error is None:
        return None
    return ": ".join(filter(None, (job.error.code, job.error.message)))


def _happened(status: JobStatus) -> Iterator[Happening]:
    sights = {each.at for each in status.history}
    if job := status.job:
        times = (
            (job.created_at, CREATED, "created"),
            (job.finished_at, FINISHED, "finished"),
        )
        yield from ((at, rank, "provider", what) for at, rank, what in times if at is not None)
        if job.started_at is not None and job.started_at not in sights:
            # A status holds what the provider tells, or else our own first sight of it; nobody can tell which.
            yield job.started_at, STARTED, "seen", "first seen running, or started by the provider's word"
    for receipt in status.receipts:
        yield from _told(receipt)
    for each in status.history:
        yield each.at, SEEN_ENDED if each.phase in TERMINAL else SEEN, "seen", f"{each.phase}, {each.reason}"


def _told(receipt: Receipt) -> Iterator[Happening]:
    who = f" (commit {receipt.origin.commit} by {receipt.origin.author})" if receipt.origin else ""
    past = f" (let through by {receipt.approved_by})" if receipt.approved_by else ""
    yield receipt.requested_at, ASKED, "asked", f"{receipt.verb}, {why(receipt.because, receipt.reason)}{who}{past}"
    if receipt.attempts > 1:
        yield receipt.last_attempt_at, ASKED, "asked", f"{receipt.verb} again, {receipt.attempts} times in all"
    if receipt.accepted_at is not None:
        yield receipt.accepted_at, ACCEPTED, "provider", f"{receipt.verb} accepted"
    if receipt.is_refused:
        yield receipt.last_attempt_at, ACCEPTED, "provider", f"{receipt.verb} refused"
    elif receipt.is_moot:
        yield receipt.last_attempt_at, ACCEPTED, "provider", f"{receipt.verb} refused: already {receipt.outcome}"
    if receipt.confirmed_at is not None:
        yield receipt.confirmed_at, PROVEN, "proven", f"{receipt.verb}: a look showed it {receipt.outcome}"


def _logged(log: Iterable[JobEvent | JobCheckpoint]) -> Iterator[Happening]:
    for each in log:
        if isinstance(each, JobEvent):
            yield each.at, LOGGED, f"log {each.level}", each.message
        else:
            step = "" if each.step is None else f"step {each.step:,}: "
            yield each.at, LOGGED, "checkpoint", f"{step}{each.model}"


def _order(happening: Happening) -> tuple[bool, float, int]:
    at, rank, *_ = happening
    return at is not None, at.timestamp() if at else 0.0, rank


def _line(happening: Happening) -> tuple[Text, ...]:
    at, _, who, what = happening
    told = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at else NOTHING
    return styled(told, "dim"), styled(who), styled(what)
