"""What the statuses say, read against today's specs: for `get`, without a key and without the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from reconciler.controller.account_resolver import Environment
from reconciler.controller.spec_resolver import Candidate, resolve
from reconciler.core.conditions import Stance, Verdict, conclude, stalled
from reconciler.core.match import Claim, match
from reconciler.model.reason import Reason
from reconciler.model.report import Report, Row, in_order
from reconciler.model.status import JobStatus
from reconciler.ports import Snapshot, StoredStatuses


def read_rows(
    snapshot: Snapshot,
    stored: StoredStatuses,
    environment: Environment,
    is_selected: Callable[[Candidate], bool] | None,
    now: datetime,
) -> Report:
    """Return a row for each spec. A status that speaks of an earlier spec is shown as `OutOfDate`, not ready."""
    resolved = resolve(snapshot, environment, is_suspended=False)
    claims = [Claim(key, each.name, each.source, each.ref) for key, each in enumerate(resolved.candidates)]
    last = match(claims, stored.jobs, now).last
    rows = in_order(
        _row(each, last.get(key), now)
        for key, each in enumerate(resolved.candidates)
        if is_selected is None or is_selected(each)
    )
    return Report(rows=rows, diagnostics=(*snapshot.diagnostics, *resolved.diagnostics))


def _row(candidate: Candidate, last: JobStatus | None, now: datetime) -> Row:
    spec = candidate.document.document.spec if candidate.document else None
    row = Row(
        name=candidate.name,
        source=candidate.source,
        provider=spec.provider if spec else None,
        ref=candidate.ref,
        wanted=spec.desired_state if spec else None,
        status=_status(candidate, last, now),
        before=last,
    )
    is_out_of_date = row.status.ready.reason is Reason.OUT_OF_DATE
    return replace(row, unseen=row.status.ready.message) if is_out_of_date else row


def _status(candidate: Candidate, last: JobStatus | None, now: datetime) -> JobStatus:
    problem, subject = candidate.problem, candidate.subject
    if problem is not None or subject is None:
        reason, message = (problem.reason, problem.message) if problem else (Reason.INVALID_SPEC, "not valid")
        return stalled(candidate.name, candidate.source, last, reason, message, now)
    told = last.ready.reason if last else None
    is_known = last is not None and last.observed_spec == subject.digest and told is not Reason.SPEC_DELETED
    # Nothing is sent here, so whether a host is trusted is for the last pass to say.
    if last is not None and (is_known or told is Reason.HOST_NOT_TRUSTED):
        return last
    draft = replace(stalled(candidate.name, candidate.source, last, Reason.OUT_OF_DATE, "", now), conditions=())
    message = "the spec has changed since its job was looked at" if last else "its job has not been looked at yet"
    return conclude(draft, Verdict(Stance.BLIND, Reason.OUT_OF_DATE, message), last, now)
