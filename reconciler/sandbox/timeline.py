"""The timeline of a job: its phase at each time.

A timeline depends only on the declared stages and on the accepted requests. It is immutable: each request results in a
new timeline, so that the state at any earlier time remains available.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.model.job import TERMINAL, Phase

REQUEUED_FOR = timedelta(seconds=30)
"""How long a resumed job is queued. OpenAI's published example of a resume returns `queued`."""
END_PHASES = TERMINAL | {Phase.ABSENT}


@dataclass(frozen=True, slots=True)
class Step:
    """The start of a phase."""

    at: datetime
    phase: Phase


@dataclass(frozen=True, slots=True)
class Timeline:
    """Steps in chronological order. The first step is the creation of the job.

    `held` contains the steps that a pause has postponed, beginning with the phase at the pause. `is_cancel_requested`
    stays true after a cancel.
    """

    steps: tuple[Step, ...]
    held: tuple[Step, ...] = ()
    is_cancel_requested: bool = False

    @property
    def created_at(self) -> datetime:
        """The time of the job's creation."""
        return self.steps[0].at

    @property
    def end(self) -> Step | None:
        """The step that ends the job; None if it never ends."""
        return next((step for step in self.steps if step.phase in END_PHASES), None)

    def steps_until(self, moment: datetime) -> tuple[Step, ...]:
        """Return the steps up to a time. The last of them is the phase at that time."""
        return tuple(step for step in self.steps if step.at <= moment)

    def phase_at(self, moment: datetime) -> Phase:
        """Return the phase at a time. Before its creation, a job is absent."""
        taken = self.steps_until(moment)
        return taken[-1].phase if taken else Phase.ABSENT

    def cancelled(self, at: datetime, *, takes: timedelta, shows_word: bool) -> Timeline:
        """Return the timeline after a cancel that is requested at `at` and takes effect after `takes`.

        If the job ends no later than the cancel takes effect, its end is unchanged. From the request until its end, the
        job is `cancelling` if `shows_word` is True. Otherwise it continues as planned.
        """
        effective_at = at + takes
        end = self.end
        is_too_late = end is not None and end.at <= effective_at
        ending = self._from(end) if end is not None and is_too_late else (Step(effective_at, Phase.CANCELLED),)
        if shows_word and takes:
            during: tuple[Step, ...] = (Step(at, Phase.CANCELLING),)
        else:
            during = tuple(step for step in self.steps if at < step.at < ending[0].at)
        return Timeline((*self.steps_until(at), *during, *ending), is_cancel_requested=True)

    def paused(self, at: datetime, *, takes: timedelta) -> Timeline:
        """Return the timeline after a pause that is requested at `at` and takes effect after `takes`."""
        taken = self.steps_until(at)
        pausing = (Step(at, Phase.PAUSING),) if takes else ()
        held = (Step(at, taken[-1].phase), *self.steps[len(taken) :])
        return replace(self, steps=(*taken, *pausing, Step(at + takes, Phase.PAUSED)), held=held)

    def resumed(self, at: datetime) -> Timeline:
        """Return the timeline of a job that is queued again at `at`, and then continues where it was paused.

        A job that was declared as paused continues with its next stage, or runs forever if it has none.
        """
        taken = self.steps_until(at)
        rest = self.held or self.steps[len(taken) :] or (Step(at, Phase.RUNNING),)
        delay = at + REQUEUED_FOR - rest[0].at
        postponed = tuple(Step(step.at + delay, step.phase) for step in rest)
        return replace(self, steps=(*taken, Step(at, Phase.QUEUED), *postponed), held=())

    def _from(self, first: Step) -> tuple[Step, ...]:
        return self.steps[self.steps.index(first) :]


def planned_timeline(stages: Iterable[tuple[Phase, timedelta | None]], created_at: datetime) -> Timeline:
    """Return the timeline of declared stages, each a phase and its duration. The last duration is not used."""
    steps = []
    at = created_at
    for phase, span in stages:
        steps.append(Step(at, phase))
        at += span or timedelta(0)
    return Timeline(tuple(steps))
