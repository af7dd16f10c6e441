from __future__ import annotations

import errno
import json
import random
from pathlib import Path

import pytest

from reconciler.local.disk import LocalDisk
from reconciler.local.outbox import DISABLED, OUTBOX, TOLD, StateOutbox
from reconciler.model.notification import News, Waiting
from tests.support.build import NOW
from tests.support.news_cases import a_notification
from tests.support.non_durable_disk import NonDurableDisk

SINKS = ("chat", "audit")
ROOT = Path("/state")


def news(number: int) -> News:
    return News(a_notification(number, facts={"a": "ä"}), {f"job job-{number}": ("JobFailed", "msg_p")})


def an_outbox(disk: NonDurableDisk | LocalDisk, root: Path = ROOT, sinks: tuple[str, ...] = SINKS) -> StateOutbox:
    return StateOutbox(root, disk, dict.fromkeys(sinks, "https://hooks.example/secret"))


def ids(outbox: StateOutbox, sink: str) -> list[str]:
    return [each.notification.id for each in outbox.waiting(sink)]


def test_everything_is_read_back_as_it_was_written() -> None:
    disk = NonDurableDisk(ROOT)
    outbox = an_outbox(disk)
    outbox.add([(news(1), SINKS), (news(2), ["chat"])])
    outbox.begin("chat", news(1).notification)
    outbox.finish("audit", news(1).notification)

    again = an_outbox(disk)

    assert again.waiting("chat") == [Waiting(news(1).notification, is_attempted=True), Waiting(news(2).notification)]
    assert again.waiting("audit") == []
    assert again.told == {"job job-1": ("JobFailed", "msg_p"), "job job-2": ("JobFailed", "msg_p")}


def test_a_crash_at_any_moment_loses_nothing_that_was_added_or_told() -> None:
    for seed in range(200):
        rng = random.Random(seed)  # noqa: S311  a seed, so that a failure can be repeated
        disk = NonDurableDisk(ROOT)
        outbox = an_outbox(disk)
        outbox.add([(news(1), SINKS)])
        outbox.finish("audit", news(1).notification)
        outbox.add([(news(2), SINKS)])
        disk.crash(rng)
        again = an_outbox(disk)

        assert (ids(again, "chat"), ids(again, "audit")) == (["msg_1", "msg_2"], ["msg_2"])
        assert again.told.keys() == {"job job-1", "job job-2"}


def test_marks_that_did_not_reach_the_record_are_completed_from_the_outbox() -> None:
    disk = NonDurableDisk(ROOT)
    outbox = an_outbox(disk)
    outbox.add([(news(1), SINKS)])
    before = disk.read(ROOT / TOLD)
    outbox.add([(News(a_notification(2), {"job job-1": None}), SINKS), (news(3), SINKS)])
    disk.put(ROOT / TOLD, before)

    again = an_outbox(disk)
    for number in (1, 2, 3):
        for sink in SINKS:
            again.finish(sink, a_notification(number))

    assert again.told.keys() == {"job job-3"}
    assert an_outbox(disk).told == again.told, "also once everything is delivered"


def test_an_old_notification_that_still_waits_does_not_undo_the_record() -> None:
    disk = NonDurableDisk(ROOT)
    outbox = an_outbox(disk)
    outbox.add([(news(1), ["chat"])])
    outbox.add([(News(a_notification(2), {"job job-1": None}), ["audit"])])
    outbox.finish("audit", a_notification(2))

    assert an_outbox(disk).told == {}


def test_a_summary_waits_in_the_place_of_what_it_replaces_for_this_sink_only() -> None:
    disk = NonDurableDisk(ROOT)
    outbox = an_outbox(disk)
    outbox.add([(news(each), SINKS) for each in range(4)])

    outbox.merge("chat", [a_notification(1), a_notification(2)], by=a_notification(9))

    assert ids(an_outbox(disk), "chat") == ["msg_0", "msg_9", "msg_3"]
    assert ids(an_outbox(disk), "audit") == ["msg_0", "msg_1", "msg_2", "msg_3"]


def test_what_waits_for_a_sink_that_was_removed_is_dropped() -> None:
    disk = NonDurableDisk(ROOT)
    an_outbox(disk).add([(news(1), SINKS), (news(2), ["chat"])])

    assert ids(an_outbox(disk, sinks=("audit",)), "audit") == ["msg_1"]


FOREIGN = [
    f"reconcile 1\n{row}\n" for row in ('{"serial": 1}', "[[]]", '"x"', '{"a": 1}\n3', "[" * 100_000, "null\n[]")
]
"""Files in the right format whose rows another program wrote."""


@pytest.mark.parametrize("name", [OUTBOX, TOLD])
@pytest.mark.parametrize("text", ["", "reconcile 9\n", "reconcile 1\n{", "\udcff", *FOREIGN])
def test_a_damaged_file_is_set_aside_and_reported(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode(errors="surrogateescape"))

    outbox = an_outbox(LocalDisk(tmp_path), tmp_path)

    assert len(outbox.notices) == 1
    assert (tmp_path / f"{name}.damaged").exists()
    assert outbox.is_new


@pytest.mark.parametrize(
    "change",
    [
        {"at": "2026-11-23T14:03:21"},
        {"to": {"chat": "soon"}},
        {"to": ["chat"]},
        {"jobs": 3},
        {"facts": {"a": 1}},
        {"text": None},
        {"marks": {"job job-1": "JobFailed"}},
        {"counts": {"job.cancelled": "many"}},
        {"type": "job.renamed"},
    ],
)
def test_a_row_with_a_value_of_another_type_is_not_delivered(tmp_path: Path, change: dict[str, object]) -> None:
    outbox = an_outbox(LocalDisk(tmp_path), tmp_path)
    outbox.add([(news(1), SINKS)])
    head, row = (tmp_path / OUTBOX).read_text(encoding="utf-8").splitlines()
    (tmp_path / OUTBOX).write_text(f"{head}\n{json.dumps(json.loads(row) | change)}\n", encoding="utf-8")

    again = an_outbox(LocalDisk(tmp_path), tmp_path)

    assert (ids(again, "chat"), ids(again, "audit")) == ([], [])
    assert (tmp_path / f"{OUTBOX}.damaged").exists()


def test_if_the_disk_is_full_nothing_is_recorded_and_the_error_is_raised(tmp_path: Path) -> None:
    outbox = an_outbox(LocalDisk(tmp_path, makes_root=False), tmp_path)
    tmp_path.rmdir()

    with pytest.raises(OSError, match="No such file") as caught:
        outbox.add([(news(1), SINKS)])

    assert caught.value.errno == errno.ENOENT
    assert (outbox.waiting("chat"), outbox.told) == ([], {})


def test_a_disabled_sink_stays_disabled_for_its_url_alone_and_the_url_is_not_on_the_disk() -> None:
    disk = NonDurableDisk(ROOT)
    outbox = an_outbox(disk)
    outbox.add([(news(1), SINKS), (news(2), ["audit"])])
    outbox.disable("audit", NOW)
    disk.crash(random.Random(1))  # noqa: S311  repeatable, not secret
    again, without = an_outbox(disk), an_outbox(disk, sinks=("chat",))
    elsewhere = StateOutbox(ROOT, disk, {"audit": "https://hooks.example/another", "chat": ""})

    assert (ids(outbox, "chat"), ids(outbox, "audit")) == (["msg_1"], [])
    assert (again.disabled_since("audit"), again.disabled_since("chat")) == (NOW, None)
    assert (elsewhere.disabled_since("audit"), without.disabled_since("audit")) == (None, None)
    assert b"secret" not in disk.read(ROOT / DISABLED)
    assert b"hooks.example" not in disk.read(ROOT / DISABLED)


@pytest.mark.parametrize(
    "row", ['["audit"]', '["audit",1,"a","b"]', '["audit","2026-11-23T14:15:00","a","b"]', "{}", "x"]
)
def test_a_damaged_record_of_disabled_sinks_is_set_aside_and_every_sink_is_in_use(row: str) -> None:
    disk = NonDurableDisk(ROOT)
    an_outbox(disk).disable("audit", NOW)
    fresh = disk.write_beside(ROOT / DISABLED, f"reconcile 1\n{row}\n".encode())
    disk.rename(fresh, ROOT / DISABLED)
    outbox = an_outbox(disk)

    assert outbox.disabled_since("audit") is None
    assert len(outbox.notices) == 1
