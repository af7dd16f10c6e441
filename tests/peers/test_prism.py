"""Prism, between the adapter and the sandbox, checks each request and response against OpenAI's specification."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from reconciler.errors import TransientError
from reconciler.model.job import Accepted, Account, JobRef, Phase
from reconciler.ports import JobController, SupportsEvents, SupportsPause
from reconciler.providers import load
from reconciler.sandbox.app import create_app
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.world import World
from reconciler.testing import opened
from reconciler.testing.calls import walk
from reconciler.testing.harness_server import NOW
from tests.contract.harnesses import JOBS
from tests.support.processes import a_free_port, running
from tests.support.sandbox_server import serve

T = TypeVar("T")

PRISM = os.environ.get("RECONCILE_PRISM", "")
"""The path of the `prism` command."""
DOCUMENT = Path(
    os.environ.get("RECONCILE_OPENAPI")
    or Path(__file__).parents[3] / "shared" / "peers" / "openai-fine-tuning.openapi.json"
)

pytestmark = [
    pytest.mark.skipif(not PRISM, reason="RECONCILE_PRISM names no prism: npm install @stoplight/prism-cli"),
    pytest.mark.skipif(not DOCUMENT.is_file(), reason="RECONCILE_OPENAPI names no copy of OpenAI's published document"),
]

PAUSED = f"ftjob-{Phase.PAUSED}"
PUBLISHED = [job for job in JOBS if job["id"] != PAUSED]
"""The jobs whose status is in the specification. It contains `paused` only in an example."""


@pytest.fixture(scope="module")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield Prism's address. It responds with HTTP 500 to requests and responses that the specification forbids."""
    port = a_free_port()
    world = World(SandboxOptions.model_validate({"jobs": PUBLISHED}), NOW)
    log = tmp_path_factory.mktemp("prism") / "log"
    with serve(create_app(world, lambda: NOW, api_key="sk-behind-prism")) as upstream:
        command = [PRISM, "proxy", "--errors", "--host", "127.0.0.1", "--port", str(port), str(DOCUMENT), upstream]
        with running(command, port, "/", log, os.environ) as url:
            yield url


@pytest.fixture
def account(prism: str) -> Account:
    return Account("openai", prism)


class OpenAIController(JobController, SupportsPause, SupportsEvents, Protocol):
    """The methods of the OpenAI adapter."""


def asked(account: Account, question: Callable[[OpenAIController], Awaitable[T]]) -> T:
    async def main() -> T:
        async with opened(load("openai"), account.base_url, secret="sk-behind-prism") as controller:  # noqa: S106
            assert isinstance(controller, SupportsPause)
            assert isinstance(controller, SupportsEvents)
            return await question(controller)

    return asyncio.run(main())


def test_every_page_of_the_sandbox_matches_the_published_api(account: Account) -> None:
    rows = asked(account, walk)

    assert sorted(row.id for row in rows) == sorted(str(job["id"]) for job in PUBLISHED)


def test_retrieving_and_cancelling_a_job_matches_the_published_api(account: Account) -> None:
    ref = JobRef(account, f"ftjob-{Phase.RUNNING}")
    before = asked(account, lambda controller: controller.get_job(ref))
    answer = asked(account, lambda controller: controller.cancel_job(ref))
    after = asked(account, lambda controller: controller.get_job(ref))

    assert before is not None
    assert before.phase is Phase.RUNNING
    assert after is not None
    assert (answer, after.phase) == (Accepted(), Phase.CANCELLED)


def test_job_events_match_the_published_api(account: Account) -> None:
    ref = JobRef(account, f"ftjob-{Phase.SUCCEEDED}")
    events = asked(account, lambda controller: controller.list_events(ref, 5))

    assert events[0].message == "The job has successfully completed"


def test_prism_rejects_a_response_that_does_not_match_the_published_api(account: Account) -> None:
    ref = JobRef(account, f"ftjob-{Phase.QUEUED}")
    with pytest.raises(TransientError, match="HTTP 500"):
        asked(account, lambda controller: controller.pause_job(ref))
