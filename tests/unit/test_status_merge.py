"""Two runs that published at once: what is kept of both."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from reconciler.formats.status_merge import merge_statuses
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


def test_of_what_we_did_not_ask_for_theirs_stays() -> None:
    assert merged(running(), running(source="ours.yaml"), running(source="theirs.yaml")).source == "theirs.yaml"
    assert merged(running(), running(source="ours.yaml"), running(ASKED)).receipts == (ASKED,)


def test_what_we_asked_for_is_kept() -> None:
    assert merged(running(ASKED), running(TAKEN), running(ASKED, source="theirs.yaml")).receipts == (TAKEN,)
    assert merged(None, running(TAKEN), running()).receipts == (TAKEN,)


def test_a_proof_is_not_undone_by_the_answer_that_came_before_it() -> None:
    proof = a_status(receipts=(PROVEN,))

    assert merged(running(ASKED), running(TAKEN), proof) == proof
    assert merged(running(ASKED), proof, running(TAKEN)) == proof


def test_a_second_proof_of_the_same_is_no_news() -> None:
    later = replace(PROVEN, confirmed_at=NOW + HOUR)
    theirs = render_status(a_status(receipts=(PROVEN,))).encode()
    ours = render_status(a_status(receipts=(later,))).encode()

    assert merge_statuses(render_status(running(TAKEN)).encode(), ours, theirs) == theirs


def test_an_attempt_that_one_side_made_is_counted_beside_the_answer_that_the_other_got() -> None:
    again = replace(ASKED, attempts=2, last_attempt_at=NOW - SECOND)
    both = replace(TAKEN, attempts=2, last_attempt_at=NOW - SECOND)

    assert merged(running(ASKED), running(TAKEN), running(again)).receipts == (both,)
    assert merged(running(ASKED), running(again), running(TAKEN)).receipts == (both,)


def test_a_receipt_of_either_side_stays_and_there_are_never_too_many() -> None:
    old = tuple(replace(PROVEN, requested_at=NOW - number * HOUR) for number in range(2, 2 + RECEIPTS_MAX))
    withdrawn = replace(old[0], outcome=Outcome.WITHDRAWN, confirmed_at=None)
    joined = merged(running(*old), running(withdrawn, *old[1:]), running(ASKED, *old[:-1]))

    assert joined.receipts == (ASKED, *old[:-1])


def test_a_status_that_cannot_be_read_gives_way_to_ours() -> None:
    ours = render_status(running(TAKEN)).encode()

    assert merge_statuses(render_status(running(ASKED)).encode(), ours, b"<<<<<<< ours\n") == ours
    assert merge_statuses(render_status(running(ASKED)).encode(), ours, None) == ours
    assert merge_statuses(render_status(running(ASKED)).encode(), render_status(running(ASKED)).encode(), None) is None


def test_what_we_asked_for_a_job_that_is_no_longer_meant_still_counts_for_the_guard() -> None:
    mine = running(ASKED)
    facts = mine.job
    assert facts is not None
    theirs = replace(running(), job=replace(facts, id="ftjob-another"))
    after = merged(running(), mine, theirs)

    assert after == replace(theirs, spent=(RememberedAttempt(facts.account, ASKED.requested_at),))
    assert merged(running(ASKED), running(TAKEN), theirs) == theirs
