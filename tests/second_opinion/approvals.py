"""How a person lets changes pass the guard: by a line in the commit that wants them, or by their names.

CI: the line `Approve-Cancels: 12` lets up to twelve changes pass, for jobs whose wanted state that commit was the last
to change. What was approved so must be asked for, and what was not approved must be refused as a whole.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.second_opinion.documents import JobDoc
from tests.second_opinion.jobs import ENDED

if TYPE_CHECKING:
    from tests.second_opinion.user_commands import Acts

PASS = ("--once", "--wait=5m", "--timeout=2m", "--audit", "audit.jsonl", "-o", "json")
ACCEPTED = frozenset({"CancelPending", "Cancelled", "FinishedBeforeCancel", "FinishedDespiteCancel"})


def by_commit(acts: Acts) -> None:
    """Let one commit want several cancels, and approve all of them, too few of them or none."""
    story = acts.story
    if story.remote.mode == "plain":
        return
    pairs = _candidates(acts)
    number = acts.chance.choice([len(pairs), len(pairs), 0, len(pairs) - 1])
    message = "Stop some" + (f"\n\nApprove-Cancels: {number}" if number > 0 else "")
    before = _refused_before(acts)
    story.approvals.append((story.clock.now(), number))
    with story.repository.together(message):
        for path, doc in pairs:
            story.repository.change(path, doc, replace(doc, desired="cancelled"))
    story.note(f"one commit cancels {[doc.name for _, doc in pairs]} and approves {number}")
    story.reconcile(*PASS)
    if number >= len(pairs) and not before and story.off >= 0:  # a commit of the future approves nothing yet
        _check(acts, [doc for _, doc in pairs])


def by_name(acts: Acts) -> None:
    """Want several cancels, and let the option name each of them."""
    pairs = _candidates(acts)
    before = _refused_before(acts)
    with acts.story.repository.together("Stop some"):
        for path, doc in pairs:
            acts.story.repository.change(path, doc, replace(doc, desired="cancelled"))
    names = [doc.name for _, doc in pairs]
    acts.story.note(f"a person cancels {names}")
    acts.story.reconcile(*PASS, *(f"--allow-cancel={name}" for name in names))
    if not before:
        _check(acts, [doc for _, doc in pairs])


def _candidates(acts: Acts) -> list[tuple[str, JobDoc]]:
    """Make the world well and the documents sound, and return some specs whose jobs can be cancelled."""
    story = acts.story
    story.troubles.end()
    story.user.mend_all()
    now = story.clock.now()
    found = [
        (path, doc)
        for path, doc in story.repository.now.jobs()
        if doc.desired != "cancelled" and not doc.suspended and not doc.limits and _unfinished(acts, doc, now)
    ]
    return acts.chance.sample(found, min(len(found), acts.chance.choice([3, 5, 8])))


def _unfinished(acts: Acts, doc: JobDoc, now: float) -> bool:
    jobs = [job for (_, name), job in acts.story.world.jobs.items() if name == doc.job]
    return all(not job.is_gone(now) and job.word(now) not in ENDED for job in jobs) and bool(jobs)


def _refused_before(acts: Acts) -> bool:
    """Say whether a pass right before refuses or still wants anything."""
    run = acts.story.reconcile(*PASS)
    return run.code not in (0, 1) or "RefusedByGuard" in run.out


def _check(acts: Acts, docs: list[JobDoc]) -> None:
    story = acts.story
    run = story.runs[-1]
    if "cannot be observed" in run.err:
        return
    asked = {each.job for each in story.world.record.changes() if each.verb == "cancel"}
    wanted = {want.doc.job for want in story.repository.now.wants()}
    missed = [doc for doc in docs if doc.job in wanted - asked and _unfinished(acts, doc, run.ended)]
    story.check("approved", not missed, f"{run}: {missed} were approved, and never asked for")
