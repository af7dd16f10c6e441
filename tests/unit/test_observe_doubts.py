from dataclasses import dataclass, replace

import pytest

from reconciler.controller.observe import Observations
from reconciler.errors import Delivered, TransientError
from reconciler.model.job import JobRef, Observed, ObservedJob, Phase
from reconciler.model.reason import Reason
from tests.support.build import ACCOUNT
from tests.support.read_only_account import ReadOnlyAccount, account_of, looked, named, seen

DOWN = TransientError("no answer", delivered=Delivered.UNKNOWN)
OURS = "ftjob-0000"
"""A job whose cancel was accepted, so that its absence may be the result of that cancel."""


def let_go(known: dict[str, Phase], shown: ReadOnlyAccount, wanted: list[str] | None = None) -> Observations:
    return looked(shown, wanted or [OURS], {OURS: Phase.RUNNING, **known}, may_vanish=frozenset({OURS}))


def test_the_only_known_job_may_be_absent_once_its_cancel_was_accepted() -> None:
    reader = account_of(0)
    found = let_go({}, reader)

    assert found.unobserved is None
    assert seen(found, OURS) == Observed(None)
    assert reader.asked == [OURS]


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.SUCCEEDED, Phase.CANCELLED])
def test_absence_after_a_cancel_is_suspect_if_no_other_known_job_is_found(phase: Phase) -> None:
    found = let_go({"ftjob-0001": phase}, ReadOnlyAccount({}))

    assert found.unobserved is not None
    assert found.unobserved.reason is Reason.OBSERVATION_SUSPECT


@pytest.mark.parametrize("wanted", [[OURS], [OURS, "ftjob-0001"]], ids=["looked at alone", "looked at with it"])
def test_absence_after_a_cancel_is_accepted_if_another_job_is_found(wanted: list[str]) -> None:
    others = ReadOnlyAccount({"ftjob-0001": account_of(2).jobs["ftjob-0001"]})
    found = let_go({"ftjob-0001": Phase.RUNNING}, others, wanted)

    assert found.unobserved is None
    assert seen(found, OURS) == Observed(None)


def test_a_second_absence_is_also_suspect_if_no_other_known_job_is_found() -> None:
    found = looked(
        ReadOnlyAccount({}), [OURS], {OURS: Phase.ABSENT, "ftjob-0001": Phase.RUNNING}, may_vanish=frozenset({OURS})
    )

    assert found.unobserved is not None


def test_an_accepted_cancel_of_one_job_does_not_explain_the_absence_of_others() -> None:
    ids = named(0, 1, 2)
    found = looked(account_of(0), ids, dict.fromkeys(ids, Phase.RUNNING), may_vanish=frozenset({OURS}))

    assert found.unobserved is not None


def test_two_cancelled_jobs_may_be_absent_if_a_third_job_is_found() -> None:
    ids = named(0, 1, 2)
    found = looked(
        ReadOnlyAccount({ids[2]: account_of(3).jobs[ids[2]]}),
        ids,
        dict.fromkeys(ids, Phase.RUNNING),
        may_vanish=frozenset(ids[:2]),
    )

    assert found.unobserved is None


def with_an_end(shown: Phase, as_told: Phase | None = None, count: int = 30) -> tuple[Observations, ReadOnlyAccount]:
    """Observe many jobs, and a final job that was cancelled but that the list shows in another phase."""
    reader = account_of(count)
    reader.jobs = {"ftjob-ended": ObservedJob(id="ftjob-ended", phase=shown, provider_status=str(shown)), **reader.jobs}
    if as_told is not None:
        reader = _Truthful(reader.jobs, truth=as_told)
    return looked(reader, named(*range(count)), ended={"ftjob-ended": Phase.CANCELLED}), reader


@dataclass
class _Truthful(ReadOnlyAccount):
    """An account whose list is stale, and whose responses for a single job are current."""

    truth: Phase = Phase.RUNNING

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        job = await super().get_job(ref)
        return job and replace(job, phase=self.truth)


def test_a_final_job_that_a_list_shows_as_running_is_retrieved() -> None:
    found, reader = with_an_end(Phase.RUNNING)

    assert reader.asked == ["page 1", "ftjob-ended"]
    assert seen(found, "ftjob-ended") == Observed(reader.jobs["ftjob-ended"])


def test_a_retrieved_job_takes_precedence_over_its_list_row() -> None:
    found, _ = with_an_end(Phase.RUNNING, as_told=Phase.CANCELLED)
    told = seen(found, "ftjob-ended")

    assert isinstance(told, Observed)
    assert told.job is not None
    assert told.job.phase is Phase.CANCELLED


@pytest.mark.parametrize("phase", [Phase.CANCELLED, Phase.UNKNOWN])
def test_a_list_row_that_does_not_contradict_an_end_causes_no_request(phase: Phase) -> None:
    found, reader = with_an_end(phase)

    assert reader.asked == ["page 1"]
    assert JobRef(ACCOUNT, "ftjob-ended") not in found.by_job


def test_no_list_is_requested_only_to_check_a_final_job() -> None:
    _, reader = with_an_end(Phase.RUNNING, count=3)

    assert sorted(reader.asked) == named(0, 1, 2)


def test_a_contradicted_end_is_ignored_if_the_job_cannot_be_retrieved() -> None:
    reader = account_of(30)
    reader.jobs["ftjob-ended"] = ObservedJob(id="ftjob-ended", phase=Phase.RUNNING, provider_status="running")
    reader.broken["ftjob-ended"] = DOWN
    found = looked(reader, named(*range(30)), ended={"ftjob-ended": Phase.CANCELLED})

    assert found.unobserved is None
    assert JobRef(ACCOUNT, "ftjob-ended") not in found.by_job


def test_a_list_that_contradicts_every_end_causes_at_most_twenty_requests() -> None:
    reader = account_of(130)
    over = dict.fromkeys(named(*range(30, 130)), Phase.SUCCEEDED)
    looked(reader, named(*range(30)), ended=over)

    assert len([each for each in reader.asked if not each.startswith("page")]) <= 20
