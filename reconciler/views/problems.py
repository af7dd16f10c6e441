"""Errors and warnings of a report as data: for people on stderr, and for programs as `diagnostic` lines.

Problems are ordered by importance, from notices to internal errors, because a terminal shows the end of the output.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from reconciler.model.action import Action
from reconciler.model.diagnostic import Diagnostic, Severity
from reconciler.model.job import Unobserved
from reconciler.model.reason import Reason
from reconciler.model.report import AccountReport, Expired, Refusal, Report
from reconciler.model.retirement import AnnouncedEnd
from reconciler.views.layout import Canvas, styled
from reconciler.views.render_context import FindSource, RenderContext
from reconciler.views.row_state import cause_text
from reconciler.views.source_frame import frame_lines
from reconciler.views.text import clean, count, moment, names, span_of_seconds
from reconciler.views.unobserved_text import account_message

STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One error or warning. `code` identifies its type in one word. `hint` says what to do, if `summary` does not.

    `file` is None if the problem is not in a document, and `line` is None if the line is unknown. `diagnostic` is what
    was found in the document, or None if the problem is not in a document.
    """

    severity: Severity
    code: str
    summary: str
    hint: str | None = None
    file: str | None = None
    line: int | None = None
    diagnostic: Diagnostic | None = None


def problems(report: Report) -> tuple[Problem, ...]:
    """Return all problems except unobserved accounts and unjudged limits, because text output shows these elsewhere."""
    return (
        *(_notice(text) for text in report.notices),
        *announced_ends(report.ends),
        *_expired_clocks(report),
        *document_problems(report.diagnostics),
        *_refused(report.refusals),
        *_unplanned(report.unplanned),
        *(_internal_error(text) for text in report.errors),
    )


def every_problem(report: Report) -> tuple[Problem, ...]:
    """Return all problems, for formats whose text shows none of them to a person."""
    return (*unjudged_limits(report), *problems_outside_status(report))


def problems_outside_status(report: Report) -> tuple[Problem, ...]:
    """Return the problems that the full status of a job does not show."""
    return (*unobserved_accounts(report), *problems(report))


def announced_ends(ends: Iterable[AnnouncedEnd]) -> tuple[Problem, ...]:
    """Return one warning for each announced end."""
    return tuple(Problem(severity=Severity.WARNING, code="AnnouncedEnd", summary=_end_text(each)) for each in ends)


def problems_outside_documents(report: Report) -> tuple[Problem, ...]:
    """Return the problems that `problems` returns, without those about documents."""
    return problems(replace(report, diagnostics=()))


def unobserved_accounts(report: Report) -> tuple[Problem, ...]:
    """Return one problem for each account that could not be observed."""
    return tuple(_account(each, each.unobserved) for each in report.accounts if each.unobserved is not None)


def unjudged_limits(report: Report) -> tuple[Problem, ...]:
    """Return one problem for each cause that prevents limits from being judged, with the names of its jobs."""
    by_cause: dict[str, list[str]] = {}
    for row in report.rows:
        if row.unobserved is None and row.status.has_unjudged_limit:
            by_cause.setdefault(row.status.ready.message.partition("; ")[2], []).append(row.name)
    return tuple(
        Problem(severity=Severity.WARNING, code="LimitNotJudged", summary=f"{names(found)}: {cause}")
        for cause, found in by_cause.items()
    )


def document_problems(diagnostics: Iterable[Diagnostic]) -> tuple[Problem, ...]:
    """Return one problem for each diagnostic of a document, sorted by file and line."""
    ordered = sorted(diagnostics, key=lambda each: (each.file, each.line or 0, each.field or "", each.message))
    return tuple(
        Problem(
            severity=each.severity,
            code="InvalidDocument",
            summary=str(each),
            hint=each.suggestion,
            file=each.file,
            line=each.line,
            diagnostic=each,
        )
        for each in ordered
    )


def problems_text(found: Iterable[Problem], canvas: Canvas, find_source: FindSource) -> str:
    """Return problems as lines such as `error: ...`, or `specs/a.yaml:7: ...`, which editors can open.

    Below a problem in a document is the line of the document, which `find_source` returns.
    """
    return canvas.render([line for problem in found for line in _lines(problem, find_source)])


def validation_text(report: Report, context: RenderContext) -> str:
    """Return what `validate` found, and the number of errors and warnings in the last line."""
    found = document_problems(report.diagnostics)
    errors = sum(problem.severity is Severity.ERROR for problem in found)
    files = len({problem.file for problem in found})
    totals = f"{count(errors, 'error')} and {count(len(found) - errors, 'warning')} in {count(files, 'file')}."
    valid = "Every file that could be read is valid." if report.errors else "Everything is valid."
    verdict = styled(totals if found else valid, "bold red" if errors else "bold green")
    return problems_text(found, context.canvas, context.find_source) + context.canvas.render([verdict])


def _lines(problem: Problem, find_source: FindSource) -> list[RenderableType]:
    style = f"bold {STYLES[problem.severity]}"
    if problem.file is not None:
        # The line is never folded, because editors and CI systems parse lines with a file and line number.
        mark = " (warning)" if problem.severity is Severity.WARNING else ""
        text = Text(f"{clean(problem.summary)}{mark}", no_wrap=True, overflow="ignore")
        place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
        text.stylize(style, 0, len(clean(place)) + 1)
        return [text, *(frame_lines(problem.diagnostic, find_source, style) if problem.diagnostic else ())]
    text = Text.assemble((problem.severity, style), ": ", clean(problem.summary))
    return [text] if problem.hint is None else [text, Padding(styled(problem.hint), (0, 0, 0, 2))]


def _notice(text: str) -> Problem:
    return Problem(severity=Severity.WARNING, code="Notice", summary=text)


def _end_text(end: AnnouncedEnd) -> str:
    """Return a sentence such as `openai: the model gpt-4o ends on 2027-01-14, in 45 days; 1 job needs it: a (...)`."""
    when = f"ended on {end.on}" if end.days < 0 else f"ends on {end.on}, {_in_days(end.days)}"
    needs = "needs" if len(end.jobs) == 1 else "need"
    jobs = f"; {count(len(end.jobs), 'job')} {needs} it: {names(end.jobs)}" if end.jobs else ""
    return f"{end.account}: {end.what} {when}{jobs} ({end.source})"


def _in_days(days: int) -> str:
    return "today" if days == 0 else f"in {count(days, 'day')}"


def _internal_error(text: str) -> Problem:
    return Problem(severity=Severity.ERROR, code="InternalError", summary=text)


def _expired_clocks(report: Report) -> list[Problem]:
    """Return one problem for each time limit that expired, with the jobs that were not done by then."""
    unobserved = {row.name for row in report.rows if row.unobserved is not None}
    return [_expired(each, unobserved) for each in report.expired]


def _expired(expired: Expired, all_unobserved: Collection[str]) -> Problem:
    unobserved = [name for name in expired.names if name in all_unobserved]
    on_the_way = [name for name in expired.names if name not in all_unobserved]
    left = [
        *([f"{count(len(on_the_way), 'job')} still in progress: {names(on_the_way)}"] if on_the_way else []),
        *([f"{count(len(unobserved), 'job')} not observed: {names(unobserved)}"] if unobserved else []),
    ]
    return Problem(
        severity=Severity.ERROR,
        code="TimedOut",
        summary=f"{expired.clock}={span_of_seconds(expired.length_s)} expired with {' and '.join(left)}",
        hint=f"The next pass continues from here. To allow more time, pass, for example, {expired.clock}=1h.",
    )


def _refused(refusals: tuple[Refusal, ...]) -> list[Problem]:
    """Return one problem for each refusal of the guard. Only the last problem has the hint, for all refusals."""
    wanted = {name for refusal in refusals for name in refusal.names}
    hint = f"No change was requested for {names(sorted(wanted))}. "
    if all(refusal.doubt is not None for refusal in refusals):
        hint += (
            "A pass requests them once the changes of the last hour can be counted again. If every change is intended, "
            f"`--allow-cancels {len(wanted)}` requests them now."
        )
    else:
        hint += (
            f"If every change is intended, run with `--allow-cancels {len(wanted)}`, or with `--allow-cancel NAME` for "
            f"some of them. In CI, put the line `Approve-Cancels: {len(wanted)}` in the message of the squash or merge "
            "commit that brings the changes to the branch."
        )
    hint = " ".join([hint, *ignored_approvals(refusals)])
    return [
        Problem(
            severity=Severity.ERROR,
            code=Reason.REFUSED_BY_GUARD,
            summary=f"refused by the guard: {refusal}",
            hint=hint if refusal is refusals[-1] else None,
        )
        for refusal in refusals
    ]


def ignored_approvals(refusals: Iterable[Refusal]) -> list[str]:
    """Return one sentence for each approval of a commit that is ignored, with the cause."""
    ignored = {(each.commit, str(each.why_ignored)) for refusal in refusals for each in refusal.ignored}
    return [f"The Approve-Cancels line of commit {commit} is ignored: {why}." for commit, why in sorted(ignored)]


def _unplanned(actions: tuple[Action, ...]) -> list[Problem]:
    """Return one problem for each change that the pinned plan lacks. Only the last problem has the hint."""
    hint = "These changes were not requested. Make a new plan with `reconcile plan --out FILE`, and have it approved."
    return [
        Problem(
            severity=Severity.ERROR,
            code="NotInPlan",
            summary=f"not in the plan: {action.verb} {action.name} ({action.ref.id} at "
            f"{action.ref.account}), because {cause_text(action.because, action.reason)}",
            hint=hint if action is actions[-1] else None,
        )
        for action in actions
    ]


def _account(account: AccountReport, unobserved: Unobserved) -> Problem:
    if account.since is not None:
        outage = f"{account.name}: not observed since {moment(account.since)}: {unobserved.message}"
        return Problem(
            severity=Severity.WARNING,
            code=unobserved.reason,
            summary=f"{outage} ({count(account.jobs, 'job')})",
        )
    return Problem(
        severity=Severity.ERROR,
        code=unobserved.reason,
        summary=f"could not observe {account.title}: {account_message(unobserved, account.jobs)}",
    )
