"""What a process remembers of jobs and accounts that it could not see, and when that is over."""

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
SUSPECT = Unobserved(Reason.OBSERVATION_SUSPECT, "2 of 2 are gone")
CHAT, CODE = JobRef(ACCOUNT, "ftjob-chat"), JobRef(ACCOUNT, "ftjob-code")
BOTH = frozenset({CHAT, CODE})


def a_look(account: Unobserved | None = None, *, has_observed: bool = True, **jobs: Unobserved | None) -> AccountPlan:
    """Return a look at an account; of each job, why it was not seen, or None."""
    cases = tuple(a_case(named_specs(name)[0], unobserved=unobserved) for name, unobserved in jobs.items())
    return AccountPlan(ACCOUNT, cases, account, (), (), has_observed=has_observed)


def after(*looks: AccountPlan, wanted: frozenset[JobRef] = BOTH) -> UnobservedTracker:
    """Return what is remembered after these looks, one a pass."""
    tracker = UnobservedTracker()
    for look in looks:
        tracker.take_in([look], wanted)
    return tracker


@pytest.mark.parametrize(
    ("unobserved", "times", "is_worth_it"),
    [(AWAY, 1, False), (AWAY, 2, True), (DENIED, 1, True), (SUSPECT, 1, True)],
    ids=["once", "twice", "does not pass", "jobs are gone at once"],
)
def test_what_may_pass_is_worth_a_status_after_two_looks_in_a_row(
    unobserved: Unobserved, times: int, *, is_worth_it: bool
) -> None:
    assert is_lasting(unobserved, times) is is_worth_it


def test_a_job_that_cannot_be_seen_by_itself_says_nothing_of_its_account() -> None:
    tracker = after(a_look(chat=AWAY, code=None))

    assert tracker.jobs == {CHAT: MissedJob(1, AWAY, is_by_account=False)}
    assert tracker.accounts == {}
    assert tracker.hidden(ACCOUNT) == frozenset()
    assert tracker.in_a_row(CODE) == 0


def test_a_job_is_told_alone_after_two_looks_that_failed() -> None:
    once = after(a_look(chat=AWAY, code=None))
    twice = after(a_look(chat=AWAY, code=None), a_look(chat=AWAY, code=None))

    assert once.alone(ACCOUNT) == {}
    assert twice.alone(ACCOUNT) == {CHAT: AWAY}
    assert twice.in_a_row(CHAT) == 2


def test_a_job_that_was_seen_again_is_forgotten() -> None:
    tracker = after(a_look(chat=AWAY, code=None), a_look(chat=None, code=None))

    assert tracker.jobs == {}
    assert tracker.in_a_row(CHAT) == 0


def test_a_job_that_no_spec_names_any_more_is_forgotten() -> None:
    tracker = after(a_look(chat=DENIED, code=None))
    tracker.take_in([], frozenset({CODE}))

    assert tracker.jobs == {}


def test_an_account_that_shows_nothing_hides_all_that_was_looked_at() -> None:
    tracker = after(a_look(AWAY, chat=AWAY, code=AWAY), a_look(AWAY, chat=AWAY, code=AWAY))

    assert tracker.accounts == {ACCOUNT: AWAY}
    assert tracker.hidden(ACCOUNT) == BOTH
    assert tracker.alone(ACCOUNT) == {}
    assert (tracker.failures[ACCOUNT], tracker.troubles[ACCOUNT]) == (2, 2)
    assert tracker.in_a_row(JobRef(ACCOUNT, "ftjob-never-looked-at")) == 2


def test_an_account_that_hides_some_jobs_has_not_failed() -> None:
    tracker = after(a_look(SUSPECT, chat=SUSPECT, code=None))

    assert (tracker.failures[ACCOUNT], tracker.troubles[ACCOUNT]) == (0, 1)
    assert tracker.hidden(ACCOUNT) == {CHAT}
    assert tracker.doubted() == {CHAT}


def test_a_job_that_is_missed_for_another_reason_is_not_hidden_by_its_account() -> None:
    tracker = after(a_look(SUSPECT, chat=SUSPECT, code=AWAY, third=None))

    assert tracker.hidden(ACCOUNT) == {CHAT}
    assert tracker.jobs[CODE] == MissedJob(1, AWAY, is_by_account=False)


def test_what_is_wrong_with_an_account_stays_until_each_job_that_it_hid_was_seen() -> None:
    away = a_look(AWAY, chat=AWAY, code=AWAY)

    assert after(away, a_look(chat=None)).accounts == {ACCOUNT: AWAY}
    assert after(away, a_look(chat=None), a_look(code=None)).accounts == {}


def test_what_is_wrong_with_an_account_is_over_once_no_spec_names_what_it_hid() -> None:
    tracker = after(a_look(AWAY, chat=AWAY, code=None))
    tracker.take_in([], frozenset({CODE}))

    assert tracker.accounts == {}


def test_an_account_of_which_no_job_can_be_seen_look_by_look_cannot_be_observed() -> None:
    tracker = after(a_look(chat=DENIED), a_look(chat=DENIED), a_look(code=DENIED))

    assert tracker.accounts == {ACCOUNT: DENIED}
    assert tracker.troubles[ACCOUNT] == 1  # `code` was missed once, and `chat` twice
    assert tracker.hidden(ACCOUNT) == BOTH


@pytest.mark.parametrize("count", range(2, 7))
def test_such_an_account_stays_away_however_often_a_part_of_it_is_looked_at_in_vain(count: int) -> None:
    looks = [a_look(chat=DENIED), a_look(code=DENIED)] * 3
    tracker = after(*looks[:count])

    assert tracker.accounts == {ACCOUNT: DENIED}
    assert tracker.hidden(ACCOUNT) == BOTH


def test_a_job_that_is_missed_for_a_reason_of_its_own_is_no_longer_hidden_by_its_account() -> None:
    tracker = after(a_look(AWAY, chat=AWAY, code=AWAY), a_look(chat=DENIED))

    assert tracker.accounts == {ACCOUNT: AWAY}
    assert tracker.hidden(ACCOUNT) == {CODE}
    assert tracker.alone(ACCOUNT) == {CHAT: DENIED}


def test_an_account_that_shows_one_job_is_not_away_because_another_is_still_missed() -> None:
    tracker = after(a_look(AWAY, chat=AWAY, code=AWAY), a_look(chat=None, code=AWAY))

    assert tracker.accounts == {}
    assert tracker.hidden(ACCOUNT) == frozenset()


def test_an_account_of_which_no_job_is_wanted_is_not_said_to_be_away() -> None:
    assert after(a_look(), wanted=frozenset()).accounts == {}


def test_where_there_was_nothing_to_look_at_nothing_is_learned() -> None:
    tracker = after(a_look(AWAY, chat=AWAY, code=AWAY), a_look(has_observed=False))

    assert tracker.failures == {ACCOUNT: 1}
    assert tracker.jobs.keys() == BOTH


def test_a_look_says_of_itself_what_is_wrong() -> None:
    assert UnobservedTracker().after(a_look(AWAY, chat=AWAY)) == AWAY
    assert UnobservedTracker().after(a_look(chat=None)) is None


def test_after_a_part_was_seen_the_account_is_still_away_for_the_rest() -> None:
    tracker = after(a_look(AWAY, chat=AWAY, code=AWAY))

    assert tracker.after(a_look(chat=None)) == AWAY
    assert tracker.after(a_look(chat=None, code=None)) is None


def test_what_is_wrong_with_one_account_says_nothing_of_another() -> None:
    tracker = after(a_look(DENIED, chat=DENIED, code=DENIED))
    other = Account("openai", "https://other.example.org")

    assert tracker.hidden(other) == frozenset()
    assert tracker.alone(other) == {}
    assert tracker.in_a_row(JobRef(other, "ftjob-chat")) == 0
