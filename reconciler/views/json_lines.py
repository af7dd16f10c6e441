"""Plans and results as NDJSON: one JSON object per line. The names of fields follow OpenTofu's JSON output.

The first line is the version. Then come the changes with their outcomes and the drifting jobs, the jobs that are no
longer managed, the problems, and a summary with every exit code that applies. The output is ASCII only, so that no text
in it can control a terminal. Consumers should skip line types that they do not know. `UI_VERSION` is increased with
each change that breaks consumers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from pydantic.alias_generators import to_camel

from reconciler.model.action import Action, Progress
from reconciler.model.exit_code import PRECEDENCE
from reconciler.model.report import Report, Row
from reconciler.model.spec import render_instant
from reconciler.model.status import JobStatus
from reconciler.views.cost_text import cost_json
from reconciler.views.orphans_text import last_phase_text
from reconciler.views.problems import Problem, problems, unjudged_limits, unobserved_accounts
from reconciler.views.render_context import FindSource, RenderContext
from reconciler.views.result_text import SENT, change_line
from reconciler.views.row_state import (
    count_by_state,
    count_by_verb,
    is_drifting,
    is_pending,
    no_change_text,
    planned_text,
    row_state,
)
from reconciler.views.source_range import range_of
from reconciler.views.usage import expected_end, used_tokens

UI_VERSION = "1.0"

Payload = dict[str, Any]


def report_lines(report: Report, context: RenderContext) -> str:
    """Return the report of a plan, a pass or a validation as NDJSON; the summary names the operation."""
    version = context.version
    lines = (
        _line("version", f"reconcile {version}", {"reconcile": version, "ui": UI_VERSION}),
        *(line for row in report.rows for line in _row_lines(row, context.now)),
        *(_orphan(each) for each in report.orphans),
        *_diagnostics((*problems(report), *unobserved_accounts(report), *unjudged_limits(report)), context.find_source),
        _summary(report, context.result),
    )
    at = render_instant(context.now)
    return "".join(json.dumps({**line, "@timestamp": at}) + "\n" for line in lines)


def _line(type_: str, message: str, payload: Payload, level: str = "info") -> Payload:
    return {"type": type_, "@level": level, "@message": message, **payload}


def _row_lines(row: Row, now: datetime) -> Iterator[Payload]:
    """Yield the lines for the planned change of one job and its outcome, or for its drift."""
    if row.action is None:
        if is_drifting(row):
            yield _line("drift", f"{row.name}: {row.status.phase}", {"change": {"resource": _resource(row, now)}})
        return
    hook = _hook(row, row.action, now)
    yield _line("planned_change", f"{row.name}: {row.action.verb}", {"change": hook})
    if row.progress in (None, Progress.PLANNED, Progress.REFUSED, Progress.WITHHELD):
        return
    if row.progress in SENT:
        yield _line("apply_start", f"{row.name}: {row.action.verb} requested", {"hook": hook})
    message = change_line(row) or row.name
    if row.progress in {Progress.ACCEPTED, Progress.ALREADY_OVER}:
        yield _line("apply_complete", message, {"hook": hook})
    else:
        yield _line("apply_errored", message, {"hook": hook}, level="error")


def _orphan(status: JobStatus) -> Payload:
    """Return the line for a job that is no longer managed, because its spec was deleted."""
    resource = {
        "name": status.name,
        "source": status.source,
        "account": status.job.account if status.job else None,
        "jobId": status.job.id if status.job else None,
        "phase": status.phase,
        "final": status.final,
    }
    message = f"{status.name}: no longer managed; {last_phase_text(status)}"
    return _line("no_longer_managed", message, {"resource": resource})


def _resource(row: Row, now: datetime) -> Payload:
    state = row_state(row)
    return {
        "name": row.name,
        "source": row.source,
        "provider": row.provider,
        "account": str(row.ref.account) if row.ref else None,
        "jobId": row.ref.id if row.ref else None,
        "desiredState": row.wanted,
        "phase": row.status.phase,
        "createdAt": _moment(row.status.job.created_at if row.status.job else None),
        "expectedEndAt": _moment(expected_end(row)),
        to_camel(row.status.kind.counted): used_tokens(row),
        "ready": state.ready,
        "readyReason": state.reason,
        **cost_json(row, now),
    }


def _hook(row: Row, action: Action, now: datetime) -> Payload:
    return {
        "resource": _resource(row, now),
        "action": action.verb,
        "because": action.because,
        "reason": action.reason,
        "isFirstAttempt": action.is_first_attempt,
        "progress": row.progress or Progress.PLANNED,
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else render_instant(at)


def _diagnostics(found: Iterable[Problem], find_source: FindSource) -> Iterator[Payload]:
    for problem in found:
        diagnostic: Payload = {"severity": problem.severity, "code": problem.code, "summary": problem.summary}
        if problem.hint is not None:
            diagnostic["detail"] = problem.hint
        if problem.file is not None:
            diagnostic["range"] = {"filename": problem.file, **_range(problem, find_source)}
        yield _line("diagnostic", problem.summary, {"diagnostic": diagnostic}, level=problem.severity)


def _range(problem: Problem, find_source: FindSource) -> Payload:
    """Return where a problem is in its file. Columns are counted from 1, and are left out if the line is unknown."""
    if problem.file is None or problem.line is None or problem.diagnostic is None:
        return {"start": {"line": problem.line or 1}}
    if not (line := find_source(problem.file, problem.line).line):
        return {"start": {"line": problem.line}}
    wrong = range_of(problem.diagnostic, line)
    return {
        "start": {"line": problem.line, "column": wrong.begin + 1},
        "end": {"line": problem.line, "column": wrong.end + 1},
    }


def _summary(report: Report, operation: str) -> Payload:
    counted = [row for row in report.rows if (is_pending(row) if operation == "plan" else row.progress in SENT)]
    changes = {str(verb): number for verb, number in count_by_verb(counted).items()}
    jobs = {state.replace(" ", "_"): number for state, number in count_by_state(report.rows).items()}
    payload = {
        "changes": {**changes, "operation": operation},
        "jobs": jobs,
        "isShadow": report.is_shadow,
        "revision": report.revision,
        "removed": report.removed or [each.name for each in report.orphans if report.is_dry],
        "exitCode": report.exit_code,
        "exitCodes": _exit_codes(report),
    }
    return _line("change_summary", f"{operation}: {planned_text(counted) or no_change_text(report.rows)}", payload)


def _exit_codes(report: Report) -> list[int]:
    """Return every exit code that applies, in the order of precedence."""
    return [code for code in PRECEDENCE if code in report.exit_codes] or [report.exit_code]
