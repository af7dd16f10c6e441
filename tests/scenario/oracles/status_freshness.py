"""Whether the statuses, on the disk and where they are published, show the current state within the promised time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from reconciler.sandbox.world import UnknownJobError
from tests.scenario.batch_services import status_path
from tests.scenario.disruptions import Published
from tests.scenario.history import ABSENT, Crashed, Edited, FileRemoved, FileWritten, History, ProviderRequest
from tests.scenario.oracles.desired_spans import named_spans, wanted_cancels
from tests.scenario.oracles.status_yaml import Tree, is_job, job_of, read
from tests.scenario.oracles.undisrupted_spans import Span, clear_spans, common, is_good

ROUND = timedelta(seconds=5 * 60 + 20)
"""The maximum time between two observations of a running job: five intervals, plus the duration of a pass."""
CONFIRMED = timedelta(seconds=60 + 20)
"""The maximum time from an accepted request to the next observation: a minute, plus the duration of a pass."""
PUBLISHED = timedelta(seconds=66 + 20)
"""The maximum time until a status is published. Each scan publishes everything that is not published yet."""
RECOVERED = timedelta(seconds=5 * 60 + 80)
TOLD = timedelta(seconds=600)
"""This long after its last successful response, an account must be reported as unobserved."""

Job = tuple[str, str]


def outdated_status(history: History) -> Iterator[str]:
    """Yield the statuses that were out of date for longer than promised, although nothing disturbed their jobs."""
    wanted = wanted_cancels(history)
    for job, spans in named_spans(history).items():
        clear, cancels = clear_spans(history, *job), wanted.get(job, [])
        cancelled_at = [each.at for each in history.events if _is_taken_cancel(each, job)]
        for version, phase in _versions(history, job):
            for stretch, truth in _truths(history, job, version):
                if truth in {phase, ABSENT}:
                    continue
                is_asked = any(at <= stretch.since for at in cancelled_at) and truth == "cancelled"
                patience = [*((span, ROUND) for span in spans), *((span, CONFIRMED) for span in cancels if is_asked)]
                for span, promised in patience:
                    for gap in (each.within(stretch).within(span) for each in clear):
                        if gap.length > promised:
                            yield f"{gap.until:%T} {job[1]} is reported as {phase}, and was {truth} for {gap.length}"


def _is_taken_cancel(event: object, job: Job) -> bool:
    return (
        isinstance(event, ProviderRequest)
        and (event.account, event.job_id, event.verb) == (*job, "cancel")
        and is_good(event)
    )


def _versions(history: History, job: Job) -> Iterator[tuple[Span, str]]:
    """Yield the phase in each version of a job's status, with the span in which the version was current."""
    lines: dict[str, str] = {}
    found: list[tuple[datetime, str]] = []
    for event in history.events:
        if isinstance(event, Edited):
            lines = event.revision.lines()
        elif (
            isinstance(event, FileWritten)
            and is_job(event.path)
            and (tree := read(event.data))
            and _is_of(tree, job, lines)
        ):
            found.append((event.at, tree["status"]["phase"]))
    ends = [*(at for at, _ in found[1:]), history.events[-1].at]
    for (since, phase), until in zip(found, ends, strict=False):
        yield Span(since, until), phase


def _is_of(tree: Tree, job: Job, lines: dict[str, str]) -> bool:
    here = job_of(tree)
    return here is not None and (lines.get(here[0]), here[1]) == job


def _truths(history: History, job: Job, span: Span) -> Iterator[tuple[Span, str]]:
    """Yield the true phase of a job in each part of a span, as its service shows the phase."""
    hides = history.first_revision.shown(job[0]).front.hides
    moments = sorted({span.since, span.until, *(at for at in _changes(history, job) if span.since < at < span.until)})
    for since, until in pairwise(moments):
        truth = history.truth(*job, since)
        yield Span(since, until), hides.get(truth, truth)


def _changes(history: History, job: Job) -> Iterator[datetime]:
    world = history.worlds[job[0]]
    yield from world.gone.get(job[1], ())
    try:
        view = world.retrieve(job[1], history.events[-1].at)
    except UnknownJobError:
        return
    yield from (step.at for step in view.steps)


def unpublished_status(history: History) -> Iterator[str]:
    """Yield the statuses that were on the disk and not published for longer than promised."""
    pushes = [each for each in history.events if isinstance(each, Published)]
    if not pushes:
        return
    clear = clear_spans(history, "")
    changes = [each for each in history.events if isinstance(each, FileWritten | FileRemoved)]
    for place, change in enumerate(changes):
        later = (each.at for each in changes[place + 1 :] if each.path == change.path)
        stood = Span(change.at, next(later, history.events[-1].at))
        data = change.data if isinstance(change, FileWritten) else None
        for gap in (each.within(stood) for each in clear):
            if gap.length > PUBLISHED:
                seen_by = gap.since + PUBLISHED
                if not any(each.at <= seen_by and each.statuses.get(change.path) == data for each in pushes):
                    yield f"{seen_by:%T} {change.path} is not published in its version of {change.at:%T}"


def wrong_account_status(history: History) -> Iterator[str]:
    """Yield the accounts that were wrongly reported as unobserved, or that were unobserved for long without a report.

    A status may be about single jobs, which it names. Then nothing may disturb these jobs.
    """
    for account in history.worlds:
        said = list(_said_away(history, account))
        for span, job_ids in said:
            clear = clear_spans(history, account)
            for job_id in job_ids:
                clear = common(clear, clear_spans(history, account, job_id))
            for part in (span.within(gap) for gap in clear):
                if part.length > RECOVERED:
                    yield f"{part.until:%T} {account} is reported as unobserved, undisturbed since {part.since:%T}"
        for gap in _silences(history, account):
            if not any(span.within(gap).length > timedelta(0) for span, _ in said):
                yield f"{gap.until:%T} {account} is not reported as unobserved; failing since {gap.since:%T}"


def _said_away(history: History, account: str) -> Iterator[tuple[Span, tuple[str, ...]]]:
    """Yield the spans in which a status reports the account as unobserved, with the named jobs. No names mean all."""
    since: datetime | None = None
    job_ids: tuple[str, ...] = ()
    path = status_path(account)
    for event in history.events:
        put = event if isinstance(event, FileWritten) and event.path == path else None
        tree = read(put.data) if put is not None else None
        told = tuple(tree["status"].get("jobs", ())) if tree is not None else ()
        is_over = isinstance(event, FileRemoved) and event.path == path
        is_over |= isinstance(event, Crashed) and path not in event.statuses
        if since is not None and (is_over or (put is not None and told != job_ids)):
            yield Span(since, event.at), job_ids
            since = None
        if put is not None:
            since, job_ids = since or event.at, told
    if since is not None:
        yield Span(since, history.events[-1].at), job_ids


def _silences(history: History, account: str) -> Iterator[Span]:
    """Yield the times, longer than `TOLD`, in which all requests of one process to an account failed."""
    since: datetime | None = None
    asked = 0
    for event in history.events:
        if isinstance(event, ProviderRequest) and event.account == account:
            if event.fault in {"html", "hang", "reset-before-acting"} or (event.status or 200) in {401, 429, 500, 503}:
                since, asked = since or event.at, asked + 1
                if event.ended_at - since > TOLD and asked > 3:
                    yield Span(since, event.ended_at)
                    since, asked = None, 0
            else:
                since, asked = None, 0
        elif (
            type(event).__name__ in {"WatchStarted", "Crashed", "Disruption"}
            and getattr(event, "account", None) is None
        ):
            since, asked = None, 0
