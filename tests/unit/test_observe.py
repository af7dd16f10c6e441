from itertools import chain, combinations

import pytest

from reconciler.controller.listing import PAGES_MAX
from reconciler.controller.observe import Observations
from reconciler.errors import Delivered, Kind, PermanentError, ProviderError, TransientError
from reconciler.model.capabilities import Capabilities
from reconciler.model.job import Observed, Phase, Unobserved
from reconciler.model.reason import Reason
from tests.support.read_only_account import EndlessList, LoopingList, ReadOnlyAccount, account_of, looked, named, seen

PARTS = Capabilities(has_whole_rows=False, page_size_max=100)
DENIED = PermanentError("401", kind=Kind.DENIED)
FORBIDDEN = PermanentError("403", kind=Kind.FORBIDDEN)
GARBLED = PermanentError("no job", kind=Kind.INVALID)
DOWN = TransientError("no answer", delivered=Delivered.UNKNOWN)
SHUT = TransientError("429", delivered=Delivered.NO, retry_after_s=7.0)


def test_twenty_jobs_of_a_thousand_are_retrieved_singly_without_a_list() -> None:
    reader = account_of(1000)
    found = looked(reader, named(*range(0, 1000, 50)))

    assert sorted(reader.asked) == named(*range(0, 1000, 50))
    assert found.unobserved is None
    assert all(isinstance(each, Observed) and each.job for each in found.by_job.values())


def test_many_jobs_are_listed_with_the_largest_page_size() -> None:
    reader = account_of(1000)
    found = looked(reader, named(*range(1000)))

    assert reader.asked == [f"page {number}" for number in range(1, 11)]
    assert len(found.by_job) == 1000


def test_listing_ends_as_soon_as_every_job_was_observed() -> None:
    reader = account_of(1000)
    looked(reader, named(*range(100, 160)))

    assert reader.asked == ["page 1", "page 2"]


def test_listing_ends_once_retrieving_the_remaining_jobs_is_cheaper() -> None:
    reader = account_of(1000)
    old = named(*range(900, 960))
    found = looked(reader, [*named(*range(40)), *old])

    assert 1 < reader.pages < 9, "the list ends before the tenth page, which has the remaining jobs"
    assert reader.asked[reader.pages :] == old
    assert all(isinstance(each, Observed) and each.job for each in found.by_job.values())


def test_a_job_is_retrieved_if_a_partial_list_row_shows_another_phase() -> None:
    reader = account_of(30)
    known = dict.fromkeys(named(*range(30)), Phase.RUNNING) | dict.fromkeys(named(3, 4), Phase.QUEUED)
    looked(reader, named(*range(30)), known, PARTS)

    assert reader.asked == ["page 1", *named(3, 4)]


def test_a_job_missing_from_the_list_is_absent_only_if_retrieving_it_confirms_that() -> None:
    reader = account_of(30)
    hidden = named(7)[0]
    listed = ReadOnlyAccount({id_: job for id_, job in reader.jobs.items() if id_ != hidden})
    found = looked(listed, named(*range(30)), dict.fromkeys(named(*range(30)), Phase.RUNNING))

    assert listed.asked == ["page 1", hidden]
    assert seen(found, hidden) == Observed(None)


def test_an_interrupted_list_leaves_the_jobs_of_later_pages_unobserved() -> None:
    reader = account_of(1000)
    reader.broken["page 2"] = DOWN
    found = looked(reader, named(*range(1000)))

    assert reader.asked == ["page 1", "page 2"]
    assert [seen(found, id_) for id_ in named(*range(100))] == [
        Observed(reader.jobs[id_]) for id_ in named(*range(100))
    ]
    assert {each.reason for each in found.by_job.values() if isinstance(each, Unobserved)} == {
        Reason.OBSERVATION_INCOMPLETE
    }
    assert sum(isinstance(each, Unobserved) for each in found.by_job.values()) == 900
    assert found.unobserved is not None


def test_the_few_jobs_missing_from_an_interrupted_list_are_retrieved() -> None:
    reader = account_of(110)
    reader.broken["page 2"] = DOWN
    found = looked(reader, named(*range(95), 105))

    assert reader.asked == ["page 1", "ftjob-0105"]
    assert found.unobserved is None


def test_jobs_are_retrieved_singly_if_listing_is_forbidden() -> None:
    reader = account_of(25)
    reader.broken["page 1"] = FORBIDDEN
    found = looked(reader, named(*range(25)))

    assert found.unobserved is None
    assert all(isinstance(each, Observed) and each.job for each in found.by_job.values())


def test_a_list_whose_cursor_repeats_is_an_incomplete_observation() -> None:
    reader = account_of(1000, kind=LoopingList)
    found = looked(reader, named(*range(1000)))

    assert reader.pages == 2
    assert found.unobserved is not None
    assert found.unobserved.reason is Reason.OBSERVATION_INCOMPLETE


def test_an_endless_list_is_an_incomplete_observation_at_the_page_limit() -> None:
    reader = account_of(0, kind=EndlessList)
    found = looked(reader, named(*range(12 * PAGES_MAX)))

    assert len(reader.asked) == PAGES_MAX
    assert found.unobserved is not None
    assert found.unobserved.reason is Reason.OBSERVATION_INCOMPLETE


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DENIED, Reason.AUTHENTICATION_FAILED),
        (PermanentError("no key", kind=Kind.MISSING), Reason.AUTHENTICATION_FAILED),
        (SHUT, Reason.RATE_LIMITED),
        (TransientError("connection refused", delivered=Delivered.NO), Reason.CANNOT_OBSERVE_PROVIDER),
    ],
    ids=["denied", "no key", "too many requests", "refused connection"],
)
@pytest.mark.parametrize("count", [20, 30], ids=["few", "many"])
def test_an_account_wide_error_ends_the_observation_after_one_request(
    error: ProviderError, reason: Reason, count: int
) -> None:
    reader = account_of(count)
    reader.broken = {"page 1": error, "ftjob-0000": error}
    found = looked(reader, named(*range(count)))

    assert len(reader.asked) == 1
    assert found.unobserved is not None
    assert found.unobserved.reason is reason
    assert list(found.by_job.values()) == [found.unobserved] * count


def test_the_retry_after_of_a_provider_is_passed_on() -> None:
    reader = account_of(1)
    reader.broken["ftjob-0000"] = SHUT
    found = looked(reader, named(0))

    assert found.unobserved is not None
    assert (found.unobserved.retry_after_s, found.unobserved.is_transient) == (7.0, True)


def test_an_unobserved_job_does_not_make_the_others_unobserved() -> None:
    reader = account_of(20)
    reader.broken["ftjob-0003"] = DOWN
    found = looked(reader, named(*range(20)))

    assert found.unobserved is None
    assert isinstance(seen(found, "ftjob-0003"), Unobserved)
    assert sum(isinstance(each, Observed) for each in found.by_job.values()) == 19


def test_an_account_without_any_observed_job_is_unobserved() -> None:
    reader = account_of(3)
    reader.broken = dict.fromkeys(named(0, 1, 2), DOWN)
    found = looked(reader, named(0, 1, 2))

    assert found.unobserved is not None
    assert found.unobserved.reason is Reason.CANNOT_OBSERVE_PROVIDER


def vanish(gone: int, of: int, finished: int = 0, phase: Phase = Phase.RUNNING) -> tuple[Observations, ReadOnlyAccount]:
    """Observe an account with `of` unfinished jobs, `gone` of which have disappeared, and some finished jobs."""
    reader = account_of(of + finished)
    known = dict.fromkeys(named(*range(of)), phase)
    for id_ in named(*range(of, of + finished)):
        known[id_] = Phase.SUCCEEDED
    for id_ in named(*range(gone)):
        del reader.jobs[id_]
    return looked(reader, named(*range(of)), known), reader


@pytest.mark.parametrize(
    ("gone", "of", "is_suspect"),
    [(1, 1, True), (1, 2, False), (2, 10, False), (2, 9, True), (3, 14, True), (3, 15, False), (30, 30, True)],
)
def test_an_observation_is_suspect_if_too_many_jobs_disappear_at_once(gone: int, of: int, *, is_suspect: bool) -> None:
    found, _ = vanish(gone, of)
    looks = [seen(found, id_) for id_ in named(*range(of))]

    assert (found.unobserved is not None) == is_suspect
    assert found.unobserved is None or found.unobserved.reason is Reason.OBSERVATION_SUSPECT
    assert looks[:gone] == [found.unobserved or Observed(None)] * gone
    assert all(isinstance(each, Observed) and each.job for each in looks[gone:])


def test_the_only_unfinished_job_may_disappear_if_a_finished_one_is_still_listed() -> None:
    found, reader = vanish(1, 1, finished=1)

    assert found.unobserved is None
    assert reader.asked == ["ftjob-0000", "page 1"]


def test_an_observation_is_suspect_if_all_jobs_of_unknown_phase_disappear() -> None:
    found, _ = vanish(2, 2, phase=Phase.UNKNOWN)

    assert found.unobserved is not None


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.ABSENT])
def test_the_absence_of_finished_or_absent_jobs_is_not_suspect(phase: Phase) -> None:
    found, _ = vanish(2, 2, phase=phase)

    assert found.unobserved is None


def test_the_absence_of_jobs_never_observed_is_not_suspect() -> None:
    found = looked(account_of(0), named(*range(5)))

    assert found.unobserved is None
    assert set(found.by_job.values()) == {Observed(None)}


@pytest.mark.parametrize("error", [FORBIDDEN, GARBLED, DOWN], ids=["forbidden", "garbled", "no answer"])
@pytest.mark.parametrize("gone", [frozenset(), frozenset({4})], ids=["none gone", "one gone"])
def test_jobs_with_errors_do_not_affect_the_observation_of_the_others(
    error: ProviderError, gone: frozenset[int]
) -> None:
    for troubled in map(frozenset, chain.from_iterable(combinations(range(4), count) for count in range(4))):
        reader = account_of(5)
        reader.broken = dict.fromkeys(named(*troubled), error)
        for id_ in named(*gone):
            del reader.jobs[id_]
        found = looked(reader, named(*range(5)), dict.fromkeys(named(*range(5)), Phase.RUNNING))
        well = named(*sorted(set(range(5)) - troubled - gone))

        assert [seen(found, id_) for id_ in well] == [Observed(reader.jobs[id_]) for id_ in well]
        assert [seen(found, id_) for id_ in named(*gone)] == [Observed(None)] * len(gone)
        assert found.unobserved is None


@pytest.mark.parametrize(("is_part", "is_told"), [(False, True), (True, False)])
def test_an_account_is_forbidden_only_if_all_of_its_jobs_were_requested(*, is_part: bool, is_told: bool) -> None:
    reader = account_of(2)
    reader.broken = dict.fromkeys(named(0, 1), FORBIDDEN)
    found = looked(reader, named(0, 1), is_part=is_part)

    assert reader.asked == named(0, 1)
    assert (found.unobserved is not None) == is_told


def test_a_mass_disappearance_is_detected_within_thirty_requests() -> None:
    reader = account_of(2000)
    ids = named(*range(2000))
    for id_ in ids[:600]:
        del reader.jobs[id_]
    found = looked(reader, ids, dict.fromkeys(ids, Phase.RUNNING), burst=10)

    assert len(reader.asked) <= 30
    assert found.unobserved is not None
    assert found.unobserved.message.startswith("600 of 2000 unfinished jobs are missing")
    assert all(seen(found, id_) == Observed(reader.jobs[id_]) for id_ in ids[600:])
    assert all(isinstance(seen(found, id_), Unobserved) for id_ in ids[:600])


def test_jobs_missing_only_from_the_list_are_all_retrieved() -> None:
    whole, hiding = (
        account_of(100),
        ReadOnlyAccount({id_: job for id_, job in account_of(100).jobs.items() if id_ >= "ftjob-0040"}),
    )
    hiding.hidden = {id_: whole.jobs[id_] for id_ in named(*range(40))}
    ids = named(*range(100))
    found = looked(hiding, ids, dict.fromkeys(ids, Phase.RUNNING), burst=10)

    assert found.unobserved is None
    assert all(seen(found, id_) == Observed(whole.jobs[id_]) for id_ in ids)


def test_a_job_named_twice_is_requested_once() -> None:
    reader = account_of(1)
    looked(reader, named(0, 0))

    assert reader.asked == named(0)
