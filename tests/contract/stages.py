"""Two ways to the same world: served on a socket for `openai`, in process for `sandbox`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.adapters.credentials import EnvCredentials, NoCredentials
from reconciler.model.job import Account, Capabilities, JobRef, Phase
from reconciler.ports import AccountConfig, JobController, Rate
from reconciler.providers import load
from reconciler.sandbox.app import create_app
from reconciler.sandbox.faults import FAULTS
from reconciler.sandbox.options import SandboxOptions
from reconciler.sandbox.world import World
from reconciler.testing import Fault
from reconciler.testing.stage import RETRY_AFTER_S
from reconciler.transport import Deadlines, Gate, HttpTransport

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
FREELY = Rate(requests_per_second=1000, burst=1000, concurrency=8)
SOON = Deadlines(connect_s=0.25, request_s=0.25)
PHASES = (
    Phase.VALIDATING_FILES,
    Phase.QUEUED,
    Phase.RUNNING,
    Phase.PAUSED,
    Phase.SUCCEEDED,
    Phase.FAILED,
    Phase.CANCELLED,
)
JOBS = [
    {
        "id": f"ftjob-{phase}",
        "age": "2h",
        "life": [{"phase": "queued", "for": "1h"}, {"phase": str(phase)}]
        if phase is not Phase.QUEUED
        else [{"phase": "queued"}],
    }
    for phase in PHASES
]
RULES: dict[Fault, dict[str, str]] = {
    Fault.UNAUTHORISED: {"fault": "status", "status": "401"},
    Fault.FORBIDDEN: {"fault": "status", "status": "403"},
    Fault.RATE_LIMITED: {"fault": "status", "status": "429", "retryAfter": f"{RETRY_AFTER_S}s"},
    Fault.SERVER_ERROR: {"fault": "status", "status": "500"},
    Fault.RESET_BEFORE_ACTING: {"fault": "reset-before-acting"},
    Fault.RESET_AFTER_ACTING: {"fault": "reset-after-acting"},
    Fault.SILENCE: {"fault": "hang"},
    Fault.PAGE_OF_A_PROXY: {"fault": "html"},
    Fault.CUT_SHORT: {"fault": "garbage"},
    Fault.EMPTY: {"fault": "empty"},
    Fault.FOREIGN_NOT_FOUND: {"fault": "wrong-body-404"},
    Fault.UNKNOWN_WORD: {"fault": "unknown-word"},
    Fault.ENDLESS_LIST: {"fault": "endless"},
}
JOB_IDS = frozenset(f"ftjob-{phase}" for phase in PHASES)


class Served:
    """The application that a server on a socket serves: every test puts its own in the place of the last one's."""

    def __init__(self) -> None:
        self.app: ASGIApp = Starlette()
        self.base_url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class OpenAIStage:
    """`openai` against a world behind a real socket."""

    secret = "canary-key-of-the-contract"  # noqa: S105 - a canary

    def __init__(self, served: Served) -> None:
        self._type = load("openai")
        self._world = World(SandboxOptions.model_validate({"jobs": JOBS}), NOW)
        self._account = Account("openai", served.base_url)
        served.app = create_app(self._world, lambda: NOW, api_key=self.secret)

    @property
    def capabilities(self) -> Capabilities:
        return self._type.capabilities

    @property
    def job_ids(self) -> frozenset[str]:
        return JOB_IDS

    def job_in(self, phase: Phase) -> JobRef:
        return JobRef(self._account, f"ftjob-{phase}")

    def break_with(self, fault: Fault) -> None:
        self._world.faults.add(FAULTS.validate_python([RULES[fault]]))

    def heal(self) -> None:
        self._world.faults.clear()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[JobController]:
        config = AccountConfig(account=self._account, options=self._type.options(), state_dir=None, now=lambda: NOW)
        credentials = EnvCredentials("KEY", {"KEY": self.secret})
        async with (
            HttpTransport(self._account.base_url, Gate(FREELY), SOON) as transport,
            self._type.open(config, transport, credentials) as controller,
        ):
            yield controller


@dataclass
class SandboxStage:
    """`sandbox` in this process; its world outlives each opening in the state directory."""

    state_dir: Path
    rules: list[dict[str, str]] = field(default_factory=list)
    secret = ""

    def __post_init__(self) -> None:
        self._type = load("sandbox")
        self._account = Account("sandbox", self._type.default_base_url or "")

    @property
    def capabilities(self) -> Capabilities:
        return self._type.capabilities

    @property
    def job_ids(self) -> frozenset[str]:
        return JOB_IDS

    def job_in(self, phase: Phase) -> JobRef:
        return JobRef(self._account, f"ftjob-{phase}")

    def break_with(self, fault: Fault) -> None:
        self.rules.append(RULES[fault])

    def heal(self) -> None:
        self.rules.clear()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[JobController]:
        options = self._type.options.model_validate({"jobs": JOBS, "faults": self.rules})
        config = AccountConfig(account=self._account, options=options, state_dir=self.state_dir, now=lambda: NOW)
        async with (
            HttpTransport(self._account.base_url, Gate(self._type.rate), SOON) as transport,
            self._type.open(config, transport, NoCredentials()) as controller,
        ):
            yield controller
