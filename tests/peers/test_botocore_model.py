"""The AWS servers of the contract tests, checked against AWS's own service models by AWS's own client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args

import pytest

from reconciler.model.job import Phase
from reconciler.providers._bedrock_batches import STATUSES as INVOCATION_STATUSES
from reconciler.providers._sagemaker_jobs import SESSION_STATUSES
from reconciler.providers.sagemaker import Collection
from reconciler.sandbox import serialization
from reconciler.sandbox.app import create_app
from reconciler.sandbox.batch_serialization import batch
from reconciler.sandbox.faults import FAULTS
from reconciler.sandbox.world import World
from reconciler.testing import Fault
from reconciler.testing.harness_server import NOW
from tests.contract.batch_harness import BEDROCK, batch_world
from tests.contract.batch_harness import PHASES as BATCH_STEPS
from tests.contract.dialects.bedrock import STATUSES, BedrockBatches
from tests.contract.dialects.sagemaker import CATEGORY
from tests.contract.dialects.sagemaker import STATUSES as SAGEMAKER_STATUSES
from tests.contract.dialects.services import SERVICES
from tests.contract.dialects.translating_app import ForeignApi
from tests.contract.harnesses import PHASES, RULES, sandbox_world
from tests.support.sandbox_server import serve

pytest.importorskip("botocore", reason="pip install botocore")

from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session
from botocore.validate import ParamValidator

SECRET = "canary-secret-access-key"  # noqa: S105 - a canary
BATCH_PHASES = sorted(set(BATCH_STEPS) - BEDROCK.lacks)
NAMES = sorted(f"ftjob-{phase}" for phase in PHASES if phase is not Phase.PAUSED)


def a_front(service: str) -> tuple[ForeignApi, World]:
    world = sandbox_world(SERVICES[service])
    front = SERVICES[service].front(create_app(world, lambda: NOW, api_key=SECRET), SECRET)
    assert isinstance(front, ForeignApi)
    return front, world


@contextmanager
def a_client(service: str, front: ForeignApi, secret: str = SECRET) -> Iterator[Any]:
    with serve(front) as url:
        yield Session().create_client(
            service,
            region_name=SERVICES[service].options["region"],
            endpoint_url=url.removesuffix("/v1"),
            aws_access_key_id=SERVICES[service].access_key,
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}),
        )


def complaints(service: str, operation: str, answer: object) -> str:
    """Return the problems that AWS's own validator finds in a response. Empty means that the response is valid."""
    shape = Session().get_service_model(service).operation_model(operation).output_shape
    report: str = ParamValidator().validate(answer, shape).generate_report()
    return report


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("name", NAMES)
def test_bedrock_responses_of_the_dialect_server_match_botocores_model(name: str) -> None:
    front, world = a_front("bedrock")
    row = serialization.job(world.retrieve(name, NOW))
    page = front.page([front.row(row)], "behind/x")

    assert complaints("bedrock", "GetModelCustomizationJob", front.job(row)) == ""
    assert complaints("bedrock", "ListModelCustomizationJobs", page) == ""


@pytest.mark.parametrize("phase", BATCH_PHASES)
def test_bedrock_batches_of_the_dialect_server_match_botocores_model(phase: Phase) -> None:
    front, world = BedrockBatches(create_app(batch_world(BEDROCK), lambda: NOW), SECRET), batch_world(BEDROCK)
    row = batch(world.retrieve(f"batch_{phase}", NOW))
    page = front.page([front.row(row)], "behind/x")

    assert complaints("bedrock", "CreateModelInvocationJob", front.created(row)) == ""
    assert complaints("bedrock", "GetModelInvocationJob", front.job(row)) == ""
    assert complaints("bedrock", "ListModelInvocationJobs", page) == ""


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", NAMES)
def test_sagemaker_responses_of_the_dialect_server_match_botocores_model(name: str) -> None:
    front, world = a_front("sagemaker")
    row = serialization.job(world.retrieve(name, NOW))
    page = front.page([front.row(row)], "behind/x")

    assert complaints("sagemaker", "DescribeTrainingJob", front.job(row)) == ""
    assert complaints("sagemaker", "ListTrainingJobs", page) == ""


@pytest.mark.parametrize(
    ("service", "noun"), [("sagemaker, customization jobs", "Job"), ("sagemaker, training sessions", "TrainingSession")]
)
def test_responses_of_each_other_collection_match_botocores_model(service: str, noun: str) -> None:
    front, world = a_front(service)
    jobs = world.list_jobs(NOW, after=None, limit=len(NAMES)).jobs
    rows = [serialization.job(view) for view in jobs]

    assert [complaints("sagemaker", f"Describe{noun}", front.job(row)) for row in rows] == [""] * len(rows)
    assert complaints("sagemaker", f"List{noun}s", front.page([front.row(row) for row in rows], "behind/x")) == ""


def test_known_status_values_equal_those_of_botocores_models() -> None:
    bedrock, sagemaker = (Session().get_service_model(service) for service in ("bedrock", "sagemaker"))
    statuses, details = zip(*SAGEMAKER_STATUSES.values(), strict=True)

    assert set(STATUSES.values()) == set(bedrock.shape_for("ModelCustomizationJobStatus").enum)
    assert set(statuses) == set(sagemaker.shape_for("TrainingJobStatus").enum) - {"Deleting"}
    assert set(details) <= set(sagemaker.shape_for("SecondaryStatus").enum)
    assert set(statuses) == set(sagemaker.shape_for("JobStatus").enum) - {"Deleting", "DeleteFailed"}
    assert set(details) <= set(sagemaker.shape_for("JobSecondaryStatus").enum)
    assert set(SESSION_STATUSES) == set(sagemaker.shape_for("TrainingSessionStatus").enum) - {
        "Deleting",
        "DeletionFailed",
    }
    assert {f"jobs/{each}" for each in sagemaker.shape_for("JobCategory").enum} == {
        each for each in get_args(Collection) if each.startswith("jobs/")
    }
    assert set(INVOCATION_STATUSES) == set(bedrock.shape_for("ModelInvocationJobStatus").enum)


def test_boto3_lists_stops_and_gets_a_conflict_from_the_bedrock_dialect() -> None:
    running = f"ftjob-{Phase.RUNNING}"
    with a_client("bedrock", a_front("bedrock")[0]) as client:
        pages = client.get_paginator("list_model_customization_jobs").paginate(PaginationConfig={"PageSize": 2})
        names = [row["jobName"] for page in pages for row in page["modelCustomizationJobSummaries"]]
        client.stop_model_customization_job(jobIdentifier=running)
        status = client.get_model_customization_job(jobIdentifier=running)["status"]
        with pytest.raises(ClientError) as again:
            client.stop_model_customization_job(jobIdentifier=running)
        with pytest.raises(ClientError) as missing:
            client.get_model_customization_job(jobIdentifier="ftjob-absent")

    assert sorted(names) == NAMES
    assert status == "Stopping"
    assert code_of(again) == ("ConflictException", 400)
    assert code_of(missing) == ("ResourceNotFoundException", 404)


@pytest.mark.parametrize(
    ("service", "noun", "common", "status"),
    [
        ("sagemaker, customization jobs", "job", {"JobCategory": CATEGORY}, "JobStatus"),
        ("sagemaker, training sessions", "training_session", {}, "TrainingSessionStatus"),
    ],
)
def test_boto3_lists_and_stops_the_jobs_of_each_other_collection(
    service: str, noun: str, common: dict[str, str], status: str
) -> None:
    name = {**common, f"{''.join(word.capitalize() for word in noun.split('_'))}Name": f"ftjob-{Phase.RUNNING}"}
    with a_client("sagemaker", a_front(service)[0]) as client:
        pages = client.get_paginator(f"list_{noun}s").paginate(**common, PaginationConfig={"PageSize": 2})
        arns = [str(row) for page in pages for row in page[pages.result_keys[0].expression]]
        getattr(client, f"stop_{noun}")(**name)
        found = getattr(client, f"describe_{noun}")(**name)

    assert len(arns) == len(PHASES) - len(SERVICES[service].lacks)
    assert found.get("TrainingSessionDetail", found)[status] == "Stopping"


def test_boto3_lists_stops_and_gets_a_rejection_from_the_sagemaker_dialect() -> None:
    running = f"ftjob-{Phase.RUNNING}"
    with a_client("sagemaker", a_front("sagemaker")[0]) as client:
        pages = client.get_paginator("list_training_jobs").paginate(PaginationConfig={"PageSize": 2})
        names = [row["TrainingJobName"] for page in pages for row in page["TrainingJobSummaries"]]
        client.stop_training_job(TrainingJobName=running)
        status = client.describe_training_job(TrainingJobName=running)["TrainingJobStatus"]
        with pytest.raises(ClientError) as again:
            client.stop_training_job(TrainingJobName=running)

    assert sorted(names) == NAMES
    assert status == "Stopping"
    assert code_of(again) == ("ValidationException", 400)


@pytest.mark.parametrize(
    ("service", "operation", "status"),
    [("bedrock", "list_model_customization_jobs", 429), ("sagemaker", "list_training_jobs", 400)],
)
def test_boto3_recognizes_the_dialects_throttling_and_wrong_key_errors(
    service: str, operation: str, status: int
) -> None:
    front, world = a_front(service)
    with a_client(service, front, "another-secret") as client, pytest.raises(ClientError) as wrong:
        getattr(client, operation)()
    world.faults.add(FAULTS.validate_python([RULES[Fault.RATE_LIMITED]]))
    with a_client(service, front) as client, pytest.raises(ClientError) as throttled:
        getattr(client, operation)()

    assert code_of(wrong)[0] == "UnrecognizedClientException"
    assert code_of(throttled) == ("ThrottlingException", status)
