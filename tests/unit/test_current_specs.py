"""The specs and limits that apply to an account worker that still runs when its pass has ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.controller.current_specs import CurrentSpecs, current_specs
from reconciler.core.change_budget import ChangeBudget
from reconciler.core.subject import Subject
from reconciler.model.job import JobRef
from reconciler.model.pinned_plan import PinnedPlan
from reconciler.model.reason import Reason
from reconciler.model.status import ProviderStatus
from reconciler.ports import Snapshot, Unread
from tests.support.build import ACCOUNT, NOW
from tests.support.documents import a_provider, located
from tests.support.in_memory import Specs, Statuses, World
from tests.support.named_specs import a_named_spec, a_world, loaded, only


def holding(world: World, **rest: Any) -> CurrentSpecs:
    """Return the current specs after a pass in this world."""
    return current_specs(loaded(world, **rest), ChangeBudget(), None)


def of(name: str, **spec: Any) -> CurrentSpecs:
    """Return the current specs of a world with this one spec."""
    return holding(World(specs=Specs(Snapshot(jobs=(a_named_spec(name, **spec),)))))


def subject(current: CurrentSpecs, name: str = "a") -> Subject:
    return current.subjects[name]


def ref(name: str) -> JobRef:
    return JobRef(ACCOUNT, f"ftjob-{name}")


def test_changes_may_be_requested_for_every_valid_selected_spec() -> None:
    world = World(specs=Specs(Snapshot(jobs=(a_named_spec("a"), a_named_spec("b"), a_named_spec("c", jobId="../x")))))
    current = current_specs(loaded(world, only("a", "c")), ChangeBudget(), None)

    assert list(current.subjects) == ["a"]
    assert current.may_act(subject(current))
    assert {job for _, _, job in current.named} == {"ftjob-a", "ftjob-b"}


def test_no_change_may_be_requested_for_a_spec_with_an_unknown_status() -> None:
    unread = Unread("a.yaml", "Permission denied", "allow it to be read")

    assert holding(a_world("a", statuses=Statuses.of(unread=(unread,)))).subjects == {}


@pytest.mark.parametrize("rest", [{"is_settings_broken": True}, {"why_not_trusted": "the branch was rewound"}])
def test_invalid_settings_or_an_untrusted_revision_prevent_every_change(rest: dict[str, Any]) -> None:
    current = holding(a_world("a", **rest))

    assert not current.may_act(subject(current))
    assert current.hold(subject(current))
    assert current.halt is not None


@pytest.mark.parametrize(
    "later",
    [{"desiredState": "running"}, {"jobId": "ftjob-other"}, {"suspend": "true"}, {"reason": "another"}],
    ids=["another state", "another job", "suspended", "another reason"],
)
def test_a_spec_that_was_changed_is_no_longer_current(later: dict[str, str]) -> None:
    assert not of("a", **later).hold(subject(of("a")))
    assert of("a").hold(subject(of("a")))


def test_a_spec_that_was_deleted_is_no_longer_current() -> None:
    assert not of("b").hold(subject(of("a")))


def test_a_retry_by_the_user_does_not_change_whether_a_spec_is_current() -> None:
    assert of("a").hold(replace(subject(of("a")), is_retry=True))


# Which jobs must be observed again


def test_only_the_jobs_of_new_and_changed_specs_must_be_observed_again() -> None:
    jobs = (a_named_spec("same"), a_named_spec("other"))
    before = holding(World(specs=Specs(Snapshot(jobs=jobs))))
    later = (a_named_spec("same"), a_named_spec("other", desiredState="paused"), a_named_spec("new"))
    after = holding(World(specs=Specs(Snapshot(jobs=later))))

    assert after.since(before) == {ref("other"), ref("new")}
    assert before.since(before) == frozenset()


@pytest.mark.parametrize("rest", [{"is_settings_broken": True}, {"why_not_trusted": "the branch was rewound"}])
def test_all_jobs_must_be_observed_once_changes_are_allowed_again(rest: dict[str, Any]) -> None:
    before, after = holding(a_world("a", "b", **rest)), holding(a_world("a", "b"))

    assert after.since(before) == {ref("a"), ref("b")}


def test_all_jobs_of_an_account_must_be_observed_after_its_provider_changed() -> None:
    gently = located(a_provider("openai", rateLimit={"burst": "3"}), "p.yaml")
    before, after = holding(a_world("a", "b")), holding(a_world("a", "b", providers=(gently,)))

    assert after.since(before) == {ref("a"), ref("b")}


# The other contents of the current specs


def test_the_current_specs_contain_the_newest_budget_and_the_pinned_plan() -> None:
    budget, pinned = ChangeBudget(), PinnedPlan.of(())
    current = current_specs(loaded(a_world("a")), budget, pinned)

    assert current.budget is budget
    assert current.pinned is pinned


def test_a_suspect_account_keeps_the_time_of_its_first_report() -> None:
    outages = {
        name: ProviderStatus(name=name, account=f"line of {name}", reason=reason, message="", since=NOW)
        for name, reason in (("suspect", Reason.OBSERVATION_SUSPECT), ("blind", Reason.CANNOT_OBSERVE_PROVIDER))
    }

    assert holding(a_world("a", statuses=Statuses.of(providers=outages))).suspect_since == {"line of suspect": NOW}


def test_no_change_may_be_requested_before_the_first_pass() -> None:
    assert not CurrentSpecs().may_act(subject(of("a")))
    assert not CurrentSpecs(subjects=of("a").subjects).may_act(subject(of("a")))
