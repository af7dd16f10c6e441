"""The provider of the real hour: a sandbox with several accounts, each below a path of its own, and a webhook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from reconciler.model.job import Phase
from reconciler.sandbox.app import create_app
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.faults import FAULTS
from reconciler.sandbox.world import World
from tests.night_run.workload import Short, account_name, lasting_jobs, new_ids, short_jobs


def now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Provider:
    """The worlds of the accounts, and how many requests and notifications arrived."""

    worlds: Sequence[World]
    minute_s: float
    requests: int = 0
    notifications: int = 0
    cancels: Counter[str] = field(default_factory=Counter)
    """The number of cancel requests for each job."""

    @classmethod
    def with_jobs(cls, accounts: int, lasting: int, minute_s: float) -> Provider:
        """Return a provider with this many lasting jobs in each account, and the short jobs of the last minutes."""
        return cls([_world(account, lasting, minute_s) for account in range(accounts)], minute_s)

    def app(self) -> Starlette:
        """Return the application: each account below its name, and `/hook`."""
        mounts = [Mount(f"/{account_name(at)}", _Counted(self, world)) for at, world in enumerate(self.worlds)]
        return Starlette(routes=[*mounts, Route("/hook", self._receive, methods=["POST"])])

    def begin(self, job: Short) -> None:
        """Create a short job."""
        fields = {key: value for key, value in job.declared(self.minute_s).items() if key != "id"}
        created = self.worlds[job.account].create(now(), fields)
        assert created.job.id == job.id

    def break_account(self, account: int, rule: dict[str, Any]) -> None:
        """Begin a fault of an account."""
        self.worlds[account].faults.add(FAULTS.validate_python([rule]))

    def heal(self) -> None:
        """End all faults."""
        for world in self.worlds:
            world.faults.clear()

    def is_cancelled(self, job: Short) -> bool:
        """Return whether a job was cancelled. It must not be absent yet."""
        return self.worlds[job.account].retrieve(job.id, now()).phase is Phase.CANCELLED

    async def _receive(self, request: Request) -> Response:
        await request.body()
        self.notifications += 1
        return Response(status_code=204)


def _world(account: int, lasting: int, minute_s: float) -> World:
    jobs = [*lasting_jobs(account, lasting), *(each.declared(minute_s) for each in short_jobs(account, -1))]
    kind = type("AccountWorld", (World,), {"new_ids": new_ids(account)})
    world: World = kind(SandboxOptions.model_validate({"jobs": jobs}), now())
    return world


class _Counted:
    """The application of one account, which counts its requests."""

    def __init__(self, provider: Provider, world: World) -> None:
        self._provider = provider
        self._app = create_app(world, now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._provider.requests += 1
        path = str(scope["path"])
        if path.endswith("/cancel"):
            self._provider.cancels[path.split("/")[-2]] += 1
        await self._app(scope, receive, send)
