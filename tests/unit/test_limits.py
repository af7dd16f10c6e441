from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.core.decide import decide
from reconciler.core.limits import is_believable, next_at, reached, unjudged, was_over_at_end
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.spec import Limits
from reconciler.model.status import HistoryEntry, JobFacts
from tests.support.build import ACCOUNT, NOW
from tests.support.subjects import (
    ABSENT,
    CANNOT_PAUSE,
    DAY,
    EDGES,
    HOUR,
    MINUTE,
    REF,
    SECOND,
    a_look,
    a_past,
    a_subject,
    carried_out,
)

EPOCH = datetime.fromtimestamp(0, UTC)


def facts(**known: Any) -> JobFacts:
    return JobFacts(account=str(ACCOUNT), id=REF.id, **known)


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=[where for _, where in EDGES])
def test_max_age_is_exceeded_just_after_the_limit(edge: timedelta, where: str) -> None:
    known = facts(created_at=NOW - HOUR - edge)
    limit = reached(Limits(max_age=HOUR), known, Phase.RUNNING, NOW, NOW)

    assert limit == ("maxAge 1h" if where == "just after" else None)


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=[where for _, where in EDGES])
def test_max_queued_is_exceeded_just_after_the_limit(edge: timedelta, where: str) -> None:
    known = facts(created_at=NOW - HOUR - edge)
    limit = reached(Limits(max_queued=HOUR), known, Phase.QUEUED, NOW, NOW)

    assert limit == ("maxQueued 1h" if where == "just after" else None)


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=[where for _, where in EDGES])
def test_not_after_is_exceeded_just_after_its_time(edge: timedelta, where: str) -> None:
    limit = reached(Limits(not_after=NOW - edge), facts(), Phase.RUNNING, NOW, NOW)

    assert (limit is not None) == (where == "just after")


@pytest.mark.parametrize("side", [-1, 1], ids=["behind", "ahead"])
@pytest.mark.parametrize(("edge", "where"), EDGES, ids=[where for _, where in EDGES])
def test_a_provider_clock_is_trusted_up_to_five_minutes_of_skew(edge: timedelta, where: str, side: int) -> None:
    as_of = NOW + side * (5 * MINUTE + edge)
    limit = reached(Limits(max_age=HOUR), facts(created_at=NOW - DAY), Phase.RUNNING, as_of, NOW)

    assert is_believable(as_of, NOW) == (where != "just after")
    assert (limit is None) == (where == "just after")


@pytest.mark.parametrize("created_at", [None, EPOCH, NOW + SECOND, NOW + DAY], ids=["none", "zero", "next", "future"])
@pytest.mark.parametrize("limits", [Limits(max_age=SECOND), Limits(max_queued=SECOND)], ids=["age", "queue"])
def test_a_missing_zero_or_future_creation_time_reaches_no_limit(limits: Limits, created_at: datetime | None) -> None:
    assert reached(limits, facts(created_at=created_at), Phase.QUEUED, NOW, NOW) is None


def test_no_limit_is_reached_without_a_provider_time() -> None:
    limits = Limits(max_age=SECOND, max_queued=SECOND, not_after=NOW - DAY)

    assert reached(limits, facts(created_at=NOW - DAY), Phase.QUEUED, None, NOW) is None


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.PAUSING, Phase.PAUSED])
def test_max_queued_does_not_apply_to_a_job_that_runs_or_is_paused(phase: Phase) -> None:
    assert reached(Limits(max_queued=HOUR), facts(created_at=NOW - DAY), phase, NOW, NOW) is None


def test_max_queued_does_not_apply_to_a_started_job_that_is_queued_again() -> None:
    known = facts(created_at=NOW - DAY, started_at=NOW - HOUR)

    assert reached(Limits(max_queued=HOUR), known, Phase.QUEUED, NOW, NOW) is None


@pytest.mark.parametrize("limit", ["maxAge", "maxQueued"])
def test_a_job_cancelled_by_a_limit_becomes_ready_with_reason_limit_reached(limit: str) -> None:
    subject = a_subject("running", CANNOT_PAUSE, limits={limit: "1h"})
    asked = carried_out(subject, a_look(Phase.QUEUED), None, NOW)
    going = carried_out(subject, a_look(Phase.CANCELLING, NOW + MINUTE), asked, NOW + MINUTE)
    ended = carried_out(subject, a_look(Phase.CANCELLED, NOW + 2 * MINUTE), going, NOW + 2 * MINUTE)

    assert (going.ready.reason, going.open_receipt is not None) == (Reason.CANCEL_PENDING, True)
    assert (ended.is_ready, ended.ready.reason, ended.final) == (True, Reason.LIMIT_REACHED, True)


@pytest.mark.parametrize(
    "blip",
    [
        a_look(Phase.UNKNOWN, NOW + MINUTE, provider_status="resting"),
        a_look(Phase.RUNNING, NOW + MINUTE, as_of=None),
        a_look(Phase.RUNNING, NOW + MINUTE, as_of=NOW - HOUR),
    ],
    ids=["an unknown word", "no clock", "a skewed clock"],
)
def test_an_inconclusive_observation_keeps_a_limits_receipt_and_requests_nothing(blip: Any) -> None:
    subject = a_subject("running", CANNOT_PAUSE, limits={"maxAge": "1h"})
    asked = carried_out(subject, a_look(Phase.RUNNING), None, NOW)
    unsure = decide(subject, blip, asked, NOW + HOUR)

    assert unsure.action is None
    assert unsure.status.open_receipt == asked.open_receipt


def test_a_cancel_declared_by_the_spec_needs_no_provider_time() -> None:
    limited = a_subject("running", CANNOT_PAUSE, limits={"maxAge": "1h"})
    subject = a_subject("cancelled", CANNOT_PAUSE, limits={"maxAge": "1h"})
    asked = carried_out(limited, a_look(Phase.RUNNING), None, NOW)
    status = carried_out(subject, a_look(Phase.RUNNING, as_of=None), asked, NOW + SECOND)

    later = decide(subject, a_look(Phase.RUNNING, as_of=None), status, NOW + HOUR)

    assert later.action is not None


def test_a_job_gone_after_an_accepted_cancel_of_a_limit_is_ready() -> None:
    subject = a_subject("running", CANNOT_PAUSE, limits={"maxAge": "1h"})
    status = carried_out(subject, a_look(Phase.RUNNING), None, NOW)
    for minutes in (1, 2):
        status = carried_out(subject, ABSENT, status, NOW + minutes * MINUTE)

    assert (status.is_ready, status.ready.reason, status.final) == (True, Reason.JOB_GONE, False)


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=[where for _, where in EDGES])
@pytest.mark.parametrize("limit", ["max_age", "max_queued", "not_after"])
def test_whether_a_job_ended_over_its_limit_is_decided_by_the_providers_times(
    limit: str, edge: timedelta, where: str
) -> None:
    limits = Limits(not_after=NOW) if limit == "not_after" else Limits(**{limit: HOUR})
    known = facts(created_at=NOW - HOUR, finished_at=NOW + edge)

    assert was_over_at_end(limits, known) == (where == "just after")


def test_a_job_without_an_end_time_did_not_end_over_a_limit() -> None:
    assert not was_over_at_end(Limits(max_age=SECOND), facts(created_at=NOW - DAY))


def test_the_next_limit_time_is_the_earliest_that_still_applies() -> None:
    limits = Limits(max_age=3 * HOUR, max_queued=HOUR, not_after=NOW + 2 * HOUR)

    assert next_at(limits, facts(created_at=NOW), Phase.QUEUED) == NOW + HOUR
    assert next_at(limits, facts(created_at=NOW), Phase.RUNNING) == NOW + 2 * HOUR
    assert next_at(limits, facts(), Phase.QUEUED) == NOW + 2 * HOUR
    assert next_at(None, facts(created_at=NOW), Phase.QUEUED) is None


AHEAD = NOW + 5 * MINUTE + SECOND
ALL = Limits(max_age=HOUR, max_queued=HOUR, not_after=NOW)


@pytest.mark.parametrize(
    ("created_at", "as_of", "said"),
    [
        (NOW - DAY, NOW, None),
        (NOW - DAY, NOW + 5 * MINUTE, None),
        (NOW, NOW, None),
        (
            NOW - DAY,
            None,
            "notAfter and maxAge and maxQueued cannot be judged: the response of the provider contains no time",
        ),
        (NOW - DAY, AHEAD, "notAfter and maxAge and maxQueued cannot be judged: the provider's clock and the local"),
        (None, NOW, "maxAge and maxQueued cannot be judged: the provider gives no creation time that can be read"),
        (EPOCH, NOW, "maxAge and maxQueued cannot be judged: the provider gives no creation time that can be read"),
        (NOW + SECOND, NOW, "maxAge and maxQueued cannot be judged: the provider gives a creation time in the future"),
    ],
)
def test_an_unjudged_limit_names_the_provider_time_that_is_missing_or_implausible(
    created_at: datetime | None, as_of: datetime | None, said: str | None
) -> None:
    told = unjudged(ALL, facts(created_at=created_at), Phase.QUEUED, as_of, NOW)

    assert (told or "").startswith(f"its limits {said}" if said else "")
    assert (told is None) == (said is None)


def test_a_limit_that_no_longer_applies_is_not_reported_as_unjudged() -> None:
    started = facts(created_at=None, started_at=NOW)

    assert unjudged(Limits(max_queued=HOUR), facts(), Phase.RUNNING, None, NOW) is None
    assert unjudged(Limits(max_queued=HOUR), started, Phase.QUEUED, None, NOW) is None
    assert unjudged(Limits(max_queued=HOUR), facts(), Phase.QUEUED, None, NOW) is not None


def test_max_queued_cannot_be_judged_for_a_job_whose_status_was_lost() -> None:
    known = facts(created_at=NOW - DAY)
    told = unjudged(Limits(max_queued=HOUR), known, Phase.QUEUED, NOW, NOW, may_have_started=True)

    assert told == (
        "its limit maxQueued cannot be judged: the job's earlier status file was discarded, so reconcile cannot tell "
        "whether the job has started; set maxAge or notAfter instead"
    )


def test_the_ready_message_explains_why_max_queued_cannot_be_judged() -> None:
    subject = a_subject("running", limits={"maxQueued": "1h"})
    lost = (HistoryEntry(NOW, Phase.QUEUED, Reason.STATUS_DISCARDED),)
    status = carried_out(subject, a_look(Phase.QUEUED), replace(a_past(subject, Phase.QUEUED), history=lost), NOW)

    assert status.ready.message == (
        "queued at the provider; its limit maxQueued cannot be judged: "
        "the job's earlier status file was discarded, so reconcile cannot tell whether the job has started; "
        "set maxAge or notAfter instead"
    )
    assert status.receipts == ()


def test_an_unjudged_limit_changes_the_conditions_only_when_it_becomes_judgeable() -> None:
    subject = a_subject("running", CANNOT_PAUSE, limits={"maxAge": "1h"})
    first = carried_out(subject, a_look(as_of=None), None, NOW)
    later = carried_out(subject, a_look(at=NOW + DAY, as_of=None), first, NOW + DAY)
    judged = carried_out(subject, a_look(created_at=NOW), first, NOW + MINUTE)

    assert first.has_unjudged_limit
    assert later.conditions == first.conditions
    assert not judged.has_unjudged_limit
    assert judged.history == first.history
