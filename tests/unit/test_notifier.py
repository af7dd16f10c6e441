"""The tasks that deliver notifications, in virtual time, to sinks whose answers a test determines."""

from __future__ import annotations

import asyncio
import errno
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reconciler.controller.notifier import ENABLE, Notifier
from reconciler.errors import Delivered, Kind, PermanentError, ReceiverGoneError, TransientError
from reconciler.local.outbox import DISABLED, OUTBOX, TOLD, StateOutbox
from reconciler.model.change_window import ChangeWindow
from reconciler.model.notification import News, Notification, NotificationSeverity, SinkDelivery
from reconciler.model.operator import NotifySink
from reconciler.model.quiet_hours import QuietHours
from reconciler.model.spec import render_instant
from reconciler.model.weekly_hours import parse_weekly_hours
from reconciler.ports import StoredStatuses, Unread
from tests.support.build import a_status
from tests.support.clock import BASE, VirtualClock, in_virtual_time
from tests.support.news_cases import a_notification, a_stalled_status
from tests.support.non_durable_disk import NonDurableDisk

ROOT = Path("/state")
AGAIN = TransientError("HTTP 503", delivered=Delivered.NO)
UNKNOWN = TransientError("no response", delivered=Delivered.UNKNOWN)
PAUSE = TransientError("HTTP 429", delivered=Delivered.NO, retry_after_s=120)
REFUSED = PermanentError("HTTP 400", kind=Kind.REFUSED)
GONE = ReceiverGoneError("HTTP 410")


@dataclass
class Ear:
    """A sink that records what it is sent, and raises the next of its errors, if any."""

    name: str
    is_for_people: bool = False
    knows_ids: bool = True
    errors: list[Exception | None] = field(default_factory=list)
    heard: list[tuple[float, str, bool]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    async def deliver(self, message: Notification, *, may_be_repeat: bool) -> None:
        """Record a notification with the time, or raise an error."""
        error = self.errors.pop(0) if self.errors else None
        self.texts.append(message.text)
        self.heard.append((asyncio.get_running_loop().time(), message.id, may_be_repeat))
        if error is not None:
            raise error

    def ids(self) -> list[str]:
        """Return the ids of what it was sent."""
        return [each for _, each, _ in self.heard]


@dataclass
class Desk:
    """A notifier with its sinks, and what it warned of. A new desk with the same disk is a restarted process."""

    ears: tuple[Ear, ...]
    disk: NonDurableDisk = field(default_factory=lambda: NonDurableDisk(ROOT))
    warned: list[str] = field(default_factory=list)
    now: datetime = BASE
    quiet_hours: dict[str, QuietHours] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    """The template of each sink that has one, by the name of the sink."""
    urls: dict[str, str] = field(default_factory=dict)
    """The URL of each sink for which it matters, by the name of the sink."""
    deliveries: list[Mapping[str, SinkDelivery]] = field(default_factory=list)

    def open(self) -> Notifier:
        """Return a notifier that delivers to the sinks."""
        where = {"env": "X"}
        rules = [
            NotifySink.model_validate(
                {
                    "name": each.name,
                    "type": "webhook",
                    "url": where,
                    "secret": where,
                    "template": self.texts.get(each.name),
                }
            )
            for each in self.ears
        ]
        outbox = StateOutbox(ROOT, self.disk, {each.name: self.urls.get(each.name, "") for each in self.ears})
        notifier = Notifier(
            outbox,
            list(zip(self.ears, rules, strict=True)),
            VirtualClock(self.now),
            lambda: 0.5,
            self.warned.append,
            self.quiet_hours,
            self.deliveries.append,
        )
        notifier.start()
        return notifier


def news(*numbers: int) -> list[News]:
    return [News(a_notification(each)) for each in numbers]


def test_each_sink_gets_everything_in_order_and_one_that_fails_delays_no_other() -> None:
    good, bad = Ear("good"), Ear("bad", errors=[AGAIN, AGAIN, None])
    desk = Desk((good, bad))

    async def main() -> None:
        notifier = desk.open()
        notifier.tell(news(1, 2))
        await asyncio.sleep(0.1)
        assert good.ids() == ["msg_1", "msg_2"]
        assert await notifier.finish(60) == {}

    in_virtual_time(main)

    assert bad.ids() == ["msg_1", "msg_1", "msg_1", "msg_2"]
    assert [at for at, *_ in bad.heard] == [0.0, 1.0, 2.5, 2.5]
    assert desk.warned == [
        "notifications cannot be delivered to bad: HTTP 503",
        "notifications are delivered to bad again",
    ]


def test_retry_after_is_obeyed_and_what_is_left_is_delivered_after_a_restart() -> None:
    ear = Ear("audit", errors=[PAUSE])
    desk = Desk((ear,))

    async def main() -> None:
        notifier = desk.open()
        notifier.tell(news(1))
        await asyncio.sleep(0.1)
        assert await notifier.finish(10) == {"audit": 1}
        assert asyncio.get_running_loop().time() < 1, "an attempt that would be too late is not awaited"
        assert await desk.open().finish(10) == {}

    in_virtual_time(main)

    assert ear.ids() == ["msg_1", "msg_1"]


def test_a_refused_notification_is_not_sent_again_and_a_bug_in_a_sink_does_not_stop_it() -> None:
    ear = Ear("audit", errors=[REFUSED, KeyError("x"), None])
    desk = Desk((ear,))

    async def main() -> None:
        notifier = desk.open()
        notifier.tell(news(1, 2, 3))
        assert await notifier.finish(10) == {}

    in_virtual_time(main)

    assert ear.ids() == ["msg_1", "msg_2", "msg_3"]
    assert desk.warned[0] == (
        "audit refused a notification (HTTP 400), so it is not sent again: "
        "job-1 was cancelled, as the provider confirmed."
    )
    assert desk.warned[1].startswith("a notification was not sent to audit: a bug: KeyError in")


def test_a_repeat_to_a_sink_that_knows_no_ids_says_that_it_may_be_one_only_if_that_is_so() -> None:
    ear = Ear("chat", knows_ids=False, errors=[AGAIN, UNKNOWN, AGAIN, None])
    desk = Desk((ear,))

    async def main() -> None:
        notifier = desk.open()
        notifier.tell(news(1))
        assert await notifier.finish(10) == {}

    in_virtual_time(main)

    assert [is_repeat for *_, is_repeat in ear.heard] == [False, False, True, True]


def test_a_storm_becomes_few_messages_for_people_and_all_of_them_for_a_machine() -> None:
    people, machine = Ear("chat", is_for_people=True), Ear("audit")
    desk = Desk((people, machine))

    async def main() -> None:
        notifier = desk.open()
        for second in range(300):
            notifier.tell(news(second))
            await asyncio.sleep(1)
        assert await notifier.finish(10) == {}

    in_virtual_time(main)

    assert len(machine.heard) == 300
    assert len(people.heard) <= 5 * 6


class BusyDisk(NonDurableDisk):
    """A disk whose next writes fail."""

    failures = 0
    fails_on = ""
    """The end of the names of the files whose writes fail."""

    def write_beside(self, target: Path, data: bytes) -> Path:
        """Write bytes to a new file beside another, or fail."""
        if self.failures and target.name.endswith(self.fails_on):
            self.failures -= 1
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        return super().write_beside(target, data)


def test_a_delivery_that_cannot_be_recorded_is_recorded_later_and_not_made_again() -> None:
    ear, disk = Ear("audit"), BusyDisk(ROOT)
    desk = Desk((ear,), disk)

    async def main() -> None:
        notifier = desk.open()
        notifier.tell(news(1))
        disk.failures = 2
        await asyncio.sleep(30)
        assert desk.deliveries[-1]["audit"] == SinkDelivery(sent=1)
        notifier.tell(news(2))
        assert await notifier.finish(10) == {}

    in_virtual_time(main)

    assert ear.ids() == ["msg_1", "msg_2"]
    assert desk.warned == [
        "the notifications of audit cannot be recorded: No space left on device",
        "the notifications of audit are recorded again",
    ]


def test_news_whose_record_cannot_be_written_is_delivered_at_once_and_not_told_again_after_a_crash() -> None:
    ear, disk = Ear("audit"), BusyDisk(ROOT)
    desk = Desk((ear,), disk)
    stalled = StoredStatuses(jobs=(a_stalled_status(),))

    async def main() -> None:
        notifier = desk.open()
        await asyncio.sleep(1)
        disk.fails_on = TOLD
        disk.failures = 2
        with pytest.raises(OSError, match="No space"):
            notifier.tell_statuses(stalled, {})
        await asyncio.sleep(30)
        assert len(ear.heard) == 1
        disk.crash(random.Random(0))  # noqa: S311  a seed
        again = desk.open()
        again.tell_statuses(stalled, {})
        assert await again.finish(10) == {}

    in_virtual_time(main)

    assert len(ear.heard) == 1


@pytest.mark.parametrize(
    "unknown",
    [
        {"discarded": ("bots.yaml",)},
        {"too_new": ("bots.yaml",)},
        {"unread": (Unread("bots.yaml", "Permission denied", "allow it to be read"),)},
    ],
    ids=["it was discarded", "a later version wrote it", "it cannot be read"],
)
def test_a_pass_tells_what_is_new_in_its_statuses_and_unknown_ones_do_not_count_as_deleted(
    unknown: dict[str, Any],
) -> None:
    ear = Ear("audit")
    desk = Desk((ear,))
    stalled = StoredStatuses(jobs=(a_stalled_status(),))

    async def main() -> None:
        notifier = desk.open()
        notifier.tell_statuses(stalled, {})
        notifier.tell_statuses(stalled, {})
        notifier.tell_statuses(StoredStatuses(**unknown), {})
        await asyncio.sleep(1)
        assert len(ear.heard) == 1, "the job may still be stalled"
        notifier.tell_statuses(StoredStatuses(jobs=(a_status(),)), {})
        assert await notifier.finish(10) == {}

    in_virtual_time(main)

    assert len(ear.heard) == 2


NIGHTS = QuietHours(
    ChangeWindow(
        name="quietHours",
        is_deny=True,
        when=parse_weekly_hours("Mon-Sun 22:00-07:00"),
        zone=ZoneInfo("Europe/Amsterdam"),
    ),
    frozenset({NotificationSeverity.ERROR}),
)
LATE = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
"""23:30 in Amsterdam."""
UNTIL_SEVEN_S = timedelta(hours=7.5).total_seconds()


def an_alarm(number: int) -> News:
    return News(a_notification(number, severity=NotificationSeverity.ERROR))


def test_quiet_hours_hold_what_is_not_urgent_and_send_it_as_one_summary_when_they_end() -> None:
    chat, pager = Ear("chat", is_for_people=True), Ear("pager")
    desk = Desk((chat, pager), now=LATE, quiet_hours={"chat": NIGHTS})

    async def main() -> None:
        notifier = desk.open()
        notifier.tell([*news(*range(1, 8)), an_alarm(8)])
        await asyncio.sleep(UNTIL_SEVEN_S - 1)
        assert chat.ids() == ["msg_8"], "only what is urgent is sent at once"
        assert desk.deliveries[-1]["chat"] == SinkDelivery(sent=1, waiting=7, due_since=None)
        await asyncio.sleep(62)
        await notifier.finish(0)

    in_virtual_time(main)

    assert len(pager.heard) == 8, "a sink without quiet hours is not affected"
    (at, *_) = chat.heard[1]
    assert len(chat.heard) == 2
    assert UNTIL_SEVEN_S <= at <= UNTIL_SEVEN_S + 60


def test_a_run_that_ends_in_quiet_hours_does_not_wait_for_their_end_and_the_next_day_delivers() -> None:
    chat = Ear("chat", is_for_people=True)
    desk = Desk((chat,), now=LATE, quiet_hours={"chat": NIGHTS})

    async def main() -> None:
        notifier = desk.open()
        notifier.tell(news(1))
        assert await notifier.finish(10) == {"chat": 1}
        assert asyncio.get_running_loop().time() < 1
        desk.now = LATE + timedelta(hours=10)
        assert await desk.open().finish(10) == {}

    in_virtual_time(main)

    assert chat.ids() == ["msg_1"]


def test_a_template_gives_the_text_and_the_outbox_keeps_the_original() -> None:
    chat = Ear("chat", errors=[AGAIN])
    desk = Desk((chat,), texts={"chat": "[prod] {jobs}: {text}"})

    async def main() -> None:
        notifier = desk.open()
        notifier.tell(news(1))
        await asyncio.sleep(0.1)
        assert notifier.outbox.waiting("chat")[0].notification == a_notification(1)
        await notifier.finish(10)

    in_virtual_time(main)

    assert chat.texts == ["[prod] job-1: job-1 was cancelled, as the provider confirmed."] * 2


def test_every_delivery_is_counted_by_its_result() -> None:
    ear = Ear("audit", errors=[AGAIN, None, REFUSED])
    desk = Desk((ear,))

    async def main() -> None:
        notifier = desk.open()
        notifier.tell(news(1, 2, 3))
        await asyncio.sleep(0.1)
        assert desk.deliveries[-1]["audit"] == SinkDelivery(failed=1, waiting=3, due_since=a_notification(1).at)
        await notifier.finish(10)

    in_virtual_time(main)

    assert desk.deliveries[-1]["audit"] == SinkDelivery(sent=2, failed=1, dropped=1)


def test_a_sink_whose_receiver_is_gone_is_disabled_until_it_has_another_url() -> None:
    """Three notifications wait. The process is started again, and then again with another URL."""
    gone, other = Ear("hook", errors=[None, GONE]), Ear("other")
    desk = Desk((gone, other))

    async def main(*numbers: int) -> None:
        notifier = desk.open()
        notifier.tell(news(*numbers))
        await asyncio.sleep(600)
        assert await notifier.finish(60) == {}

    in_virtual_time(partial(main, 1, 2, 3))
    first = desk.deliveries[-1]["hook"]
    in_virtual_time(partial(main, 4))
    second = desk.deliveries[-1]["hook"]
    desk.urls = {"hook": "https://new.example"}
    in_virtual_time(partial(main, 5))

    assert gone.ids() == ["msg_1", "msg_2", "msg_5"]
    assert other.ids() == ["msg_1", "msg_2", "msg_3", "msg_4", "msg_5"]
    assert (first.sent, first.dropped, first.waiting, first.disabled_since) == (1, 2, 0, BASE)
    assert (second.dropped, second.waiting, second.disabled_since) == (0, 0, BASE)
    assert desk.deliveries[-1]["hook"].disabled_since is None
    assert desk.warned == [
        f"the receiver of hook refuses all notifications (HTTP 410), so hook is disabled, and 2 are dropped: {ENABLE}",
        f"hook is disabled since {render_instant(BASE)} and receives no notifications: {ENABLE}",
    ]


@pytest.mark.parametrize(("fails_on", "attempts"), [(DISABLED, 2), (OUTBOX, 1)])
def test_a_sink_that_could_not_be_disabled_on_a_full_disk_is_disabled_later(fails_on: str, attempts: int) -> None:
    gone, disk = Ear("hook", errors=[GONE, GONE]), BusyDisk(ROOT)
    desk = Desk((gone,), disk)

    async def main() -> None:
        notifier = desk.open()
        notifier.tell(news(1))
        disk.failures, disk.fails_on = 1, fails_on
        await asyncio.sleep(60)
        assert await notifier.finish(60) == {}

    in_virtual_time(main)

    assert gone.ids() == ["msg_1"] * attempts
    assert desk.deliveries[-1]["hook"].disabled_since is not None
    in_virtual_time(main)
    assert gone.ids() == ["msg_1"] * attempts
