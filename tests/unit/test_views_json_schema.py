from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.formats.yaml_text import parse
from reconciler.providers import NAMES, load
from reconciler.views.json_schema import field_notes, json_schema

OPTIONS = {name: load(name).options for name in NAMES}
SCHEMA = json_schema(OPTIONS)
SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))

JOB = {
    "apiVersion": "jobs.reconciler/v1",
    "kind": "FineTuningJob",
    "metadata": {"name": "a"},
    "spec": {"provider": "openai", "jobId": "ftjob-1", "desiredState": "cancelled"},
}
PROVIDER = {**JOB, "kind": "Provider", "spec": {"type": "openai"}}
SETTINGS = {**JOB, "kind": "Settings", "spec": {"interval": "60s", "suspend": False, "safety": {"maxCancels": 3}}}


def is_valid(document: object) -> bool:
    return bool(Draft202012Validator(SCHEMA).is_valid(document))


def with_spec(document: dict[str, Any], **more: object) -> dict[str, Any]:
    return {**document, "spec": {**document["spec"], **more}}


def test_the_schema_is_a_valid_json_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.name)
def test_every_shipped_spec_matches_the_json_schema(path: Path) -> None:
    documents = parse(path.read_text(encoding="utf-8"))

    assert documents
    assert all(is_valid(document.value) for document in documents)


@pytest.mark.parametrize(
    "document",
    [
        JOB,
        with_spec(JOB, limits={"maxAge": "24h"}, reason="why", suspend=True),
        with_spec(JOB, suspend={"until": "2026-11-25T08:00:00Z"}),
        PROVIDER,
        with_spec(PROVIDER, options={"project": "proj_1"}, rateLimit={"requestsPerSecond": 0.5, "burst": 5}),
        SETTINGS,
    ],
)
def test_valid_documents_match_the_json_schema(document: dict[str, Any]) -> None:
    assert is_valid(document)


@pytest.mark.parametrize(
    "document",
    [
        {**JOB, "kind": "FineTuneJob"},
        {**JOB, "apiVersion": "jobs.reconciler/v2"},
        {**JOB, "metadata": {"name": "Not_A_Label"}},
        {**JOB, "extra": "key"},
        with_spec(JOB, desiredState="canceled"),
        with_spec(JOB, limits={"maxAge": "1 day"}),
        with_spec(PROVIDER, options={"world": "another type's option"}),
        with_spec(PROVIDER, rateLimit={"requestsPerSecond": 0}),
        with_spec(SETTINGS, safety={"maxCancelPercent": 101}),
    ],
)
def test_invalid_documents_do_not_match_the_json_schema(document: dict[str, Any]) -> None:
    assert not is_valid(document)


def test_every_field_is_listed_once_after_the_mapping_that_contains_it() -> None:
    paths = [note.path for note in field_notes(OPTIONS)]

    assert len(paths) == len(set(paths))
    assert {"FineTuningJob.spec.limits.maxAge", "Provider.spec.credentials.env", "sandbox.jobs.life.for"} <= set(paths)
    assert all(path.rpartition(".")[0] in {"", *paths[:at]} for at, path in enumerate(paths))


@pytest.mark.parametrize(
    ("path", "type_", "is_required"),
    [
        ("FineTuningJob.spec.desiredState", "running, paused, cancelled, observed", True),
        ("FineTuningJob.spec.suspend", "true or false or mapping", False),
        ("FineTuningJob.spec.limits.notAfter", "time, as 2026-12-01T00:00:00Z", False),
        ("Provider.spec.allowedPaths", "list of text", False),
        ("Provider.spec.rateLimit.requestsPerSecond", "number, at least 0.1, at most 1000", False),
        ("Settings.spec.interval", "text, as 90s 15m 6h 7d", False),
        ("sandbox.faults", "list of mapping", False),
    ],
)
def test_a_field_note_contains_its_type_and_whether_it_is_required(path: str, type_: str, is_required: bool) -> None:  # noqa: FBT001 - a table
    note = next(note for note in field_notes(OPTIONS) if note.path == path)

    assert (note.type, note.is_required) == (type_, is_required)
