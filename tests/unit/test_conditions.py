from dataclasses import replace

import pytest

from reconciler.core.conditions import Readiness, Verdict, conclude, phase_since, stalled, verdict_of
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.status import ConditionStatus, ConditionType, HistoryEntry, JobStatus
from tests.support.build import NOW, a_status
from tests.support.conditions_oracle import violations
from tests.support.subjects import HOUR, MINUTE

HOLD = Verdict(Readiness.READY, Reason.AS_DESIRED, "running at the provider")
WAIT = Verdict(Readiness.RECONCILING, Reason.CANCEL_PENDING, "cancel is due")
GIVE_UP = Verdict(Readiness.STALLED, Reason.JOB_VANISHED, "the provider no longer knows this job")
SUSPENDED = Verdict(Readiness.SUSPENDED, Reason.SUSPENDED, "suspended")
BLIND = Verdict(Readiness.UNOBSERVED, Reason.CANNOT_OBSERVE_PROVIDER, "no look")
DRAFT = replace(a_status(), phase=Phase.RUNNING, final=False, conditions=(), history=())


def told(*verdicts: Verdict, phases: tuple[Phase, ...] = ()) -> JobStatus:
    """Return the status after these verdicts, an hour apart, the last one at `NOW`."""
    status: JobStatus | None = None
    for index, verdict in enumerate(verdicts):
        at = NOW - (len(verdicts) - 1 - index) * HOUR
        phase = phases[index] if phases else Phase.RUNNING
        status = conclude(replace(DRAFT, phase=phase), verdict, status, at)
    assert status is not None
    return status


@pytest.mark.parametrize(
    ("verdict", "ready", "beside"),
    [
        (HOLD, ConditionStatus.TRUE, None),
        (WAIT, ConditionStatus.FALSE, ConditionType.RECONCILING),
        (GIVE_UP, ConditionStatus.FALSE, ConditionType.STALLED),
        (SUSPENDED, ConditionStatus.FALSE, None),
        (BLIND, ConditionStatus.UNKNOWN, ConditionType.RECONCILING),
    ],
)
def test_the_ready_condition_is_always_present_and_the_others_only_while_true(
    verdict: Verdict, ready: ConditionStatus, beside: ConditionType | None
) -> None:
    status = told(verdict)

    assert status.ready.status is ready
    assert [each.type for each in status.conditions[1:]] == ([beside] if beside else [])
    assert violations(status) == []
    assert verdict_of(status) == verdict


def test_the_transition_time_changes_only_with_the_contents_of_a_condition() -> None:
    same = told(WAIT, WAIT)
    other_words = told(WAIT, replace(WAIT, message="accepted"))

    assert {each.last_transition_time for each in same.conditions} == {NOW - HOUR}
    assert {each.last_transition_time for each in other_words.conditions} == {NOW}


def test_a_condition_has_the_generation_of_its_status() -> None:
    before = told(HOLD)
    status = conclude(replace(DRAFT, observed_generation=7), HOLD, before, NOW)

    assert (status.ready.observed_generation, status.ready.last_transition_time) == (7, NOW)
    assert violations(status) == []


def test_a_history_has_an_entry_for_each_transition_newest_first() -> None:
    status = told(HOLD, HOLD, WAIT, GIVE_UP)

    assert status.history == (
        HistoryEntry(NOW, Phase.RUNNING, Reason.JOB_VANISHED),
        HistoryEntry(NOW - HOUR, Phase.RUNNING, Reason.CANCEL_PENDING),
        HistoryEntry(NOW - 3 * HOUR, Phase.RUNNING, Reason.AS_DESIRED),
    )


def test_a_flapping_reason_does_not_push_other_reasons_out_of_the_history() -> None:
    status = told(GIVE_UP, *[HOLD, WAIT] * 20)

    assert [(entry.at, entry.reason) for entry in status.history] == [
        (NOW, Reason.CANCEL_PENDING),
        (NOW - HOUR, Reason.AS_DESIRED),
        (NOW - 40 * HOUR, Reason.JOB_VANISHED),
    ]


def test_a_history_keeps_the_ten_newest_entries() -> None:
    reasons = list(Reason)[:13]
    status = told(*(replace(HOLD, reason=reason) for reason in reasons))

    assert [entry.reason for entry in status.history] == reasons[:-11:-1]


def test_phase_since_is_the_start_of_the_unbroken_run_of_a_phase() -> None:
    status = told(HOLD, HOLD, WAIT, phases=(Phase.RUNNING, Phase.PAUSED, Phase.PAUSED))

    assert phase_since(status, Phase.PAUSED) == NOW - HOUR
    assert phase_since(status, Phase.RUNNING) is None
    assert phase_since(None, Phase.PAUSED) is None


def test_the_status_of_an_invalid_spec_keeps_the_facts_of_its_job() -> None:
    last = told(HOLD)
    status = stalled("other-name", "moved.yaml", last, Reason.INVALID_SPEC, "line 3: unknown key", NOW + MINUTE)

    assert (status.name, status.source) == ("other-name", "moved.yaml")
    assert (status.job, status.phase, status.observed_spec) == (last.job, last.phase, last.observed_spec)
    assert (status.is_stalled, status.ready.reason) == (True, Reason.INVALID_SPEC)
    assert status.history == (HistoryEntry(NOW + MINUTE, last.phase, Reason.INVALID_SPEC), *last.history)
    again = stalled("other-name", "moved.yaml", status, Reason.INVALID_SPEC, "line 3: unknown key", NOW + HOUR)
    assert (again.conditions, again.history) == (status.conditions, status.history)


def test_a_spec_that_was_never_valid_gets_a_stalled_status() -> None:
    status = stalled("new", "new.yaml", None, Reason.INVALID_SPEC, "line 3: unknown key", NOW)

    assert (status.name, status.source) == ("new", "new.yaml")
    assert (status.observed_generation, status.observed_spec, status.job) == (0, None, None)
    assert (status.phase, status.final, status.is_stalled) == (Phase.UNKNOWN, False, True)
    assert violations(status) == []


READY, WAITING, STALLED, UNSURE = told(HOLD), told(WAIT), told(GIVE_UP), told(BLIND)


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        pytest.param(replace(READY, conditions=()), "0002", id="no Ready"),
        pytest.param(
            replace(READY, conditions=(READY.ready, WAITING.conditions[1])), "0001", id="Reconciling while ready"
        ),
        pytest.param(
            replace(WAITING, conditions=(*WAITING.conditions, STALLED.conditions[1])), "0005", id="both negatives"
        ),
        pytest.param(replace(READY, observed_generation=0), "0006", id="a later generation"),
        pytest.param(replace(READY, observed_generation=2), "0007", id="an earlier generation"),
        pytest.param(replace(UNSURE, conditions=(UNSURE.ready,)), "0011", id="Unknown without Reconciling"),
        pytest.param(
            replace(STALLED, conditions=(UNSURE.ready, STALLED.conditions[1])), "0004", id="Unknown while stalled"
        ),
        pytest.param(
            replace(WAITING, conditions=(STALLED.ready, WAITING.conditions[1])), "WARN 0002", id="two reasons"
        ),
        pytest.param(
            replace(WAITING, conditions=(*WAITING.conditions, WAITING.conditions[1])),
            "same type",
            id="one of them twice",
        ),
    ],
)
def test_the_oracle_reports_each_violated_rule_of_conditions(broken: JobStatus, rule: str) -> None:
    assert any(rule in violation for violation in violations(broken))
