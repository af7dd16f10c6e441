"""A provider with many accounts, each in a sandbox of its own, that records every request and its sender.

Each replica has a key of its own, so that a request names its sender.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from reconciler.model.job import Phase
from reconciler.sandbox.app import create_app
from reconciler.sandbox.config import DeclaredJob, DeclaredStage, SandboxOptions
from reconciler.sandbox.world import World
from reconciler.testing import served

CANCEL = "/cancel"
JOBS_MAX = 10_000
"""The maximum number of jobs of an account."""
SLOW_CANCEL = timedelta(seconds=3)
"""How long a cancel takes in every second account. In the others a job is cancelled at once."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request that arrived, at a time in monotonic seconds. `cancels` is the id of the job to cancel, or None."""

    at: float
    sender: str
    account: str
    cancels: str | None = None


@dataclass(slots=True)
class Provider:
    """The accounts, as an ASGI application, and the requests that arrived, oldest first."""

    worlds: Mapping[str, World]
    url: str = ""
    arrivals: list[Arrival] = field(default_factory=list)
    _app: Starlette = field(init=False)

    def __post_init__(self) -> None:
        """Mount each account below its name."""
        apps = {name: create_app(world, _now) for name, world in self.worlds.items()}
        self._app = Starlette(routes=[Mount(f"/{name}", app) for name, app in apps.items()])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record a request, and pass it on."""
        if scope["type"] == "http":
            account, _, path = scope["path"].lstrip("/").partition("/")
            key = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
            job_id = path.removesuffix(CANCEL).rpartition("/")[2] if path.endswith(CANCEL) else None
            self.arrivals.append(Arrival(time.monotonic(), key, account, job_id))
        await self._app(scope, receive, send)

    def address(self, account: str) -> str:
        """Return the base URL of an account."""
        return f"{self.url}/{account}/v1"

    def phases(self) -> Mapping[str, Phase]:
        """Return the phase of each job now, by its id."""
        now = _now()
        pages = (world.list_jobs(now, after=None, limit=JOBS_MAX) for world in self.worlds.values())
        return {view.job.id: view.phase for page in pages for view in page.jobs}


def job_ids(account: str, jobs: int) -> Sequence[str]:
    """Return the ids of the jobs of an account."""
    return [f"ftjob-{account}-{number:03}" for number in range(jobs)]


@contextmanager
def serving_accounts(accounts: Sequence[str], jobs: int) -> Iterator[Provider]:
    """Serve accounts with so many running jobs each until the block ends."""
    provider = Provider({name: _world(name, jobs, is_slow=place % 2 == 1) for place, name in enumerate(accounts)})
    with served(provider) as provider.url:
        yield provider


def _world(account: str, jobs: int, *, is_slow: bool) -> World:
    life = (DeclaredStage(phase=Phase.RUNNING),)
    declared = tuple(DeclaredJob(id=each, life=life) for each in job_ids(account, jobs))
    slow = {"cancel_takes": SLOW_CANCEL, "cancel_word": "cancelling"} if is_slow else {}
    return World(SandboxOptions(jobs=declared, **slow), began_at=_now())


def _now() -> datetime:
    return datetime.now(UTC)
