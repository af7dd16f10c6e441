"""The audit log on a real disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.model.action import Action, Progress
from reconciler.model.action_record import ActionRecord
from reconciler.model.status import Because, Origin, Verb
from reconciler.telemetry.audit_log import AuditFile
from tests.support.build import NOW
from tests.support.subjects import REF


def a_record(progress: Progress = Progress.ACCEPTED, origin: Origin | None = None) -> ActionRecord:
    action = Action(
        verb=Verb.CANCEL,
        ref=REF,
        name="support-triage",
        because=Because.DESIRED_STATE,
        reason="zu teuer\nsee 412",
        is_first_attempt=True,
    )
    return ActionRecord(at=NOW, action=action, file="bots.yaml", origin=origin, progress=progress, message="")


def test_a_request_is_one_line_with_its_commit_author_reason_and_outcome(tmp_path: Path) -> None:
    with AuditFile(tmp_path / "audit") as audit:
        audit(a_record(origin=Origin("4be1f0c", "Ada <ada@example.org>")))
    (line,) = (tmp_path / "audit").read_text(encoding="utf-8").splitlines()

    assert json.loads(line) == {
        "at": "2026-11-23T14:03:20Z",
        "verb": "cancel",
        "account": "openai https://api.openai.com/v1",
        "jobId": "ftjob-abc123",
        "name": "support-triage",
        "file": "bots.yaml",
        "commit": "4be1f0c",
        "author": "Ada <ada@example.org>",
        "because": "DesiredState",
        "reason": "zu teuer\nsee 412",
        "outcome": "accepted",
        "message": "",
    }


def test_reopening_the_audit_log_keeps_its_earlier_lines(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    for progress in (Progress.UNANSWERED, Progress.ACCEPTED):
        with AuditFile(path) as audit:
            audit(a_record(progress))
    outcomes = [json.loads(line)["outcome"] for line in path.read_text(encoding="utf-8").splitlines()]

    assert outcomes == ["unanswered", "accepted"]


def test_an_audit_log_that_is_a_directory_raises_an_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        AuditFile(tmp_path)
