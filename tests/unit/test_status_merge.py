"""How the statuses of two runs that published at the same time are merged."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from reconciler.formats.status_merge import carried_over, merge_statuses
from reconciler.formats.status_parser import parse_status
from reconciler.formats.status_writer import render_status
from reconciler.model.job import Phase
from reconciler.model.status import RECEIPTS_MAX, JobStatus, Outcome, Receipt, RememberedAttempt
from tests.support.build import NOW, a_status
from tests.support.subjects import HOUR, a_receipt

SECOND = timedelta(seconds=1)
ASKED = a_receipt(age=HOUR)
TAKEN = replace(ASKED, accepted_at=NOW)
PROVEN = replace(TAKEN, confirmed_at=NOW + SECOND, outcome=Outcome.CANCELLED)


def running(*receipts: Receipt, source: str = "bots.yaml") -> JobStatus:
    return a_status(phase=Phase.RUNNING, final=False, receipts=receipts, source=source)


def merged(before: JobStatus | None, ours: JobStatus, theirs: JobStatus) -> JobStatus:
    known = None if before is None else render_status(before).encode()
    data = merge_statuses(known, render_status(ours).encode(), render_status(theirs).encode())
    assert data is not None
    return parse_status(data.decode())


def test_the_other_runs_status_is_kept_if_this_run_requested_nothing() -> None:
    assert merged(running(), running(source="ours.yaml"), running(source="theirs.yaml")).source == "theirs.yaml"
    assert merged(running(), running(source="ours.yaml"), running(ASKED)).receipts == (ASKED,)


def test_the_receipts_of_this_run_are_kept() -> None:
    assert merged(running(ASKED), running(TAKEN), running(ASKED, source="theirs.yaml")).receipts == (TAKEN,)
    assert merged(None, running(TAKEN), running()).receipts == (TAKEN,)


def test_a_confirmed_receipt_is_not_replaced_by_an_earlier_response() -> None:
    proof = a_status(receipts=(PROVEN,))

    assert merged(running(ASKED), running(TAKEN), proof) == proof
    assert merged(running(ASKED), proof, running(TAKEN)) == proof


def test_a_second_confirmation_of_the_same_cancel_changes_nothing() -> None:
    later = replace(PROVEN, confirmed_at=NOW + HOUR)
    theirs = render_status(a_status(receipts=(PROVEN,))).encode()
    ours = render_status(a_status(receipts=(later,))).encode()

    assert merge_statuses(render_status(running(TAKEN)).encode(), ours, theirs) == theirs


def test_an_attempt_of_one_run_and_the_response_of_the_other_are_combined() -> None:
    again = replace(ASKED, attempts=2, last_attempt_at=NOW - SECOND)
    both = replace(TAKEN, attempts=2, last_attempt_at=NOW - SECOND)

    assert merged(running(ASKED), running(TAKEN), running(again)).receipts == (both,)
    assert merged(running(ASKED), running(again), running(TAKEN)).receipts == (both,)


def test_receipts_of_both_runs_are_kept_up_to_the_maximum() -> None:
    old = tuple(replace(PROVEN, requested_at=NOW - number * HOUR) for number in range(2, 2 + RECEIPTS_MAX))
    withdrawn = replace(old[0], outcome=Outcome.WITHDRAWN, confirmed_at=None)
    joined = merged(running(*old), running(withdrawn, *old[1:]), running(ASKED, *old[:-1]))

    assert joined.receipts == (ASKED, *old[:-1])


def test_an_unreadable_or_deleted_status_is_replaced_if_this_run_changed_it() -> None:
    ours = render_status(running(TAKEN)).encode()

    assert merge_statuses(render_status(running(ASKED)).encode(), ours, b"<<<<<<< ours\n") == ours
    assert merge_statuses(render_status(running(ASKED)).encode(), ours, None) == ours
    assert merge_statuses(render_status(running(ASKED)).encode(), render_status(running(ASKED)).encode(), None) is None


def test_a_published_status_of_a_later_version_is_kept() -> None:
    later = render_status(running()).replace("reconciler/v1", "reconciler/v2").encode()

    assert (
        merge_statuses(render_status(running(ASKED)).encode(), render_status(running(TAKEN)).encode(), later) == later
    )


def test_a_request_for_a_replaced_job_id_is_kept_as_a_past_attempt_for_the_guard() -> None:
    mine = running(ASKED)
    facts = mine.job
    assert facts is not None
    theirs = replace(running(), job=replace(facts, id="ftjob-another"))
    after = merged(running(), mine, theirs)

    assert after == replace(theirs, spent=(RememberedAttempt(facts.account, ASKED.requested_at),))
    assert merged(running(ASKED), running(TAKEN), theirs) == theirs


def of_job(job_id: str, name: str, *receipts: Receipt) -> bytes:
    status = running(*receipts)
    assert status.job is not None
    return render_status(replace(status, name=name, job=replace(status.job, id=job_id))).encode()


def carried(
    ours: dict[str, bytes], published: dict[str, bytes], before: dict[str, bytes] | None
) -> dict[str, JobStatus]:
    """Return the statuses to write on top of the published ones, by path."""
    return {path: parse_status(data.decode()) for path, data in carried_over(ours, published, before).items()}


def test_new_receipts_are_kept_if_another_run_gave_the_name_of_their_status_to_another_job() -> None:
    before = {"one.yaml": of_job("ftjob-1", "one")}
    ours, theirs = {"one.yaml": of_job("ftjob-1", "one", ASKED)}, {"one.yaml": of_job("ftjob-2", "one")}

    for known in (before, None):
        ((path, kept),) = carried(ours, theirs, known).items()
        assert path == f"{kept.name}.yaml"
        assert path != "one.yaml"
        assert (kept.job and kept.job.id, kept.receipts) == ("ftjob-1", (ASKED,))


def test_new_receipts_are_merged_into_the_published_status_of_their_job_under_its_new_name() -> None:
    before = {"one.yaml": of_job("ftjob-1", "one", ASKED)}
    ours = {"one.yaml": of_job("ftjob-1", "one", TAKEN)}
    theirs = {"one.yaml": of_job("ftjob-2", "one"), "two.yaml": of_job("ftjob-1", "two", ASKED)}

    ((path, merged_status),) = carried(ours, theirs, before).items()

    assert (path, merged_status.name, merged_status.receipts) == ("two.yaml", "two", (TAKEN,))


def test_a_status_without_new_receipts_is_not_kept_if_its_name_was_given_to_another_job() -> None:
    before = {"one.yaml": of_job("ftjob-1", "one", ASKED)}
    seen_again = of_job("ftjob-1", "one", ASKED).replace(b"bots.yaml", b"team.yaml")

    assert carried_over({"one.yaml": seen_again}, {"one.yaml": of_job("ftjob-2", "one")}, before) == {}


def test_a_status_that_only_this_run_changed_is_written_as_it_is() -> None:
    before = {"one.yaml": of_job("ftjob-1", "one"), "two.yaml": of_job("ftjob-2", "two")}
    ours = {**before, "one.yaml": of_job("ftjob-1", "one", ASKED)}

    assert carried_over(ours, before, before) == {"one.yaml": ours["one.yaml"]}


def test_a_status_that_is_published_already_is_not_written_again() -> None:
    both = {"one.yaml": of_job("ftjob-1", "one", ASKED, a_receipt(age=0 * HOUR))}

    assert carried_over(both, both, None) == {}, "even if its receipts are in another order than usual"


def test_a_status_on_the_disk_whose_job_was_renamed_meanwhile_is_merged_and_not_published_again() -> None:
    stale, theirs = {"one.yaml": of_job("ftjob-1", "one", TAKEN)}, {"two.yaml": of_job("ftjob-1", "two", TAKEN)}
    behind = {"two.yaml": of_job("ftjob-1", "two", ASKED)}

    assert carried_over(stale, theirs, None) == {}
    assert {path: each.receipts for path, each in carried(stale, behind, None).items()} == {"two.yaml": (TAKEN,)}


def test_a_receipt_that_exists_only_on_the_disk_is_published_at_its_path() -> None:
    stale = {"one.yaml": of_job("ftjob-1", "one", TAKEN), "three.yaml": of_job("ftjob-3", "three")}

    assert carried_over(stale, {"two.yaml": of_job("ftjob-2", "two", TAKEN)}, None) == {"one.yaml": stale["one.yaml"]}


def test_two_statuses_on_the_disk_are_both_merged_into_the_published_status_of_their_job() -> None:
    later = a_receipt(age=0 * HOUR)
    stale = {"one.yaml": of_job("ftjob-1", "one", ASKED), "two.yaml": of_job("ftjob-1", "two", later)}

    found = carried(stale, {"three.yaml": of_job("ftjob-1", "three")}, None)

    assert {path: set(each.receipts) for path, each in found.items()} == {"three.yaml": {ASKED, later}}
