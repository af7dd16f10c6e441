"""What a pass amounts to: a report for people and machines, and what is worth another look soon."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum

from reconciler.controller.account_resolver import Reach
from reconciler.controller.plan import Survey
from reconciler.controller.send_request import Done
from reconciler.controller.spec_resolver import Candidate
from reconciler.model.diagnostic import Diagnostic, Severity
from reconciler.model.job import Account, JobRef, Seen, Unseen
from reconciler.model.reason import Reason
from reconciler.model.report import AccountReport, Action, ExitCode, Progress, Report, Row, in_order
from reconciler.model.status import JobStatus

_RETRIED = frozenset({Progress.NOT_DELIVERED, Progress.UNANSWERED})


@dataclass(frozen=True, slots=True)
class AccountRun:
    """One account in one pass. `surveyed` is None only where our own code failed."""

    reach: Reach
    alias: str
    surveyed: Survey | None
    done: tuple[Done, ...] = ()
    error: str | None = None
    orphans: Mapping[str, Seen] = field(default_factory=dict)
    """What became of the jobs of deleted specs, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """Everything that one pass came upon. `last` and `stopped` are by the candidates' positions."""

    candidates: tuple[Candidate, ...]
    chosen: tuple[int, ...]
    last: Mapping[int, JobStatus]
    stopped: Mapping[int, JobStatus]
    runs: tuple[AccountRun, ...]
    diagnostics: tuple[Diagnostic, ...]
    notices: tuple[str, ...]
    errors: tuple[str, ...]
    removed: tuple[str, ...]
    revision: str | None
    interval: timedelta
    is_dry: bool
    is_halted: bool = False
    """Nothing may be asked, because of the documents or their revision."""


class Pace(Enum):
    """Why a job should be looked at again."""

    AGAIN = "again"
    """Somebody else was first: it is to be decided again, at once."""
    RETRY = "retry"
    """Something failed in passing."""
    UNDER_WAY = "under way"
    """Something is on its way."""
    RESTING = "resting"
    """Nothing is expected, and the world may change."""


@dataclass(frozen=True, slots=True)
class Due:
    """One job that is worth another look, and when by plan."""

    ref: JobRef
    after: timedelta
    pace: Pace
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class PassResult:
    """A pass, told."""

    report: Report
    due: tuple[Due, ...]
    looked: frozenset[str]
    """The names of the specs that this pass was about."""
    interval: timedelta
    """How often everything is looked at."""
    is_halted: bool = False
    """Nothing may be asked, because of the documents or their revision."""


def tally(found: Pass, requests: Callable[[Account], int]) -> PassResult:
    """Return the report of a pass, and what should be looked at again soon."""
    done = {each.case.subject.name: each for run in found.runs for each in run.done}
    surveys = [run.surveyed for run in found.runs if run.surveyed]
    report = Report(
        rows=in_order(_row(found, key, done) for key in found.chosen if _is_told(found, key, done)),
        accounts=tuple(
            {run.reach.account: _account(run, requests) for run in found.runs if _is_about_jobs(run)}.values()
        ),
        refusals=tuple(refusal for each in surveys for refusal in each.refusals),
        unplanned=tuple(_unplanned(surveys)),
        diagnostics=found.diagnostics,
        errors=(
            *found.errors,
            *(run.error for run in found.runs if run.error),
            *(error for each in surveys for error in each.errors),
            *(error for each in done.values() for error in each.errors),
        ),
        notices=found.notices,
        revision=found.revision,
        removed=found.removed,
        is_dry=found.is_dry,
    )
    due = tuple(entry for each in done.values() if (entry := _due(each)) is not None)
    return PassResult(
        replace(report, exit_codes=exit_codes(report)),
        due,
        frozenset(done) | _stopped(found),
        found.interval,
        found.is_halted,
    )


def exit_codes(report: Report) -> frozenset[ExitCode]:
    """Return every exit code that a report gives cause for."""
    reasons = {row.status.ready.reason for row in report.rows}
    is_unset = Reason.HOST_NOT_TRUSTED in reasons or any(each.is_configuration for each in report.accounts)
    causes = {
        ExitCode.SOFTWARE: bool(report.errors),
        ExitCode.REFUSED: bool(report.refusals or report.unplanned),
        ExitCode.CONFIGURATION: is_unset,
        ExitCode.INVALID_DOCUMENT: any(each.severity is Severity.ERROR for each in report.diagnostics),
        ExitCode.STALLED: any(row.status.is_stalled for row in report.rows),
        ExitCode.PROVIDER_UNSEEN: any(row.unseen for row in report.rows)
        or any(each.unseen_reason for each in report.accounts),
        ExitCode.TIMED_OUT: report.is_timed_out,
    }
    return frozenset(code for code, is_so in causes.items() if is_so)


def _unplanned(surveys: Iterable[Survey]) -> Iterator[Action]:
    for each in surveys:
        yield from (case.decision.action for case in each.cases if case.is_unplanned and case.decision.action)


def _stopped(found: Pass) -> frozenset[str]:
    return frozenset(found.candidates[key].name for key in found.stopped)


def _is_told(found: Pass, key: int, done: Mapping[str, Done]) -> bool:
    """A row needs a status; a spec that a bug kept from having its first is told as an error instead."""
    return key in found.stopped or key in found.last or found.candidates[key].name in done


def _row(found: Pass, key: int, done: Mapping[str, Done]) -> Row:
    candidate = found.candidates[key]
    spec = candidate.document.document.spec if candidate.document else None
    one = done.get(candidate.name) if candidate.subject else None
    before = found.last.get(key)
    case = one.case if one else None
    action = case.decision.action if case else None
    progress = None
    if action is not None and case is not None:
        progress = Progress.REFUSED if case.is_refused else Progress.PLANNED
    return Row(
        name=candidate.name,
        source=candidate.source,
        provider=spec.provider if spec else None,
        ref=candidate.ref,
        wanted=spec.desired_state if spec else None,
        status=one.status if one else found.stopped.get(key, before),  # type: ignore[arg-type]  # `_is_told`
        before=case.last if case else before,
        action=action,
        progress=one.answer.progress if one and one.answer else progress,
        seen=case.seen if case else None,
        unseen=case.unseen.message if case and case.unseen else None,
    )


def _is_about_jobs(run: AccountRun) -> bool:
    return run.surveyed is None or run.surveyed.has_looked or bool(run.surveyed.cases)


def _account(run: AccountRun, requests: Callable[[Account], int]) -> AccountReport:
    unseen: Unseen | None = run.surveyed.unseen if run.surveyed else None
    return AccountReport(
        name=run.alias,
        account=run.reach.account,
        jobs=len(run.surveyed.cases) if run.surveyed else 0,
        requests=requests(run.reach.account),
        has_looked=run.surveyed is not None and run.surveyed.has_looked,
        unseen_reason=unseen.reason if unseen else None,
        message=unseen.message if unseen else None,
        is_transient=unseen.is_transient if unseen else False,
        is_configuration=unseen.is_configuration if unseen else False,
        retry_after_s=unseen.retry_after_s if unseen else None,
    )


def _due(one: Done) -> Due | None:
    if one.look_after is None:
        return None
    ref, unseen, answer, status = one.case.subject.ref, one.case.unseen, one.answer, one.status
    if unseen is not None:
        pace = Pace.RETRY if unseen.is_transient else Pace.RESTING
        return Due(ref, one.look_after, pace, unseen.retry_after_s)
    if answer is not None and answer.progress is Progress.OVERTAKEN:
        return Due(ref, one.look_after, Pace.AGAIN)
    if answer is not None and answer.progress in _RETRIED:
        return Due(ref, one.look_after, Pace.RETRY, answer.retry_after_s)
    is_under_way = (status.open_receipt is not None or status.is_reconciling) and not status.is_stalled
    if one.case.is_unplanned or (answer is not None and answer.progress is Progress.NOT_RECORDED):
        is_under_way = False  # a plan, or a disk that refuses, is for a person to mend: waiting would only hide it
    return Due(ref, one.look_after, Pace.UNDER_WAY if is_under_way else Pace.RESTING)
