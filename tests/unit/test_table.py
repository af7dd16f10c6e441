from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from reconciler.core.conditions import verdict_of
from reconciler.core.decide import Decision, decide
from reconciler.core.table import TABLE, Situation
from reconciler.model.job import Observation, Phase
from reconciler.model.spec import DesiredState
from reconciler.model.status import Because, JobStatus, Outcome, Receipt
from tests.support.build import NOW
from tests.support.subjects import ABSENT, HOUR, MINUTE, a_look, a_past, a_receipt, a_subject

COLUMNS = ("running", "paused", "cancelled", "observed")
ASKED = a_receipt(age=HOUR)
TAKEN = replace(ASKED, accepted_at=ASKED.last_attempt_at)
WITHDRAWN = replace(TAKEN, outcome=Outcome.WITHDRAWN)
FOR_LIMIT = replace(TAKEN, because=Because.LIMIT_REACHED, reason="maxAge 1h", outcome=Outcome.CANCELLED)
ENDED: dict[str, Any] = {"finished_at": NOW - MINUTE, "fine_tuned_model": "ft:a"}

# The table in section 4 of the design: observation, last known phase and receipts, and the decision in each column.
DESIGN: dict[str, tuple[Observation, Phase | None, tuple[Receipt, ...], tuple[str, str, str, str]]] = {
    "absent, never seen": (
        ABSENT,
        None,
        (),
        ("stalled JobNotFound", "stalled JobNotFound", "stalled JobNotFound", "stalled JobNotFound"),
    ),
    "absent, was seen unfinished": (
        ABSENT,
        Phase.RUNNING,
        (),
        ("stalled JobVanished", "stalled JobVanished", "stalled JobVanished", "ready JobGone"),
    ),
    "absent, a cancel asked for and not accepted": (
        ABSENT,
        Phase.ABSENT,
        (ASKED,),
        ("stalled JobVanished", "stalled JobVanished", "stalled JobVanished", "ready JobGone"),
    ),
    "absent once, after an accepted cancel": (
        ABSENT,
        Phase.RUNNING,
        (TAKEN,),
        ("stalled JobVanished", "stalled JobVanished", "reconciling CancelPending", "ready JobGone"),
    ),
    "absent twice, after an accepted cancel": (
        ABSENT,
        Phase.ABSENT,
        (TAKEN,),
        ("stalled JobVanished", "stalled JobVanished", "ready JobGone", "ready JobGone"),
    ),
    "validating_files": (
        a_look(Phase.VALIDATING_FILES),
        None,
        (),
        ("ready AsDesired", "pause", "cancel", "ready AsDesired"),
    ),
    "queued": (a_look(Phase.QUEUED), None, (), ("ready AsDesired", "pause", "cancel", "ready AsDesired")),
    "running": (a_look(Phase.RUNNING), None, (), ("ready AsDesired", "pause", "cancel", "ready AsDesired")),
    "pausing": (
        a_look(Phase.PAUSING),
        None,
        (),
        ("reconciling ResumePending", "reconciling PausePending", "cancel", "ready AsDesired"),
    ),
    "paused": (a_look(Phase.PAUSED), None, (), ("resume", "ready AsDesired", "cancel", "ready AsDesired")),
    "cancelling": (
        a_look(Phase.CANCELLING),
        Phase.RUNNING,
        (),
        (
            "reconciling CancellingElsewhere",
            "reconciling CancellingElsewhere",
            "reconciling CancelPending",
            "ready AsDesired",
        ),
    ),
    "cancelling, ours": (
        a_look(Phase.CANCELLING),
        Phase.RUNNING,
        (TAKEN,),
        ("reconciling CancelPending", "reconciling CancelPending", "reconciling CancelPending", "ready AsDesired"),
    ),
    "succeeded": (
        a_look(Phase.SUCCEEDED, **ENDED),
        Phase.RUNNING,
        (ASKED,),
        ("ready Succeeded", "ready Succeeded", "ready FinishedBeforeCancel", "ready Succeeded"),
    ),
    "succeeded, once our cancel was accepted": (
        a_look(Phase.SUCCEEDED, **ENDED),
        Phase.RUNNING,
        (TAKEN,),
        ("ready Succeeded", "ready Succeeded", "ready FinishedDespiteCancel", "ready Succeeded"),
    ),
    "failed": (
        a_look(Phase.FAILED, **ENDED),
        Phase.RUNNING,
        (),
        ("stalled JobFailed", "stalled JobFailed", "ready FinishedBeforeCancel", "ready AsDesired"),
    ),
    "failed, once our cancel was accepted": (
        a_look(Phase.FAILED, **ENDED),
        Phase.RUNNING,
        (TAKEN,),
        ("stalled JobFailed", "stalled JobFailed", "ready FinishedDespiteCancel", "ready AsDesired"),
    ),
    "cancelled": (
        a_look(Phase.CANCELLED, **ENDED),
        Phase.RUNNING,
        (),
        ("stalled CancelledElsewhere", "stalled CancelledElsewhere", "ready Cancelled", "ready AsDesired"),
    ),
    "cancelled, ours and withdrawn": (
        a_look(Phase.CANCELLED, **ENDED),
        Phase.RUNNING,
        (WITHDRAWN,),
        ("stalled CancelledByUs", "stalled CancelledByUs", "ready Cancelled", "ready AsDesired"),
    ),
    "cancelled, for a limit": (
        a_look(Phase.CANCELLED, **ENDED),
        Phase.CANCELLED,
        (FOR_LIMIT,),
        ("ready LimitReached", "ready LimitReached", "ready Cancelled", "ready AsDesired"),
    ),
    "unknown": (
        a_look(Phase.UNKNOWN, provider_status="resting"),
        Phase.RUNNING,
        (),
        (
            "reconciling PhaseNotUnderstood",
            "reconciling PhaseNotUnderstood",
            "reconciling PhaseNotUnderstood",
            "reconciling PhaseNotUnderstood",
        ),
    ),
}
CELLS = [
    pytest.param(look, known, receipts, wanted, words, id=f"{seen}, wanted {wanted}")
    for seen, (look, known, receipts, row) in DESIGN.items()
    for wanted, words in zip(COLUMNS, row, strict=True)
]


def decided(
    look: Observation, known: Phase | None, receipts: tuple[Receipt, ...], wanted: str, **spec: Any
) -> tuple[Decision, JobStatus | None]:
    subject = a_subject(wanted, **spec)
    last = a_past(subject, known, *receipts, age=HOUR) if known else None
    return decide(subject, look, last, NOW), last


def words_of(decision: Decision) -> str:
    if decision.action is not None:
        return str(decision.action.verb)
    verdict = verdict_of(decision.status)
    return f"{verdict.readiness.value} {verdict.reason}"


def test_the_table_has_a_row_for_every_situation_and_desired_state() -> None:
    assert set(TABLE) == set(product(Situation, DesiredState))


@pytest.mark.parametrize(("look", "known", "receipts", "wanted", "words"), CELLS)
def test_the_decision_for_each_situation_and_desired_state_matches_the_design(
    look: Observation, known: Phase | None, receipts: tuple[Receipt, ...], wanted: str, words: str
) -> None:
    decision, _ = decided(look, known, receipts, wanted)

    assert words_of(decision) == words


@pytest.mark.parametrize("wanted", ["running", "paused"])
@pytest.mark.parametrize(
    "seen", ["validating_files", "queued", "running", "pausing", "paused", "cancelling", "cancelling, ours"]
)
def test_an_unfinished_job_over_a_limit_is_treated_as_if_it_should_be_cancelled(seen: str, wanted: str) -> None:
    look, known, receipts, row = DESIGN[seen]
    decision, _ = decided(look, known, receipts, wanted, limits={"maxAge": "1h"})

    assert words_of(decision) == row[COLUMNS.index("cancelled")]
    assert decision.action is None or decision.action.because is Because.LIMIT_REACHED


@pytest.mark.parametrize("seen", ["validating_files", "queued", "running", "pausing", "paused", "cancelling"])
def test_a_limit_on_an_observed_job_is_only_reported(seen: str) -> None:
    look, known, receipts, _ = DESIGN[seen]
    decision, _ = decided(look, known, receipts, "observed", limits={"maxAge": "1h"})

    assert words_of(decision) == "ready AsDesired"
    assert "over maxAge 1h" in decision.status.ready.message


@pytest.mark.parametrize("seen", list(DESIGN))
@pytest.mark.parametrize("wanted", COLUMNS)
def test_a_suspended_job_is_observed_but_no_change_is_requested(seen: str, wanted: str) -> None:
    look, known, receipts, _ = DESIGN[seen]
    decision, last = decided(look, known, receipts, wanted, suspend={"reason": "incident 7"})

    assert words_of(decision) == "suspended Suspended"
    assert decision.status.ready.message == "suspended: incident 7"
    assert last is None or decision.status.phase is not Phase.RUNNING


@pytest.mark.parametrize("wanted", ["running", "paused"])
def test_a_change_that_the_provider_does_not_support_is_stalled_as_not_supported(wanted: str) -> None:
    phase = Phase.PAUSED if wanted == "running" else Phase.RUNNING
    from_one_that_cannot = replace(a_subject(wanted), capabilities=replace(a_subject().capabilities, can_pause=False))
    decision = decide(from_one_that_cannot, a_look(phase), None, NOW)

    assert words_of(decision) == "stalled NotSupported"
