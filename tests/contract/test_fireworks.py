from __future__ import annotations

import re
from functools import partial

import pytest
from pydantic import ValidationError

from reconciler.errors import Kind, PermanentError
from reconciler.model.job import Accepted, JobError, JobPage, ListQuery, ObservedJob, Phase
from reconciler.ports import Response
from reconciler.providers import load
from reconciler.providers.fireworks import COLLECTIONS
from reconciler.testing import ProviderContract
from tests.contract.dialects.adapter_call import ask, job
from tests.contract.dialects.services import FIREWORKS
from tests.contract.harnesses import Served, ServedHarness
from tests.support.canned_transport import CannedTransport, answer

TYPE = load("fireworks")
OPTIONS = TYPE.options.model_validate({"account": "acme"})
asked = partial(ask, "fireworks", {"account": "acme"}, "canary-key-of-the-contract")
a_job = partial(job, "fireworks")
DPO = "accounts/acme/dpoJobs/twin"


class TestFireworks(ProviderContract):
    """`fireworks` fulfils the contract over a real socket, with jobs in each of its collections."""

    @pytest.fixture
    def stage(self, served: Served) -> ServedHarness:
        """Return a fresh world behind the server."""
        return ServedHarness(served, FIREWORKS)


def retrieved(response: Response, job_id: str = "dpoJobs/twin") -> ObservedJob | None:
    return asked(CannedTransport([response]), lambda jobs: jobs.get_job(a_job(job_id)))


def shown(name: str = DPO, **fields: object) -> ObservedJob:
    found = retrieved(answer({"name": name, **fields}), name.removeprefix("accounts/acme/"))
    assert found is not None
    return found


def page(response: Response, cursor: str | None = None) -> JobPage:
    return asked(CannedTransport([response]), lambda jobs: jobs.list_page(ListQuery(2), cursor))


def not_found(message: object) -> Response:
    return answer({"code": 5, "message": message, "details": []}, 404)


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        ("CREATING_INPUT_DATASET", Phase.VALIDATING_FILES),
        ("VALIDATING", Phase.VALIDATING_FILES),
        ("CREATING", Phase.QUEUED),
        ("PENDING", Phase.QUEUED),
        ("RE_QUEUEING", Phase.QUEUED),
        ("RUNNING", Phase.RUNNING),
        ("WRITING_RESULTS", Phase.RUNNING),
        ("PAUSED", Phase.PAUSED),
        ("CANCELLING", Phase.CANCELLING),
        ("CANCELLED", Phase.CANCELLED),
        ("COMPLETED", Phase.SUCCEEDED),
        ("EARLY_STOPPED", Phase.SUCCEEDED),
        ("FAILED", Phase.FAILED),
        ("EXPIRED", Phase.FAILED),
        ("IDLE", Phase.UNKNOWN),
        ("DELETING", Phase.UNKNOWN),
        ("DELETING_CLEANING_UP", Phase.UNKNOWN),
        ("UNSPECIFIED", Phase.UNKNOWN),
    ],
)
def test_each_documented_state_has_a_phase(state: str, phase: Phase) -> None:
    assert shown(state=f"JOB_STATE_{state}").phase is phase


@pytest.mark.parametrize("state", [None, 7, ["JOB_STATE_RUNNING"], "RUNNING"])
def test_a_state_of_a_wrong_type_is_in_no_known_phase(state: object) -> None:
    assert shown(state=state).phase is Phase.UNKNOWN


def test_the_models_of_a_job_are_read_from_it_or_from_its_configuration() -> None:
    models = {"baseModel": "accounts/fireworks/models/llama", "outputModel": "accounts/acme/models/mine"}
    own, configured = (shown(state="JOB_STATE_COMPLETED", **fields) for fields in (models, {"trainingConfig": models}))

    assert {(each.model, each.fine_tuned_model) for each in (own, configured)} == {tuple(models.values())}
    assert shown(state="JOB_STATE_RUNNING", **models).fine_tuned_model is None
    assert shown(state="JOB_STATE_CANCELLED", **models).fine_tuned_model is None


def test_only_a_failed_job_has_an_error() -> None:
    status = {"code": "INVALID_ARGUMENT", "message": "bad row 7"}

    assert shown(state="JOB_STATE_FAILED", status=status).error == JobError("INVALID_ARGUMENT", "bad row 7")
    assert shown(state="JOB_STATE_FAILED", status={"code": "OK", "message": ""}).error is None
    assert shown(state="JOB_STATE_FAILED", status="bad").error is None
    assert shown(state="JOB_STATE_RUNNING", status=status).error is None


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_cancel_reaches_only_the_collection_that_the_id_names(collection: str) -> None:
    transport = CannedTransport([answer({})])
    outcome = asked(transport, lambda jobs: jobs.cancel_job(a_job(f"{collection}/twin")))

    assert outcome == Accepted()
    assert transport.asked == [("POST", f"/v1/accounts/acme/{collection}/twin:cancel", {})]
    assert transport.bodies == [{}]


@pytest.mark.parametrize("name", ["accounts/acme/dpoJobs/other", "accounts/other/dpoJobs/twin"])
def test_a_response_to_a_cancel_that_shows_another_job_does_not_accept_the_cancel(name: str) -> None:
    transport = CannedTransport([answer({"name": name, "state": "JOB_STATE_CANCELLED"})])
    with pytest.raises(PermanentError) as caught:
        asked(transport, lambda jobs: jobs.cancel_job(a_job("dpoJobs/twin")))

    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize(
    "job_id",
    [
        "twin",
        "models/twin",
        "batchInferenceJobs/twin",
        "/twin",
        "dpoJobs",
        "dpoJobs/",
        "dpoJobs/-",
        "dpoJobs/twin/../other",
        "dpoJobs/twin:cancel",
        DPO,
    ],
)
def test_no_request_is_sent_for_an_id_that_is_not_canonical(job_id: str) -> None:
    transport = CannedTransport([answer({})])
    with pytest.raises(PermanentError):
        asked(transport, lambda jobs: jobs.cancel_job(a_job(job_id)))

    assert transport.asked == []


def test_a_list_reads_each_collection_to_its_end() -> None:
    pages = [
        {"supervisedFineTuningJobs": [{"name": "accounts/acme/supervisedFineTuningJobs/twin"}], "nextPageToken": "t 1"},
        {"supervisedFineTuningJobs": [], "nextPageToken": "t2"},
        {"supervisedFineTuningJobs": []},
        {"dpoJobs": [{"name": DPO}], "nextPageToken": ""},
        {},
        {"rlorTrainerJobs": [{"name": "accounts/acme/rlorTrainerJobs/twin"}]},
    ]
    transport = CannedTransport([answer(each) for each in pages])

    async def walk(jobs: object) -> list[str]:
        assert hasattr(jobs, "list_page")
        ids, cursor = [], None
        while True:
            found: JobPage = await jobs.list_page(ListQuery(2), cursor)
            ids += [each.id for each in found.jobs]
            cursor = found.next_cursor
            if cursor is None:
                return ids

    assert asked(transport, walk) == ["supervisedFineTuningJobs/twin", "dpoJobs/twin", "rlorTrainerJobs/twin"]
    assert [(path.rpartition("/")[2], query.get("pageToken")) for _, path, query in transport.asked] == [
        ("supervisedFineTuningJobs", None),
        ("supervisedFineTuningJobs", "t 1"),
        ("supervisedFineTuningJobs", "t2"),
        ("dpoJobs", None),
        ("reinforcementFineTuningJobs", None),
        ("rlorTrainerJobs", None),
    ]


def test_a_page_that_repeats_has_the_same_cursor() -> None:
    repeated = answer({"dpoJobs": [{"name": DPO}], "nextPageToken": "again"})

    assert {page(repeated, cursor).next_cursor for cursor in ("dpoJobs", "dpoJobs again")} == {"dpoJobs again"}


@pytest.mark.parametrize("response", [answer({"code": 7, "message": "no"}, 403), not_found("Not Found"), answer([])])
def test_a_collection_that_cannot_be_read_does_not_end_a_list(response: Response) -> None:
    with pytest.raises(PermanentError):
        page(response, "reinforcementFineTuningJobs")


@pytest.mark.parametrize(
    "name",
    [
        "twin",
        "accounts/acme/supervisedFineTuningJobs/twin",
        "accounts/acme/dpoJobs/twin/checkpoints/1",
        "accounts/acme/dpoJobs/",
        "accounts/acme/dpoJobs/Twin",
        7,
        None,
    ],
)
def test_a_response_for_another_collection_is_not_the_job(name: object) -> None:
    with pytest.raises(PermanentError) as caught:
        retrieved(answer({"name": name, "state": "JOB_STATE_CANCELLED"}))

    assert caught.value.kind is Kind.INVALID


def test_a_response_for_another_account_concerns_the_options() -> None:
    row = {"name": "accounts/other/dpoJobs/twin", "state": "JOB_STATE_RUNNING"}
    for response in (answer(row), answer({"dpoJobs": [row, row]})):
        with pytest.raises(PermanentError, match="for the account other, but the options name acme") as caught:
            retrieved(response) if response.body.startswith(b'{"name"') else page(response, "dpoJobs")
        assert caught.value.kind is Kind.MISSING


@pytest.mark.parametrize(
    "message",
    [
        "rpc error: accounts/acme/dpoJobs/twin not found",
        "dpo job not found: accounts/acme/dpoJobs/twin (GET /v1/accounts/acme/dpoJobs/twin)",
        'resource "accounts/acme/dpoJobs/twin" was not found',
        "dpo job twin not found",
        "DpoJob does not exist",
    ],
)
def test_a_not_found_error_about_the_job_shows_that_it_is_absent(message: str) -> None:
    assert retrieved(not_found(message)) is None


@pytest.mark.parametrize(
    "response",
    [
        not_found("Not Found"),
        not_found("account accounts/acme not found"),
        not_found("accounts/acme/dpoJobs/twin-2"),
        not_found("accounts/acme/supervisedFineTuningJobs/twin"),
        not_found("no route for /v1/accounts/acme/dpoJobs/twin: job not found"),
        not_found("no route for /accounts/acme/dpoJobs/twin"),
        not_found("no route for /dpoJobs/twin: job not found"),
        not_found("the base model of this dpo job was not found"),
        not_found("the base model of accounts/acme/dpoJobs/twin was not found"),
        not_found("the dpo job API is not enabled, and does not exist in this region"),
        not_found(None),
        answer({"code": 5, "message": "dpo job twin not found"}, 400),
        answer({"code": 12, "message": "dpo job twin not found"}, 404),
        answer({"code": "5", "message": "dpo job twin not found"}, 404),
        answer({"detail": "dpo job twin not found"}, 404),
        answer({"error": {"code": 5, "message": "dpo job twin not found"}}, 404),
        answer(["dpo job twin not found"], 404),
        answer(b"dpo job twin not found", 404),
    ],
)
def test_an_error_that_is_not_about_the_job_does_not_show_that_it_is_absent(response: Response) -> None:
    with pytest.raises(PermanentError) as caught:
        retrieved(response)

    assert caught.value.kind in {Kind.INVALID, Kind.REFUSED}


@pytest.mark.parametrize("written", ["dpoJobs/twin", DPO])
def test_both_spellings_of_an_id_are_one_job(written: str) -> None:
    assert re.fullmatch(TYPE.id_pattern, written)
    assert TYPE.canonical_id(written, OPTIONS) == "dpoJobs/twin"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("twin", "does not name the collection of the job: write one of supervisedFineTuningJobs/ID, dpoJobs/ID"),
        ("accounts/acme/twin", "does not name the collection"),
        ("accounts/other/dpoJobs/twin", "not a job of accounts/acme"),
    ],
)
def test_an_id_that_could_be_another_job_is_invalid(written: str, message: str) -> None:
    assert re.fullmatch(TYPE.id_pattern, written)
    with pytest.raises(ValueError, match=message):
        TYPE.canonical_id(written, OPTIONS)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "-",
        "dpoJobs/-",
        "accounts/-/dpoJobs/twin",
        "dpoJobs/",
        "dpoJobs/twin:cancel",
        "dpoJobs/a/b",
        "dpoJobs/..",
        "dpoJobs/twin?x",
        "dpoJobs/twin\n",
        "dpoJobs/twin%2f",
        "models/twin",
        "batchInferenceJobs/twin",
        "DpoJobs/twin",
    ],
)
def test_an_id_that_could_change_the_path_of_a_url_is_invalid(written: str) -> None:
    assert re.fullmatch(TYPE.id_pattern, written) is None


@pytest.mark.parametrize("account", ["", "-", "a/b", "..", "a?x", "A", "a" * 64])
def test_an_account_that_could_change_the_path_of_a_url_is_invalid(account: str) -> None:
    with pytest.raises(ValidationError):
        TYPE.options.model_validate({"account": account})
