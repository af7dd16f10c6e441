"""A job's life: which phase it shows at which moment.

Two rules. A life is a function of time and of what was asked of the job, of nothing else. And nothing changes in
place: asking gives a new timeline, so that what the job was a minute ago can still be told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.model.job import TERMINAL, Phase

REQUEUED_FOR = timedelta(seconds=30)
"""How long a resumed job is queued again; the published example of a resume answers `queued`."""
ENDS = TERMINAL | {Phase.ABSENT}


@dataclass(frozen=True, slots=True)
class Step:
    """From this moment on, this phase."""

    at: datetime
    phase: Phase


@dataclass(frozen=True, slots=True)
class Timeline:
    """Steps in the order of time; the first is the job's creation.

    `held` is the life that a pause interrupted, beginning at the pause itself. `is_cancel_asked` stays true once it is.
    """

    steps: tuple[Step, ...]
    held: tuple[Step, ...] = ()
    is_cancel_asked: bool = False

    @property
    def created_at(self) -> datetime:
        """When the job came to be."""
        return self.steps[0].at

    @property
    def end(self) -> Step | None:
        """The step that ends the life, if anything does."""
        return next((step for step in self.steps if step.phase in ENDS), None)

    def until(self, moment: datetime) -> tuple[Step, ...]:
        """Return the steps that have been taken by then; the last one is what the job shows."""
        return tuple(step for step in self.steps if step.at <= moment)

    def phase_at(self, moment: datetime) -> Phase:
        """Return what the job shows at a moment; before its creation it is absent."""
        taken = self.until(moment)
        return taken[-1].phase if taken else Phase.ABSENT

    def cancelled(self, at: datetime, *, takes: timedelta, shows_word: bool) -> Timeline:
        """Return the life of a job that is cancelled at `at`, where that takes a while.

        A job that ends before the cancel is through ends as it would have. In the meantime the life goes on, or shows
        `cancelling` where the provider has that word.
        """
        through_at = at + takes
        end = self.end
        is_too_late = end is not None and end.at <= through_at
        ending = self._from(end) if end is not None and is_too_late else (Step(through_at, Phase.CANCELLED),)
        if shows_word and takes:
            meantime: tuple[Step, ...] = (Step(at, Phase.CANCELLING),)
        else:
            meantime = tuple(step for step in self.steps if at < step.at < ending[0].at)
        return Timeline((*self.until(at), *meantime, *ending), is_cancel_asked=True)

    def paused(self, at: datetime, *, takes: timedelta) -> Timeline:
        """Return the life of a job that is frozen at `at`, and says `pausing` for as long as that takes."""
        taken = self.until(at)
        pausing = (Step(at, Phase.PAUSING),) if takes else ()
        held = (Step(at, taken[-1].phase), *self.steps[len(taken) :])
        return replace(self, steps=(*taken, *pausing, Step(at + takes, Phase.PAUSED)), held=held)

    def resumed(self, at: datetime) -> Timeline:
        """Return the life of a job that is queued again at `at`, and then goes on where it was paused.

        A life that was declared as paused goes on with the stage after that, or runs for ever if there is none.
        """
        taken = self.until(at)
        rest = self.held or self.steps[len(taken) :] or (Step(at, Phase.RUNNING),)
        later_by = at + REQUEUED_FOR - rest[0].at
        moved = tuple(Step(step.at + later_by, step.phase) for step in rest)
        return replace(self, steps=(*taken, Step(at, Phase.QUEUED), *moved), held=())

    def _from(self, first: Step) -> tuple[Step, ...]:
        return self.steps[self.steps.index(first) :]


def planned(stages: Iterable[tuple[Phase, timedelta | None]], created_at: datetime) -> Timeline:
    """Return the life that begins at `created_at` and stays in each phase for its span; the last one needs none."""
    steps = []
    at = created_at
    for phase, span in stages:
        steps.append(Step(at, phase))
        at += span or timedelta(0)
    return Timeline(tuple(steps))
