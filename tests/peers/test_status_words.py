"""The status words that each adapter knows are those in the types of the vendor's client. botocore has its own test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest

from reconciler.providers import (
    _openai,
    _openai_batches,
    _vertex_collection,
    cohere,
    fireworks,
    hf_jobs,
    mistral,
    together,
)
from reconciler.providers.anthropic import _PHASES, ENDED
from tests.peers.vendor_clients import CLIENTS

DISTRIBUTIONS = {client.module: client.package for client, _ in CLIENTS.values()}


def words_of(type_: Any) -> set[str]:
    """Return the words of the literals in a type."""
    return {word for each in get_args(type_) for word in ({each} if isinstance(each, str) else words_of(each))}


def words_in(model: str, field: str = "status") -> Callable[[Any], set[str]]:
    """Return a function that reads the words of a field of one of the client's models."""
    return lambda types: words_of(getattr(types, model).model_fields[field].annotation)


KNOWN = {
    "openai, batches": ("openai.types", words_in("Batch"), _openai_batches.STATUSES),
    "anthropic": (
        "anthropic.types.messages",
        words_in("MessageBatch", "processing_status"),
        {*_PHASES, ENDED},
    ),
    "cohere": ("cohere.batches.types", lambda types: words_of(types.BatchStatus), cohere.STATUSES),
    "google-genai": (
        "google.genai.types",
        lambda types: {each.value for each in types.JobState},
        _vertex_collection.STATES,
    ),
    "mistralai": ("mistralai.client.models", lambda models: words_of(models.BatchJobStatus), mistral.STATUSES),
    "together, jobs": (
        "together.lib.types.fine_tuning",
        lambda types: {each.value for each in types.FinetuneJobStatus},
        together.STATUSES,
    ),
    "together, batches": ("together.types", words_in("BatchJob"), together.BATCH_STATUSES),
    "fireworks-ai": ("fireworks.types", words_in("SupervisedFineTuningJob", "state"), fireworks.STATES),
    "huggingface_hub": ("huggingface_hub", lambda hub: {each.value for each in hub.JobStage}, hf_jobs.STAGES),
}
UNCLEAR = {
    "BATCH_STATUS_UNSPECIFIED",
    "JOB_STATE_UNSPECIFIED",
    "JOB_STATE_IDLE",
    "JOB_STATE_DELETING",
    "JOB_STATE_DELETING_CLEANING_UP",
}
"""The status words that an adapter deliberately reports with the phase unknown."""


@pytest.mark.parametrize("name", KNOWN)
def test_the_adapter_knows_the_status_words_of_the_client(name: str) -> None:
    module, read, known = KNOWN[name]
    package = next(package for prefix, package in DISTRIBUTIONS.items() if module.startswith(prefix))
    sdk = pytest.importorskip(module, reason=f"pip install {package}")

    assert read(sdk) - UNCLEAR == set(known)


def test_the_adapter_knows_the_status_words_of_openais_fine_tuning_jobs() -> None:
    types = pytest.importorskip("openai.types.fine_tuning", reason="pip install openai")

    assert words_in("FineTuningJob")(types) <= set(_openai.STATUSES)
