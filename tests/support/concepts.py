"""The parts of CONCEPTS.md that are generated from the code: the life of a cancel, and the tables of words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from reconciler.core.backoff import ATTEMPTS_MAX, next_attempt_at
from reconciler.core.conditions import Readiness, verdict_of
from reconciler.core.decide import decide
from reconciler.core.receipts import intend
from reconciler.core.settle import RequestOutcome, refused, settle
from reconciler.model.action import Progress
from reconciler.model.job import TERMINAL, UNFINISHED, Phase
from reconciler.model.status import JobStatus
from reconciler.views.row_state import DESIRED_PHASES, JobState
from tests.support.build import NOW
from tests.support.markdown_table import table
from tests.support.subjects import ABSENT, HOUR, MINUTE, a_look, a_subject

WANTED, KEPT = a_subject("cancelled"), a_subject("running")
_CONDITIONS = MappingProxyType(
    {Readiness.READY: "Ready", Readiness.RECONCILING: "Reconciling", Readiness.STALLED: "Stalled"}
)


@dataclass(frozen=True, slots=True)
class Moment:
    """The status of a job that should be cancelled, and the time at which it was written."""

    status: JobStatus
    now: datetime = NOW

    def observed(
        self, phase: Phase, delay: timedelta = MINUTE, *, is_refused: bool = False, wanted: str = "cancelled"
    ) -> Moment:
        """Return the moment after a decision that requests nothing."""
        now = self.now + delay
        ended = {"finished_at": now} if phase in TERMINAL else {}
        look = ABSENT if phase is Phase.ABSENT else a_look(phase, now, created_at=NOW - HOUR, **ended)
        subject = WANTED if wanted == "cancelled" else KEPT
        decision = decide(subject, look, self.status, now, is_refused=is_refused)
        assert decision.action is None
        return Moment(decision.status, now)

    def sent(self, progress: Progress | None = None) -> Moment:
        """Return the moment after a cancel was recorded, or after this response to it."""
        decision = decide(WANTED, a_look(Phase.RUNNING, self.now), self.status, self.now)
        assert decision.action is not None
        intent = intend(decision.status, decision.action, None, None, self.now)
        if progress is None:
            return Moment(intent, self.now)
        outcome = RequestOutcome(progress)
        return Moment(settle(intent, decision.status, decision.action, outcome, self.status, self.now), self.now)

    def without_effect(self) -> Moment:
        """Return the moment at which the provider has accepted every regular attempt, and none had an effect."""
        moment = self
        while (receipt := moment.status.receipts[0]).attempts < ATTEMPTS_MAX:
            moment = Moment(moment.status, next_attempt_at(receipt)).sent(Progress.ACCEPTED)
        return moment.observed(Phase.RUNNING, HOUR)

    @property
    def words(self) -> tuple[str, str]:
        """The condition with its reason, and the state of the newest receipt."""
        verdict = verdict_of(self.status)
        condition = f"{_CONDITIONS[verdict.readiness]}: {verdict.reason}"
        if not self.status.receipts:
            return condition, "no receipt"
        receipt = self.status.receipts[0]
        if receipt.is_open:
            return condition, "receipt: " + ("accepted" if receipt.accepted_at else "requested")
        return condition, f"receipt: {'confirmed, ' if receipt.confirmed_at else ''}{receipt.outcome}"


def steps() -> list[tuple[Moment, str, Moment]]:
    """Return the steps in the life of a cancel: the moment before, what happens, and the moment after."""
    due = Moment(decide(WANTED, a_look(), None, NOW).status)
    held = Moment(refused(due.status, "", None, NOW))
    sent, accepted, forbidden = due.sent(), due.sent(Progress.ACCEPTED), due.sent(Progress.FORBIDDEN)
    too_late = sent.observed(Phase.SUCCEEDED, is_refused=True)
    cancelled, ended = accepted.observed(Phase.CANCELLED), accepted.observed(Phase.SUCCEEDED)
    gone = accepted.observed(Phase.ABSENT).observed(Phase.ABSENT, HOUR)
    without_effect = accepted.without_effect()
    stuck = accepted.observed(Phase.CANCELLING).observed(Phase.CANCELLING, 3 * HOUR)
    withdrawn = accepted.observed(Phase.RUNNING, wanted="running")
    return [
        (due, "the guard refuses the change", held),
        (held, "it fits the limits, or a person approves it", sent),
        (due, "the receipt is written, then the request is sent", sent),
        (sent, "the provider accepts the request", accepted),
        (sent, "the response is lost, and the job is observed as cancelled", sent.observed(Phase.CANCELLED)),
        (sent, "the provider refuses the credential", forbidden),
        (sent, "the provider refuses, because the job has ended", too_late),
        (accepted, "the job is observed as cancelled", cancelled),
        (accepted, "the job is observed as succeeded or failed", ended),
        (accepted, "the job is absent twice", gone),
        (accepted, "five requests had no effect", without_effect),
        (accepted, "the job is cancelling for two hours", stuck),
        (accepted, "the spec wants the job to run again", withdrawn),
        (without_effect, "the job is observed as cancelled", without_effect.observed(Phase.CANCELLED)),
        (stuck, "the job is observed as cancelled", stuck.observed(Phase.CANCELLED)),
    ]


def cancel_life() -> str:
    """Return the life of a cancel as a flowchart. Each state is what the core computes at that point."""
    ids: dict[tuple[str, str], str] = {}
    lines = []
    for before, what, after in steps():
        first, second = (ids.setdefault(each.words, f"s{len(ids) + 1}") for each in (before, after))
        lines.append(f'  {first} -- "{what}" --> {second}')
    boxes = [f'  {id_}["<b>{condition}</b><br/>{receipt}"]' for (condition, receipt), id_ in ids.items()]
    return "\n".join(["```mermaid", "flowchart TB", *boxes, *lines, "```"])


_PHASES: Mapping[Phase, str] = MappingProxyType(
    {
        Phase.VALIDATING_FILES: "The provider checks the files of the job.",
        Phase.QUEUED: "The job waits for its turn.",
        Phase.RUNNING: "The job runs.",
        Phase.PAUSING: "A pause is in progress.",
        Phase.PAUSED: "The job is paused, and can be resumed.",
        Phase.CANCELLING: "A cancel is in progress. The job may still cost money.",
        Phase.SUCCEEDED: "The job ended with a result.",
        Phase.FAILED: "The job ended with an error.",
        Phase.CANCELLED: "The job ended because of a cancel.",
        Phase.UNKNOWN: (
            "The provider reports a status that `reconcile` does not know, or the job has not been observed yet."
        ),
        Phase.ABSENT: "The provider responded that it has no job with this id.",
    }
)
_STATES: Mapping[JobState, tuple[str, str]] = MappingProxyType(
    {
        JobState.AS_DESIRED: ("`True`", "The job is in its desired state, or ended in a way that satisfies it."),
        JobState.ON_THE_WAY: ("`False`, with `Reconciling`", "A change is due or in progress. Wait."),
        JobState.STALLED: ("`False`, with `Stalled`", "A person must act. The reason says what to do."),
        JobState.SUSPENDED: ("`False`", "The job is suspended: it is observed, and no change is requested."),
        JobState.WITHHELD: (
            "`False`",
            "A change is due. It is not requested, because of shadow mode or a change window.",
        ),
        JobState.REFUSED: ("`False`, with `Stalled`", "In this pass, the guard refused the change."),
        JobState.OUT_OF_DATE: ("`Unknown`", "The spec is newer than the status."),
        JobState.UNOBSERVED: ("`Unknown`", "The job could not be observed, or its status file cannot be read."),
    }
)


def phases() -> str:
    """Return every phase with its meaning, and the desired states that it satisfies."""
    rows = [
        (
            f"`{phase}`",
            "yes" if phase in TERMINAL else "no" if phase in UNFINISHED else "unknown",
            _PHASES[phase],
            ", ".join(f"`{state}`" for state, satisfying in DESIRED_PHASES.items() if phase in satisfying),
        )
        for phase in Phase
    ]
    return table(("Phase", "Has ended", "Meaning", "Satisfies the desired state"), *rows)


def states() -> str:
    """Return every word of a summary line, with the `Ready` condition that it stands for."""
    return table(("Word", "`Ready`", "Meaning"), *((state, *_STATES[state]) for state in JobState))
