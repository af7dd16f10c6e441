"""The bodies that the sinks send, compared with the limits and the formats that the services document."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from starlette.responses import PlainTextResponse

from reconciler.errors import PermanentError, ProviderError, ReceiverGoneError, TransientError
from reconciler.model.notification import NotificationSeverity, NotificationType
from reconciler.ports import NotificationSink, Rate, Transport
from reconciler.telemetry.pagerduty_sink import pagerduty_body
from reconciler.telemetry.slack_sink import SlackSink, slack_body
from reconciler.telemetry.teams_sink import teams_body
from reconciler.telemetry.webhook_sink import WebhookSink, signing_keys, webhook_body
from reconciler.transport import HttpTransport, Throttle
from tests.support.news_cases import a_notification

STALLED = a_notification(
    type=NotificationType.JOB_STALLED,
    severity=NotificationSeverity.ERROR,
    text="chat <!channel> & [click](https://x.example) is stalled (JobFailed): failed.",
    reason="JobFailed",
    account="openai https://api.openai.com/v1",
    facts={"jobId": "ftjob-1", "commit": "4be1f0c", "message": "failed"},
    problem="msg_p",
)
HUGE = a_notification(text="&" * 2000, reason="&" * 900, account="<" * 900, facts={"author": ">" * 2000})


def test_a_text_with_line_breaks_cannot_look_like_another_message() -> None:
    message = replace(STALLED, text="odd failed: x\n:white_check_mark: all is well\u2028\x1b[31m")
    body = slack_body(message, may_be_repeat=False)

    assert body["text"] == "odd failed: x :white_check_mark: all is well \\x1b[31m"
    assert "\n" not in json.dumps(body, ensure_ascii=False).replace("\\n", "\n")


def test_a_slack_message_escapes_markup_and_shows_the_facts() -> None:
    body = json.loads(json.dumps(slack_body(STALLED, may_be_repeat=False)))

    text = "chat &lt;!channel&gt; &amp; [click](https://x.example) is stalled (JobFailed): failed."
    assert body["text"] == text
    assert body["blocks"][0]["text"] == {"type": "mrkdwn", "text": f":red_circle: {text}", "verbatim": True}
    assert body["blocks"][1]["elements"][0]["text"] == (
        "severity: error · reason: JobFailed · account: openai https://api.openai.com/v1 · job: ftjob-1 · "
        "commit: 4be1f0c"
    )


def test_a_slack_message_stays_below_the_limit_of_a_block() -> None:
    body = json.loads(json.dumps(slack_body(HUGE, may_be_repeat=True)))
    texts = [body["blocks"][0]["text"]["text"], body["blocks"][1]["elements"][0]["text"]]

    assert max(map(len, texts)) <= 3000
    assert body["text"].endswith("… (may be a repeat)")


def test_a_teams_message_is_an_adaptive_card_without_markup() -> None:
    body = json.loads(json.dumps(teams_body(STALLED, may_be_repeat=True)))
    (attachment,) = body["attachments"]
    card = attachment["content"]

    assert (body["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert card["body"][0]["inlines"][0]["text"] == f"{STALLED.text} (may be a repeat)"
    assert card["body"][0]["inlines"][0]["color"] == "Attention"
    assert len(json.dumps(teams_body(HUGE, may_be_repeat=True))) < 28_000


def test_a_problem_triggers_an_alert_and_its_end_resolves_the_same_alert() -> None:
    trigger = pagerduty_body(STALLED, "key")
    end = a_notification(2, type=NotificationType.JOB_RECOVERED, problem="msg_p", is_resolved=True)

    assert (trigger["event_action"], trigger["dedup_key"]) == ("trigger", "reconcile/msg_p")
    assert trigger["payload"] == {
        "summary": STALLED.text,
        "source": STALLED.account,
        "severity": "error",
        "timestamp": "2026-11-23T14:03:21Z",
        "class": "JobFailed",
        "custom_details": {"type": "job.stalled", "jobs": ["job-1"], **STALLED.facts},
    }
    assert pagerduty_body(end, "key") == {
        "routing_key": "key",
        "dedup_key": "reconcile/msg_p",
        "event_action": "resolve",
    }


def test_the_body_of_a_webhook_has_only_what_is_known() -> None:
    assert webhook_body(a_notification()) == {
        "type": "job.cancelled",
        "timestamp": "2026-11-23T14:03:21Z",
        "data": {
            "severity": "info",
            "text": "job-1 was cancelled, as the provider confirmed.",
            "jobs": ["job-1"],
            "kind": "FineTuningJob",
        },
    }


def test_several_keys_sign_while_a_secret_is_rotated() -> None:
    old, new = ("whsec_" + "A" * 32, "whsec_" + "B" * 32)

    assert len(signing_keys(f"{new} {old}")) == 2


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_!!!", "A" * 32, "whsec_" + "A" * 28, "whsec_" + "A" * 92])
def test_a_signing_secret_that_is_not_valid_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"^its secret must be whsec_ followed by 24 to 64 bytes in base64$"):
        signing_keys(text)


@pytest.mark.parametrize(("status", "error"), [(410, ReceiverGoneError), (404, TransientError), (400, PermanentError)])
def test_a_webhook_whose_receiver_is_gone_says_so(status: int, error: type[Exception]) -> None:
    async def main(sink_of: Callable[[Transport], NotificationSink]) -> Exception:
        app = PlainTextResponse("no longer here", status)
        async with HttpTransport("http://hooks.example", Throttle(Rate())).to_app(app) as transport:
            with pytest.raises(ProviderError) as caught:
                await sink_of(transport).deliver(STALLED, may_be_repeat=False)
            return caught.value

    webhook = asyncio.run(main(lambda transport: WebhookSink("hook", transport, (b"k" * 24,), lambda: STALLED.at)))
    slack = asyncio.run(main(lambda transport: SlackSink("chat", transport)))

    assert type(webhook) is error
    assert str(webhook) == f"HTTP {status}: no longer here"
    assert not isinstance(slack, ReceiverGoneError)
