"""When an account gets a status of its own, what the status contains, and when it is removed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.desired_specs import load_desired_specs
from reconciler.controller.plan import AccountPlan
from reconciler.controller.provider_statuses import prune_provider_statuses, write_provider_statuses
from reconciler.controller.resolution_cache import ResolutionCache
from reconciler.controller.run_options import RunOptions
from reconciler.controller.unobserved import UnobservedTracker
from reconciler.model.job import Phase, Unobserved
from reconciler.model.reason import Reason
from reconciler.model.status import ProviderStatus
from tests.support.build import ACCOUNT, NOW, a_spec
from tests.support.in_memory import World
from tests.support.in_memory_accounts import a_case, a_target, a_world, an_account, controlled, named_specs
from tests.support.subjects import HOUR, MINUTE, a_past

AWAY = Unobserved(Reason.CANNOT_OBSERVE_PROVIDER, "no answer")
SLOWED = Unobserved(Reason.RATE_LIMITED, "the provider asks us to wait")
DENIED = Unobserved(Reason.AUTHENTICATION_FAILED, "401", is_transient=False)
SUSPECT = Unobserved(Reason.OBSERVATION_SUSPECT, "1 of 2 are gone")
SAID = ProviderStatus(
    name="openai", account=str(ACCOUNT), reason=Reason.AUTHENTICATION_FAILED, message="401", since=NOW - HOUR
)


@dataclass
class Passes:
    """Passes over the jobs `chat` and `code` of one account, a minute apart."""

    world: World = field(default_factory=lambda: a_world(an_account(), *named_specs("chat", "code")))
    unobserved: UnobservedTracker = field(default_factory=UnobservedTracker)
    options: RunOptions = field(default_factory=RunOptions)
    errors: tuple[str, ...] = ()

    def look(self, account: Unobserved | None = None, **jobs: Unobserved | None) -> ProviderStatus | None:
        """Make a pass with these observation errors, and return the account's status after it."""
        looks = {"chat": account, "code": account} | jobs
        cases = tuple(a_case(named_specs(name)[0], unobserved=unobserved) for name, unobserved in looks.items())
        self.take(AccountPlan(ACCOUNT, cases, account, (), ()))
        return self.world.statuses.providers.get("openai")

    def take(self, plan: AccountPlan | None) -> None:
        """Record a plan, and write the status of the account."""
        runtime = controlled(self.world)
        desired = load_desired_specs(runtime, self.options, ResolutionCache(), by_content=True)
        self.unobserved.take_in([plan] if plan else [], desired.unfinished)
        outcome = AccountOutcome(a_target(), "openai", plan)
        self.errors = write_provider_statuses(desired, [outcome], self.unobserved, runtime)
        self.world.clock.moment += MINUTE


def told(status: ProviderStatus | None) -> tuple[Reason, tuple[str, ...], timedelta] | None:
    """Return the reason, the jobs and the start time of an account's status."""
    return (status.reason, status.jobs, status.since - NOW) if status else None


def test_an_observed_account_has_no_status() -> None:
    passes = Passes()

    assert passes.look() is None
    assert passes.errors == ()


def test_a_transient_outage_gets_a_status_after_two_failed_observations() -> None:
    passes = Passes()

    assert passes.look(AWAY) is None
    assert passes.look(AWAY) == ProviderStatus(
        name="openai",
        account=str(ACCOUNT),
        reason=Reason.CANNOT_OBSERVE_PROVIDER,
        message="no answer",
        since=NOW + MINUTE,
    )


@pytest.mark.parametrize("unobserved", [DENIED, replace(AWAY, is_transient=False)])
def test_a_permanent_error_gets_a_status_after_one_failed_observation(unobserved: Unobserved) -> None:
    assert told(Passes().look(unobserved)) == (unobserved.reason, (), timedelta(0))


def test_a_suspect_observation_gets_a_status_at_once_with_the_job_ids() -> None:
    assert told(Passes().look(SUSPECT, code=None)) == (Reason.OBSERVATION_SUSPECT, ("ftjob-chat",), timedelta(0))


def test_an_account_status_names_no_job_ids_if_all_jobs_are_unobserved() -> None:
    assert told(Passes().look(SUSPECT)) == (Reason.OBSERVATION_SUSPECT, (), timedelta(0))


def test_an_outage_that_alternates_with_rate_limiting_is_one_condition() -> None:
    passes = Passes()
    first = [passes.look(AWAY), passes.look(AWAY)][1]

    assert passes.look(SLOWED) == first
    assert passes.look(AWAY) == first


def test_an_outage_after_a_suspect_observation_does_not_change_the_status() -> None:
    passes = Passes()
    first = passes.look(SUSPECT)
    passes.look(AWAY)

    assert passes.look(AWAY) == first


def test_a_condition_with_another_reason_begins_when_the_reason_changes() -> None:
    passes = Passes()
    passes.look(DENIED)

    assert told(passes.look(SUSPECT)) == (Reason.OBSERVATION_SUSPECT, (), MINUTE)


def test_a_condition_keeps_its_start_time_when_its_jobs_and_message_change() -> None:
    passes = Passes()
    passes.look(SUSPECT, code=None)
    status = passes.look(replace(SUSPECT, message="now the other"), chat=None)

    assert told(status) == (Reason.OBSERVATION_SUSPECT, ("ftjob-code",), timedelta(0))
    assert status is not None
    assert status.message == "now the other"


def test_an_account_status_is_removed_once_every_job_was_observed() -> None:
    passes = Passes()
    passes.look(DENIED)

    assert passes.look() is None


def test_an_account_status_names_the_only_job_that_cannot_be_observed() -> None:
    passes = Passes()
    forbidden = Unobserved(Reason.AUTHENTICATION_FAILED, "403", is_transient=False)

    assert told(passes.look(chat=forbidden)) == (Reason.AUTHENTICATION_FAILED, ("ftjob-chat",), timedelta(0))


def test_jobs_forbidden_in_separate_passes_share_one_account_status() -> None:
    passes = Passes()
    forbidden = Unobserved(Reason.AUTHENTICATION_FAILED, "403", is_transient=False)
    said = []
    for name in ("chat", "code") * 3:
        case = a_case(named_specs(name)[0], unobserved=forbidden)
        passes.take(AccountPlan(ACCOUNT, (case,), None, (), ()))
        said.append(told(passes.world.statuses.providers.get("openai")))

    assert said[1:] == [(Reason.AUTHENTICATION_FAILED, (), timedelta(0))] * 5


def test_a_first_transient_error_does_not_replace_an_account_status() -> None:
    passes = Passes()
    passes.world.statuses.providers["openai"] = SAID

    assert passes.look(AWAY) == SAID


def test_an_account_that_was_not_observed_in_a_pass_keeps_its_status() -> None:
    passes = Passes()
    passes.world.statuses.providers["openai"] = SAID
    passes.take(AccountPlan(ACCOUNT, (), None, (), (), has_observed=False))
    passes.take(None)

    assert passes.world.statuses.providers == {"openai": SAID}


def test_a_run_with_a_filter_keeps_an_existing_account_status() -> None:
    passes = Passes(options=RunOptions(is_selected=lambda spec: spec.name == "chat"))
    passes.world.statuses.providers["openai"] = SAID

    assert passes.look() == SAID


def test_a_run_with_a_filter_writes_a_new_account_status() -> None:
    passes = Passes(options=RunOptions(is_selected=lambda spec: spec.name == "chat"))

    assert told(passes.look(DENIED)) == (Reason.AUTHENTICATION_FAILED, (), timedelta(0))


def test_an_account_status_that_cannot_be_written_is_an_error_of_the_pass() -> None:
    passes = Passes()
    passes.world.statuses.broken = OSError(28, "No space left on device")
    passes.look(DENIED)

    assert passes.errors == (f"the status of the account {ACCOUNT} could not be written: No space left on device",)


def left_after_pruning(world: World, **options: Any) -> set[str]:
    """Prune the account statuses, and return the names of those that are left."""
    world.statuses.providers["openai"] = SAID
    runtime = controlled(world)
    desired = load_desired_specs(runtime, RunOptions(**options), ResolutionCache(), by_content=True)
    assert prune_provider_statuses(desired, runtime) == ()
    return set(world.statuses.providers)


def elsewhere(**snapshot: Any) -> World:
    """Return a world in which no spec names a job of the account."""
    return a_world(an_account(), a_spec(provider="nobody"), **snapshot)


def test_an_account_status_is_pruned_once_no_spec_names_the_account() -> None:
    assert left_after_pruning(elsewhere()) == set()


def test_an_account_status_is_pruned_once_all_its_jobs_are_final() -> None:
    world = a_world(an_account(), a_spec())
    case = a_case(a_spec())
    over = replace(a_past(case.subject, Phase.CANCELLED), final=True)
    world.statuses.write(over, durable=False)

    assert left_after_pruning(world) == set()


def test_an_account_status_is_kept_while_a_spec_names_an_unfinished_job() -> None:
    assert left_after_pruning(a_world(an_account(), a_spec())) == {"openai"}


@pytest.mark.parametrize(
    "snapshot",
    [{"broken_files": frozenset({"x.yaml"})}, {"why_not_trusted": "rewound"}, {"is_settings_broken": True}],
    ids=["a broken file", "a distrusted revision", "broken Settings"],
)
def test_an_account_status_is_kept_while_a_file_or_revision_is_not_usable(snapshot: dict[str, Any]) -> None:
    assert left_after_pruning(elsewhere(**snapshot)) == {"openai"}


def test_pruning_with_a_filter_keeps_an_account_status() -> None:
    assert left_after_pruning(elsewhere(), is_selected=lambda _: True) == {"openai"}


def test_an_account_status_that_cannot_be_removed_is_an_error() -> None:
    world = elsewhere()
    world.statuses.providers["openai"] = SAID
    runtime = controlled(world)
    desired = load_desired_specs(runtime, RunOptions(), ResolutionCache(), by_content=True)
    world.statuses.broken = OSError(30, "Read-only file system")

    assert prune_provider_statuses(desired, runtime) == (
        f"the status of the account {ACCOUNT} could not be removed: Read-only file system",
    )
