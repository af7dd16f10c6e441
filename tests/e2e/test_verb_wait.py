from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.in_process_command import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.declare("ftjob-chat")
    desk.want("chat", "cancelled")
    return desk


def test_wait_reads_what_another_pass_wrote(desk: Desk) -> None:
    before = desk.run("wait", "chat", "--timeout", "0s")
    desk.run("--once", "--wait")
    after = desk.run("wait", "chat", "--for", "cancelled")

    assert (before.code, before.out) == (
        75,
        "chat: not settled in time: unknown, OutOfDate: its job has not been observed yet\n",
    )
    assert (after.code, after.out) == (0, "chat: cancelled, Cancelled\n")


def test_a_job_that_ended_otherwise_will_never_be_there(desk: Desk) -> None:
    desk.run("--once", "--wait")

    ran = desk.run("wait", "chat", "--for", "succeeded")

    assert ran.code == 1
    assert ran.out.startswith("chat: will not be succeeded: cancelled, Cancelled")


def test_wait_live_asks_the_provider_and_changes_nothing(desk: Desk) -> None:
    desk.want("chat", "running")

    ran = desk.run("wait", "chat", "--live")

    assert (ran.code, ran.out) == (0, "chat: running, AsDesired\n")
    assert not (desk.specs / "status").exists()


def test_retry_makes_one_pass_for_that_job_only(desk: Desk) -> None:
    desk.declare("ftjob-chat", "ftjob-other")
    desk.want("other", "cancelled")

    ran = desk.run("retry", "chat")

    assert ran.code == 0
    assert "chat: cancel accepted" in ran.out
    assert "other" not in ran.out
