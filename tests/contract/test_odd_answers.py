"""Unexpected values in every field of a response, for the services whose formats few other tests read."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from reconciler.errors import ProviderError
from reconciler.model.job import ListQuery
from tests.contract.dialects.adapter_call import ask, job
from tests.contract.dialects.sagemaker import ACCESS_KEY, REGION
from tests.support.canned_transport import CannedTransport, answer

pytest.importorskip("botocore", reason="pip install 'llm-job-reconciler[aws]'")

ODD: tuple[object, ...] = (None, -1, 1e308, True, "", "a" * 5000, [], [None], [1, [2]], {}, {"id": None}, "\ud800")
ERRORS = (400, 403, 404, 409, 500)
ARN = f"arn:aws:sagemaker:{REGION}:123456789012:"
SIGNED = f"{ACCESS_KEY}:canary-secret-access-key"


@dataclass(frozen=True, slots=True)
class Answers:
    """The responses of one collection: a retrieved job, and a list with one row."""

    type: str
    options: Mapping[str, str]
    job_id: str
    retrieved: dict[str, Any]
    list_of: Callable[[Any], object]
    key: str = SIGNED


HUB = Answers(
    "hf-jobs",
    {"namespace": "acme", "label": "task=sft"},
    "687fb701029421ae5549d998",
    {
        "id": "687fb701029421ae5549d998",
        "createdAt": "2026-01-01T00:00:00Z",
        "finishedAt": None,
        "labels": {"task": "sft"},
        "status": {"stage": "ERROR", "message": "Job timeout"},
    },
    lambda row: [row],
    key="canary-key",
)
TRAINING = Answers(
    "sagemaker",
    {"region": REGION},
    "a",
    {
        "TrainingJobName": "a",
        "TrainingJobArn": f"{ARN}training-job/a",
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Training",
        "CreationTime": 1.7e9,
        "ServerlessJobConfig": {"JobType": "Evaluation", "BaseModelArn": "m"},
        "BillableTokenCount": 1,
    },
    lambda row: {"TrainingJobSummaries": [row]},
)
CUSTOMIZATION = Answers(
    "sagemaker",
    {"region": REGION, "collection": "jobs/AgentRFT"},
    "job/AgentRFT/a",
    {
        "JobName": "a",
        "JobArn": f"{ARN}job/AgentRFT/a",
        "JobCategory": "AgentRFT",
        "JobStatus": "Stopped",
        "SecondaryStatus": "MaxRuntimeExceeded",
        "CreationTime": 1.7e9,
        "FailureReason": None,
    },
    lambda row: {"JobSummaries": [row]},
)
SESSIONS = Answers(
    "sagemaker",
    {"region": REGION, "collection": "trainingSessions"},
    "training-session/a",
    {
        "TrainingSessionDetail": {
            "TrainingSessionArn": f"{ARN}training-session/a",
            "TrainingSessionStatus": "Expired",
            "CreationTime": 1.7e9,
            "ErrorDetails": "idle",
            "BillableTokenUsage": {"TrainingTokenCount": 1},
            "ModelConfig": {"BaseModelArn": "m"},
        }
    },
    lambda row: {"TrainingSessionSummaries": [row.get("TrainingSessionDetail") if isinstance(row, dict) else row]},
)
FINE_TUNE = Answers(
    "together",
    {},
    "ft-1",
    {
        "id": "ft-1",
        "status": "error",
        "model": "m",
        "model_output_name": "acme/m",
        "created_at": "2026-01-01T00:00:00Z",
        "token_count": 7,
        "events": [{"type": "job_error", "message": "bad row", "created_at": "2026-01-01T00:00:00Z"}],
        "error": {"message": "Not found"},
    },
    lambda row: {"data": [row]},
    key="canary-key",
)
SUPERVISED = Answers(
    "fireworks",
    {"account": "acme"},
    "supervisedFineTuningJobs/a",
    {
        "name": "accounts/acme/supervisedFineTuningJobs/a",
        "state": "JOB_STATE_FAILED",
        "createTime": "2026-01-01T00:00:00Z",
        "completedTime": "2026-01-01T00:00:00Z",
        "trainingConfig": {"baseModel": "m", "outputModel": "n"},
        "status": {"code": "INTERNAL", "message": "out of memory"},
        "code": 5,
        "message": "Not Found",
    },
    lambda row: {"supervisedFineTuningJobs": [row], "nextPageToken": ""},
    key="canary-key",
)


def paths(value: Mapping[str, Any], begin: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every field, at any depth."""
    for key, each in value.items():
        yield (*begin, key)
        if isinstance(each, dict):
            yield from paths(each, (*begin, key))


def spoiled(retrieved: dict[str, Any]) -> Iterator[object]:
    """Yield the response with each odd value in each field, without each field, and replaced by each odd value."""
    for path in paths(retrieved):
        for odd in ODD:
            body = copy.deepcopy(retrieved)
            parent = body
            for key in path[:-1]:
                parent = parent[key]
            parent[path[-1]] = odd
            yield body
        del parent[path[-1]]
        yield body
    yield from ODD


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "answers",
    [HUB, TRAINING, CUSTOMIZATION, SESSIONS, FINE_TUNE, SUPERVISED],
    ids=["hf-jobs", "training", "customization", "sessions", "together", "fireworks"],
)
def test_an_adapter_raises_only_provider_errors_and_reads_no_absence_from_odd_answers(
    answers: Answers, pytestconfig: pytest.Config
) -> None:
    ref = job(answers.type, answers.job_id)
    outcomes: list[object] = []
    for number, body in enumerate(spoiled(answers.retrieved)):
        # In an ordinary run, each body has one of the error statuses, in turn.
        errors = ERRORS if pytestconfig.getoption("--long") else ERRORS[number % len(ERRORS) :][:1]
        for status in (200, *errors):
            outcomes.append(_outcome(answers, body, status, lambda jobs: jobs.get_job(ref)))
            _outcome(answers, body, status, lambda jobs: jobs.cancel_job(ref))
        _outcome(answers, answers.list_of(body), 200, lambda jobs: jobs.list_page(ListQuery(5), None))

    assert None not in outcomes
    assert any(not isinstance(each, ProviderError) for each in outcomes)


def _outcome(answers: Answers, body: object, status: int, question: Callable[[Any], Any]) -> object:
    transport = CannedTransport([answer(body, status), answer(body, status)])
    try:
        return ask(answers.type, answers.options, answers.key, transport, question)
    except ProviderError as error:
        return error
