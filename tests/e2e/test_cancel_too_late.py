"""How a cancel that arrives after the end of its job is reported: screen, audit log, `describe` and status."""

from __future__ import annotations

import json
from pathlib import Path

from starlette.responses import Response

from tests.support.cli import Checkout
from tests.support.jobs_api import Asked, JobsApi, a_row, an_error

KEY = "sk-for-a-loopback-server"


def too_late(api: JobsApi) -> None:
    """Let the job end between the observation and the cancel, which the provider then refuses."""

    def answer(asked: Asked) -> Response | None:
        if asked.verb != "cancel":
            return None
        api.rows[asked.job_id] = a_row(asked.job_id, "succeeded", fine_tuned_model="ft:a")
        return an_error(400, f"Job {asked.job_id} has already completed.")

    api.answer = answer


def test_a_rejected_cancel_of_a_finished_job_is_reported_as_rejected_everywhere(tmp_path: Path) -> None:
    api = JobsApi({"ftjob-a": a_row("ftjob-a")})
    too_late(api)
    with api.served() as url:
        checkout = Checkout(tmp_path, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": url})
        checkout.want("late", "ftjob-a", provider="openai")
        ran = checkout.run("--once", "--wait", "--audit", "audit.jsonl")
        described = checkout.run("describe", "late")
    (line,) = map(json.loads, (tmp_path / "audit.jsonl").read_text(encoding="utf-8").splitlines())
    (receipt,) = checkout.status("late").receipts

    assert ran.code == 0, ran
    assert api.changes() == ["ftjob-a"]
    assert "late: cancel refused: already succeeded" in ran.out
    assert (line["outcome"], line["message"]) == ("already over", "refused: already succeeded")
    assert (receipt.accepted_at, receipt.outcome) == (None, "succeeded")
    assert checkout.status("late").ready.reason == "FinishedBeforeCancel"
    assert "cancel refused: already succeeded" in described.out
    assert "accepted" not in ran.out + described.out.replace("before a cancel was accepted", "")
