"""Two ways to use a world: on a socket through a service's dialect, and within the process for `sandbox`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.local.credentials import NoCredentials
from reconciler.model.account_line import FINE_TUNING_JOB
from reconciler.model.job import Account, JobRef, Phase
from reconciler.ports import AccountConfig, JobController, jobs_by_kind
from reconciler.providers import load
from reconciler.sandbox.app import create_app
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.faults import FAULTS
from reconciler.sandbox.world import World
from reconciler.testing import Fault, FaultInjector, account_at, opened
from reconciler.testing.harness import RETRY_AFTER_S
from reconciler.testing.harness_server import LONG_DEADLINES, NOW, SHORT_DEADLINES
from reconciler.transport import HttpTransport, Throttle
from tests.contract.dialects.services import Service

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
    {"id": f"ftjob-{phase}", "age": "2h", "life": [{"phase": "queued", "for": "1h"}, {"phase": phase.value}]}
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


class Served:
    """An application that forwards each request to `app`, which every test replaces."""

    def __init__(self) -> None:
        self.app: ASGIApp = Starlette()
        self.base_url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request to the application of the current test."""
        await self.app(scope, receive, send)


class WorldHarness:
    """The common part of both ways: the type, its account, and the jobs."""

    def __init__(self, account: Account, phases: tuple[Phase, ...] = PHASES) -> None:
        self.type = load(account.type)
        self.account = account
        self.capabilities = self.type.capabilities
        self.job_ids = frozenset(self.id_of(phase) for phase in phases)
        self.is_impatient = False

    def id_of(self, phase: Phase) -> str:
        """Return the id of the job that is named after its phase."""
        return f"ftjob-{phase}"

    def job_in(self, phase: Phase) -> JobRef:
        """Return the job that is named after its phase."""
        return JobRef(self.account, self.id_of(phase))


def sandbox_world(service: Service, jobs: Sequence[Mapping[str, Any]] = JOBS) -> World:
    """Return the world of a service, without the jobs that the service cannot show."""
    lacking = {f"ftjob-{phase}" for phase in service.lacks}
    shown = [job for job in jobs if job["id"] not in lacking]
    return World(SandboxOptions.model_validate({"jobs": shown, **service.world}), NOW)


class ServedHarness(WorldHarness):
    """A service with a world, on a real socket. It accepts only requests with the secret."""

    secret = "canary-key-of-the-contract"  # noqa: S105 - a canary

    def __init__(
        self, served: Served, service: Service, *, kind: str = FINE_TUNING_JOB, world: World | None = None
    ) -> None:
        self._service = service
        self._options = dict(service.options)
        base_url = served.base_url.removesuffix("/v1") + service.path
        phases = tuple(phase for phase in PHASES if phase not in service.lacks)
        super().__init__(account_at(load(service.type), base_url, self._options, kind=kind), phases)
        self._key = service.key(self.secret)
        self._world = world or sandbox_world(service)
        api = create_app(self._world, lambda: NOW, api_key=self.secret)
        served.app = self._way = FaultInjector(service.front(api, self.secret))

    def id_of(self, phase: Phase) -> str:
        """Return the service's id of the job that is named after its phase."""
        return self._service.job_id(super().id_of(phase))

    def job_in(self, phase: Phase) -> JobRef:
        """Return the job that is named after its phase."""
        if phase in self._service.lacks:
            raise NotImplementedError(phase)
        return super().job_in(phase)

    def break_with(self, fault: Fault) -> None:
        """Add a fault to the world, or to the path of the requests to it."""
        if fault in self._service.cannot:
            raise NotImplementedError(fault)
        self.is_impatient = fault is Fault.SILENCE
        if fault in RULES:
            self._world.faults.add(FAULTS.validate_python([RULES[fault]]))
        else:
            self._way.fault = fault

    def heal(self) -> None:
        """Remove every fault."""
        self.is_impatient = False
        self._world.faults.clear()
        self._way.fault = None

    def open(self) -> AbstractAsyncContextManager[JobController]:
        """Open the account with the canary key."""
        return opened(
            self.type,
            self.account.base_url,
            self._options,
            kind=self.account.kind,
            secret=self._key,
            is_impatient=self.is_impatient,
        )


class SandboxHarness(WorldHarness):
    """The jobs of one kind of `sandbox`, in this process. Their world stays in the state directory between openings."""

    secret = ""
    kind = FINE_TUNING_JOB
    declared: Mapping[str, Sequence[Mapping[str, Any]]] = {"jobs": JOBS}
    """The options of the Provider document that declare the jobs."""

    def __init__(
        self, state_dir: Path, phases: tuple[Phase, ...] = PHASES, rules: Sequence[dict[str, str]] = ()
    ) -> None:
        type_ = load("sandbox")
        super().__init__(Account(type_.name, type_.own_url(type_.options()) or "", kind=self.kind), phases)
        self.capabilities = jobs_by_kind(type_)[self.kind].capabilities
        self._state_dir = state_dir
        self._rules = list(rules)

    def break_with(self, fault: Fault) -> None:
        """Apply a fault from the next opening on."""
        if fault not in RULES:
            raise NotImplementedError(fault)
        self.is_impatient = fault is Fault.SILENCE
        self._rules.append(RULES[fault])

    def heal(self) -> None:
        """Apply no fault from the next opening on."""
        self.is_impatient = False
        self._rules.clear()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[JobController]:
        """Open the world in the state that the last opening left."""
        options = self.type.options.model_validate({**self.declared, "faults": self._rules})
        config = AccountConfig(account=self.account, options=options, state_dir=self._state_dir, now=lambda: NOW)
        deadlines = SHORT_DEADLINES if self.is_impatient else LONG_DEADLINES
        async with (
            HttpTransport(self.account.base_url, Throttle(self.type.rate), deadlines) as transport,
            self.type.open(config, transport, NoCredentials()) as controller,
        ):
            yield controller
