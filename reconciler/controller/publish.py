"""Publishing what a pass found: one commit a pass that changed something, and a message that says what happened.

Rules: what has happened is never lost to a race: it is published on top of whatever is there by then.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.controller.build_report import PassResult, exit_codes
from reconciler.errors import PublishError
from reconciler.model.report import Progress, Report, Row
from reconciler.ports import Publisher

LINES_MAX = 200
"""So many jobs a message names at most."""


async def publish(result: PassResult, publisher: Publisher) -> PassResult:
    """Publish the statuses as this pass leaves them. What goes wrong is an error of the report."""
    try:
        commit = await publisher.publish_on_top(commit_message(result.report))
    except PublishError as error:
        report = replace(result.report, errors=(*result.report.errors, f"the statuses could not be published: {error}"))
        return replace(result, report=replace(report, exit_codes=exit_codes(report)))
    return replace(result, report=replace(result.report, published=commit))


def commit_message(report: Report) -> str:
    """Return a subject that says what happened, and below it a line for each job of which there is news.

    What was asked for comes first, then what a person must see to. The last line names the revision of the specs.
    """
    news = [row for row in report.rows if row.before != row.status and row.progress is not Progress.OVERTAKEN]
    lines = [f"{row.name}: {_transition(row)}" for row in sorted(news, key=_weight)]
    lines += [f"{name}: its spec is gone" for name in report.removed]
    if len(lines) > LINES_MAX:
        lines[LINES_MAX:] = [f"and {len(lines) - LINES_MAX} more"]
    more = f", and {len(news) + len(report.removed) - 1} more" if len(lines) > 1 else ""
    subject = f"reconcile: {lines[0]}{more}" if lines else "reconcile: statuses"
    origin = [f"with the specs of {report.revision[:12]}"] if report.revision else []
    return "\n\n".join(part for part in (subject, "\n".join(lines), *origin) if part)


def _weight(row: Row) -> int:
    is_asked = row.progress is not None or (row.before is not None and row.before.open_receipt is not None)
    return 0 if is_asked else 1 if row.status.is_stalled else 2


def _transition(row: Row) -> str:
    ready = row.status.ready
    asked = f"{row.action.verb} {row.progress}, " if row.action and row.progress else ""
    return f"{asked}{row.status.phase} ({ready.reason})"
