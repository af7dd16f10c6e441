from __future__ import annotations

import re
from functools import partial

import pytest
from pydantic import ValidationError

from reconciler.errors import Kind, PermanentError
from reconciler.local.credential_policy import Trust
from reconciler.model.job import JobError, ListQuery, ObservedJob, Phase
from reconciler.model.spec import CredentialSource
from reconciler.ports import Response
from reconciler.providers import load
from reconciler.testing import ProviderContract
from tests.contract.dialects.adapter_call import ask, job
from tests.contract.dialects.services import VERTEX_AI
from tests.contract.harnesses import Served, ServedHarness
from tests.support.canned_transport import CannedTransport, answer

TYPE = load("vertex-ai")
OPTIONS = {"project": "p", "location": "us-central1"}
PARENT = "projects/p/locations/us-central1/tuningJobs"
TOKEN = "canary-token-of-the-contract"  # noqa: S105 - a canary
asked = partial(ask, "vertex-ai", OPTIONS, TOKEN)
a_job = partial(job, "vertex-ai")


class TestVertexAI(ProviderContract):
    """`vertex-ai` fulfils the contract over a real socket."""

    @pytest.fixture
    def stage(self, served: Served) -> ServedHarness:
        """Return a fresh world behind the server."""
        return ServedHarness(served, VERTEX_AI)


def shown(**fields: object) -> ObservedJob:
    transport = CannedTransport([answer({"name": f"{PARENT}/1", **fields})])
    found = asked(transport, lambda controller: controller.get_job(a_job("1")))
    assert found is not None
    return found


def not_found(message: str | None) -> Response:
    return answer({"error": {"code": 404, "status": "NOT_FOUND", "message": message}}, 404)


@pytest.mark.parametrize(
    ("state", "detail", "phase"),
    [
        ("JOB_STATE_QUEUED", None, Phase.QUEUED),
        ("JOB_STATE_PENDING", None, Phase.QUEUED),
        ("JOB_STATE_RUNNING", None, Phase.RUNNING),
        ("JOB_STATE_RUNNING", "TUNING_JOB_STATE_TUNING", Phase.RUNNING),
        ("JOB_STATE_RUNNING", "TUNING_JOB_STATE_POST_PROCESSING", Phase.RUNNING),
        ("JOB_STATE_RUNNING", "TUNING_JOB_STATE_WAITING_FOR_QUOTA", Phase.QUEUED),
        ("JOB_STATE_RUNNING", "TUNING_JOB_STATE_WAITING_FOR_CAPACITY", Phase.QUEUED),
        ("JOB_STATE_RUNNING", "TUNING_JOB_STATE_PROCESSING_DATASET", Phase.VALIDATING_FILES),
        ("JOB_STATE_UPDATING", None, Phase.RUNNING),
        ("JOB_STATE_PAUSED", None, Phase.PAUSED),
        ("JOB_STATE_CANCELLING", "TUNING_JOB_STATE_WAITING_FOR_QUOTA", Phase.CANCELLING),
        ("JOB_STATE_CANCELLED", None, Phase.CANCELLED),
        ("JOB_STATE_SUCCEEDED", None, Phase.SUCCEEDED),
        ("JOB_STATE_PARTIALLY_SUCCEEDED", None, Phase.SUCCEEDED),
        ("JOB_STATE_FAILED", None, Phase.FAILED),
        ("JOB_STATE_EXPIRED", None, Phase.FAILED),
        ("JOB_STATE_UNSPECIFIED", None, Phase.UNKNOWN),
        (None, None, Phase.UNKNOWN),
        (7, "TUNING_JOB_STATE_TUNING", Phase.UNKNOWN),
    ],
)
def test_the_phase_is_derived_from_the_state_and_its_detail(state: object, detail: str | None, phase: Phase) -> None:
    assert shown(state=state, tuningJobState=detail).phase is phase


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-11-23T14:00:00Z", "2026-11-23 14:00:00+00:00"),
        ("2026-11-23T14:00:00.123456789Z", "2026-11-23 14:00:00.123456+00:00"),
        ("2026-11-23T15:00:00.5+01:00", "2026-11-23 14:00:00.500000+00:00"),
        ("2026-11-23T14:00:00", None),
        ("1970-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("soon", None),
        (1_764_000_000, None),
        (None, None),
    ],
)
def test_a_time_may_have_any_fraction_and_an_invalid_time_is_ignored(written: object, expected: str | None) -> None:
    assert str(shown(createTime=written).created_at) == str(expected)


def test_the_error_of_a_cancelled_job_is_reported_as_google_returns_it() -> None:
    cancelled = shown(state="JOB_STATE_CANCELLED", error={"code": 1, "message": "CANCELED"})
    healthy = shown(state="JOB_STATE_RUNNING", error={})

    assert cancelled.error == JobError(code="1", message="CANCELED")
    assert healthy.error is None


def test_a_list_response_without_a_jobs_field_is_an_empty_account() -> None:
    page = asked(CannedTransport([answer({})]), lambda controller: controller.list_page(ListQuery(10), None))

    assert (page.jobs, page.next_cursor) == ((), None)


def test_an_empty_page_with_a_token_is_not_the_last_page() -> None:
    page = asked(
        CannedTransport([answer({"nextPageToken": "on"})]), lambda controller: controller.list_page(ListQuery(10), "x")
    )

    assert (page.jobs, page.next_cursor) == ((), "on")


@pytest.mark.parametrize("id_", ["1", f"{PARENT}/1"])
def test_every_spelling_of_a_job_id_is_reduced_to_the_bare_id(id_: str) -> None:
    assert TYPE.canonical_id(id_, TYPE.options.model_validate(OPTIONS)) == "1"


def test_a_job_is_retrieved_by_its_full_resource_name() -> None:
    transport = CannedTransport([answer({"name": f"{PARENT}/1", "state": "JOB_STATE_RUNNING"}), answer({})])
    asked(transport, lambda controller: controller.get_job(a_job("1")))
    asked(transport, lambda controller: controller.cancel_job(a_job("1")))

    assert [path for _, path, _ in transport.asked] == [f"/v1/{PARENT}/1", f"/v1/{PARENT}/1:cancel"]


@pytest.mark.parametrize("parent", ["projects/other/locations/us-central1", "projects/p/locations/europe-west4"])
def test_a_resource_name_of_another_project_or_location_is_rejected(parent: str) -> None:
    with pytest.raises(ValueError, match="not a job of projects/p/locations/us-central1"):
        TYPE.canonical_id(f"{parent}/tuningJobs/1", TYPE.options.model_validate(OPTIONS))


@pytest.mark.parametrize(
    "message",
    [f"TuningJob {PARENT}/1 not found.", 'The "tuning job" does not exist: 1', "The TuningJob does not exist."],
)
def test_a_job_that_google_does_not_find_is_absent(message: str) -> None:
    transport = CannedTransport([not_found(message)])

    assert asked(transport, lambda controller: controller.get_job(a_job("1"))) is None


@pytest.mark.parametrize("parent", [PARENT, "projects/other/locations/us-central1/tuningJobs"])
def test_a_response_to_a_cancel_that_shows_another_job_does_not_accept_the_cancel(parent: str) -> None:
    transport = CannedTransport([answer({"name": f"{parent}/2", "state": "JOB_STATE_CANCELLED"})])
    with pytest.raises(PermanentError) as caught:
        asked(transport, lambda controller: controller.cancel_job(a_job("1")))

    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize(
    "message",
    [
        "Location eu-nowhere is not found.",
        "Method not found.",
        f"The model of the tuning job {PARENT}/4711 was not found.",
        "The requested URL /v1/tuningJobs/4711 was not found on this server.",
        None,
    ],
)
def test_a_404_that_is_not_about_the_job_is_not_an_absence(message: str | None) -> None:
    transport = CannedTransport([not_found(message)])
    with pytest.raises(PermanentError) as caught:
        asked(transport, lambda controller: controller.get_job(a_job("4711")))

    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize(
    "id_",
    [
        "1",
        "1234567890123456789",
        "projects/p/locations/us-central1/tuningJobs/1",
        "projects/1/locations/global/tuningJobs/a",
    ],
)
def test_bare_ids_and_resource_names_are_valid_ids(id_: str) -> None:
    assert re.fullmatch(TYPE.id_pattern, id_)


@pytest.mark.parametrize(
    "id_",
    [
        "",
        "1:cancel",
        "a/b",
        "../1",
        "1?x",
        "projects/p/locations/l/tuningJobs/",
        "projects/../locations/l/tuningJobs/1/2",
        "1\n",
    ],
)
def test_an_id_that_could_change_the_url_path_is_invalid(id_: str) -> None:
    assert re.fullmatch(TYPE.id_pattern, id_) is None


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
        ("global", "https://aiplatform.googleapis.com"),
    ],
)
def test_each_location_has_its_own_host_which_needs_no_binding(location: str, url: str) -> None:
    options = TYPE.options.model_validate({"project": "p", "location": location})

    assert TYPE.own_url(options) == url
    assert Trust.read({}, {}).check(TYPE, options, None, url) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example",
        "https://europe-west4-aiplatform.googleapis.com",
        "https://us-central1-aiplatform.googleapis.com.evil.example",
        "http://127.0.0.1:8080",
    ],
)
def test_ambient_credentials_are_sent_to_another_host_only_if_bound_to_it(url: str) -> None:
    options = TYPE.options.model_validate(OPTIONS)
    bound = Trust.read({"RECONCILE_TRUST": f"GOOGLE_APPLICATION_CREDENTIALS={url}"}, {})

    assert "GOOGLE_APPLICATION_CREDENTIALS is not bound" in str(Trust.read({}, {}).check(TYPE, options, None, url))
    assert bound.check(TYPE, options, None, url) is None


def test_a_credential_that_a_document_names_needs_a_binding_even_to_google() -> None:
    options = TYPE.options.model_validate(OPTIONS)
    source = CredentialSource(env="OPENAI_API_KEY")

    assert Trust.read({}, {}).check(TYPE, options, source, TYPE.own_url(options) or "")


@pytest.mark.parametrize(
    "options",
    [
        {"project": "p", "location": "evil.example/"},
        {"project": "p", "location": "evil.example#"},
        {"project": "p", "location": ""},
        {"project": "p/../q", "location": "us-central1"},
        {"location": "us-central1"},
    ],
)
def test_no_option_selects_a_host_outside_google(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        TYPE.options.model_validate(options)


@pytest.mark.parametrize(
    ("name", "project", "is_ours"),
    [
        ("projects/p/locations/us-central1/tuningJobs/1", "p", True),
        ("projects/4711/locations/us-central1/tuningJobs/1", "p", True),
        ("projects/4711/locations/us-central1/tuningJobs/1", "4711", True),
        ("projects/p/locations/us-central1/tuningJobs/1", "4711", True),
        ("projects/other/locations/us-central1/tuningJobs/1", "p", False),
        ("projects/42/locations/us-central1/tuningJobs/1", "4711", False),
        ("projects/p/locations/europe-west4/tuningJobs/1", "p", False),
    ],
)
def test_a_job_of_another_project_is_recognized_by_its_resource_name(name: str, project: str, *, is_ours: bool) -> None:
    ask_there = partial(ask, "vertex-ai", {**OPTIONS, "project": project}, TOKEN)
    row = {"name": name, "state": "JOB_STATE_RUNNING"}

    def found() -> None:
        ask_there(CannedTransport([answer(row)]), lambda controller: controller.get_job(a_job("1")))
        ask_there(
            CannedTransport([answer({"tuningJobs": [row]})]),
            lambda controller: controller.list_page(ListQuery(9), None),
        )

    if is_ours:
        found()
        return
    with pytest.raises(PermanentError, match="but the options name") as caught:
        found()
    assert caught.value.kind is Kind.MISSING
