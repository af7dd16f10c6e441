"""Publish the statuses of a pass in one commit. `apply` has already published the intents if they must be shared.

Rule: the commit is made on top of the newest published commit, so that no outcome is lost if others commit meanwhile.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.controller.build_report import PassResult
from reconciler.controller.desired_specs import DesiredSpecs
from reconciler.controller.report_exit_codes import exit_codes
from reconciler.controller.runtime import Runtime
from reconciler.errors import PublishError
from reconciler.model.action import Progress
from reconciler.model.report import Report
from reconciler.model.transition import Transition

LINES_MAX = 200
"""The maximum number of jobs that a commit message names."""

NOT_PUBLISHED = "the changed statuses are written but not published, because the revision of the specs is not trusted"


async def publish(result: PassResult, desired: DesiredSpecs, runtime: Runtime) -> PassResult:
    """Publish the statuses of a pass, and return the result with the commit. A failure is reported as an error.

    A dry run publishes nothing. A pass over a revision that is not trusted publishes nothing and reports that.
    """
    publisher = runtime.publisher
    if publisher is None or runtime.control is None:
        return result
    if desired.snapshot.why_not_trusted is not None:
        is_changed = bool(result.report.transitions or result.report.removed)
        notices = (*result.report.notices, *([NOT_PUBLISHED] if is_changed else []))
        return replace(result, report=replace(result.report, notices=notices))
    try:
        commit = await publisher.publish_on_top(commit_message(result.report))
    except PublishError as error:
        report = replace(result.report, errors=(*result.report.errors, f"the statuses could not be published: {error}"))
        return replace(result, report=replace(report, exit_codes=exit_codes(report)))
    return replace(result, report=replace(result.report, published=commit))


def commit_message(report: Report) -> str:
    """Return the commit message: a subject, a line for each job whose status changed, and the revision of the specs.

    Jobs with a request come first, then stalled jobs, then all others.
    """
    transitions = [each for each in report.transitions if each.progress is not Progress.OVERTAKEN]
    lines = [f"{each.name}: {_change_text(each)}" for each in sorted(transitions, key=_weight)]
    lines += [f"{name}: its spec was deleted" for name in report.removed]
    if len(lines) > LINES_MAX:
        lines[LINES_MAX:] = [f"and {len(lines) - LINES_MAX} more"]
    more = f", and {len(transitions) + len(report.removed) - 1} more" if len(lines) > 1 else ""
    subject = f"reconcile: {lines[0]}{more}" if lines else "reconcile: statuses"
    origin = [f"from the specs at {report.revision[:12]}"] if report.revision else []
    return "\n\n".join(part for part in (subject, "\n".join(lines), *origin) if part)


def _weight(transition: Transition) -> int:
    return 0 if transition.is_of_a_request else 1 if transition.after.is_stalled else 2


def _change_text(transition: Transition) -> str:
    action, progress, after = transition.action, transition.progress, transition.after
    requested = f"{action.verb} {progress}, " if action and progress else ""
    return f"{requested}{after.phase} ({after.ready.reason})"
