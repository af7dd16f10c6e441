"""What is particular to SageMaker's customization jobs and training sessions, and to the ids of its collections."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from reconciler.errors import Kind, PermanentError
from reconciler.model.job import UNSET, AlreadyOver, JobError, ListQuery, ObservedJob, Phase
from reconciler.providers import load
from tests.contract.dialects.adapter_call import ask, job
from tests.contract.dialects.sagemaker import ACCESS_KEY, REGION
from tests.support.canned_transport import CannedTransport, answer

pytest.importorskip("botocore", reason="pip install 'llm-job-reconciler[aws]'")

RFT, SESSIONS = "jobs/AgentRFT", "trainingSessions"
ARN = f"arn:aws:sagemaker:{REGION}:123456789012:"
SESSION = {"TrainingSessionArn": f"{ARN}training-session/a", "TrainingSessionStatus": "Running"}
TYPE = load("sagemaker")
a_job = partial(job, "sagemaker")


def asked(collection: str, transport: CannedTransport, question: Any) -> Any:
    options = {"region": REGION, "collection": collection}
    return ask("sagemaker", options, f"{ACCESS_KEY}:canary-secret-access-key", transport, question)


def customization(collection: str = RFT, **fields: object) -> ObservedJob:
    transport = CannedTransport([answer({"JobName": "a", **fields})])
    job_id = f"job/{collection.removeprefix('jobs/')}/a"
    found: ObservedJob = asked(collection, transport, lambda controller: controller.get_job(a_job(job_id)))
    return found


def session(**fields: object) -> ObservedJob:
    transport = CannedTransport([answer({"TrainingSessionDetail": {**SESSION, **fields}})])
    found: ObservedJob = asked(SESSIONS, transport, lambda controller: controller.get_job(a_job("training-session/a")))
    return found


@pytest.mark.parametrize(
    ("status", "detail", "phase", "word"),
    [
        ("InProgress", "Training", Phase.RUNNING, "InProgress"),
        ("InProgress", "Pending", Phase.QUEUED, "InProgress"),
        ("InProgress", "PartialGeneration", Phase.RUNNING, "InProgress"),
        ("Completed", "Completed", Phase.SUCCEEDED, "Completed"),
        ("Failed", "Failed", Phase.FAILED, "Failed"),
        ("Stopping", "Stopping", Phase.CANCELLING, "Stopping"),
        ("Stopped", "Stopped", Phase.CANCELLED, "Stopped"),
        ("Stopped", "MaxRuntimeExceeded", Phase.FAILED, "Stopped (MaxRuntimeExceeded)"),
        ("Deleting", "Deleting", Phase.UNKNOWN, "Deleting"),
        ("DeleteFailed", "DeleteFailed", Phase.UNKNOWN, "DeleteFailed"),
        (["odd"], {"odd": 1}, Phase.UNKNOWN, '["odd"]'),
    ],
)
def test_the_phase_of_a_customization_job_is_derived_from_the_status_and_its_detail(
    status: object, detail: object, phase: Phase, word: str
) -> None:
    found = customization(JobStatus=status, SecondaryStatus=detail)

    assert (found.phase, found.provider_status) == (phase, word)


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("Created", Phase.QUEUED),
        ("Blocked", Phase.QUEUED),
        ("Scheduled", Phase.QUEUED),
        ("Running", Phase.RUNNING),
        ("Failed", Phase.FAILED),
        ("Expired", Phase.FAILED),
        ("Stopping", Phase.CANCELLING),
        ("Stopped", Phase.CANCELLED),
        ("Deleting", Phase.UNKNOWN),
        ("DeletionFailed", Phase.UNKNOWN),
        (7, Phase.UNKNOWN),
    ],
)
def test_each_status_of_a_training_session_has_a_phase(status: object, phase: Phase) -> None:
    assert session(TrainingSessionStatus=status).phase is phase


def test_a_training_session_reports_its_model_tokens_and_error() -> None:
    found = session(
        TrainingSessionStatus="Expired",
        ErrorDetails="no operation for an hour",
        ModelConfig={"BaseModelArn": "arn:aws:sagemaker:eu-west-1:aws:hub-content/base"},
        BillableTokenUsage={"PrefillTokenCount": 1, "TrainingTokenCount": 5120},
        EndTime=1_764_000_000,
    )

    assert (found.model, found.trained_tokens) == ("arn:aws:sagemaker:eu-west-1:aws:hub-content/base", 5120)
    assert found.error == JobError(code="Expired", message="no operation for an hour")
    assert str(found.finished_at) == "2025-11-24 16:00:00+00:00"


def test_a_list_row_of_a_training_session_leaves_its_error_as_it_is() -> None:
    rows = {"TrainingSessionSummaries": [{**SESSION, "TrainingSessionStatus": "Expired"}]}
    transport = CannedTransport([answer(rows)])
    page = asked(SESSIONS, transport, lambda controller: controller.list_page(ListQuery(7), None))

    assert [(each.id, each.error, each.is_of_kind) for each in page.jobs] == [("training-session/a", UNSET, True)]
    assert transport.bodies == [{"MaxResults": 7}]


@pytest.mark.parametrize("described", [None, [], "a", {}, {"TrainingSessionArn": 5}])
def test_a_response_that_is_no_training_session_is_an_error(described: object) -> None:
    transport = CannedTransport([answer({"TrainingSessionDetail": described})])
    with pytest.raises(PermanentError) as caught:
        asked(SESSIONS, transport, lambda controller: controller.get_job(a_job("training-session/a")))

    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize(
    ("collection", "is_fine_tuning"),
    [(RFT, True), ("jobs/AgentRFTEvaluation", False), ("jobs/SyntheticDataGeneration", False)],
)
def test_only_one_category_of_customization_jobs_is_fine_tuning(collection: str, *, is_fine_tuning: bool) -> None:
    assert customization(collection, JobStatus="InProgress").is_of_kind is is_fine_tuning


def test_every_request_about_customization_jobs_names_the_category() -> None:
    transport = CannedTransport([answer({"JobSummaries": []}), answer({}), answer({"JobName": "a"})])
    ref = a_job("job/AgentRFT/a")
    asked(RFT, transport, lambda controller: controller.list_page(ListQuery(7), None))
    asked(RFT, transport, lambda controller: controller.cancel_job(ref))
    asked(RFT, transport, lambda controller: controller.get_job(ref))

    newest_first = {"SortBy": "CreationTime", "SortOrder": "Descending"}
    assert transport.bodies == [
        {"JobCategory": "AgentRFT", "MaxResults": 7, **newest_first},
        {"JobCategory": "AgentRFT", "JobName": "a"},
        {"JobCategory": "AgentRFT", "JobName": "a"},
    ]


def test_a_response_about_a_job_of_another_category_is_not_the_requested_job() -> None:
    with pytest.raises(PermanentError) as caught:
        customization(JobCategory="DataTransformation", JobStatus="InProgress")

    assert caught.value.kind is Kind.INVALID


def test_a_refused_stop_of_a_stopped_training_session_reports_it_as_already_over() -> None:
    transport = CannedTransport(
        [
            answer({"__type": "ValidationException", "message": "The session is in status Stopped."}, 400),
            answer({"TrainingSessionDetail": {**SESSION, "TrainingSessionStatus": "Stopped"}}),
        ]
    )
    found = asked(SESSIONS, transport, lambda controller: controller.cancel_job(a_job("training-session/a")))

    assert isinstance(found, AlreadyOver)
    assert found.job.phase is Phase.CANCELLED


# The ids of the collections


def canonical(job_id: str, **options: object) -> str:
    return TYPE.canonical_id(job_id, TYPE.options.model_validate({"region": REGION, **options}))


@pytest.mark.parametrize(
    ("options", "spellings", "expected"),
    [
        ({}, ["a", "training-job/a", f"{ARN}training-job/a"], "a"),
        ({"collection": SESSIONS}, ["a", "training-session/a", f"{ARN}training-session/a"], "training-session/a"),
        ({"collection": RFT}, ["a", "job/AgentRFT/a", f"{ARN}job/AgentRFT/a"], "job/AgentRFT/a"),
    ],
    ids=["training jobs", "training sessions", "customization jobs"],
)
def test_every_spelling_of_an_id_is_one_job_which_no_other_collection_has(
    options: Mapping[str, object], spellings: list[str], expected: str
) -> None:
    assert {canonical(each, **options) for each in spellings} == {expected}


@pytest.mark.parametrize(
    ("job_id", "options", "message"),
    [
        ("training-session/a", {}, "is not in trainingJobs, the collection"),
        (
            "job/AgentRFTEvaluation/a",
            {"collection": RFT},
            "is not in jobs/AgentRFT, the collection in the provider's options",
        ),
        (f"{ARN}training-job/a", {"collection": SESSIONS}, "is not in trainingSessions, the collection"),
        (f"{ARN.replace(REGION, 'us-east-1')}training-job/a", {}, "but the options name eu-west-1"),
        (f"{ARN}training-job/a", {"accountId": "999999999999"}, "and AWS account 999999999999"),
    ],
)
def test_an_id_of_another_collection_region_or_account_is_an_error(
    job_id: str, options: Mapping[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        canonical(job_id, **options)


def test_the_account_of_training_jobs_is_named_as_before_and_others_by_their_collection() -> None:
    scopes = [
        TYPE.scope(TYPE.options.model_validate({"region": REGION, **each}))
        for each in ({}, {"collection": "trainingJobs"}, {"collection": RFT}, {"collection": SESSIONS})
    ]

    region = ("region", REGION)
    assert scopes == [(region,), (region,), (("collection", RFT), region), (("collection", SESSIONS), region)]
