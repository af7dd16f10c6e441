"""Runs that are killed between two effects, and then started again.

The account `east` takes one request at a time. Its first cancel took effect, but the process was killed before the
response. The intent of its second cancel is on the disk, and the request was not sent. The account `west` received a
cancel that had no effect.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.model.status import JobStatus, Outcome
from tests.support.cli import Checkout, Ran
from tests.support.sandbox_client import Sandbox, wait_for

NAMES = ("done-unanswered", "never-sent", "swallowed")


@dataclass(frozen=True, slots=True)
class Story:
    """The statuses and requests when the process was killed, and after it had been started again."""

    at_death: dict[str, JobStatus]
    asked_at_death: list[str]
    again: Ran
    after: dict[str, JobStatus]
    asked: list[str]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, shared_sandbox: Sandbox) -> Story:
    """Kill a run while its requests are in progress, and run again."""
    ids = dict(zip(NAMES, shared_sandbox.create(3), strict=True))
    shared_sandbox.break_with(
        {"fault": "slow", "on": "cancel", "job": ids["done-unanswered"], "for": "60s", "times": 1},
        {"fault": "hang", "on": "cancel", "job": ids["swallowed"], "times": 1},
    )
    checkout = Checkout(tmp_path_factory.mktemp("killed"), shared_sandbox.environ)
    for name, provider in zip(NAMES, ("east", "east", "west"), strict=True):
        checkout.name_provider(provider, f"options: {{project: {provider}}}", concurrency=1)
        checkout.want(name, ids[name], provider=provider)

    with checkout.start("--once", "--wait") as process:
        wait_for(lambda: len(shared_sandbox.cancels(*ids.values())) == 2, "a cancel arrives in both accounts")
        process.kill()
    at_death = {name: checkout.status(name) for name in NAMES}
    asked_at_death = shared_sandbox.cancels(*ids.values())
    again = checkout.run("--once", "--wait")
    after = {name: checkout.status(name) for name in NAMES}
    told = {job_id: name for name, job_id in ids.items()}
    asked = [told[job_id] for job_id in shared_sandbox.cancels(*ids.values())]
    shared_sandbox.heal()
    return Story(at_death, [told[job_id] for job_id in asked_at_death], again, after, asked)


@pytest.mark.parametrize("name", NAMES)
def test_every_intent_is_on_disk_before_any_response(story: Story, name: str) -> None:
    receipt = story.at_death[name].receipts[0]

    assert receipt.attempts == 1
    assert receipt.accepted_at is None
    assert receipt.is_open


def test_a_crash_between_an_intent_and_its_request_is_recovered(story: Story) -> None:
    assert sorted(story.asked_at_death) == ["done-unanswered", "swallowed"]


@pytest.mark.parametrize("name", NAMES)
def test_the_run_after_a_crash_reaches_the_same_end_state(story: Story, name: str) -> None:
    status = story.after[name]

    assert story.again.code == 0
    assert status.is_ready
    assert status.receipts[0].outcome is Outcome.CANCELLED
    assert status.receipts[0].requested_at == story.at_death[name].receipts[0].requested_at


@pytest.mark.parametrize(("name", "requests"), [("done-unanswered", 1), ("never-sent", 1), ("swallowed", 2)])
def test_after_a_crash_only_ineffective_requests_are_repeated(story: Story, name: str, requests: int) -> None:
    assert story.asked.count(name) == requests


def test_a_second_process_reports_the_lock_holder_and_ctrl_c_is_recoverable(
    checkout: Checkout, sandbox: Sandbox
) -> None:
    (job_id,) = sandbox.create(1)
    sandbox.break_with({"fault": "slow", "on": "cancel", "job": job_id, "for": "60s"})
    checkout.want("runaway", job_id)

    with checkout.start("--once", "--wait", "--commit-trailer", "Token: canary") as first:
        wait_for(lambda: sandbox.cancels(job_id), "the cancel arrives")
        second = checkout.run("--once")
        first.send_signal(signal.SIGINT)
        _, told = first.communicate()
    again = checkout.run("--once", "--wait")

    assert second.code == 75
    assert f"is held by process {first.pid} on " in second.err
    assert "(reconcile --once --wait --commit-trailer)" in second.err
    assert "canary" not in second.err
    assert first.returncode == 130
    assert "All requests are recorded, so the next pass continues from here." in told
    assert again.code == 0
    assert checkout.status("runaway").receipts[0].outcome is Outcome.CANCELLED
    assert len(sandbox.cancels(job_id)) == 1


def test_a_change_whose_intent_cannot_be_written_is_not_requested(checkout: Checkout, sandbox: Sandbox) -> None:
    blocked, free = sandbox.create(2)
    checkout.want("blocked", blocked)
    checkout.want("free", free)
    a_directory_in_the_way(checkout.status_dir / "blocked.yaml")

    ran = checkout.run("--once", "--wait")

    assert ran.code == os.EX_SOFTWARE
    assert "blocked: the intent could not be written, so no request was sent: Is a directory" in ran.err
    assert sandbox.cancels(blocked) == []
    assert checkout.status("free").receipts[0].outcome is Outcome.CANCELLED


def a_directory_in_the_way(path: Path) -> None:
    (path / "kept").mkdir(parents=True)
