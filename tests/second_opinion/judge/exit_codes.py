"""How commands end: exit codes and their precedence, no stack trace, no hanging; read-only commands change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from tests.second_opinion.command import READS_ONLY, Run
from tests.second_opinion.statuses import all_of

if TYPE_CHECKING:
    from tests.second_opinion.session import Session

KNOWN = (70, 3, 78, 65, 1, 69, 75, 2, 64, 0)
EDITS = frozenset({"set", "suspend", "unsuspend"})


def judge(session: Session, run: Run) -> None:
    """Report an exit code that contradicts the documentation, a traceback, a hang, and a forbidden write."""
    said = run.out + run.err
    if "Traceback (most" in said or ("Warning:" in said and run.killed is None):
        session.blame("stack-trace", f"{run}: {said[-600:]}")
    if run.code is None:
        session.blame("hung", f"{run} did not end")
    elif run.code >= 0 and not _stopped_early(run):
        _code(session, run)
        _writes(session, run)
        if run.killed is None and run.verb == "once" and not run.disturbed:
            _once(session, run)
            _in_time(session, run)


def _stopped_early(run: Run) -> bool:
    """Return whether a signal ended the command with 130, which the table of exit codes does not contain.

    A watch that has sent a request must end with 0 instead.
    """
    return run.code == 130 and run.killed is not None and (run.verb != "watch" or run.first == run.last)


def _code(session: Session, run: Run) -> None:
    if run.code not in KNOWN:
        session.blame("exit-unknown", f"{run}")
    if run.code == 70 and not run.disk:
        session.blame("exit-70", f"{run}: {run.err[-600:]}")
    if run.killed is not None and run.verb == "watch" and run.code not in (0, 78, 65):
        session.blame("exit-signal", f"{run}: a stopped watch must exit with 0")
    if run.verb == "plan" and run.code == 65 and not _wrong(session, run):
        session.blame("exit-65", f"{run}, but every document is valid: {run.err[-300:]}")


def _in_time(session: Session, run: Run) -> None:
    """Report a pass whose requests continue far beyond the sum of --wait and --timeout."""
    requests = session.world.record.all()[run.first : run.last]
    if requests and requests[-1].at - requests[0].at > 1.5 * run.bounds + 60:
        session.blame("overtime", f"{run} sent requests for {requests[-1].at - requests[0].at:.0f} s")


def _writes(session: Session, run: Run) -> None:
    if run.verb in READS_ONLY - EDITS or "--dry-run" in run.args:
        changed = [path for path in run.before.keys() | run.after.keys() if run.before.get(path) != run.after.get(path)]
        if changed and not run.disturbed:
            session.blame("reader-wrote", f"{run} changed {sorted(changed)}")
    elif not run.disturbed and run.verb not in EDITS:
        specs = [
            path for path in run.before if not path.startswith("status/") and run.before[path] != run.after.get(path)
        ]
        if specs:
            session.blame("pass-wrote-specs", f"{run} changed {specs}")


def _once(session: Session, run: Run) -> None:
    snapshot = session.repository.at(run.began)
    wrong = snapshot.wrong()
    if run.code == 65 and not _wrong(session, run):
        session.blame("exit-65", f"{run}, but every document is valid: {run.err[-300:]}")
    if wrong and run.code not in (70, 3, 78, 65, 75):
        session.blame("exit-not-65", f"{run}, but a document is not valid: {snapshot.files}")
    if "--dry-run" in run.args or run.code in (70, 3, 78, 65):
        return
    try:
        statuses = all_of(run.after)
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        return
    if run.option("--selector") or run.option("--provider") or (run.code == 75 and "another" in run.err):
        return
    named = {doc.name for _, doc in snapshot.jobs()}
    stalled = sorted(each.name for each in statuses if each.is_true("Stalled") and each.name in named)
    if run.code == 1 and not stalled:
        session.blame("exit-1", f"{run}, but no status is stalled")
    if stalled and run.code != 1:
        session.blame("exit-not-1", f"{run}, but these are stalled: {stalled}")
    looks = [each for each in session.world.record.all()[run.first : run.last] if each.verb == "retrieve"]
    seen = {each.job for each in looks if each.shown} - {each.job for each in looks if not each.shown}
    if any(each.reason == "RefusedByGuard" and each.job in seen for each in statuses) and run.code != 3:
        session.blame("exit-not-3", f"{run}, but a status has the reason RefusedByGuard")


def _wrong(session: Session, run: Run) -> bool:
    """Return whether a document was invalid, or in conflict: a duplicate, or with an unknown or forbidden account."""
    snapshot = session.repository.at(run.began)
    return snapshot.wrong() or len(snapshot.wants()) != len(snapshot.jobs())
