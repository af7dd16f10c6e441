"""How a user approves changes that the guard refuses: by a line in the commit that requests them, or by their names.

CI.md: the line `Approve-Cancels: 12` approves up to twelve changes, for jobs whose desired state that commit changed
last. An approved change must be requested. A change without approval must be refused, with its whole batch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.second_opinion.documents import JobDoc
from tests.second_opinion.jobs import ENDED

if TYPE_CHECKING:
    from tests.second_opinion.user_commands import UserCommands

PASS = ("--once", "--wait=5m", "--timeout=2m", "--audit", "audit.jsonl", "-o", "json")
ACCEPTED = frozenset({"CancelPending", "Cancelled", "FinishedBeforeCancel", "FinishedDespiteCancel"})


def by_commit(commands: UserCommands) -> None:
    """Request several cancels in one commit, and approve all of them, too few, or none."""
    session = commands.session
    if session.remote.mode == "plain":
        return
    pairs = _candidates(commands)
    number = commands.chance.choice([len(pairs), len(pairs), 0, len(pairs) - 1])
    message = "Stop some" + (f"\n\nApprove-Cancels: {number}" if number > 0 else "")
    before = _refused_before(commands)
    session.approvals.append((session.clock.now(), number))
    with session.repository.together(message):
        for path, doc in pairs:
            session.repository.change(path, doc, replace(doc, desired="cancelled"))
    session.note(f"one commit cancels {[doc.name for _, doc in pairs]} and approves {number}")
    session.reconcile(*PASS)
    if number >= len(pairs) and not before and session.off >= 0:  # a commit with a future date approves nothing yet
        _check(commands, [doc for _, doc in pairs])


def by_name(commands: UserCommands) -> None:
    """Request several cancels, and approve each by name with the option."""
    pairs = _candidates(commands)
    before = _refused_before(commands)
    with commands.session.repository.together("Stop some"):
        for path, doc in pairs:
            commands.session.repository.change(path, doc, replace(doc, desired="cancelled"))
    names = [doc.name for _, doc in pairs]
    commands.session.note(f"a person cancels {names}")
    commands.session.reconcile(*PASS, *(f"--allow-cancel={name}" for name in names))
    if not before:
        _check(commands, [doc for _, doc in pairs])


def _candidates(commands: UserCommands) -> list[tuple[str, JobDoc]]:
    """End all faults, repair the documents, and return some specs whose jobs can be cancelled."""
    session = commands.session
    session.troubles.end()
    session.user.mend_all()
    now = session.clock.now()
    found = [
        (path, doc)
        for path, doc in session.repository.now.jobs()
        if doc.desired != "cancelled" and not doc.suspended and not doc.limits and _unfinished(commands, doc, now)
    ]
    return commands.chance.sample(found, min(len(found), commands.chance.choice([3, 5, 8])))


def _unfinished(commands: UserCommands, doc: JobDoc, now: float) -> bool:
    jobs = [job for (_, name), job in commands.session.world.jobs.items() if name == doc.job]
    return all(not job.is_gone(now) and job.word(now) not in ENDED for job in jobs) and bool(jobs)


def _refused_before(commands: UserCommands) -> bool:
    """Return whether an earlier pass would refuse or still request a change."""
    run = commands.session.reconcile(*PASS)
    return run.code not in (0, 1) or "RefusedByGuard" in run.out


def _check(commands: UserCommands, docs: list[JobDoc]) -> None:
    session = commands.session
    run = session.runs[-1]
    if "cannot be observed" in run.err:
        return
    asked = {each.job for each in session.world.record.changes() if each.verb == "cancel"}
    wanted = {want.doc.job for want in session.repository.now.wants()}
    missed = [doc for doc in docs if doc.job in wanted - asked and _unfinished(commands, doc, run.ended)]
    session.check("approved", not missed, f"{run}: {missed} were approved, and never asked for")
