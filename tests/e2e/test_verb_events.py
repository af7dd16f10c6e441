"""`reconcile events`: what the statuses of several jobs say happened, once or as it happens."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from reconciler.model.exit_code import ExitCode
from tests.support.cli import Checkout, Ran, finished, two_running_jobs


@pytest.fixture
def author(tmp_path: Path) -> Checkout:
    """Return a checkout with the running jobs `costly` and `kept`, of which a pass has cancelled the first."""
    checkout = two_running_jobs(tmp_path)
    assert checkout.run("--once", "--wait").code == ExitCode.OK
    return checkout


def events(ran: Ran) -> list[tuple[str, str]]:
    """Return the name and the message of each event of a list as JSON."""
    assert ran.code == ExitCode.OK, ran.err
    return [(found["name"], found["message"]) for found in map(json.loads, ran.out.splitlines())]


def test_events_shows_the_cancel_from_its_request_to_its_confirmation(author: Checkout) -> None:
    ran = author.run("events")
    shown = [line.split(maxsplit=3)[2:] for line in ran.out.splitlines()[1:]]
    costly = [rest for name, rest in shown if name == "costly"]

    assert ran.code == ExitCode.OK
    assert costly.index("requested  cancel, the spec wants it") < costly.index("provider   cancel accepted")
    assert costly[-1] == "observed   cancelled, Cancelled"
    assert ["kept", "observed   running, AsDesired"] in shown


def test_events_of_a_job_a_kind_and_a_period_leave_out_the_others(author: Checkout) -> None:
    assert {name for name, _ in events(author.run("events", "kept", "-o", "json"))} == {"kept"}
    assert {name for name, _ in events(author.run("events", "--since", "1h", "-o", "json"))} == {"costly", "kept"}
    assert events(author.run("events", "--kind", "batchjob", "-o", "json")) == []
    assert events(author.run("events", "--since", "0s", "-o", "json")) == []


def test_a_wrong_period_name_or_provider_is_reported(author: Checkout) -> None:
    for arguments, message in (
        (("--since", "yesterday"), "'yesterday'"),
        (("costy",), "Did you mean 'costly'?"),
        (("--provider", "wrld"), "Did you mean 'world'?"),
        (("costly", "--selector", "team=legal"), "'costly' exists"),
    ):
        ran = author.run("events", *arguments)

        assert ran.code == ExitCode.USAGE
        assert message in ran.err


def test_events_follow_a_cancel_while_it_happens(author: Checkout) -> None:
    with author.start("events", "kept", "--follow", "-o", "json") as process:
        assert process.stdout is not None
        before = json.loads(process.stdout.readline())["message"]
        author.want("kept", "ftjob-b", provider="world")
        assert author.run("--once", "--wait").code == ExitCode.OK
        messages = [before]
        while messages[-1] != "cancelled, Cancelled":
            messages.append(json.loads(process.stdout.readline())["message"])
        process.send_signal(signal.SIGINT)
        ran = finished(process)

    assert messages.count("running, AsDesired") == 1
    assert messages.count("cancel accepted") == 1
    assert ran.out == ""
    assert ran.code == 130


def test_events_without_a_readable_spec_fails(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    checkout.write("broken.yaml", "a: [")

    assert checkout.run("events").code == ExitCode.INVALID_DOCUMENT
