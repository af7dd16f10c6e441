"""Notifications of real processes, received on a loopback socket."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from reconciler.model.status import Outcome
from tests.e2e.conftest import a_checkout
from tests.support.cli import Checkout, run_crashing
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.watch_process import watching
from tests.support.webhook_receiver import SECRET, Receiver, receiving

CONFIG = """\
apiVersion: jobs.reconciler/v1
kind: OperatorConfig
spec:
  notify:
  - {name: audit, type: webhook, url: {env: HOOK_URL}, secret: {env: HOOK_SECRET}}
"""
FOUR_SINKS = """\
apiVersion: jobs.reconciler/v1
kind: OperatorConfig
spec:
  notify:
  - {name: audit, type: webhook, url: {env: AUDIT_URL}, secret: {env: HOOK_SECRET}}
  - {name: chat, type: slack, url: {env: CHAT_URL}}
  - {name: team, type: teams, url: {env: TEAM_URL}}
  - {name: pager, type: pagerduty, key: {env: PAGER_KEY}, url: {env: PAGER_URL}}
"""
PATH = "/in/5f2c9a7be1d04c38"
KEY = "R0123456789ABCDEFGHIJKLMNOPQRSTU"
INTERRUPTED_WITHIN_S = 5
"""Less than the time for which a run that is not interrupted delivers."""
KILLS = 5
"""About this many kills are tried, or with `--long` one before each effect."""
RUN = ("--once", "--wait", "--config", "operator.yaml", "--state-dir", "state")
FILES = ("notifications.outbox", "notifications.told")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Yield a receiver that accepts everything."""
    with receiving() as receiver:
        yield receiver


def told(root: Path, sandbox: Sandbox, receiver: Receiver, config: str = CONFIG) -> Checkout:
    """Return a checkout with a sink at the receiver."""
    root.mkdir(exist_ok=True)
    (root / "operator.yaml").write_text(config, encoding="utf-8")
    urls = {f"{each.upper()}_URL": f"{receiver.url}{PATH}/{each}" for each in ("audit", "chat", "team", "pager")}
    secrets = {"HOOK_URL": f"{receiver.url}{PATH}", "HOOK_SECRET": SECRET, "PAGER_KEY": KEY}
    environ = {**sandbox.environ, **urls, **secrets}
    a_checkout(root, sandbox)
    return Checkout(root, environ)


def test_a_proven_cancel_is_told_once_and_its_signature_is_verified_by_the_official_library(
    tmp_path: Path, sandbox: Sandbox, receiver: Receiver
) -> None:
    (job_id,) = sandbox.create(1)
    checkout = told(tmp_path, sandbox, receiver)
    checkout.want("one", job_id)

    ran, again = checkout.run(*RUN), checkout.run(*RUN)
    (message,) = receiver.received

    assert (ran.code, again.code) == (0, 0)
    assert message.path == PATH
    assert Webhook(SECRET).verify(message.body, message.headers) == message.content
    assert message.content["type"] == "job.cancelled"
    data = message.content["data"]
    assert data["text"] == "one was cancelled, as the provider confirmed."
    assert (data["jobs"], data["facts"]["jobId"], data["facts"]["outcome"]) == (["one"], job_id, Outcome.CANCELLED)
    assert data["facts"]["confirmedAt"] == message.content["timestamp"]
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(message.body + b" ", message.headers)


def test_what_a_run_cannot_deliver_is_said_and_the_next_run_delivers_it_with_the_same_id(
    tmp_path: Path, sandbox: Sandbox, receiver: Receiver
) -> None:
    (job_id,) = sandbox.create(1)
    checkout = told(tmp_path, sandbox, receiver)
    checkout.want("one", job_id)
    receiver.status, receiver.headers = 503, {"retry-after": "60"}

    failed = checkout.run(*RUN)
    refused = [each.id for each in receiver.received]
    receiver.status, receiver.headers = 200, {}
    delivered = checkout.run(*RUN)

    assert failed.code == 0
    assert "notifications cannot be delivered to audit: HTTP 503" in failed.err
    assert "1 notification to audit not delivered yet: the next run with this state directory tries again" in failed.err
    assert len(refused) == 1, "Retry-After is obeyed"
    assert (delivered.code, delivered.err.count("audit")) == (0, 0)
    assert [each.id for each in receiver.received[1:]] == refused


def test_a_watch_tells_that_it_starts_and_stops_and_that_an_account_is_away_and_back(
    tmp_path: Path, sandbox: Sandbox, receiver: Receiver
) -> None:
    first, _ = sandbox.create(2)
    checkout = told(tmp_path, sandbox, receiver)
    checkout.want("one", first, "observed")

    with watching(checkout, *RUN[2:]) as watch:
        wait_for((checkout.status_dir / "one.yaml").exists, "the first pass writes a status")
        sandbox.break_with({"fault": "status", "status": "500", "on": "any"})
        checkout.want("one", first)
        wait_for(lambda: "account.away" in receiver.types(), "the outage is told", within_s=30)
        sandbox.heal()
        wait_for(lambda: "job.cancelled" in receiver.types(), "the cancel is told", within_s=60)
        code = watch.stop()
    kinds = receiver.types()

    assert code == 0
    assert kinds[0] == "watch.started"
    assert sorted(kinds[1:-1]) == ["account.away", "account.back", "job.cancelled"]
    assert kinds[-1] == "watch.stopped"
    assert len(receiver.received) == len(kinds)


def test_no_secret_of_a_sink_is_in_the_output_the_outbox_or_a_status(
    tmp_path: Path, sandbox: Sandbox, receiver: Receiver
) -> None:
    (job_id,) = sandbox.create(1)
    checkout = told(tmp_path, sandbox, receiver)
    checkout.want("one", job_id)
    receiver.status, receiver.text = 400, f"no such hook: {PATH} {SECRET}"

    ran = checkout.run(*RUN)
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())

    assert "HTTP 400: no such hook: [redacted]" in ran.err
    for secret in (PATH, SECRET):
        assert secret not in ran.out + ran.err
        assert secret.encode() not in files


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"HOOK_URL": ""}, "the url of the sink audit is missing: HOOK_URL is not set"),
        ({"HOOK_URL": "http://example.org/x"}, "its URL must start with https://, unless its host is this machine"),
        ({"HOOK_SECRET": "whsec_c2hvcnQ="}, "its secret must be whsec_ followed by 24 to 64 bytes in base64"),
    ],
)
def test_a_sink_that_cannot_be_used_is_an_error_before_anything_is_done(
    tmp_path: Path, sandbox: Sandbox, receiver: Receiver, environ: dict[str, str], said: str
) -> None:
    (job_id,) = sandbox.create(1)
    checkout = told(tmp_path, sandbox, receiver)
    checkout.want("one", job_id)

    ran = checkout.run(*RUN, **environ)

    assert ran.code == 78
    assert said in ran.err
    assert sandbox.cancels(job_id) == []


def test_a_kill_at_any_moment_loses_nothing_and_doubles_nothing_where_the_receiver_knows_ids(
    tmp_path: Path,
    sandbox: Sandbox,
    receiver: Receiver,
    pytestconfig: pytest.Config,
    record_property: Callable[[str, object], None],
) -> None:
    """Slack receives everything at least once, and a repeat says that it may be one."""

    def a_run(name: str) -> Checkout:
        (job_id,) = sandbox.create(1)
        checkout = told(tmp_path / name, sandbox, receiver, FOUR_SINKS)
        checkout.want("one", job_id)
        checkout.want("typo", "ftjob-nobody-has-this")
        return checkout

    code, effects = run_crashing(a_run("lives"), 0, *RUN)
    ours = [at for at, effect in enumerate(effects, 1) if effect == "POST " or effect.endswith(FILES)]
    ours = [at for at in ours if at > effects.index("POST ")]
    points = range(1, len(effects) + 1) if pytestconfig.getoption("--long") else ours[:: max(1, len(ours) // KILLS)]
    repeats = {"audit": 0, "chat": 0, "pager": 0}

    for number in points:
        checkout = a_run(f"dies-before-{number}")
        receiver.received.clear()
        died, _ = run_crashing(checkout, number, *RUN)
        again = checkout.run(*RUN)
        signed, chat, pages = (receiver.at(f"{PATH}/{each}") for each in ("audit", "chat", "pager"))
        kept = {each.id: each.content for each in signed}
        texts = [each.content["text"] for each in chat]
        unmarked = [each for each in texts if not each.endswith(" (may be a repeat)")]

        assert (died, again.code) == (-signal.SIGKILL, code), f"killed before {effects[number - 1]}"
        assert sorted((each["type"], each["data"]["jobs"]) for each in kept.values()) == [
            ("job.cancelled", ["one"]),
            ("job.stalled", ["typo"]),
        ]
        assert {each.content["event_action"] for each in pages} == {"trigger"}
        assert len({each.content["dedup_key"] for each in pages}) == 1
        assert {each.removesuffix(" (may be a repeat)") for each in texts} == {
            each["data"]["text"] for each in kept.values()
        }
        assert len(unmarked) == len(set(unmarked)), "a repeat says that it may be one"
        repeats["audit"] += len(signed) - len(kept)
        repeats["chat"] += len(texts) - len(kept)
        repeats["pager"] += len(pages) - 1
    assert sum(repeats.values()), "some kills are between a request and its record, so the request is repeated"
    record_property(
        "killed by SIGKILL", f"before {len(points)} of the {len(effects)} effects of a run that notifies: {repeats}"
    )


def test_a_stalled_job_pages_a_person_and_its_end_resolves_the_alert(
    tmp_path: Path, sandbox: Sandbox, receiver: Receiver
) -> None:
    (job_id,) = sandbox.create(1)
    checkout = told(tmp_path, sandbox, receiver, FOUR_SINKS)
    checkout.want("one", "ftjob-nobody-has-this")

    checkout.run(*RUN)
    checkout.want("one", job_id, "observed")
    checkout.run(*RUN)
    trigger, resolve = (each.content for each in receiver.at(f"{PATH}/pager"))
    slack, teams = (receiver.at(f"{PATH}/{each}") for each in ("chat", "team"))

    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"]
    assert trigger["routing_key"] == KEY
    assert trigger["payload"]["class"] == "JobNotFound"
    assert [each.content["text"].partition(" (")[0] for each in slack] == [
        "one is stalled",
        "one is no longer stalled",
    ]
    assert [each.content["attachments"][0]["content"]["type"] for each in teams] == ["AdaptiveCard"] * 2


def test_an_interrupted_run_does_not_wait_for_a_sink_and_the_next_run_delivers(
    tmp_path: Path, sandbox: Sandbox, receiver: Receiver
) -> None:
    (job_id,) = sandbox.create(1)
    sandbox.break_with({"fault": "late-cancel", "on": "cancel", "job": job_id, "for": "60s"})
    checkout = told(tmp_path, sandbox, receiver)
    checkout.want("one", job_id)
    checkout.want("typo", "ftjob-nobody-has-this")
    receiver.status = 503

    with checkout.start(*RUN) as process:
        wait_for(lambda: len(receiver.received) > 1, "the sink has refused the notification twice")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=INTERRUPTED_WITHIN_S)
    receiver.status = 200
    checkout.run("--once", *RUN[2:])

    assert receiver.types() == ["job.stalled"]
    assert receiver.received[-1].id == receiver.received[0].id


def test_in_shadow_mode_a_withheld_change_is_told_once_and_nothing_is_cancelled(
    tmp_path: Path, sandbox: Sandbox, receiver: Receiver
) -> None:
    (job_id,) = sandbox.create(1)
    checkout = told(tmp_path, sandbox, receiver)
    checkout.want("one", job_id)

    for _ in range(2):
        checkout.run(*RUN, "--shadow")
    (message,) = receiver.received

    assert message.content["type"] == "change.withheld"
    assert message.content["data"]["text"] == (
        "[shadow] one would be changed (WouldCancel): shadow mode: the cancel is not requested."
    )
    assert sandbox.cancels(job_id) == []


def test_a_storm_is_one_message_in_slack_and_all_messages_for_a_machine(
    tmp_path: Path, sandbox: Sandbox, receiver: Receiver
) -> None:
    checkout = told(tmp_path, sandbox, receiver, FOUR_SINKS)
    for number in range(23):
        checkout.want(f"job-{number:02}", f"ftjob-nobody-has-{number:02}")

    checkout.run(*RUN)
    (summary,) = receiver.at(f"{PATH}/chat")

    assert summary.content["text"] == (
        "23 notifications in one: 23 stalled. Jobs: job-00, job-01, job-02, job-03, job-04, …"
    )
    assert len({each.id for each in receiver.at(f"{PATH}/audit")}) == 23


def test_the_outbox_is_empty_once_everything_is_delivered(tmp_path: Path, sandbox: Sandbox, receiver: Receiver) -> None:
    (job_id,) = sandbox.create(1)
    checkout = told(tmp_path, sandbox, receiver)
    checkout.want("one", job_id)

    checkout.run(*RUN)
    outbox, record = ((tmp_path / "state" / name).read_text(encoding="utf-8").splitlines() for name in FILES)

    assert outbox == ["reconcile 1"]
    assert [json.loads(each)[0] for each in record[2:]] == [f"receipt openai {sandbox.url} {job_id}"]
