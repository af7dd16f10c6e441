from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import islice

import openai
import pytest
from openai import OpenAI
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.sandbox.app import create_app
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.world import World
from tests.support.sandbox_server import serve

BEGAN = datetime(2026, 11, 23, 9, tzinfo=UTC)
KEY = "sk-sandbox"
RUNAWAY = "ftjob-runaway"
JOBS = [
    {
        "id": RUNAWAY,
        "age": "3h",
        "life": [{"phase": "queued", "for": "5m"}, {"phase": "running", "for": "40h"}, {"phase": "succeeded"}],
    },
    {"id": "ftjob-good", "age": "5h", "suffix": "bots", "trainedTokens": "5120", "metadata": {"team": "support"}},
    {
        "id": "ftjob-bad",
        "age": "6h",
        "life": [{"phase": "running", "for": "1h"}, {"phase": "failed"}],
        "error": {"code": "bad_file", "message": "Line 7"},
    },
]


@dataclass
class Sandbox:
    """A served sandbox, and a way to advance its clock."""

    world: World
    client: OpenAI
    now: datetime = BEGAN

    def pass_time(self, **span: float) -> None:
        """Advance the sandbox's clock by this much."""
        self.now += timedelta(**span)

    def corner(self, path: str) -> str:
        """Return an address outside the API."""
        return str(self.client.base_url.join(path))


class Switch:
    """An application that passes requests to the current one, so that all tests share one server."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the current application."""
        await self.app(scope, receive, send)


Begin = Callable[..., Sandbox]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Switch, OpenAI]]:
    """Yield a switch, and a client of its server that never retries."""
    switch = Switch()
    with serve(switch) as url, OpenAI(base_url=url, api_key=KEY, max_retries=0, timeout=5) as client:
        yield switch, client


@pytest.fixture
def a_sandbox(served: tuple[Switch, OpenAI]) -> Begin:
    """Return a function that starts a world with faults and connects it to the switch."""
    switch, client = served

    def begin(*faults: dict[str, object], jobs: object = JOBS) -> Sandbox:
        world = World(SandboxOptions.model_validate({"jobs": jobs, "faults": faults}), BEGAN)
        sandbox = Sandbox(world, client)
        switch.app = create_app(world, lambda: sandbox.now, api_key=KEY)
        return sandbox

    return begin


def seconds(moment: datetime) -> int:
    """Return Unix time, as the API has it."""
    return int(moment.timestamp())


def test_jobs_are_listed_newest_first_and_match_the_official_models(a_sandbox: Begin) -> None:
    sandbox = a_sandbox()
    jobs = sandbox.client.fine_tuning.jobs.list().data
    strict = [FineTuningJob.model_validate(job.to_dict()) for job in jobs]

    runaway, good, bad = strict
    assert [job.id for job in strict] == [RUNAWAY, "ftjob-good", "ftjob-bad"]
    assert (runaway.status, runaway.created_at) == ("running", seconds(BEGAN - timedelta(hours=3)))
    assert runaway.estimated_finish == seconds(BEGAN + timedelta(hours=37, minutes=5))
    assert (good.status, good.trained_tokens) == ("succeeded", 5120)
    assert good.fine_tuned_model == "ft:gpt-4o-mini-2024-07-18:sandbox:bots:good"
    assert good.finished_at == seconds(BEGAN - timedelta(hours=5) + timedelta(hours=2, seconds=90))
    assert bad.error is not None
    assert (bad.status, bad.error.code, bad.error.message) == ("failed", "bad_file", "Line 7")


def test_auto_paging_returns_every_job_once(a_sandbox: Begin) -> None:
    jobs = [{"id": f"ftjob-{number:03}"} for number in range(45)]
    sandbox = a_sandbox(jobs=jobs)
    ids = [job.id for job in sandbox.client.fine_tuning.jobs.list()]
    requests = [request.status for request in sandbox.world.requests]

    assert ids == [f"ftjob-{number:03}" for number in reversed(range(45))]
    assert requests == [200, 200, 200]


def test_a_list_can_be_filtered_by_metadata(a_sandbox: Begin) -> None:
    sandbox = a_sandbox()
    jobs = sandbox.client.fine_tuning.jobs
    found = [job.id for job in jobs.list(metadata={"team": "support"})]
    without = [job.id for job in jobs.list(extra_query={"metadata": "null"})]

    assert found == ["ftjob-good"]
    assert without == [RUNAWAY, "ftjob-bad"]


def test_a_created_job_runs_and_succeeds(a_sandbox: Begin) -> None:
    sandbox = a_sandbox()
    jobs = sandbox.client.fine_tuning.jobs
    created = jobs.create(model="gpt-4o-mini", training_file="file-abc", suffix="new", metadata={"a": "b"}, seed=7)
    sandbox.pass_time(hours=3)
    later = jobs.retrieve(created.id)

    assert (created.status, created.created_at, created.metadata, created.seed) == (
        "validating_files",
        seconds(BEGAN),
        {"a": "b"},
        7,
    )
    assert (later.status, later.fine_tuned_model) == ("succeeded", "ft:gpt-4o-mini:sandbox:new:created-000001")


def test_a_cancel_stops_the_job_and_a_second_cancel_is_rejected(a_sandbox: Begin) -> None:
    sandbox = a_sandbox()
    jobs = sandbox.client.fine_tuning.jobs
    cancelled = jobs.cancel(RUNAWAY)
    sandbox.pass_time(hours=1)
    with pytest.raises(openai.BadRequestError) as refused:
        jobs.cancel(RUNAWAY)
    later = jobs.retrieve(RUNAWAY)
    acted = [request.acted for request in sandbox.world.requests if request.verb == "cancel"]

    assert cancelled.status == later.status == "cancelled"
    assert later.finished_at == seconds(BEGAN)
    assert refused.value.type == "invalid_request_error"
    assert acted == [True, False]


def test_a_paused_job_waits_until_it_is_resumed(a_sandbox: Begin) -> None:
    sandbox = a_sandbox()
    jobs = sandbox.client.fine_tuning.jobs
    seen = [str(jobs.pause(RUNAWAY).status)]
    sandbox.pass_time(days=30)
    seen += [str(jobs.retrieve(RUNAWAY).status), str(jobs.resume(RUNAWAY).status)]
    sandbox.pass_time(minutes=1)
    seen += [str(jobs.retrieve(RUNAWAY).status)]

    assert seen == ["paused", "paused", "queued", "running"]


def test_events_are_listed_newest_first_in_pages(a_sandbox: Begin) -> None:
    sandbox = a_sandbox()
    sandbox.client.fine_tuning.jobs.cancel(RUNAWAY)
    events = list(sandbox.client.fine_tuning.jobs.list_events(RUNAWAY, limit=3))
    strict = [FineTuningJobEvent.model_validate(event.to_dict()) for event in events]

    assert [event.message for event in strict] == [
        "Fine-tuning job cancelled",
        "Fine-tuning job started",
        "Fine-tuning job is queued",
        f"Created fine-tuning job: {RUNAWAY}",
    ]


def test_only_a_succeeded_job_has_checkpoints(a_sandbox: Begin) -> None:
    sandbox = a_sandbox()
    checkpoints = sandbox.client.fine_tuning.jobs.checkpoints
    found = [FineTuningJobCheckpoint.model_validate(each.to_dict()) for each in checkpoints.list("ftjob-good", limit=2)]
    none = list(checkpoints.list(RUNAWAY))

    assert [each.step_number for each in found] == [3, 2, 1]
    assert none == []


def test_an_unknown_job_returns_the_404_of_the_api(a_sandbox: Begin) -> None:
    sandbox = a_sandbox()
    jobs = sandbox.client.fine_tuning.jobs
    for ask in (jobs.retrieve, jobs.cancel, jobs.pause, jobs.resume, jobs.list_events):
        with pytest.raises(openai.NotFoundError) as missing:
            ask("ftjob-nobody")

        assert missing.value.code == "fine_tune_not_found"
        assert missing.value.request_id is not None


def test_a_wrong_key_is_rejected_with_the_error_of_the_api(a_sandbox: Begin) -> None:
    sandbox = a_sandbox()
    with pytest.raises(openai.AuthenticationError) as refused:
        sandbox.client.with_options(api_key="sk-other").fine_tuning.jobs.cancel(RUNAWAY)
    noted = [(request.status, request.acted) for request in sandbox.world.requests]

    assert refused.value.code == "invalid_api_key"
    assert "sk-other" not in refused.value.message
    assert noted == [(401, False)]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/fine_tuning/jobs?limit=0", 400),
        ("/fine_tuning/jobs?limit=101", 400),
        ("/fine_tuning/jobs?limit=abc", 400),
        ("/fine_tuning/jobs?after=ftjob-nobody", 400),
        ("/batches", 404),
    ],
)
def test_an_invalid_request_is_rejected_with_an_error_object(a_sandbox: Begin, path: str, status: int) -> None:
    sandbox = a_sandbox()
    with pytest.raises(openai.APIStatusError) as refused:
        sandbox.client.get(path, cast_to=object)

    assert (refused.value.status_code, refused.value.type) == (status, "invalid_request_error")


def test_a_job_cannot_be_created_without_a_training_file(a_sandbox: Begin) -> None:
    sandbox = a_sandbox()
    with pytest.raises(openai.BadRequestError) as refused:
        sandbox.client.post("/fine_tuning/jobs", body={"model": "m"}, cast_to=object)

    assert refused.value.param == "training_file"
    assert sandbox.world.changes == 0


def test_the_date_header_is_the_time_of_the_sandbox(a_sandbox: Begin) -> None:
    sandbox = a_sandbox()
    sandbox.pass_time(days=400)
    headers = sandbox.client.fine_tuning.jobs.with_raw_response.list().headers

    assert headers.get_list("date") == ["Tue, 28 Dec 2027 09:00:00 GMT"]
    assert parsedate_to_datetime(headers["date"]) == BEGAN + timedelta(days=400)


def test_a_rate_limit_error_has_a_retry_after(a_sandbox: Begin) -> None:
    rule: dict[str, object] = {"fault": "status", "status": "429", "retryAfter": "2m", "times": "1"}
    sandbox = a_sandbox(rule)
    with pytest.raises(openai.RateLimitError) as limited:
        sandbox.client.fine_tuning.jobs.cancel(RUNAWAY)
    after = sandbox.client.fine_tuning.jobs.retrieve(RUNAWAY)

    assert (limited.value.code, limited.value.response.headers["retry-after"]) == ("rate_limit_exceeded", "120")
    assert after.status == "running"


def test_an_exhausted_quota_is_a_different_429(a_sandbox: Begin) -> None:
    rule: dict[str, object] = {"fault": "status", "status": "429", "code": "credit_balance_exhausted"}
    sandbox = a_sandbox(rule)
    with pytest.raises(openai.RateLimitError) as spent:
        sandbox.client.fine_tuning.jobs.list()

    assert (spent.value.type, spent.value.code) == ("insufficient_quota", "credit_balance_exhausted")


@pytest.mark.parametrize(("fault", "status"), [("reset-before-acting", "running"), ("reset-after-acting", "cancelled")])
def test_a_broken_connection_leaves_the_outcome_unknown(a_sandbox: Begin, fault: str, status: str) -> None:
    sandbox = a_sandbox({"fault": fault, "on": "cancel"})
    with pytest.raises(openai.APIConnectionError):
        sandbox.client.fine_tuning.jobs.cancel(RUNAWAY)
    after = sandbox.client.fine_tuning.jobs.retrieve(RUNAWAY)
    noted = sandbox.world.requests[0]

    assert after.status == status
    assert (noted.status, noted.acted) == (None, status == "cancelled")


@pytest.mark.parametrize("rule", [{"fault": "hang"}, {"fault": "slow", "for": "1s"}])
def test_a_late_response_is_a_timeout(a_sandbox: Begin, rule: dict[str, object]) -> None:
    sandbox = a_sandbox(rule)
    with pytest.raises(openai.APITimeoutError):
        sandbox.client.with_options(timeout=0.2).fine_tuning.jobs.list()


@pytest.mark.parametrize("fault", ["garbage", "empty"])
def test_a_response_that_is_not_json_is_an_error(a_sandbox: Begin, fault: str) -> None:
    sandbox = a_sandbox({"fault": fault, "on": "cancel"})
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        sandbox.client.fine_tuning.jobs.cancel(RUNAWAY)
    after = sandbox.client.fine_tuning.jobs.retrieve(RUNAWAY)

    assert after.status == "cancelled"


def test_a_proxy_page_has_status_200_and_no_effect(a_sandbox: Begin) -> None:
    sandbox = a_sandbox({"fault": "html", "on": "cancel"})
    answer = sandbox.client.fine_tuning.jobs.with_raw_response.cancel(RUNAWAY)
    after = sandbox.client.fine_tuning.jobs.retrieve(RUNAWAY)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert after.status == "running"


def test_a_404_from_something_else_than_the_api_has_a_different_body(a_sandbox: Begin) -> None:
    sandbox = a_sandbox({"fault": "wrong-body-404"})
    with pytest.raises(openai.NotFoundError) as missing:
        sandbox.client.fine_tuning.jobs.retrieve(RUNAWAY)

    assert missing.value.code is None
    assert missing.value.body == {"detail": "Not Found"}


def test_the_broken_list_fault_returns_the_first_page_and_then_a_500(a_sandbox: Begin) -> None:
    jobs = [{"id": f"ftjob-{number:03}"} for number in range(30)]
    sandbox = a_sandbox({"fault": "partial-page"}, jobs=jobs)
    pages = sandbox.client.fine_tuning.jobs.list()
    with pytest.raises(openai.InternalServerError):
        pages.get_next_page()

    assert len(pages.data) == 20


def test_the_endless_list_fault_repeats_the_same_page(a_sandbox: Begin) -> None:
    sandbox = a_sandbox({"fault": "endless"})
    ids = [job.id for job in islice(sandbox.client.fine_tuning.jobs.list(limit=2), 6)]

    assert ids == [RUNAWAY, "ftjob-good"] * 3


def test_a_lagging_replica_shows_a_cancelled_job_as_running(a_sandbox: Begin) -> None:
    sandbox = a_sandbox({"fault": "stale-read", "for": "1m", "times": "2"})
    jobs = sandbox.client.fine_tuning.jobs
    jobs.cancel(RUNAWAY)
    sandbox.pass_time(seconds=30)
    seen = [jobs.retrieve(RUNAWAY).status, jobs.list().data[0].status, jobs.retrieve(RUNAWAY).status]

    assert seen == ["running", "running", "cancelled"]


def test_a_lost_cancel_is_accepted_and_has_no_effect(a_sandbox: Begin) -> None:
    sandbox = a_sandbox({"fault": "lost-cancel", "times": "1"})
    jobs = sandbox.client.fine_tuning.jobs
    seen = [jobs.cancel(RUNAWAY).status, jobs.retrieve(RUNAWAY).status, jobs.cancel(RUNAWAY).status]
    acted = [request.acted for request in sandbox.world.requests]

    assert seen == ["running", "running", "cancelled"]
    assert acted == [False, False, True]


def test_a_late_cancel_takes_effect_after_a_delay(a_sandbox: Begin) -> None:
    sandbox = a_sandbox({"fault": "late-cancel", "for": "30s"})
    jobs = sandbox.client.fine_tuning.jobs
    seen = [jobs.cancel(RUNAWAY).status]
    for _ in range(2):
        sandbox.pass_time(seconds=15)
        seen.append(jobs.retrieve(RUNAWAY).status)

    assert seen == ["running", "running", "cancelled"]


def test_the_unknown_status_fault_affects_one_job_only(a_sandbox: Begin) -> None:
    sandbox = a_sandbox({"fault": "unknown-word", "word": "simmering", "job": RUNAWAY})
    jobs = sandbox.client.fine_tuning.jobs
    listed = [str(job.status) for job in jobs.list()]
    retrieved = str(jobs.retrieve(RUNAWAY).status)

    assert listed == ["simmering", "succeeded", "failed"]
    assert retrieved == "simmering"


def test_the_control_endpoints_set_and_clear_faults_and_list_requests(a_sandbox: Begin) -> None:
    sandbox = a_sandbox()
    client, jobs = sandbox.client, sandbox.client.fine_tuning.jobs
    client.post(sandbox.corner("/sandbox/faults"), body={"fault": "status", "status": 503}, cast_to=object)
    with pytest.raises(openai.InternalServerError):
        jobs.cancel(RUNAWAY)
    client.delete(sandbox.corner("/sandbox/faults"), cast_to=object)
    jobs.cancel(RUNAWAY)
    told = client.get(sandbox.corner("/sandbox/requests"), cast_to=object)
    of_jobs = client.get(sandbox.corner(f"/sandbox/requests?job_id=another&job_id={RUNAWAY}"), cast_to=object)
    of_another = client.get(sandbox.corner("/sandbox/requests?job_id=another"), cast_to=object)

    common = {
        "at": "2026-11-23T09:00:00Z",
        "method": "POST",
        "path": f"/v1/fine_tuning/jobs/{RUNAWAY}/cancel",
        "verb": "cancel",
        "job_id": RUNAWAY,
    }
    assert told == {"requests": [{**common, "acted": False, "status": 503}, {**common, "acted": True, "status": 200}]}
    assert of_jobs == told
    assert of_another == {"requests": []}


def test_the_control_endpoints_reject_an_invalid_fault(a_sandbox: Begin) -> None:
    sandbox = a_sandbox()
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        sandbox.client.post(sandbox.corner("/sandbox/faults"), body={"fault": "slow"}, cast_to=object)

    assert refused.value.message.endswith("slow.for: Field required")
