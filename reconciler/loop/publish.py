"""Publishing what a pass found: one commit a pass that changed something, and a message that says what happened.

Rules: what has happened is never lost to a race: it is published on top of whatever is there by then.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.errors import PublishError
from reconciler.loop.tally import PassResult, exit_codes
from reconciler.model.plan import Progress, Report, Row
from reconciler.ports import Publisher


async def publish(result: PassResult, publisher: Publisher) -> PassResult:
    """Publish the statuses as this pass leaves them. What goes wrong is an error of the report."""
    try:
        commit = await publisher.publish_on_top(_message(result.report))
    except PublishError as error:
        report = replace(result.report, errors=(*result.report.errors, f"the statuses could not be published: {error}"))
        return replace(result, report=replace(report, exit_codes=exit_codes(report)))
    return replace(result, report=replace(result.report, published=commit))


def _message(report: Report) -> str:
    """Return a subject line that says what happened, and below it a line for each job of which there is news."""
    news = [row for row in report.rows if row.before != row.status and row.progress is not Progress.OVERTAKEN]
    lines = [f"{row.name}: {_transition(row)}" for row in news]
    if not lines:
        return "reconcile: statuses"
    more = f", and {len(lines) - 1} more" if len(lines) > 1 else ""
    return "\n".join([f"reconcile: {lines[0]}{more}", "", *lines])


def _transition(row: Row) -> str:
    ready = row.status.ready
    asked = f"{row.action.verb} {row.progress}, " if row.action and row.progress else ""
    return f"{asked}{row.status.phase} ({ready.reason})"
