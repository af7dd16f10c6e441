from __future__ import annotations

from datetime import timedelta

from reconciler.core.storm import BURST, KEPT, WAITING_MAX, WINDOW, NextDelivery, excess, next_delivery, summary
from reconciler.model.notification import NotificationSeverity, NotificationType, Waiting
from tests.support.build import NOW
from tests.support.news_cases import a_notification


def waiting(number: int, **rest: object) -> list[Waiting]:
    return [Waiting(a_notification(each, **rest)) for each in range(number)]


def the_next(number: int, *, sent: int = 0, is_for_people: bool = True, is_ending: bool = False) -> NextDelivery:
    sent_at = [NOW - timedelta(seconds=each) for each in range(sent)]
    return next_delivery(waiting(number), sent_at, NOW, is_for_people=is_for_people, is_ending=is_ending)


def test_a_few_notifications_are_sent_one_by_one_and_many_become_a_summary() -> None:
    assert the_next(0) == NextDelivery()
    assert the_next(BURST) == NextDelivery(send=waiting(1)[0])
    assert len(the_next(BURST + 1).summarise) == BURST + 1


def test_the_last_place_in_the_window_is_for_everything_that_has_gathered() -> None:
    assert the_next(1, sent=BURST - 1).send == waiting(1)[0]
    assert len(the_next(2, sent=BURST - 1).summarise) == 2


def test_a_full_window_rests_until_its_oldest_notification_is_a_minute_old_unless_the_process_ends() -> None:
    assert the_next(3, sent=BURST) == NextDelivery(rest_until=NOW - timedelta(seconds=BURST - 1) + WINDOW)
    assert len(the_next(3, sent=BURST, is_ending=True).summarise) == 3


def test_a_sink_for_machines_gets_every_notification() -> None:
    assert the_next(300, sent=300, is_for_people=False).send == waiting(1)[0]


def test_an_attempt_with_an_unknown_outcome_is_repeated_first_and_never_summarised() -> None:
    attempted = Waiting(a_notification(99), is_attempted=True)

    first = next_delivery([attempted, *waiting(9)], [], NOW, is_for_people=True, is_ending=False)
    later = next_delivery([*waiting(9), attempted], [], NOW, is_for_people=True, is_ending=False)

    assert first.send == attempted
    assert a_notification(99) not in later.summarise


def test_a_summary_counts_each_type_also_those_of_earlier_summaries() -> None:
    stalled = {"type": NotificationType.JOB_STALLED, "severity": NotificationSeverity.ERROR}
    earlier = summary([a_notification(each) for each in range(20)])

    both = summary([earlier, *(a_notification(20 + each, **stalled) for each in range(3))])

    assert both.counts == {"job.cancelled": 20, "job.stalled": 3}
    assert both.severity is NotificationSeverity.ERROR
    assert both.text == (
        "23 notifications in one: 20 cancelled and confirmed, 3 stalled. Jobs: job-0, job-1, job-2, job-3, job-4, …"
    )
    assert both.id == summary([earlier, *(a_notification(20 + each, **stalled) for each in range(3))]).id


def test_one_summary_replaces_the_oldest_if_too_many_wait() -> None:
    assert excess(waiting(WAITING_MAX)) == ()
    for number in (WAITING_MAX + 1, 10 * WAITING_MAX):
        assert excess(waiting(number)) == tuple(each.notification for each in waiting(number)[:-KEPT])
