"""Notifications through Apprise, to a mail server and a JSON endpoint on loopback sockets."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from reconciler.errors import Delivered, TransientError
from reconciler.model.notification import NotificationSeverity, NotificationType
from reconciler.telemetry.apprise_sink import AppriseSink, open_service
from tests.e2e.conftest import a_checkout
from tests.support.cli import Checkout, started_sandbox
from tests.support.news_cases import a_notification
from tests.support.sandbox_client import Sandbox
from tests.support.smtp_server import a_mail_server
from tests.support.webhook_receiver import Receiver, receiving

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of modules that Apprise imports
    pytest.mark.skipif(
        find_spec("apprise") is None, reason="apprise is not installed: pip install 'llm-job-reconciler[notify]'"
    ),
]
CANARY = "c4nary5f2c9a7be1d04c38"
STALLED = a_notification(
    type=NotificationType.JOB_STALLED,
    severity=NotificationSeverity.ERROR,
    text="one is stalled (JobNotFound):\nno such job <b>.",
    reason="JobNotFound",
)
CONFIG = """\
apiVersion: jobs.reconciler/v1
kind: OperatorConfig
spec:
  notify:
  - {name: mail, type: apprise, url: {env: MAIL_URL}}
"""
HANGING = """
import sys
from tests.peers.test_apprise import a_sink, deliver
from reconciler.errors import TransientError

try:
    deliver(a_sink(sys.argv[1], attempt_max_s=0.5))
except TransientError as error:
    print(error)
"""
ENDS_WITHIN_S = 30
RUN = ("--once", "--config", "operator.yaml", "--state-dir", "state")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def a_sink(url: str, attempt_max_s: float = 10) -> AppriseSink:
    return AppriseSink("mail", open_service(url), attempt_max_s)


def deliver(sink: AppriseSink, *, may_be_repeat: bool = False) -> None:
    asyncio.run(sink.deliver(STALLED, may_be_repeat=may_be_repeat))


def a_json_url(receiver: Receiver) -> str:
    return f"{receiver.url.replace('http', 'json', 1)}/in/{CANARY}"


def test_an_email_has_the_type_as_its_subject_and_the_whole_text() -> None:
    with a_mail_server() as (port, received):
        deliver(a_sink(f"mailto://127.0.0.1:{port}?from=ops@example.org&to=team@example.org"), may_be_repeat=True)
    (message,) = received
    body = message.get_body(("plain",))

    assert message["subject"] == "reconcile: job.stalled (error)"
    assert message["to"] == "team@example.org"
    assert body is not None
    assert body.get_content().splitlines() == [
        "one is stalled (JobNotFound): no such job <b>. (may be a repeat)",
        "severity: error · reason: JobNotFound",
    ]


def test_a_json_endpoint_gets_the_type_of_the_message(receiver: Receiver) -> None:
    deliver(a_sink(a_json_url(receiver)))
    (message,) = receiver.received

    assert message.path == f"/in/{CANARY}"
    assert (message.content["type"], message.content["title"]) == ("failure", "reconcile: job.stalled (error)")


@pytest.mark.parametrize("status", [302, 410, 500])
def test_a_failed_delivery_may_have_arrived_and_its_error_contains_no_word_of_apprise(
    receiver: Receiver, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status, receiver.headers = status, {"location": f"{receiver.url}/elsewhere"}
    receiver.text = CANARY
    sink = a_sink(a_json_url(receiver))

    with caplog.at_level(logging.DEBUG), pytest.raises(TransientError) as caught:
        deliver(sink)

    assert str(caught.value) == "Apprise could not deliver it, and does not say why"
    assert caught.value.delivered is Delivered.UNKNOWN
    assert [each.path for each in receiver.received] == [f"/in/{CANARY}"], "redirects are not followed"
    assert CANARY not in caplog.text


def test_an_attempt_that_hangs_ends_and_the_next_one_waits_for_its_thread() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sink = a_sink(f"json://127.0.0.1:{silent.getsockname()[1]}/?rto=30", attempt_max_s=0.5)

        async def main() -> list[TransientError]:
            errors = []
            for _ in range(2):
                with pytest.raises(TransientError) as caught:
                    await sink.deliver(STALLED, may_be_repeat=False)
                errors.append(caught.value)
            return errors

        first, second = asyncio.run(main())

    assert (str(first), first.delivered) == ("Apprise has not delivered it within 0.5 s", Delivered.UNKNOWN)
    assert (str(second), second.delivered) == ("an earlier attempt of Apprise has not ended", Delivered.NO)


def test_a_process_ends_although_an_attempt_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"json://127.0.0.1:{silent.getsockname()[1]}/?rto=60"
        ran = subprocess.run(
            [sys.executable, "-c", HANGING, url], timeout=ENDS_WITHIN_S, capture_output=True, text=True, check=False
        )

    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (0, "Apprise has not delivered it within 0.5 s", "")


@pytest.mark.parametrize("url", [CANARY, f"nosuch://{CANARY}", f"slack://{CANARY}", f"mailto://{CANARY}:x@", ""])
def test_a_url_that_apprise_does_not_accept_is_refused_without_being_shown(
    url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(ValueError, match=r"^its URL is not one that Apprise accepts$"):
        open_service(url)

    assert CANARY not in caplog.text + "".join(capfd.readouterr())


def test_a_run_sends_an_email_and_one_that_cannot_be_sent_is_sent_by_the_next_run_with_a_mark(tmp_path: Path) -> None:
    (tmp_path / "operator.yaml").write_text(CONFIG, encoding="utf-8")
    with started_sandbox(tmp_path, "--port", "0") as url, a_mail_server() as (port, received):
        sandbox = Sandbox(url)
        a_checkout(tmp_path, sandbox).want("typo", "ftjob-nobody-has-this")
        there = f"mailto://127.0.0.1:{port}?from=ops@example.org&to=team@example.org&name={CANARY}"
        checkout = Checkout(tmp_path, {**sandbox.environ, "MAIL_URL": there.replace(f":{port}", ":1")})
        failed = checkout.run(*RUN)
        sent = checkout.run(*RUN, MAIL_URL=there)
        refused = checkout.run(*RUN, MAIL_URL=f"nosuch://{CANARY}")

    assert "notifications cannot be delivered to mail: Apprise could not deliver it" in failed.err
    assert "mail" not in sent.err
    assert len(received) == 1
    assert "may be a repeat" in received[0].as_string()
    assert refused.code == 78
    assert "the sink mail of the operator's file cannot be used: its URL is not one that Apprise accepts" in refused.err
    assert CANARY not in "".join(each.out + each.err for each in (failed, sent, refused))
