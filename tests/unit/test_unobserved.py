"""What a process remembers about unobserved jobs and accounts, and when it forgets it."""

from __future__ import annotations

import pytest

from reconciler.controller.plan import AccountPlan
from reconciler.controller.unobserved import MissedJob, UnobservedTracker, is_lasting
from reconciler.model.job import Account, JobRef, Unobserved
from reconciler.model.reason import Reason
from tests.support.build import ACCOUNT
from tests.support.in_memory_accounts import a_case, named_specs

AWAY = Unobserved(Reason.CANNOT_OBSERVE_PROVIDER, "no answer")
DENIED = Unobserved(Reason.AUTHENTICATION_FAILED, "401", is_transient=False)
PAUSED = Unobserved(Reason.RATE_LIMITED, "the provider requested a pause", 30.0, was_requested=False)
SUSPECT = Unobserved(Reason.OBSERVATION_SUSPECT, "2 of 2 are gone")
CHAT, CODE = JobRef(ACCOUNT, "ftjob-chat"), JobRef(ACCOUNT, "ftjob-code")
BOTH = frozenset({CHAT, CODE})


def a_look(account: Unobserved | None = None, *, has_observed: bool = True, **jobs: Unobserved | None) -> AccountPlan:
    """Return the plan of one pass for an account, with the reason why each job is unobserved, or None."""
    cases = tuple(a_case(named_specs(name)[0], unobserved=unobserved) for name, unobserved in jobs.items())
    return AccountPlan(ACCOUNT, cases, account, (), (), has_observed=has_observed)


def after(*looks: AccountPlan, wanted: frozenset[JobRef] = BOTH) -> UnobservedTracker:
    """Return the tracker after these account plans, one per pass."""
    tracker = UnobservedTracker()
    for look in looks:
        tracker.take_in([look], wanted)
    return tracker


@pytest.mark.parametrize(
    ("unobserved", "times", "is_worth_it"),
    [(AWAY, 1, False), (AWAY, 2, True), (DENIED, 1, True), (SUSPECT, 1, True)],
    ids=["an outage, once", "an outage, twice", "a permanent error", "a suspect list"],
)
def test_an_outage_is_lasting_after_two_observations_and_other_failures_after_one(
    unobserved: Unobserved, times: int, *, is_worth_it: bool
) -> None:
    assert is_lasting(unobserved, times) is is_worth_it


def test_an_unobserved_job_does_not_make_its_account_unobserved() -> None:
    tracker = after(a_look(chat=AWAY, code=None))

    assert tracker.jobs == {CHAT: MissedJob(1, 1, AWAY, is_by_account=False)}
    assert tracker.accounts == {}
    assert tracker.hidden(ACCOUNT) == frozenset()
    assert tracker.in_a_row(CODE) == 0


def test_an_unobserved_job_is_reported_individually_after_two_failed_observations() -> None:
    once = after(a_look(chat=AWAY, code=None))
    twice = after(a_look(chat=AWAY, code=None), a_look(chat=AWAY, code=None))

    assert once.alone(ACCOUNT) == {}
    assert twice.alone(ACCOUNT) == {CHAT: AWAY}
    assert twice.in_a_row(CHAT) == 2


def test_a_job_that_is_observed_again_is_forgotten() -> None:
    tracker = after(a_look(chat=AWAY, code=None), a_look(chat=None, code=None))

    assert tracker.jobs == {}
    assert tracker.in_a_row(CHAT) == 0


def test_an_unobserved_job_without_a_spec_is_forgotten() -> None:
    tracker = after(a_look(chat=DENIED, code=None))
    tracker.take_in([], frozenset({CODE}))

    assert tracker.jobs == {}


def test_an_unobserved_account_hides_all_its_jobs() -> None:
    tracker = after(a_look(AWAY, chat=AWAY, code=AWAY), a_look(AWAY, chat=AWAY, code=AWAY))

    assert tracker.accounts == {ACCOUNT: AWAY}
    assert tracker.hidden(ACCOUNT) == BOTH
    assert tracker.alone(ACCOUNT) == {}
    assert (tracker.failures[ACCOUNT], tracker.troubles[ACCOUNT]) == (2, 2)
    assert tracker.in_a_row(JobRef(ACCOUNT, "ftjob-never-looked-at")) == 2


def test_observations_that_sent_no_request_are_reported_but_do_not_extend_the_backoff() -> None:
    away, paused = a_look(PAUSED, chat=AWAY, code=PAUSED), a_look(PAUSED, chat=PAUSED, code=PAUSED)
    tracker = after(away, paused, paused)

    assert (tracker.failures[ACCOUNT], tracker.troubles[ACCOUNT]) == (1, 3)
    assert (tracker.in_a_row(CHAT), tracker.in_a_row(CODE)) == (1, 1)
    assert tracker.hidden(ACCOUNT) == BOTH


def test_an_account_with_some_unobserved_jobs_has_trouble_but_no_failure() -> None:
    tracker = after(a_look(SUSPECT, chat=SUSPECT, code=None))

    assert (tracker.failures[ACCOUNT], tracker.troubles[ACCOUNT]) == (0, 1)
    assert tracker.hidden(ACCOUNT) == {CHAT}
    assert tracker.doubted() == {CHAT}


def test_a_job_that_is_unobserved_for_another_reason_is_not_hidden_by_its_account() -> None:
    tracker = after(a_look(SUSPECT, chat=SUSPECT, code=AWAY, third=None))

    assert tracker.hidden(ACCOUNT) == {CHAT}
    assert tracker.jobs[CODE] == MissedJob(1, 1, AWAY, is_by_account=False)


def test_an_account_stays_unobserved_until_each_job_that_it_hid_is_observed() -> None:
    away = a_look(AWAY, chat=AWAY, code=AWAY)

    assert after(away, a_look(chat=None)).accounts == {ACCOUNT: AWAY}
    assert after(away, a_look(chat=None), a_look(code=None)).accounts == {}


def test_an_account_is_no_longer_unobserved_once_no_spec_names_its_hidden_jobs() -> None:
    tracker = after(a_look(AWAY, chat=AWAY, code=None))
    tracker.take_in([], frozenset({CODE}))

    assert tracker.accounts == {}


def test_an_account_is_unobserved_if_all_its_jobs_are_unobserved_one_by_one() -> None:
    tracker = after(a_look(chat=DENIED), a_look(chat=DENIED), a_look(code=DENIED))

    assert tracker.accounts == {ACCOUNT: DENIED}
    assert tracker.troubles[ACCOUNT] == 1  # `code` was missed once, and `chat` twice
    assert tracker.hidden(ACCOUNT) == BOTH


def test_an_account_whose_jobs_fail_for_different_reasons_has_the_failure_of_its_first_job() -> None:
    tracker = after(a_look(code=AWAY), a_look(chat=DENIED))

    assert tracker.accounts == {ACCOUNT: DENIED}


@pytest.mark.parametrize("count", range(2, 7))
def test_failed_observations_of_single_jobs_keep_their_account_unobserved(count: int) -> None:
    looks = [a_look(chat=DENIED), a_look(code=DENIED)] * 3
    tracker = after(*looks[:count])

    assert tracker.accounts == {ACCOUNT: DENIED}
    assert tracker.hidden(ACCOUNT) == BOTH


def test_a_job_with_its_own_failure_is_no_longer_hidden_by_its_account() -> None:
    tracker = after(a_look(AWAY, chat=AWAY, code=AWAY), a_look(chat=DENIED))

    assert tracker.accounts == {ACCOUNT: AWAY}
    assert tracker.hidden(ACCOUNT) == {CODE}
    assert tracker.alone(ACCOUNT) == {CHAT: DENIED}


def test_an_account_that_shows_one_job_is_observed_even_if_another_is_unobserved() -> None:
    tracker = after(a_look(AWAY, chat=AWAY, code=AWAY), a_look(chat=None, code=AWAY))

    assert tracker.accounts == {}
    assert tracker.hidden(ACCOUNT) == frozenset()


def test_an_account_whose_jobs_no_spec_names_is_not_unobserved() -> None:
    assert after(a_look(), wanted=frozenset()).accounts == {}


def test_a_pass_without_observations_changes_nothing() -> None:
    tracker = after(a_look(AWAY, chat=AWAY, code=AWAY), a_look(has_observed=False))

    assert tracker.failures == {ACCOUNT: 1}
    assert tracker.jobs.keys() == BOTH


def test_a_failed_observation_makes_its_account_unobserved() -> None:
    assert UnobservedTracker().after(a_look(AWAY, chat=AWAY)) == AWAY
    assert UnobservedTracker().after(a_look(chat=None)) is None


def test_an_account_is_observed_again_after_a_full_and_not_after_a_partial_observation() -> None:
    tracker = after(a_look(AWAY, chat=AWAY, code=AWAY))

    assert tracker.after(a_look(chat=None)) == AWAY
    assert tracker.after(a_look(chat=None, code=None)) is None


def test_a_failure_of_one_account_does_not_affect_another() -> None:
    tracker = after(a_look(DENIED, chat=DENIED, code=DENIED))
    other = Account("openai", "https://other.example.org")

    assert tracker.hidden(other) == frozenset()
    assert tracker.alone(other) == {}
    assert tracker.in_a_row(JobRef(other, "ftjob-chat")) == 0
