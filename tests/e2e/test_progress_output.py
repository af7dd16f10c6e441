"""What a pass prints while it runs: each event once, when it occurs, and at least one line every 10 s."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread

import pytest

from tests.support.cli import Checkout, Process
from tests.support.sandbox_client import Sandbox, wait_for

ENDS_WITHIN_S = 60


@dataclass(slots=True)
class Pipe:
    """A process whose two streams go to one pipe, with the time of each line."""

    process: Process
    lines: list[tuple[float, str]] = field(default_factory=list)

    @property
    def said(self) -> list[str]:
        """The printed lines."""
        return [line for _, line in self.lines]

    def came_at(self, beginning: str) -> float:
        """Return the time of the line that begins with this text."""
        return next(at for at, line in self.lines if line.startswith(beginning))


@contextmanager
def in_a_pipe(checkout: Checkout, *arguments: str) -> Iterator[Pipe]:
    """Run a command, and note when each line comes."""
    ours, theirs = os.pipe()
    with checkout.start(*arguments, stdin=None, stdout=theirs, stderr=theirs) as process, os.fdopen(ours) as reader:
        os.close(theirs)
        pipe = Pipe(process)
        noting = Thread(target=lambda: pipe.lines.extend((time.monotonic(), line.rstrip("\n")) for line in reader))
        noting.start()
        try:
            yield pipe
            process.wait(timeout=ENDS_WITHIN_S)
        finally:
            process.kill()
            noting.join()


def test_a_pass_in_a_pipe_reports_each_change_once_when_it_happens(checkout: Checkout, sandbox: Sandbox) -> None:
    job_ids = sandbox.create(2)
    sandbox.break_with({"fault": "late-cancel", "for": "3s"})
    for number, job_id in enumerate(job_ids):
        checkout.want(f"job-{number}", job_id)

    with in_a_pipe(checkout, "--once", "--wait") as pipe:
        wait_for(lambda: "job-1: cancel sent" in pipe.said, "the pass reports the request")
        assert not any("confirmed" in line for line in pipe.said)

    assert pipe.process.returncode == 0
    assert pipe.came_at("job-0: cancel confirmed: cancelled") - pipe.came_at("job-0: cancel sent") > 2
    changes = [line for line in pipe.said if line.startswith(("job-0:", "job-1:"))]
    assert sorted(changes) == sorted(
        f"job-{number}: cancel {what}" for number in range(2) for what in ("sent", "confirmed: cancelled")
    )


def test_a_waiting_pass_reports_every_ten_seconds_what_it_waits_for(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    sandbox.break_with({"fault": "lost-cancel", "job": job_id})
    checkout.want("one", job_id)

    with in_a_pipe(checkout, "--once", "--wait=25s") as pipe:
        pass
    waits = [line for line in pipe.said if re.match(r"\d+s: ", line)]

    assert pipe.process.returncode == 75
    assert len(waits) == 2
    assert all(line.endswith("s: not confirmed yet: cancel of one") for line in waits)


@pytest.mark.long
def test_a_slow_drift_reports_that_it_lists_the_jobs_of_the_providers(checkout: Checkout, sandbox: Sandbox) -> None:
    sandbox.break_with({"fault": "slow", "on": "list", "for": "12s"})

    with in_a_pipe(checkout, "drift", "--provider", "main") as pipe:
        pass

    assert "10s: listing the providers' jobs" in pipe.said


@pytest.mark.long
def test_a_run_reports_that_it_waits_for_a_request_of_an_earlier_run(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    sandbox.break_with({"fault": "lost-cancel", "job": job_id})
    checkout.want("one", job_id)
    checkout.run("--once")

    with in_a_pipe(checkout, "--once", "--wait=15s") as pipe:
        pass
    waits = [line for line in pipe.said if re.match(r"\d+s: ", line)]

    assert pipe.process.returncode == 75
    assert waits == ["10s: not confirmed yet: cancel of one"]


def test_the_result_on_stdout_is_complete_without_stderr(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id)

    ran = checkout.run("--once", "--wait")

    assert ran.out.splitlines()[0] == "one: cancel accepted, confirmed cancelled"
    assert ran.err.splitlines() == ["one: cancel sent", "one: cancel confirmed: cancelled"]


@pytest.mark.long
def test_an_account_outage_and_its_end_are_one_line_each(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    sandbox.break_with({"fault": "status", "status": 503, "on": "retrieve", "job": job_id, "times": 2})
    checkout.want("one", job_id, "observed")

    with in_a_pipe(checkout, "--once") as pipe:
        pass
    told = [line for line in pipe.said if line.startswith("main: ")]

    assert pipe.process.returncode == 0
    assert [line.split(": ")[1] for line in told] == ["cannot be observed", "observed again"]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_pass_reports_finished_and_open_requests(
    checkout: Checkout, sandbox: Sandbox, number: int
) -> None:
    quick, late = sandbox.create(2)
    sandbox.break_with({"fault": "late-cancel", "job": late, "for": "60s"})
    checkout.want("quick", quick)
    checkout.want("late", late)

    with in_a_pipe(checkout, "--once", "--wait") as pipe:
        wait_for(
            lambda: "quick: cancel confirmed: cancelled" in pipe.said, "the pass reports the first confirmed cancel"
        )
        pipe.process.send_signal(number)

    assert pipe.process.returncode == 130
    *_, told, ending = filter(None, pipe.said)
    sent = r"2 requests sent \((late, quick|quick, late)\)"
    assert re.fullmatch(rf"Interrupted after \d+s: {sent}; 1 confirmed \(quick\); 1 open \(late\)", told)
    assert ending == "All requests are recorded, so the next pass continues from here."


def test_a_json_log_contains_the_same_events_as_records(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id)

    ran = checkout.run("--once", "--wait", "--log-format", "json")
    records = [json.loads(line) for line in ran.err.splitlines()]

    assert [(each["message"], each["name"], each["verb"]) for each in records] == [
        ("one: cancel sent", "one", "cancel"),
        ("one: cancel confirmed: cancelled", "one", "cancel"),
    ]
    assert records[1]["outcome"] == "cancelled"
