"""Read the statuses and compare them with the current specs, for `get`. No credential or network is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from reconciler.controller.operator_policy import OperatorPolicy
from reconciler.controller.resolved_spec import ResolvedSpec
from reconciler.controller.spec_resolver import resolve
from reconciler.controller.unread_statuses import complaints, hidden, unknown_statuses
from reconciler.core.conditions import Readiness, Verdict, conclude, stalled
from reconciler.core.match import match
from reconciler.model.account_line import account_title, kind_of_line
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Unobserved
from reconciler.model.outages import is_hidden, marked
from reconciler.model.reason import Reason
from reconciler.model.report import AccountReport, Report, Row, in_order
from reconciler.model.status import JobStatus, ProviderStatus
from reconciler.ports import Snapshot, StoredStatuses


def read_rows(
    snapshot: Snapshot,
    stored: StoredStatuses,
    policy: OperatorPolicy,
    is_selected: Callable[[ResolvedSpec], bool] | None,
    now: datetime,
) -> Report:
    """Return a report with a row for each selected spec.

    If a spec is new or was changed after its job was last observed, the reason in its row is `OutOfDate`. `is_selected`
    returns whether a spec is selected; None selects all.
    """
    resolved = resolve(snapshot, policy, is_suspended=False)
    claims = [each.claim(key) for key, each in enumerate(resolved.candidates)]
    matched = match(claims, stored.jobs, now, hidden=hidden(stored))
    unknown = unknown_statuses(resolved.candidates, matched.unknown, stored, now)
    rows = in_order(
        marked(_row(each, matched.last.get(key), unknown.get(key), now), stored.providers)
        for key, each in enumerate(resolved.candidates)
        if is_selected is None or is_selected(each)
    )
    errors = tuple(complaints(stored, policy))
    codes = frozenset({ExitCode.SOFTWARE} if errors else ())
    diagnostics = (*snapshot.diagnostics, *resolved.diagnostics)
    accounts = tuple(_outage(each, rows) for each in stored.providers)
    accounts = tuple(each for each in accounts if each.jobs or is_selected is None)
    return Report(rows=rows, accounts=accounts, diagnostics=diagnostics, errors=errors, exit_codes=codes)


def _outage(status: ProviderStatus, rows: Iterable[Row]) -> AccountReport:
    """Return the report of an account that could not be observed."""
    return AccountReport(
        name=account_title(status.name, kind_of_line(status.account)),
        account=None,
        jobs=sum(is_hidden(row, status) for row in rows),
        unobserved=Unobserved(status.reason, status.message, is_transient=False),
        since=status.since,
    )


def _row(candidate: ResolvedSpec, last: JobStatus | None, unknown: JobStatus | None, now: datetime) -> Row:
    spec = candidate.document.document.spec if candidate.document else None
    row = Row(
        name=candidate.name,
        source=candidate.source,
        provider=spec.provider if spec else None,
        ref=candidate.ref,
        wanted=spec.desired_state if spec else None,
        status=unknown or _status(candidate, last, now),
        before=last,
        document=candidate.document.document if candidate.document else None,
        capabilities=candidate.subject.capabilities if candidate.subject else None,
        price=candidate.subject.price(last.job if last else None) if candidate.subject else None,
    )
    is_out_of_date = row.status.ready.reason is Reason.OUT_OF_DATE
    return replace(row, unobserved=Unobserved(Reason.OUT_OF_DATE, row.status.ready.message)) if is_out_of_date else row


def _status(candidate: ResolvedSpec, last: JobStatus | None, now: datetime) -> JobStatus:
    problem, subject = candidate.problem, candidate.subject
    if problem is not None or subject is None:
        reason, message = (problem.reason, problem.message) if problem else (Reason.INVALID_SPEC, "not valid")
        return stalled(candidate.name, candidate.source, last, reason, message, now, candidate.kind)
    last_reason = last.ready.reason if last else None
    is_known = last is not None and last.observed_spec == subject.digest and last_reason is not Reason.SPEC_DELETED
    # A command that only reads statuses does not check trust, so it shows the result of the last pass.
    if last is not None and (is_known or last_reason is Reason.HOST_NOT_TRUSTED):
        return last
    stale = stalled(candidate.name, candidate.source, last, Reason.OUT_OF_DATE, "", now, candidate.kind)
    draft = replace(stale, conditions=())
    message = "the spec changed after the last observation of its job" if last else "its job has not been observed yet"
    return conclude(draft, Verdict(Readiness.UNOBSERVED, Reason.OUT_OF_DATE, message), last, now)
