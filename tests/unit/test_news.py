from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.core.news import NewsSource, news_since
from reconciler.core.watch_news import watch_stopped
from reconciler.model.money import Basis, RecordedAmount
from reconciler.model.notification import Notification, NotificationSeverity, Told, told_after
from reconciler.model.reason import Reason
from reconciler.model.status import Because, HistoryEntry, Origin, Outcome, Verb
from tests.support.build import ACCOUNT, NOW, a_status
from tests.support.news_cases import a_cancelled_status, a_stalled_status, an_outage, found
from tests.support.reports import OPEN

ADA = Origin("4be1f0c9aa", "Ada <ada@example.org>")


def steps(*sources: NewsSource) -> list[list[Notification]]:
    """Return what is told after each of several passes in a row."""
    told: Told = {}
    heard = []
    for source in sources:
        news = news_since(told, source)
        assert news_since(told, source) == news, "a repeat after a crash finds the same news, with the same ids"
        told = told_after(told, (each.marks for each in news))
        assert news_since(told, source) == (), "what was told is not told again"
        heard.append([each.notification for each in news])
    return heard


def kinds(heard: list[list[Notification]]) -> list[list[str]]:
    return [[str(each.type) for each in step] for step in heard]


@pytest.mark.parametrize(
    ("receipt", "type_", "text"),
    [
        ({}, "job.cancelled", "support-triage was cancelled, as the provider confirmed."),
        (
            {"reason": "too costly", "origin": ADA},
            "job.cancelled",
            'support-triage was cancelled, as the provider confirmed. "too costly" (Ada, 4be1f0c)',
        ),
        (
            {"because": Because.LIMIT_REACHED, "reason": "maxAge 24h"},
            "job.cancelled",
            "support-triage was cancelled, as the provider confirmed: over maxAge 24h.",
        ),
        (
            {
                "because": Because.LIMIT_REACHED,
                "reason": "maxAge 24h",
                "sunk_cost": RecordedAmount("41.200000", "USD", Basis.AT_MOST),
                "not_spent": RecordedAmount("48.804000", "USD", Basis.ESTIMATE),
            },
            "job.cancelled",
            (
                "support-triage was cancelled, as the provider confirmed (it had cost at most 41.20 USD; "
                "about 48.80 USD not spent): over maxAge 24h."
            ),
        ),
        (
            {"outcome": Outcome.SUCCEEDED, "sunk_cost": RecordedAmount("41.200000", "USD", Basis.AT_MOST)},
            "job.finished",
            "support-triage succeeded before the cancel took effect.",
        ),
        ({"outcome": Outcome.SUCCEEDED}, "job.finished", "support-triage succeeded before the cancel took effect."),
        (
            {"outcome": Outcome.GONE},
            "job.gone",
            "support-triage is gone: the provider accepted the cancel, and no longer knows the job.",
        ),
        (
            {"accepted_at": None, "confirmed_at": None},
            "job.finished",
            "support-triage is cancelled, but the provider accepted no cancel from reconcile.",
        ),
        (
            {"verb": Verb.PAUSE, "outcome": Outcome.PAUSED},
            "job.paused",
            "support-triage was paused, as the provider confirmed.",
        ),
        (
            {"verb": Verb.RESUME, "outcome": Outcome.RUNNING},
            "job.resumed",
            "support-triage was resumed, as the provider confirmed.",
        ),
        (
            {"verb": Verb.PAUSE, "outcome": Outcome.CANCELLED},
            "job.finished",
            "support-triage cancelled before the pause took effect.",
        ),
    ],
)
def test_a_closed_receipt_is_told_once_with_its_cause(receipt: dict[str, Any], type_: str, text: str) -> None:
    status = a_cancelled_status(**receipt)

    ((told,), again) = steps(found(status), found(status))

    assert (told.type, told.text, told.severity, again) == (type_, text, NotificationSeverity.INFO, [])
    assert told.facts["jobId"] == "ftjob-abc123"


def test_an_open_or_withdrawn_receipt_is_not_told() -> None:
    waiting = replace(a_status(), receipts=(OPEN,))

    assert kinds(steps(found(waiting), found(a_cancelled_status(outcome=Outcome.WITHDRAWN)))) == [[], []]


def test_each_receipt_of_a_job_is_told_and_a_renamed_spec_tells_none_again() -> None:
    first = a_cancelled_status()
    later = replace(first.receipts[0], requested_at=NOW + timedelta(hours=1))
    both = replace(first, receipts=(later, *first.receipts))

    heard = steps(found(first), found(both), found(replace(both, name="renamed")))

    assert kinds(heard) == [["job.cancelled"], ["job.cancelled"], []]
    assert heard[0][0].id != heard[1][0].id


def test_a_stalled_job_is_told_at_its_start_at_a_new_reason_and_at_its_end() -> None:
    later = NOW + timedelta(minutes=5)
    heard = steps(
        found(a_stalled_status()),
        found(a_stalled_status(message="another message", at=later)),
        found(a_stalled_status(reason=Reason.JOB_VANISHED, at=later)),
        found(a_status()),
        found(a_stalled_status(at=later + timedelta(minutes=1))),
    )

    assert kinds(heard) == [["job.stalled"], [], ["job.stalled"], ["job.recovered"], ["job.stalled"]]
    assert heard[0][0].text == "support-triage is stalled (JobFailed): failed."
    assert heard[3][0].text == "support-triage is no longer stalled (JobVanished): cancelled at the provider."
    assert [(each.is_resolved, each.severity) for (each, *_) in (heard[0], heard[3])] == [
        (False, NotificationSeverity.ERROR),
        (True, NotificationSeverity.ERROR),
    ]
    assert len({each.problem for step in heard for each in step}) == 1, "it is one problem for a pager"
    assert len({each.id for step in heard for each in step}) == 4


def test_the_problem_of_a_job_ends_when_its_spec_is_deleted_and_not_while_its_status_is_only_missing() -> None:
    heard = steps(found(a_stalled_status(), support_triage={}), found(support_triage={}), found())
    (began,), _, (ended,) = heard

    assert kinds(heard) == [["job.stalled"], [], ["job.recovered"]]
    assert (ended.reason, ended.problem, ended.is_resolved) == (began.reason, began.problem, True)
    assert ended.id.startswith("msg_")
    assert ended.id != began.id


def test_a_change_that_shadow_mode_withholds_is_told_once_until_it_is_another_one() -> None:
    def would(reason: Reason, at: datetime) -> NewsSource:
        status = a_stalled_status(reason=reason, message="not requested", at=at)
        history = (HistoryEntry(at, status.phase, reason), HistoryEntry(NOW, status.phase, Reason.AS_DESIRED))
        return found(replace(status, conditions=(status.ready,), history=history))

    cancel, again = (would(Reason.WOULD_CANCEL, NOW + timedelta(hours=each)) for each in (1, 3))
    heard = steps(cancel, cancel, would(Reason.WOULD_PAUSE, NOW + timedelta(hours=2)), found(a_status()), again)

    assert kinds(heard) == [["change.withheld"], [], ["change.withheld"], [], ["change.withheld"]]
    assert heard[0][0].text == "[shadow] support-triage would be changed (WouldCancel): not requested."
    assert (heard[0][0].severity, heard[0][0].problem) == ("info", "")


def test_news_of_a_withheld_change_has_the_labels_of_its_spec_by_which_sinks_are_chosen() -> None:
    status = a_stalled_status(reason=Reason.WOULD_CANCEL)
    withheld = replace(status, conditions=(status.ready,))
    (told,) = news_since({}, found(withheld, support_triage={"team": "support"}))

    assert told.labels == ({"team": "support"},)


def test_refusals_of_the_guard_are_told_by_account_and_only_if_there_are_more() -> None:
    def refused(*names: str) -> NewsSource:
        return found(*(a_stalled_status(each, Reason.REFUSED_BY_GUARD, message="4 changes wanted") for each in names))

    heard = steps(refused("a", "b"), refused("a", "b"), refused("b"), refused("b", "c"), refused())

    assert kinds(heard) == [["changes.refused"], [], [], ["changes.refused"], ["changes.released"]]
    assert (
        heard[0][0].text == f"The guard refused 2 changes on {ACCOUNT}, so none is requested: a, b. 4 changes wanted."
    )
    assert heard[0][0].problem == heard[4][0].problem
    assert heard[0][0].problem.startswith("msg_")


def test_an_account_is_told_away_then_back_with_its_unfinished_jobs() -> None:
    running = replace(a_status("one"), final=False, receipts=(OPEN,))
    outage = an_outage(since=NOW - timedelta(minutes=51))

    heard = steps(found(running, accounts=(outage,)), found(running, accounts=(outage,)), found(running))

    assert kinds(heard) == [["account.away"], [], ["account.back"]]
    assert heard[0][0].text == (
        "east has not been observed since 2026-11-23T13:12:20Z: cannot connect. The account has 1 unfinished job, 1 of "
        "them with a request in progress. No change is requested until it is observed again."
    )
    assert (
        heard[2][0].text
        == "east is observed again. It was unobserved from 2026-11-23T13:12:20Z to 2026-11-23T14:03:20Z."
    )


def test_a_partial_outage_is_a_warning_and_becomes_an_error_if_it_grows() -> None:
    heard = steps(found(accounts=(an_outage(jobs=("ftjob-1",)),)), found(accounts=(an_outage(),)), found())

    assert kinds(heard) == [["account.away"], ["account.away"], ["account.back"]]
    assert [step[0].severity for step in heard] == ["warning", "error", "error"]


def test_a_stopped_watch_tells_which_requests_are_not_proven() -> None:
    stopped = watch_stopped("specs", NOW, ["one"], has_failed=False).notification
    failed = watch_stopped("specs", NOW, [], has_failed=True).notification

    assert stopped.text == "reconcile stopped: it watched specs. 1 request is not confirmed yet: one."
    assert failed.text == "reconcile stopped because of an error: it watched specs."
    assert (stopped.severity, failed.severity) == ("info", "error")


def test_a_stalled_job_has_not_recovered_while_the_guard_refuses_its_change() -> None:
    heard = steps(
        found(a_stalled_status()),
        found(a_stalled_status(reason=Reason.REFUSED_BY_GUARD)),
        found(a_status()),
    )

    assert "job.recovered" not in kinds(heard)[1]
    assert "job.recovered" in kinds(heard)[2]
