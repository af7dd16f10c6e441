"""The Bedrock and SageMaker adapters with moto, and with jobs that boto3 created."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest

from reconciler.model.job import Account, JobRef, Phase
from reconciler.plugin import JobController
from reconciler.providers import load
from reconciler.testing import opened
from reconciler.testing.calls import walk
from tests.support.cli import Checkout

pytest.importorskip("moto", reason="pip install 'moto[server,bedrock,sagemaker]' boto3")

import boto3
from moto.server import ThreadedMotoServer

T = TypeVar("T")

REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/r"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAMOTO", "AWS_SECRET_ACCESS_KEY": "moto-takes-any-secret"}
PROVIDER = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {name: main}
spec: {type: bedrock, options: {region: us-east-1}}
"""


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def a_client(moto: str) -> Iterator[Callable[[str], Any]]:
    """Return a function that creates a client of a service. The clients are closed after the test."""
    with ExitStack() as stack:

        def make(service: str) -> Any:
            made = boto3.client(
                service,
                region_name=REGION,
                endpoint_url=moto,
                aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            )
            stack.callback(made.close)
            return made

        yield make


def tune(client: Any, name: str) -> None:
    client.create_model_customization_job(
        jobName=name,
        customModelName=f"model-{name}",
        roleArn=ROLE,
        baseModelIdentifier="amazon.titan-text-lite-v1",
        trainingDataConfig={"s3Uri": "s3://b/train.jsonl"},
        outputDataConfig={"s3Uri": "s3://b/out/"},
        hyperParameters={"epochCount": "1"},
    )


def train(client: Any, name: str) -> None:
    client.create_training_job(
        TrainingJobName=name,
        RoleArn=ROLE,
        AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": "s3://b/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )


def asked(type_name: str, url: str, question: Callable[[JobController], Awaitable[T]]) -> T:
    async def main() -> T:
        async with opened(load(type_name), url, {"region": REGION}, secret=":".join(KEYS.values())) as controller:
            return await question(controller)

    return asyncio.run(main())


def ref(type_name: str, url: str, name: str) -> JobRef:
    return JobRef(Account(type_name, url), name)


def test_bedrock_jobs_created_by_boto3_are_listed_retrieved_stopped_and_confirmed(
    moto: str, a_client: Callable[[str], Any]
) -> None:
    client = a_client("bedrock")
    names = [f"bedrock-{number}" for number in range(25)]
    for name in names:
        tune(client, name)
    job = ref("bedrock", moto, "bedrock-7")

    rows = asked("bedrock", moto, walk)
    before = asked("bedrock", moto, lambda controller: controller.get_job(job))
    asked("bedrock", moto, lambda controller: controller.cancel_job(job))
    after = asked("bedrock", moto, lambda controller: controller.get_job(job))
    missing = asked("bedrock", moto, lambda controller: controller.get_job(ref("bedrock", moto, "nowhere")))

    assert sorted(row.id for row in rows) == sorted(names)
    assert before is not None
    assert after is not None
    assert (before.phase, after.phase) == (Phase.RUNNING, Phase.CANCELLED)
    assert client.get_model_customization_job(jobIdentifier="bedrock-7")["status"] == "Stopped"
    assert missing is None


def test_once_cancels_only_the_job_with_desired_state_cancelled(
    moto: str, a_client: Callable[[str], Any], tmp_path: Path
) -> None:
    client = a_client("bedrock")
    for name in ("wanted", "unwanted"):
        tune(client, name)
    checkout = Checkout(tmp_path, KEYS | {"AWS_ENDPOINT_URL_BEDROCK": moto})
    checkout.write("main.yaml", PROVIDER)
    checkout.want("wanted", "wanted", "observed")
    checkout.want("unwanted", "unwanted")
    asks, sees = checkout.run("--once"), checkout.run("--once")

    assert (asks.code, sees.code) == (0, 0), asks.err + sees.err
    assert checkout.status("unwanted").receipts[0].outcome == "cancelled"
    assert client.get_model_customization_job(jobIdentifier="unwanted")["status"] == "Stopped"
    assert client.get_model_customization_job(jobIdentifier="wanted")["status"] == "InProgress"


def test_sagemaker_jobs_created_by_boto3_are_listed_and_retrieved(moto: str, a_client: Callable[[str], Any]) -> None:
    client = a_client("sagemaker")
    names = [f"training-{number}" for number in range(25)]
    for name in names:
        train(client, name)

    rows = asked("sagemaker", moto, walk)
    found = asked("sagemaker", moto, lambda controller: controller.get_job(ref("sagemaker", moto, "training-7")))
    missing = asked("sagemaker", moto, lambda controller: controller.get_job(ref("sagemaker", moto, "nowhere")))

    assert sorted(row.id for row in rows) == sorted(names)
    assert found is not None
    assert found.phase is Phase.SUCCEEDED
    assert missing is None
