from __future__ import annotations

import asyncio
from dataclasses import replace
from importlib.util import find_spec

import pytest
from pydantic import ValidationError

from reconciler.errors import Kind, PermanentError
from reconciler.model.job import Phase
from reconciler.providers import load
from reconciler.providers._entra import EntraCredentials
from reconciler.testing import ProviderContract
from reconciler.testing.calls import call
from reconciler.testing.harness_server import NOW
from tests.contract.dialects.azure import API_VERSION
from tests.contract.dialects.services import AZURE_CLASSIC, AZURE_V1
from tests.contract.harnesses import Served, ServedHarness
from tests.support.canned_transport import answer, complaint
from tests.support.single_retrieve import retrieve_once


class TestV1(ProviderContract):
    """`azure-openai` fulfils the contract on the v1 path."""

    @pytest.fixture
    def stage(self, served: Served) -> ServedHarness:
        """Return a fresh world behind the server."""
        return ServedHarness(served, AZURE_V1)


class TestClassic(ProviderContract):
    """`azure-openai` fulfils the contract on the classic path, except for a pause, which this path does not support."""

    @pytest.fixture
    def stage(self, served: Served) -> ServedHarness:
        """Return a fresh world behind the server."""
        stage = ServedHarness(served, AZURE_CLASSIC)
        stage.capabilities = replace(stage.capabilities, can_pause=False)
        return stage


# --- behaviour outside the contract ---


@pytest.mark.parametrize("verb", ["pause_job", "resume_job"])
def test_the_classic_path_rejects_a_pause_and_names_the_option_to_set(served: Served, verb: str) -> None:
    stage = ServedHarness(served, AZURE_CLASSIC)
    with pytest.raises(PermanentError, match=r"set options\.apiVersion to v1") as caught:
        call(stage, lambda controller: getattr(controller, verb)(stage.job_in(Phase.RUNNING)))

    assert caught.value.kind is Kind.REFUSED


def test_both_api_paths_show_the_same_account() -> None:
    type_ = load("azure-openai")

    assert type_.scope(type_.options.model_validate({"apiVersion": "v1"})) == ()
    assert type_.scope(type_.options.model_validate({"apiVersion": API_VERSION})) == ()


@pytest.mark.parametrize("version", ["2024-10-21", "2025-04-01-preview", "v1"])
def test_api_version_accepts_v1_or_a_date(version: str) -> None:
    options = load("azure-openai").options.model_validate({"apiVersion": version})

    assert options.model_dump() == {"api_version": version}


@pytest.mark.parametrize("version", ["", "v2", "latest", "2024-10", "2024-10-21&x=1"])
def test_api_version_rejects_anything_else(version: str) -> None:
    with pytest.raises(ValidationError):
        load("azure-openai").options.model_validate({"apiVersion": version})


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("created", Phase.QUEUED),
        ("pending", Phase.QUEUED),
        ("notRunning", Phase.QUEUED),
        ("running", Phase.RUNNING),
        ("resuming", Phase.RUNNING),
        ("pausing", Phase.PAUSING),
        ("paused", Phase.PAUSED),
        ("canceling", Phase.CANCELLING),
        ("canceled", Phase.CANCELLED),
        ("cancelled", Phase.CANCELLED),
        ("deleted", Phase.UNKNOWN),
    ],
)
def test_azure_status_values_are_mapped_to_phases(word: str, phase: Phase) -> None:
    job = retrieve_once("azure-openai", answer({"id": "ftjob-1", "status": word, "error": None, "result_files": None}))

    assert job is not None
    assert (job.phase, job.provider_status) == (phase, word)


@pytest.mark.parametrize(
    "error",
    [
        {"code": "404", "message": "Resource not found"},
        {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."},
    ],
)
def test_a_404_about_the_resource_does_not_mean_that_the_job_is_gone(error: dict[str, str]) -> None:
    with pytest.raises(PermanentError) as caught:
        retrieve_once("azure-openai", complaint(404, **error))

    assert caught.value.kind is Kind.INVALID


@pytest.mark.skipif(find_spec("azure") is not None, reason="the extra azure is installed here")
def test_without_the_azure_extra_the_error_names_the_package_to_install() -> None:
    with pytest.raises(PermanentError, match=r"pip install 'llm-job-reconciler\[azure\]'") as caught:
        asyncio.run(EntraCredentials(lambda: NOW, "https://example.openai.azure.com").token())

    assert caught.value.kind is Kind.MISSING
