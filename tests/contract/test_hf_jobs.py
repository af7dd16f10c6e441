"""Hugging Face Jobs: the contract, and what is particular to the service."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest

from reconciler.errors import Kind, PermanentError
from reconciler.model.job import UNSET, Accepted, AlreadyOver, JobError, JobPage, ListQuery, ObservedJob, Phase
from reconciler.ports import Response
from reconciler.providers import load
from reconciler.testing import ProviderContract
from tests.contract.dialects.adapter_call import ask, job
from tests.contract.dialects.services import HF_JOBS
from tests.contract.harnesses import Served, ServedHarness
from tests.support.canned_transport import CannedTransport, answer

TYPE = load("hf-jobs")
ID = "687fb701029421ae5549d998"
NAMESPACE = {"namespace": "acme"}
asked = partial(ask, "hf-jobs", NAMESPACE, "canary-key-of-the-contract")
REF = job("hf-jobs", ID)


class TestHuggingFaceJobs(ProviderContract):
    """`hf-jobs` fulfils the contract over a real socket."""

    @pytest.fixture
    def stage(self, served: Served) -> ServedHarness:
        """Return a fresh world behind the server."""
        return ServedHarness(served, HF_JOBS)


def shown(label: str | None = None, **fields: object) -> ObservedJob:
    transport = CannedTransport([answer({"id": ID, **fields})])
    found = ask("hf-jobs", {**NAMESPACE, "label": label}, "key", transport, lambda jobs: jobs.get_job(REF))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("status", "phase", "word"),
    [
        ({"stage": "SCHEDULING"}, Phase.QUEUED, "SCHEDULING"),
        ({"stage": "RUNNING"}, Phase.RUNNING, "RUNNING"),
        ({"stage": "COMPLETED"}, Phase.SUCCEEDED, "COMPLETED"),
        ({"stage": "ERROR"}, Phase.FAILED, "ERROR"),
        ({"stage": "DELETED"}, Phase.FAILED, "DELETED"),
        ({"stage": "CANCELED"}, Phase.CANCELLED, "CANCELED"),
        ({"stage": "DELETING"}, Phase.UNKNOWN, "DELETING"),
        ({"stage": "running"}, Phase.UNKNOWN, "running"),
        ({"stage": ["RUNNING"]}, Phase.UNKNOWN, '["RUNNING"]'),
        ({}, Phase.UNKNOWN, "null"),
        ("RUNNING", Phase.UNKNOWN, "null"),
        (None, Phase.UNKNOWN, "null"),
    ],
)
def test_each_stage_has_a_phase(status: object, phase: Phase, word: str) -> None:
    found = shown(status=status)

    assert (found.phase, found.provider_status) == (phase, word)


@pytest.mark.parametrize(
    ("stage", "message", "expected"),
    [
        ("ERROR", "Job timeout", JobError(message="Job timeout")),
        ("ERROR", None, None),
        ("CANCELED", "Job timeout", JobError(message="Job timeout")),
        ("DELETED", None, JobError(code="DELETED")),
        ("COMPLETED", "done", None),
        ("RUNNING", "pulling the image", None),
        ("ERROR", {"odd": 1}, None),
    ],
)
def test_the_message_of_a_job_that_ended_without_success_is_its_error(
    stage: str, message: object, expected: JobError | None
) -> None:
    assert shown(status={"stage": stage, "message": message}).error == expected


def test_a_failed_job_without_a_message_leaves_its_error_as_it_is() -> None:
    assert shown(status={"stage": "ERROR"}).error is UNSET


@pytest.mark.parametrize(
    ("label", "labels", "expected"),
    [
        ("task=sft", {"task": "sft", "team": "a"}, True),
        ("task=sft", {"task": "eval"}, False),
        ("task=sft", {"task": ["sft"]}, False),
        ("task=sft", ["task=sft"], False),
        ("task=sft", None, False),
        (None, {"task": "sft"}, False),
    ],
)
def test_only_a_job_with_the_label_of_the_options_is_a_fine_tuning_job(
    label: str | None, labels: object, *, expected: bool
) -> None:
    assert shown(label, status={"stage": "RUNNING"}, labels=labels).is_of_kind is expected


# Lists


def row(number: int) -> dict[str, Any]:
    return {"id": f"{number:024}", "status": {"stage": "RUNNING"}}


def page_of(rows: object, link: str = "") -> Response:
    found = answer(rows)
    return Response(found.status, {"link": link} if link else {}, found.body, found.at)


def listed(size: int, *responses: Response, label: str | None = None) -> tuple[list[JobPage], CannedTransport]:
    """Return the pages of a list, one for each response, and the transport that served them."""
    transport = CannedTransport(list(responses))

    async def walk(jobs: Any) -> list[JobPage]:
        pages: list[JobPage] = []
        for _ in responses:
            pages.append(await jobs.list_page(ListQuery(size), pages[-1].next_cursor if pages else None))
        return pages

    pages: list[JobPage] = ask("hf-jobs", {**NAMESPACE, "label": label}, "key", transport, walk)
    return pages, transport


NEXT = '<https://huggingface.co/api/jobs/acme?cursor=eyJ%3D&label=x%3Dy>; rel="next"'


def test_the_next_page_is_requested_with_the_query_of_the_link_and_the_own_label() -> None:
    pages, transport = listed(5, page_of([row(1)], NEXT), page_of([row(2)]), label="task=sft")

    assert [[each.id for each in page.jobs] for page in pages] == [[f"{1:024}"], [f"{2:024}"]]
    assert pages[-1].next_cursor is None
    assert transport.asked == [
        ("GET", "/api/jobs/acme", {"label": "task=sft"}),
        ("GET", "/api/jobs/acme", {"cursor": "eyJ=", "label": "task=sft"}),
    ]


def test_a_page_of_the_service_that_is_too_long_is_divided() -> None:
    long = page_of([row(number) for number in range(5)], NEXT)
    pages, transport = listed(2, long, long, long, page_of([]))

    assert [len(page.jobs) for page in pages] == [2, 2, 1, 0]
    assert [each.id for page in pages for each in page.jobs] == [f"{number:024}" for number in range(5)]
    assert [query for _, _, query in transport.asked] == [{}, {}, {}, {"cursor": "eyJ=", "label": "x=y"}]


@pytest.mark.parametrize(
    "link",
    [
        '<https://elsewhere.invalid/steal?cursor=a>; rel="next"',
        '<//elsewhere.invalid/api/jobs/other?cursor=a>; rel="next"',
        "</api/scheduled-jobs/acme?cursor=a>; rel=next",
        '<https://huggingface.co/?cursor=b>; rel="prev", <https://[bad/?cursor=a>; rel="next"',
    ],
)
def test_a_link_never_changes_the_host_or_the_path(link: str) -> None:
    _, transport = listed(5, page_of([row(1)], link), page_of([]))

    assert {(method, path) for method, path, _ in transport.asked} == {("GET", "/api/jobs/acme")}


def test_an_empty_page_with_a_link_does_not_end_the_list_and_a_link_without_a_query_repeats_a_cursor() -> None:
    bare = '<https://huggingface.co/api/jobs/acme>; rel="next"'
    pages, _ = listed(5, page_of([], NEXT), page_of([row(1)], bare), page_of([row(1)], bare))

    assert [page.next_cursor is None for page in pages] == [False, False, False]
    assert pages[1].next_cursor == pages[2].next_cursor


@pytest.mark.parametrize("body", [{}, {"jobs": []}, "[]", None, [1, "a", None], [{"id": 5}]])
def test_a_list_without_jobs_that_can_be_read_is_an_error(body: object) -> None:
    with pytest.raises(PermanentError) as caught:
        listed(5, page_of(body))

    assert caught.value.kind is Kind.INVALID


# Absences


@pytest.mark.parametrize(
    "message", ["Job not found", f"Job {ID} not found", f"The job '{ID}' does not exist.", "Job could not be found"]
)
def test_an_error_about_the_job_means_that_it_is_absent(message: str) -> None:
    assert asked(CannedTransport([answer({"error": message}, 404)]), lambda jobs: jobs.get_job(REF)) is None


@pytest.mark.parametrize(
    "body",
    [
        {"error": "Sorry, we can't find the page you are looking for."},
        {"error": "Organization not found"},
        {"error": f"Cannot GET /api/jobs/acme/{ID}"},
        {"error": f"/jobs/acme/{ID}: this job was not found here"},
        {"error": {"message": "Job not found"}},
        {"message": "Job not found"},
        {"detail": "Not Found"},
        ["Job not found"],
        "Job not found",
    ],
)
def test_any_other_404_is_not_an_absence(body: object) -> None:
    with pytest.raises(PermanentError) as caught:
        asked(CannedTransport([answer(body, 404)]), lambda jobs: jobs.get_job(REF))

    assert caught.value.kind is Kind.INVALID


def test_another_job_in_a_response_is_an_error() -> None:
    with pytest.raises(PermanentError) as caught:
        asked(CannedTransport([answer(row(1))]), lambda jobs: jobs.get_job(REF))

    assert caught.value.kind is Kind.INVALID


# Cancels


def test_a_cancel_that_the_service_accepts_for_a_finished_job_is_reported_as_already_over() -> None:
    done = {"id": ID, "status": {"stage": "COMPLETED"}}
    found = asked(CannedTransport([answer(done)]), lambda jobs: jobs.cancel_job(REF))

    assert isinstance(found, AlreadyOver)
    assert found.job.phase is Phase.SUCCEEDED


@pytest.mark.parametrize("stage", ["RUNNING", "SCHEDULING", "CANCELED"])
def test_a_cancel_is_one_request_for_exactly_this_job(stage: str) -> None:
    transport = CannedTransport([answer({"id": ID, "status": {"stage": stage}})])

    assert asked(transport, lambda jobs: jobs.cancel_job(REF)) == Accepted()
    assert transport.asked == [("POST", f"/api/jobs/acme/{ID}/cancel", {})]


# Ids and options


def canonical(job_id: str) -> str:
    return TYPE.canonical_id(job_id, TYPE.options.model_validate(NAMESPACE))


def test_an_id_may_begin_with_its_namespace() -> None:
    assert {canonical(each) for each in (ID, f"acme/{ID}", f"ACME/{ID}")} == {ID}
    with pytest.raises(ValueError, match="is not a job of acme"):
        canonical(f"other/{ID}")


@pytest.mark.parametrize("job_id", [ID, f"acme/{ID}", "t2aw4uwoW_7ZC6UDxV0kVrXRL"])
def test_an_id_of_the_service_is_valid(job_id: str) -> None:
    assert re.fullmatch(TYPE.id_pattern, job_id)


@pytest.mark.parametrize(
    "job_id",
    ["", "short", f"{ID}/cancel", f"a/b/{ID}", f"../{ID}", f"{ID}?x=1", f"{ID}#", f"{ID}%2Fcancel", f"/{ID}", f"{ID}/"],
)
def test_an_id_that_would_change_the_path_of_a_url_is_not_valid(job_id: str) -> None:
    assert re.fullmatch(TYPE.id_pattern, job_id) is None


@pytest.mark.parametrize("namespace", ["", "..", "a/b", "a b", "a?b", "a#b", "a%2Fb", "-a", "a" * 97])
def test_a_namespace_that_would_change_the_path_of_a_url_is_not_valid(namespace: str) -> None:
    with pytest.raises(ValueError, match="namespace"):
        TYPE.options.model_validate({"namespace": namespace})


def test_the_label_is_not_part_of_the_identity_of_the_account() -> None:
    scopes = [TYPE.scope(TYPE.options.model_validate({**NAMESPACE, "label": each})) for each in (None, "task=sft")]

    assert scopes == [(("namespace", "acme"),)] * 2
