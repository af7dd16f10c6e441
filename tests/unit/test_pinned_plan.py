from __future__ import annotations

from dataclasses import replace

from reconciler.controller.current_specs import CurrentSpecs
from reconciler.controller.plan import JobPlan, judge
from reconciler.core.decide import decide
from reconciler.model.job import JobRef
from reconciler.model.pinned_plan import PinnedPlan
from tests.support.build import ACCOUNT, NOW
from tests.support.subjects import a_look, a_subject


def a_case(name: str) -> JobPlan:
    """Return a running job whose spec wants it cancelled."""
    subject = replace(a_subject(), name=name, ref=JobRef(ACCOUNT, f"ftjob-{name}"))
    return JobPlan(subject, None, decide(subject, a_look(), None, NOW))


def judged(cases: list[JobPlan], pinned: PinnedPlan | None) -> tuple[dict[str, bool], int]:
    """Return whether each change is refused, and how many changes the guard allowed."""
    told, _ = judge(CurrentSpecs(pinned=pinned), ACCOUNT, cases, NOW)
    let_through = [case for case in told if case.is_counted and not case.is_refused]
    return {case.subject.name: case.is_refused for case in told}, len(let_through)


def test_every_change_is_allowed_without_a_plan() -> None:
    assert judged([a_case("a"), a_case("b")], None) == ({"a": False, "b": False}, 2)


def test_a_change_missing_from_the_plan_is_refused_and_not_counted_by_the_guard() -> None:
    cases = [a_case("a"), a_case("new")]
    pinned = PinnedPlan.of(case.decision.action for case in cases[:1] if case.decision.action)

    assert judged(cases, pinned) == ({"a": False, "new": True}, 1)


def test_a_plan_does_not_override_the_change_guard() -> None:
    cases = [a_case(f"job-{number}") for number in range(4)]
    pinned = PinnedPlan.of(case.decision.action for case in cases if case.decision.action)

    assert judged(cases, pinned) == ({case.subject.name: True for case in cases}, 0)
