"""The desired states, with the start and the end of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from tests.scenario.history import Edited, History, ProviderRequest
from tests.scenario.oracles.undisrupted_spans import Span
from tests.scenario.repository import JobSpec

Job = tuple[str, str]
_OF_CLOCKS = {"clocks disagree", "no-date", "absurd-times"}
_AFTER = timedelta(seconds=1)
"""How long after the time of a limit the limit counts as exceeded."""


def named_spans(history: History) -> dict[Job, list[Span]]:
    """Return when each job was named by exactly one valid spec."""
    return _spans(history, lambda _, since: since, may_act=False)


def wanted_cancels(history: History) -> dict[Job, list[Span]]:
    """Return when a valid spec that was not suspended requested each job's cancel, under Settings that allow it.

    The limits of an account whose times were ever unreliable are ignored, and so is `maxQueued`.
    """
    doubtful = {
        each.account for each in history.events if isinstance(each, ProviderRequest) and each.fault in _OF_CLOCKS
    }

    def since(job_spec: JobSpec, at: datetime) -> datetime | None:
        moments = [at] if job_spec.desired == "cancelled" else []
        if job_spec.desired != "observed" and job_spec.account not in doubtful:
            moments += [max(at, limit + _AFTER) for limit in _limits(history, job_spec)]
        return None if not moments else max(min(moments), job_spec.suspended_until or at)

    return _spans(history, since, may_act=True)


def _limits(history: History, job_spec: JobSpec) -> Iterator[datetime]:
    if job_spec.not_after is not None:
        yield job_spec.not_after
    created_at = history.created_at(job_spec.account, job_spec.job_id, history.began_at)
    if job_spec.max_age is not None and created_at is not None:
        yield created_at + job_spec.max_age


def _spans(
    history: History, since_when: Callable[[JobSpec, datetime], datetime | None], *, may_act: bool
) -> dict[Job, list[Span]]:
    found: dict[Job, list[Span]] = {}
    edits = [each for each in history.events if isinstance(each, Edited)]
    ends = [*(each.at for each in edits[1:]), history.events[-1].at]
    for edit, end in zip(edits, ends, strict=True):
        revision = edit.revision
        if may_act and (revision.is_settings_broken or revision.is_suspended):
            continue
        for job_spec in revision.valid():
            since = since_when(job_spec, edit.at)
            if since is not None and since < end:
                spans = found.setdefault((job_spec.account, job_spec.job_id), [])
                if spans and spans[-1].until == since:
                    since = spans.pop().since
                spans.append(Span(since, end))
    return found
