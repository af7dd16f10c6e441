"""The end of a story: faults end, documents are mended, time passes, and then everything owed must have come.

Two phases. First what is owed: each job whose spec wants it cancelled is cancelled after a few passes. Then what
must not come: passes without news change nothing, neither at the provider nor in a file.
"""

from __future__ import annotations

from tests.second_opinion.due_cancels import owed
from tests.second_opinion.judge.prior_observation import last_shown
from tests.second_opinion.session import Story

HOURS = 3600.0
SETTLE = ("--once", "--wait=10m", "--timeout=2m", "--allow-cancels=60", "--audit", "audit.jsonl")
QUIET = ("--once", "--timeout=2m", "--audit", "audit.jsonl")


def settle(story: Story) -> None:
    """End all faults, mend all documents, and make passes until all that is owed has come, or time has run out."""
    story.troubles.end()
    story.world.takes = min(story.world.takes, 3.0)
    story.user.mend_all()
    story.note("the world is well, and the documents are mended")
    for wait in (60.0, 7 * HOURS, 7 * HOURS, 25 * HOURS):
        story.clock.skip(wait)
        story.note(f"{wait:.0f} s pass")
        story.reconcile(*SETTLE)
        if not owed(story):
            break
    for want in owed(story):
        word = story.world.jobs[want.account, want.doc.job].word(story.clock.now())
        story.blame("not-cancelled", f"{want.doc.name}: {want.doc.job} is still {word}")


def rest(story: Story) -> None:
    """Make passes without news: from the second on, no byte of a status and no job may change."""
    story.reconcile(*QUIET)
    for _ in range(2):
        heads = story.repository.heads()
        before = {job: last_shown(story, *job) for job in story.world.jobs}
        run = story.reconcile(*QUIET)
        after = {job: last_shown(story, *job) for job in story.world.jobs}
        news = {job for job in before if before[job] != after[job]}
        asked = [each for each in story.world.record.all()[run.first : run.last] if each.change]
        changed = sorted(
            path for path in run.before.keys() | run.after.keys() if run.before.get(path) != run.after.get(path)
        )
        if news:
            continue
        if asked:
            story.blame("restless-change", f"without news it asked again: {asked[0]}")
        story.check("restless-commit", heads == story.repository.heads(), "without news it made a commit")
        if changed:
            story.blame("restless-bytes", f"without news it changed {changed}")
        return
