"""What went wrong or should be known, as data: for people on stderr, and for programs as `diagnostic` lines.

The order is from what is merely good to know to what stopped everything, for the end of a terminal is what is read.
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
from reconciler.views.layout import Canvas, styled
from reconciler.views.render_context import RenderContext
from reconciler.views.text import clean, count, moment, names, span_of_seconds
from reconciler.views.unobserved_text import account_message

STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to know. `code` is a word to search for; `hint` says how to go on."""

    severity: Severity
    code: str
    summary: str
    hint: str | None = None
    file: str | None = None
    line: int | None = None


def problems(report: Report) -> tuple[Problem, ...]:
    """Return everything but what could not be seen, which stands in the result itself."""
    return (
        *(_notice(text) for text in report.notices),
        *_lateness(report),
        *diagnosed(report.diagnostics),
        *_refused(report.refusals),
        *_unplanned(report.unplanned),
        *(_bug(text) for text in report.errors),
    )


def every_problem(report: Report) -> tuple[Problem, ...]:
    """Return all problems, for a format that holds none of them where a person reads."""
    return (*unjudged(report), *problems_beside_status(report))


def problems_beside_status(report: Report) -> tuple[Problem, ...]:
    """Return the problems that a job's whole status does not hold."""
    return (*unseen(report), *problems(report))


def problems_beside_documents(report: Report) -> tuple[Problem, ...]:
    """Return the problems that are none of a document."""
    return problems(replace(report, diagnostics=()))


def unseen(report: Report) -> tuple[Problem, ...]:
    """Return one problem for each account that could not be looked at."""
    return tuple(_account(each, each.unseen) for each in report.accounts if each.unseen is not None)


def unjudged(report: Report) -> tuple[Problem, ...]:
    """Return one problem for each thing that keeps limits from being judged, with the names of their jobs."""
    by_why: dict[str, list[str]] = {}
    for row in report.rows:
        if row.unseen is None and row.status.has_unjudged_limit:
            by_why.setdefault(row.status.ready.message.partition("; ")[2], []).append(row.name)
    return tuple(
        Problem(severity=Severity.WARNING, code="LimitNotJudged", summary=f"{names(found)}: {why}")
        for why, found in by_why.items()
    )


def diagnosed(diagnostics: Iterable[Diagnostic]) -> tuple[Problem, ...]:
    """Return what is wrong with documents, by file and line."""
    ordered = sorted(diagnostics, key=lambda each: (each.file, each.line or 0, each.field or "", each.message))
    return tuple(
        Problem(
            severity=each.severity,
            code="InvalidDocument",
            summary=str(each),
            hint=each.suggestion,
            file=each.file,
            line=each.line,
        )
        for each in ordered
    )


def problems_text(found: Iterable[Problem], canvas: Canvas) -> str:
    """Return problems as lines such as `specs/a.yaml:7: ...`, which editors can follow, and `error: ...`."""
    return canvas.render([line for problem in found for line in _lines(problem)])


def validation_text(report: Report, context: RenderContext) -> str:
    """Return what `validate` found, and how much of it."""
    found = diagnosed(report.diagnostics)
    errors = sum(problem.severity is Severity.ERROR for problem in found)
    files = len({problem.file for problem in found})
    told = f"{count(errors, 'error')} and {count(len(found) - errors, 'warning')} in {count(files, 'file')}."
    verdict = styled(told if found else "Everything is valid.", "bold red" if errors else "bold green")
    return problems_text(found, context.canvas) + context.canvas.render([verdict])


def _lines(problem: Problem) -> list[RenderableType]:
    style = f"bold {STYLES[problem.severity]}"
    if problem.file is not None:
        # never folded, however long: a line with a place is read by machines too
        mark = " (warning)" if problem.severity is Severity.WARNING else ""
        text = Text(f"{clean(problem.summary)}{mark}", no_wrap=True, overflow="ignore")
        place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
        text.stylize(style, 0, len(clean(place)) + 1)
        return [text]
    text = Text.assemble((problem.severity, style), ": ", clean(problem.summary))
    return [text] if problem.hint is None else [text, Padding(styled(problem.hint), (0, 0, 0, 2))]


def _notice(text: str) -> Problem:
    return Problem(severity=Severity.WARNING, code="Notice", summary=text)


def _bug(text: str) -> Problem:
    return Problem(severity=Severity.ERROR, code="InternalError", summary=text)


def _lateness(report: Report) -> list[Problem]:
    """Which clock ran out, and what was left."""
    unseen_names = {row.name for row in report.rows if row.unseen is not None}
    return [_expired(each, unseen_names) for each in report.expired]


def _expired(expired: Expired, unseen_names: Collection[str]) -> Problem:
    unseen = [name for name in expired.names if name in unseen_names]
    on_the_way = [name for name in expired.names if name not in unseen_names]
    left = [
        *([f"{count(len(on_the_way), 'job')} still on the way: {names(on_the_way)}"] if on_the_way else []),
        *([f"{count(len(unseen), 'job')} not observed: {names(unseen)}"] if unseen else []),
    ]
    return Problem(
        severity=Severity.ERROR,
        code="TimedOut",
        summary=f"{expired.clock}={span_of_seconds(expired.length_s)} ran out with {' and '.join(left)}",
        hint=f"Nothing is lost: the next pass goes on from here. To give it longer: {expired.clock}=1h",
    )


def _refused(refusals: tuple[Refusal, ...]) -> list[Problem]:
    """The guard's verdicts; the way to go on is the same for all, and covers all."""
    wanted = {name for refusal in refusals for name in refusal.names}
    hint = (
        f"Nothing was asked for {names(sorted(wanted))}. If this is meant, go on with `--allow-cancels {len(wanted)}`, "
        f"with `--allow-cancel NAME` for some of them, or in CI with the line `Approve-Cancels: {len(wanted)}` in the "
        "message of the commit that wants it."
    )
    if all(refusal.doubt is not None for refusal in refusals):
        hint = f"Nothing was asked for {names(sorted(wanted))}. It goes on by itself once that is over."
    return [
        Problem(
            severity=Severity.ERROR,
            code=Reason.REFUSED_BY_GUARD,
            summary=f"refused by the guard: {refusal}",
            hint=hint if refusal is refusals[-1] else None,
        )
        for refusal in refusals
    ]


def _unplanned(actions: tuple[Action, ...]) -> list[Problem]:
    """What the pinned plan does not hold, each by name; the way to go on is the same for all."""
    hint = "Nothing was asked for what the plan does not hold. Make a new plan, and let it be approved."
    return [
        Problem(
            severity=Severity.ERROR,
            code="NotInPlan",
            summary=f"the plan does not hold this: {action.verb} {action.name} ({action.ref.id} at "
            f"{action.ref.account}), because of {action.because}",
            hint=hint if action is actions[-1] else None,
        )
        for action in actions
    ]


def _account(account: AccountReport, unseen: Unobserved) -> Problem:
    if account.since is not None:
        about = f"{account.name}: not observed since {moment(account.since)}: {unseen.message}"
        return Problem(
            severity=Severity.WARNING,
            code=unseen.reason,
            summary=f"{about} ({count(account.jobs, 'job')})",
        )
    return Problem(
        severity=Severity.ERROR,
        code=unseen.reason,
        summary=f"could not observe {account.name}: {account_message(unseen, account.jobs)}",
    )
