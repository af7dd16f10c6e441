"""Services whose lists contain jobs that are not fine-tuning jobs, or may not be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Phase
from tests.contract.dialects import hf_jobs, sagemaker
from tests.contract.dialects.services import HF_JOBS, SAGEMAKER, Service
from tests.contract.dialects.translating_app import Json
from tests.support.cli import Checkout
from tests.support.service_endpoints import ServiceEndpoint, serve_service, trust_in

pytest.importorskip("botocore", reason="pip install 'llm-job-reconciler[aws]'")

SECRET = "canary-key-of-the-service"  # noqa: S105 - a canary
JOBS = [{"id": f"ftjob-{name}", "age": "2h", "life": [{"phase": "running"}]} for name in ("named", "one", "two")]
QUICKLY = {"cancelTakes": "1s", "cancelWord": "cancelling"}


class Evaluations(sagemaker.SageMaker):
    """Serverless training jobs, of which all but one only evaluate a model."""

    def job(self, row: Json) -> Json:
        """Return a serverless job."""
        kind = "FineTuning" if row["id"] == "ftjob-two" else "Evaluation"
        return {**super().job(row), "ServerlessJobConfig": {"BaseModelArn": "arn:aws:base", "JobType": kind}}


SERVICES = {
    "containers without the label": (replace(HF_JOBS, front=hf_jobs.Unlabelled), 2),
    "containers, and no label in the options": (replace(HF_JOBS, options={"namespace": hf_jobs.NAMESPACE}), 2),
    "jobs that evaluate a model": (replace(SAGEMAKER, front=Evaluations), 1),
}


def a_checkout(root: Path, endpoint: ServiceEndpoint) -> Checkout:
    checkout = Checkout(root, endpoint.environ | trust_in([endpoint]))
    checkout.write("main.yaml", endpoint.document)
    checkout.want("named", endpoint.service.job_id("ftjob-named"))
    return checkout


@pytest.mark.parametrize(("service", "others"), SERVICES.values(), ids=SERVICES)
def test_adopt_and_drift_count_other_jobs_but_do_not_list_them(tmp_path: Path, service: Service, others: int) -> None:
    with serve_service("main", replace(service, world=QUICKLY), JOBS, SECRET) as endpoint:
        checkout = a_checkout(tmp_path, endpoint)
        drift = checkout.run("drift")
        adopted = checkout.run("adopt")
        ran = checkout.run("--once", "--wait=30s")

    line = f"Left out at main: {others} job"
    assert line in drift.out
    assert line in adopted.out
    assert len(list((tmp_path / "specs").glob("adopted/main/*.yaml"))) == 2 - others
    assert ran.code == ExitCode.OK, ran.out + ran.err


@pytest.mark.parametrize(("service", "others"), SERVICES.values(), ids=SERVICES)
def test_a_spec_manages_a_job_that_nothing_shows_to_be_of_its_kind(
    tmp_path: Path, service: Service, others: int
) -> None:
    del others
    with serve_service("main", replace(service, world=QUICKLY), JOBS, SECRET) as endpoint:
        checkout = a_checkout(tmp_path, endpoint)
        ran = checkout.run("--once", "--wait=30s")
        acted = [each.job_id for each in endpoint.world.requests if each.acted]

    assert ran.code == ExitCode.OK, ran.out + ran.err
    assert checkout.status("named").phase is Phase.CANCELLED
    assert acted == ["ftjob-named"]
