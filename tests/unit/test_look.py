import asyncio
from dataclasses import dataclass, field, replace

import pytest

from reconciler.errors import Delivered, Kind, Permanent, ProviderError, Transient
from reconciler.loop.look import PAGES_MAX, Looked, look
from reconciler.model.job import Capabilities, JobPage, JobRef, ListQuery, ObservedJob, Phase, Seen, Unseen
from reconciler.model.reason import Reason
from tests.support.build import ACCOUNT

ROWS = Capabilities(has_whole_rows=True, page_size_max=100)
PARTS = Capabilities(has_whole_rows=False, page_size_max=100)
DENIED = Permanent("401", kind=Kind.DENIED)
DOWN = Transient("no answer", delivered=Delivered.UNKNOWN)
SHUT = Transient("429", delivered=Delivered.NO, retry_after_s=7.0)


@dataclass
class _Shelf:
    """An account in memory. What is broken is told by the job's id, or by `page 2`."""

    jobs: dict[str, ObservedJob]
    broken: dict[str, ProviderError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        number = int(cursor or 0)
        self.ask(f"page {number + 1}")
        jobs = list(self.jobs.values())
        end = (number + 1) * query.page_size
        return JobPage(tuple(jobs[number * query.page_size : end]), str(number + 1) if end < len(jobs) else None)

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        self.ask(ref.id)
        return self.jobs.get(ref.id)

    def ask(self, what: str) -> None:
        self.asked.append(what)
        if what in self.broken:
            raise self.broken[what]

    @property
    def pages(self) -> int:
        return sum(what.startswith("page") for what in self.asked)


class _Circle(_Shelf):
    """A list that comes back to where it was."""

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        page = await super().list_page(query, cursor and "0")
        return replace(page, next_cursor="again")


class _Endless(_Shelf):
    """A list that has more to come for ever."""

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        del query
        self.ask("page")
        return JobPage((), str(int(cursor or 0) + 1))


def named(*numbers: int) -> list[str]:
    return [f"ftjob-{number:04}" for number in numbers]


def shelf(count: int, phase: Phase = Phase.RUNNING, kind: type[_Shelf] = _Shelf) -> _Shelf:
    return kind({id_: ObservedJob(id=id_, phase=phase, provider_status=str(phase)) for id_ in named(*range(count))})


def looked(
    reader: _Shelf,
    ids: list[str],
    known: dict[str, Phase] | None = None,
    can: Capabilities = ROWS,
    *,
    ended: dict[str, Phase] | None = None,
    may_vanish: tuple[str, ...] = (),
) -> Looked:
    refs = [JobRef(ACCOUNT, id_) for id_ in ids]
    over = {JobRef(ACCOUNT, id_): phase for id_, phase in (ended or {}).items()}
    return asyncio.run(look(reader, refs, known or {}, can, ended=over, may_vanish=frozenset(may_vanish)))


def seen(found: Looked, id_: str) -> object:
    return found.looks[JobRef(ACCOUNT, id_)]


def test_twenty_jobs_among_a_thousand_cost_twenty_requests_and_no_list() -> None:
    reader = shelf(1000)
    found = looked(reader, named(*range(0, 1000, 50)))

    assert sorted(reader.asked) == named(*range(0, 1000, 50))
    assert found.unseen is None
    assert all(isinstance(each, Seen) and each.job for each in found.looks.values())


def test_many_jobs_are_listed_by_the_largest_page() -> None:
    reader = shelf(1000)
    found = looked(reader, named(*range(1000)))

    assert reader.asked == [f"page {number}" for number in range(1, 11)]
    assert len(found.looks) == 1000


def test_a_list_is_left_as_soon_as_all_are_seen() -> None:
    reader = shelf(1000)
    looked(reader, named(*range(100, 160)))

    assert reader.asked == ["page 1", "page 2"]


def test_a_list_is_left_once_asking_for_the_rest_is_cheaper() -> None:
    reader = shelf(1000)
    ids = named(*range(40), 990, 991)
    found = looked(reader, ids)

    assert reader.pages == 2
    assert reader.asked[2:] == named(990, 991)
    assert all(isinstance(each, Seen) and each.job for each in found.looks.values())


def test_a_row_without_every_field_will_do_only_where_nothing_changed() -> None:
    reader = shelf(30)
    known = dict.fromkeys(named(*range(30)), Phase.RUNNING) | dict.fromkeys(named(3, 4), Phase.QUEUED)
    looked(reader, named(*range(30)), known, PARTS)

    assert reader.asked == ["page 1", *named(3, 4)]


def test_a_job_that_no_list_shows_is_absent_only_by_its_own_answer() -> None:
    reader = shelf(30)
    hidden = named(7)[0]
    listed = _Shelf({id_: job for id_, job in reader.jobs.items() if id_ != hidden})
    found = looked(listed, named(*range(30)), dict.fromkeys(named(*range(30)), Phase.RUNNING))

    assert listed.asked == ["page 1", hidden]
    assert seen(found, hidden) == Seen(None)


def test_a_list_that_breaks_off_is_no_look_at_anything() -> None:
    reader = shelf(1000)
    reader.broken["page 2"] = DOWN
    found = looked(reader, named(*range(1000)))

    assert reader.asked == ["page 1", "page 2"]
    assert {each.reason for each in found.looks.values() if isinstance(each, Unseen)} == {Reason.OBSERVATION_INCOMPLETE}
    assert len(found.looks) == 1000
    assert not any(isinstance(each, Seen) for each in found.looks.values())


def test_a_list_that_comes_back_to_where_it_was_is_no_look() -> None:
    reader = shelf(1000, kind=_Circle)
    found = looked(reader, named(*range(1000)))

    assert reader.pages == 2
    assert found.unseen is not None
    assert found.unseen.reason is Reason.OBSERVATION_INCOMPLETE


def test_a_list_without_end_is_given_up_at_the_bound() -> None:
    reader = shelf(0, kind=_Endless)
    found = looked(reader, named(*range(PAGES_MAX + 2)))

    assert len(reader.asked) == PAGES_MAX
    assert found.unseen is not None
    assert found.unseen.reason is Reason.OBSERVATION_INCOMPLETE


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DENIED, Reason.AUTHENTICATION_FAILED),
        (Permanent("no key", kind=Kind.MISSING), Reason.AUTHENTICATION_FAILED),
        (SHUT, Reason.RATE_LIMITED),
        (Transient("connection refused", delivered=Delivered.NO), Reason.CANNOT_OBSERVE_PROVIDER),
    ],
    ids=["denied", "no key", "too many requests", "refused connection"],
)
@pytest.mark.parametrize("count", [20, 30], ids=["few", "many"])
def test_a_shut_door_is_knocked_at_once(error: ProviderError, reason: Reason, count: int) -> None:
    reader = shelf(count)
    reader.broken = {"page 1": error, "ftjob-0000": error}
    found = looked(reader, named(*range(count)))

    assert len(reader.asked) == 1
    assert found.unseen is not None
    assert found.unseen.reason is reason
    assert list(found.looks.values()) == [found.unseen] * count


def test_a_providers_own_bound_is_handed_on() -> None:
    reader = shelf(1)
    reader.broken["ftjob-0000"] = SHUT
    found = looked(reader, named(0))

    assert found.unseen is not None
    assert (found.unseen.retry_after_s, found.unseen.is_transient) == (7.0, True)


def test_one_job_that_cannot_be_seen_hides_no_other() -> None:
    reader = shelf(20)
    reader.broken["ftjob-0003"] = DOWN
    found = looked(reader, named(*range(20)))

    assert found.unseen is None
    assert isinstance(seen(found, "ftjob-0003"), Unseen)
    assert sum(isinstance(each, Seen) for each in found.looks.values()) == 19


def test_an_account_where_no_job_can_be_seen_is_unseen() -> None:
    reader = shelf(3)
    reader.broken = dict.fromkeys(named(0, 1, 2), DOWN)
    found = looked(reader, named(0, 1, 2))

    assert found.unseen is not None
    assert found.unseen.reason is Reason.CANNOT_OBSERVE_PROVIDER


def vanish(gone: int, of: int, finished: int = 0, phase: Phase = Phase.RUNNING) -> tuple[Looked, _Shelf]:
    """Look at an account that knew so many unfinished jobs, of which so many are gone; and some finished ones."""
    reader = shelf(of + finished)
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
def test_jobs_that_vanish_all_at_once_are_a_wrong_key_until_shown_otherwise(
    gone: int, of: int, *, is_suspect: bool
) -> None:
    found, _ = vanish(gone, of)

    assert (found.unseen is not None) == is_suspect
    assert found.unseen is None or found.unseen.reason is Reason.OBSERVATION_SUSPECT
    assert any(isinstance(each, Seen) for each in found.looks.values()) != is_suspect


def test_the_only_unfinished_job_may_vanish_where_a_finished_one_is_still_listed() -> None:
    found, reader = vanish(1, 1, finished=1)

    assert found.unseen is None
    assert reader.asked == ["ftjob-0000", "page 1"]


def test_a_job_of_an_unknown_word_was_there_too() -> None:
    found, _ = vanish(2, 2, phase=Phase.UNKNOWN)

    assert found.unseen is not None


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.ABSENT])
def test_jobs_that_had_ended_or_were_never_there_may_be_gone(phase: Phase) -> None:
    found, _ = vanish(2, 2, phase=phase)

    assert found.unseen is None


def test_ids_that_were_never_seen_are_typos_and_make_nobody_suspect() -> None:
    found = looked(shelf(0), named(*range(5)))

    assert found.unseen is None
    assert set(found.looks.values()) == {Seen(None)}


def test_a_job_named_twice_is_asked_for_once() -> None:
    reader = shelf(1)
    looked(reader, named(0, 0))

    assert reader.asked == named(0)


OURS = "ftjob-0000"
"""A job whose cancel was accepted, so that it may be gone because of us."""


def let_go(known: dict[str, Phase], shown: _Shelf, wanted: list[str] | None = None) -> Looked:
    return looked(shown, wanted or [OURS], {OURS: Phase.RUNNING, **known}, may_vanish=(OURS,))


def test_the_only_job_that_an_account_ever_had_may_be_gone_once_its_cancel_was_accepted() -> None:
    reader = shelf(0)
    found = let_go({}, reader)

    assert found.unseen is None
    assert seen(found, OURS) == Seen(None)
    assert reader.asked == [OURS]


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.SUCCEEDED, Phase.CANCELLED])
def test_its_absence_is_not_believed_while_no_other_job_that_was_ever_seen_is_there(phase: Phase) -> None:
    found = let_go({"ftjob-0001": phase}, _Shelf({}))

    assert found.unseen is not None
    assert found.unseen.reason is Reason.OBSERVATION_SUSPECT


@pytest.mark.parametrize("wanted", [[OURS], [OURS, "ftjob-0001"]], ids=["looked at alone", "looked at with it"])
def test_its_absence_is_believed_where_another_job_is_still_there(wanted: list[str]) -> None:
    others = _Shelf({"ftjob-0001": shelf(2).jobs["ftjob-0001"]})
    found = let_go({"ftjob-0001": Phase.RUNNING}, others, wanted)

    assert found.unseen is None
    assert seen(found, OURS) == Seen(None)


def test_a_second_absence_needs_a_witness_as_the_first_one_did() -> None:
    found = looked(_Shelf({}), [OURS], {OURS: Phase.ABSENT, "ftjob-0001": Phase.RUNNING}, may_vanish=(OURS,))

    assert found.unseen is not None


def test_with_it_other_jobs_may_not_vanish() -> None:
    ids = named(0, 1, 2)
    found = looked(shelf(0), ids, dict.fromkeys(ids, Phase.RUNNING), may_vanish=(OURS,))

    assert found.unseen is not None


def test_two_that_may_vanish_do_so_where_a_third_is_there() -> None:
    ids = named(0, 1, 2)
    found = looked(
        _Shelf({ids[2]: shelf(3).jobs[ids[2]]}), ids, dict.fromkeys(ids, Phase.RUNNING), may_vanish=(*ids[:2],)
    )

    assert found.unseen is None


def with_an_end(shown: Phase, as_told: Phase | None = None, count: int = 30) -> tuple[Looked, _Shelf]:
    """Look at many jobs beside one that has ended as cancelled, which a list shows otherwise."""
    reader = shelf(count)
    reader.jobs = {"ftjob-ended": ObservedJob(id="ftjob-ended", phase=shown, provider_status=str(shown)), **reader.jobs}
    if as_told is not None:
        reader = _Truthful(reader.jobs, truth=as_told)
    return looked(reader, named(*range(count)), ended={"ftjob-ended": Phase.CANCELLED}), reader


@dataclass
class _Truthful(_Shelf):
    """A stale list, beside answers for one job that are true."""

    truth: Phase = Phase.RUNNING

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        job = await super().get_job(ref)
        return job and replace(job, phase=self.truth)


def test_a_list_row_that_denies_an_end_has_the_job_itself_asked_for() -> None:
    found, reader = with_an_end(Phase.RUNNING)

    assert reader.asked == ["page 1", "ftjob-ended"]
    assert seen(found, "ftjob-ended") == Seen(reader.jobs["ftjob-ended"])


def test_what_the_job_itself_says_counts_and_not_its_row() -> None:
    found, _ = with_an_end(Phase.RUNNING, as_told=Phase.CANCELLED)
    told = seen(found, "ftjob-ended")

    assert isinstance(told, Seen)
    assert told.job is not None
    assert told.job.phase is Phase.CANCELLED


@pytest.mark.parametrize("phase", [Phase.CANCELLED, Phase.UNKNOWN])
def test_a_row_that_does_not_deny_an_end_costs_nothing(phase: Phase) -> None:
    found, reader = with_an_end(phase)

    assert reader.asked == ["page 1"]
    assert JobRef(ACCOUNT, "ftjob-ended") not in found.looks


def test_a_few_jobs_are_not_listed_for_the_sake_of_one_that_has_ended() -> None:
    _, reader = with_an_end(Phase.RUNNING, count=3)

    assert sorted(reader.asked) == named(0, 1, 2)


def test_an_end_that_is_denied_and_cannot_be_asked_about_is_no_news() -> None:
    reader = shelf(30)
    reader.jobs["ftjob-ended"] = ObservedJob(id="ftjob-ended", phase=Phase.RUNNING, provider_status="running")
    reader.broken["ftjob-ended"] = DOWN
    found = looked(reader, named(*range(30)), ended={"ftjob-ended": Phase.CANCELLED})

    assert found.unseen is None
    assert JobRef(ACCOUNT, "ftjob-ended") not in found.looks


def test_a_list_that_denies_every_end_costs_twenty_requests_at_most() -> None:
    reader = shelf(130)
    over = dict.fromkeys(named(*range(30, 130)), Phase.SUCCEEDED)
    looked(reader, named(*range(30)), ended=over)

    assert len([each for each in reader.asked if not each.startswith("page")]) <= 20
