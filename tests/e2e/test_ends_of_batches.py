"""How batches end, by the command: what the plan, the status, the receipt, `describe` and the page say."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.job import JobCounts, Phase
from reconciler.model.status import Outcome
from tests.contract.batch_harness import (
    ANTHROPIC,
    BEDROCK,
    COHERE,
    GEMINI,
    MISTRAL,
    OPENAI,
    TOGETHER,
    VERTEX_AI,
    XAI,
    BatchService,
)
from tests.support.batch_scene import BatchScene, batch_scene

NOTHING = "Requested: nothing."
ENDED_AN_HOUR_AGO: dict[str, Any] = {"age": "6h", "life": [{"phase": "running", "for": "5h"}, {"phase": "failed"}]}
SIX_HOURS = timedelta(hours=6)
TEN_MINUTES = "10m"


def said(text: str) -> list[str]:
    """Return the lines of a text, with one space between words."""
    return [" ".join(line.split()) for line in text.splitlines()]


def history(scene: BatchScene) -> list[str]:
    """Return the history that `describe` shows, without times."""
    return [line.split(" ", 2)[2] for line in said(scene.described().partition("History (UTC)\n")[2])]


def test_a_batch_that_completes_while_its_cancel_is_sent_is_reported_as_refused(tmp_path: Path) -> None:
    with batch_scene(tmp_path, OPENAI) as scene:
        scene.want("cancelled")
        plan = said(scene.run("plan").out)
        scene.ahead_at_cancel = SIX_HOURS
        ran = scene.run("--once", "--wait=5s")
        status, again = scene.status(), scene.run("--once")
        (receipt,) = status.receipts
        told, page, web_page = said(scene.described()), scene.page(), scene.web_page()

        assert plan[0] == "cancel nightly: running -> cancelled"
        assert "keeps the results of the finished requests, in the output file" in plan
        assert "charged the finished requests" in plan
        assert ran.code == 0, ran.err
        assert "nightly: cancel refused: already succeeded" in ran.out
        assert (status.phase, status.ready.reason) == (Phase.SUCCEEDED, "FinishedBeforeCancel")
        assert status.ready.message == "succeeded at the provider; 100 of 100 done"
        assert (receipt.outcome, receipt.attempts) == (Outcome.SUCCEEDED, 1)
        assert (receipt.accepted_at, receipt.confirmed_at) == (None, None)
        assert "phase succeeded (the provider reports 'completed')" in " ".join(told).replace(", final", "")
        assert "provider cancel refused: already succeeded" in history(scene)
        assert "Plan: nothing to change" in page
        assert "succeeded at the provider; 100 of 100 done" in web_page
        assert "provider cancel refused: already succeeded" in web_page
        assert NOTHING in again.out
        assert scene.cancels == 1


def test_an_expired_batch_is_failed_and_says_how_much_is_done(tmp_path: Path) -> None:
    expired: dict[str, Any] = {**ENDED_AN_HOUR_AGO, "error": {"code": "expired"}}
    with batch_scene(tmp_path, OPENAI, **expired, edit=_with_counts(23)) as scene:
        scene.want("running")
        plan, ran = said(scene.run("plan").out), scene.run("--once")
        wanted, told, page, web_page = scene.status(), said(scene.described()), scene.page(), scene.web_page()
        scene.want("cancelled")
        assert scene.run("--once").code == 0
        unwanted = scene.status()

        message = "failed at the provider: expired: 23 of 100 done"
        assert f"nightly JobFailed {message}" in plan
        assert ran.code == 1
        assert (wanted.phase, wanted.final, wanted.receipts) == (Phase.FAILED, True, ())
        assert (wanted.ready.reason, wanted.ready.message) == ("JobFailed", message)
        assert wanted.is_stalled
        assert {"requests 23 of 100 done", "error expired: 23 of 100 done"} <= set(told)
        assert "phase failed, final (the provider reports 'expired')" in told
        assert "result file-out-batch_running" in told
        assert f"| **nightly** | JobFailed | {message} |" in page
        assert message in web_page
        assert (unwanted.ready.reason, unwanted.ready.message) == ("FinishedBeforeCancel", message)
        assert scene.cancels == 0


def test_an_expired_batch_without_any_result_says_so(tmp_path: Path) -> None:
    with batch_scene(tmp_path, ANTHROPIC, **ENDED_AN_HOUR_AGO, error={"code": "expired"}) as scene:
        scene.want("running")
        ran, status, told = scene.run("--once"), scene.status(), said(scene.described())

        assert ran.code == 1
        assert status.job is not None
        assert (status.phase, status.job.provider_status) == (Phase.FAILED, "ended")
        assert status.ready.message == "failed at the provider: expired: 0 of 100 done"
        assert "requests 0 of 100 done, 100 failed" in told
        assert "phase failed, final (the provider reports 'ended')" in told


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("service", "code", "word", "message"),
    [
        (MISTRAL, "expired", "TIMEOUT_EXCEEDED", "expired: "),
        (GEMINI, "expired", "BATCH_STATE_EXPIRED", "expired: not completed within 48 hours, and without results"),
        (COHERE, "bad_line", "BATCH_STATUS_FAILED", "bad line"),
        (VERTEX_AI, "expired", "JOB_STATE_EXPIRED", "expired: "),
        (VERTEX_AI, "bad_line", "JOB_STATE_FAILED", "bad line"),
        (XAI, "bad_line", "cancelled by xAI", "bad requests"),
    ],
    ids=lambda value: value.type if isinstance(value, BatchService) else None,
)
def test_a_batch_that_ended_without_success_says_why(
    tmp_path: Path, service: BatchService, code: str, word: str, message: str
) -> None:
    with batch_scene(tmp_path, service, **ENDED_AN_HOUR_AGO, error={"code": code, "message": "bad line"}) as scene:
        scene.want("running")
        ran, wanted, told = scene.run("--once"), scene.status(), said(scene.described())
        scene.want("cancelled")
        assert scene.run("--once").code == 0
        unwanted = scene.status()

        assert ran.code == 1
        assert wanted.job is not None
        assert (wanted.phase, wanted.job.provider_status, wanted.ready.reason) == (Phase.FAILED, word, "JobFailed")
        assert wanted.ready.message.startswith(f"failed at the provider: {message}")
        assert any(line.startswith("error ") and message in line for line in told)
        assert (unwanted.ready.reason, unwanted.receipts) == ("FinishedBeforeCancel", ())
        assert scene.cancels == 0


@pytest.mark.parametrize(
    ("service", "word"),
    [
        (MISTRAL, "CANCELLED"),
        (GEMINI, "BATCH_STATE_CANCELLED"),
        (COHERE, "BATCH_STATUS_CANCELED"),
        (VERTEX_AI, "JOB_STATE_CANCELLED"),
        (XAI, "cancelled"),
    ],
    ids=lambda value: value.type if isinstance(value, BatchService) else None,
)
def test_a_cancelled_batch_of_each_service_is_confirmed_by_its_own_word(
    tmp_path: Path, service: BatchService, word: str
) -> None:
    with batch_scene(tmp_path, service) as scene:
        scene.want("cancelled")
        ran, status = scene.run("--once", "--wait=15s"), scene.status()
        (receipt,) = status.receipts

        assert ran.code == 0, ran.err
        assert "nightly: cancel accepted, confirmed cancelled" in ran.out
        assert status.job is not None
        assert (status.phase, status.job.provider_status, status.ready.reason) == (Phase.CANCELLED, word, "Cancelled")
        assert (receipt.outcome, receipt.attempts) == (Outcome.CANCELLED, 1)


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ({"success": False, "detail": "not through this gateway"}, "not through this gateway"),
        ({"detail": "Method not supported"}, "Method not supported"),
        ({"id": "batch_other", "status": "cancelled"}, "a job other than the requested one"),
    ],
)
def test_a_cancel_that_the_response_does_not_accept_has_no_acceptance_in_its_receipt(
    tmp_path: Path, response: dict[str, Any], message: str
) -> None:
    def edit(path: str, body: Any) -> Any:
        return response if path.endswith("/cancel") else body

    with batch_scene(tmp_path, OPENAI, cancelTakes=TEN_MINUTES, cancelWord=None, edit=edit) as scene:
        scene.want("cancelled")
        ran, status = scene.run("--once"), scene.status()
        (receipt,) = status.receipts

        assert message in f"{ran.out} {ran.err}"
        assert "accepted" not in ran.out.replace("accepted the request", "")
        assert (status.phase, receipt.accepted_at, receipt.outcome) == (Phase.RUNNING, None, None)


def test_a_partial_batch_has_succeeded_and_says_what_is_missing(tmp_path: Path) -> None:
    def edit(_: str, body: Any) -> Any:
        if body.get("status") == "Completed":
            body = {**body, "status": "PartiallyCompleted"}
        numbers = {"totalRecordCount": 10_000, "processedRecordCount": 9120, "successRecordCount": 9120}
        return {**body, **numbers} if "totalRecordCount" in body else body

    with batch_scene(tmp_path, BEDROCK, age="6h", edit=edit) as scene:
        scene.want("running")
        plan, ran = said(scene.run("plan").out), scene.run("--once")
        wanted, told, wide = scene.status(), said(scene.described()), scene.run("get", "-o", "wide").out
        web_page = scene.web_page()
        scene.want("cancelled")
        assert scene.run("--once").code == 0
        unwanted = scene.status()

        message = "succeeded at the provider; 9,120 of 10,000 done; not all were processed in time"
        assert plan[-1] == "Plan: 1 as desired."
        assert ran.code == 0, ran.err
        assert wanted.job is not None
        assert (wanted.phase, wanted.final, wanted.job.counts) == (Phase.SUCCEEDED, True, JobCounts(10_000, 9120, 0))
        assert (wanted.ready.reason, wanted.ready.message) == ("Succeeded", message)
        assert message in wide
        assert message in web_page
        assert "phase succeeded, final (the provider reports 'PartiallyCompleted')" in told
        assert "requests 9,120 of 10,000 done" in told
        assert "result s3://b/out/runningxxxxx/" in told
        assert (unwanted.ready.reason, unwanted.ready.message, unwanted.receipts) == (
            "FinishedBeforeCancel",
            message,
            (),
        )
        assert scene.cancels == 0


def test_a_batch_with_a_slow_cancel_is_cancelling_and_gets_one_request(tmp_path: Path) -> None:
    with batch_scene(tmp_path, OPENAI, cancelTakes=TEN_MINUTES) as scene:
        scene.want("cancelled")
        first, waited = scene.run("--once"), scene.run("--once", "--wait=2s")
        plan, page, told = said(scene.run("plan").out), scene.page(), said(scene.described())
        pending, web_page = scene.status(), scene.web_page()
        scene.ahead = timedelta(minutes=9)
        still = scene.run("--once")
        scene.ahead = timedelta(minutes=11)
        last = scene.run("--once")
        status = scene.status()

        assert first.code == 0
        assert "nightly: cancel accepted, not confirmed yet" in first.out
        assert waited.code == 75
        assert "1 job still in progress: nightly" in waited.err
        assert "nightly CancelPending cancelling at the provider" in plan
        assert "| **nightly** | CancelPending | cancelling at the provider |" in page
        assert "cancelling at the provider" in web_page
        assert "phase cancelling" in told
        assert (pending.phase, pending.final) == (Phase.CANCELLING, False)
        assert pending.receipts[0].accepted_at is not None
        assert pending.receipts[0].confirmed_at is None
        assert NOTHING in still.out
        assert "nightly: cancel requested earlier, confirmed cancelled" in last.out
        assert (status.phase, status.final, status.ready.reason) == (Phase.CANCELLED, True, "Cancelled")
        assert status.ready.message == "cancelled at the provider; 10 of 100 done"
        assert (status.receipts[0].outcome, status.receipts[0].attempts) == (Outcome.CANCELLED, 1)
        assert status.receipts[0].confirmed_at is not None
        assert [line for line in history(scene) if line.startswith("observed")][-3:] == [
            "observed running, CancelPending",
            "observed cancelling, CancelPending",
            "observed cancelled, Cancelled",
        ]
        assert scene.cancels == 1


def test_a_batch_that_ends_with_one_word_is_cancelled_if_requests_were_cancelled(tmp_path: Path) -> None:
    with batch_scene(tmp_path, ANTHROPIC, cancelTakes="1s") as scene:
        scene.want("cancelled")
        plan = said(scene.run("plan").out)
        ran, status, told = scene.run("--once", "--wait=15s"), scene.status(), said(scene.described())
        (receipt,) = status.receipts

        assert "keeps the results of the finished requests, for 29 days" in plan
        assert "charged the requests that succeeded" in plan
        assert ran.code == 0, ran.err
        assert "nightly: cancel accepted, confirmed cancelled" in ran.out
        assert status.job is not None
        assert (status.phase, status.job.provider_status) == (Phase.CANCELLED, "ended")
        assert (status.ready.reason, status.ready.message) == ("Cancelled", "cancelled at the provider; 23 of 100 done")
        assert (receipt.outcome, receipt.attempts) == (Outcome.CANCELLED, 1)
        assert "phase cancelled, final (the provider reports 'ended')" in told
        assert "confirmed cancel: the job was observed cancelled" in history(scene)
        assert "cancelled at the provider; 23 of 100 done" in scene.web_page()
        assert "confirmed cancel: the job was observed cancelled" in scene.web_page()


def test_a_batch_that_ends_with_one_word_has_succeeded_if_its_cancel_came_too_late(tmp_path: Path) -> None:
    def edit(_: str, body: Any) -> Any:
        if body.get("processing_status") != "ended":
            return body
        done = {"processing": 0, "succeeded": 100, "errored": 0, "canceled": 0, "expired": 0}
        return {**body, "cancel_initiated_at": body["created_at"], "request_counts": done}

    with batch_scene(tmp_path, ANTHROPIC, cancelTakes="1s", edit=edit) as scene:
        scene.want("cancelled")
        ran, status, told = scene.run("--once", "--wait=15s"), scene.status(), said(scene.described())

        assert ran.code == 0, ran.err
        assert (status.phase, status.ready.reason) == (Phase.SUCCEEDED, "FinishedDespiteCancel")
        assert status.ready.message == "succeeded at the provider; 100 of 100 done"
        assert status.receipts[0].accepted_at is not None
        assert status.receipts[0].outcome is Outcome.SUCCEEDED
        assert "phase succeeded, final (the provider reports 'ended')" in told


def test_a_batch_in_a_bare_array_shows_no_cancelling_and_gets_one_request(tmp_path: Path) -> None:
    with batch_scene(tmp_path, TOGETHER, cancelTakes=TEN_MINUTES, cancelWord=None) as scene:
        scene.want("cancelled")
        listed = scene.run("drift", "--kind", "BatchJob")
        first = scene.run("--once", "--wait=2s")
        plan, told, pending = said(scene.run("plan").out), said(scene.described()), scene.status()
        web_page = scene.web_page()
        scene.ahead = timedelta(minutes=9)
        still = scene.run("--once")
        scene.ahead = timedelta(minutes=11)
        last = scene.run("--once")
        status = scene.status()

        waiting = "the provider accepted the cancel; no check has shown its effect yet"
        assert "GET /v1/batches" in scene.requests
        assert "Drift: 1 job not as desired; 0 without a spec" in listed.out
        assert first.code == 75
        assert f"nightly CancelPending {waiting}" in plan
        assert waiting in web_page
        assert "phase running (the provider reports 'IN_PROGRESS')" in told
        assert pending.receipts[0].accepted_at is not None
        assert NOTHING in still.out
        assert "nightly: cancel requested earlier, confirmed cancelled" in last.out
        assert (status.phase, status.final, status.ready.reason) == (Phase.CANCELLED, True, "Cancelled")
        assert status.ready.message == "cancelled at the provider"
        assert (status.receipts[0].outcome, status.receipts[0].attempts) == (Outcome.CANCELLED, 1)
        assert scene.cancels == 1


def _with_counts(done: int) -> Any:
    """Return a function that shows this number of finished requests of an OpenAI batch, of 100."""

    def edit(_: str, body: Any) -> Any:
        counts = {"total": 100, "completed": done, "failed": 0}
        return {**body, "request_counts": counts} if "request_counts" in body else body

    return edit
