"""Every built-in provider type with every kind of its jobs: a simulated service on a socket for each.

Rule: the types and kinds come from the registry, and the services from the lists of the contract tests. A type that is
added to both is included automatically. A type without a simulated service fails a test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from reconciler.model.kind import BATCH, FINE_TUNING, KINDS, JobKind
from reconciler.ports import JobsOfKind, jobs_by_kind
from reconciler.providers import NAMES, load
from reconciler.sandbox.app import create_app
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.world import BatchWorld, World
from tests.contract import batch_harness
from tests.contract.batch_harness import BatchService
from tests.contract.dialects.services import SERVICES, Service
from tests.support.sandbox_server import serve
from tests.support.service_endpoints import PROVIDER

EMBEDDED = "sandbox"
"""The type that needs no service."""
SECRET = "canary-key-of-each-type"  # noqa: S105 - a canary
JOB = {"id": "ftjob-running", "age": "2h", "life": [{"phase": "running"}]}
BATCH_ROW = {"id": "batch_running", "age": "30m", "life": [{"phase": "running", "for": "5h"}, {"phase": "succeeded"}]}
QUICKLY = "1s"
SPEC = """\
apiVersion: jobs.reconciler/v1
kind: {kind}
metadata: {{name: {name}}}
spec:
  provider: {provider}
  jobId: {job_id}
  desiredState: {state}
"""


def registered() -> set[tuple[str, str]]:
    """Return every built-in type with the name of each kind of its jobs."""
    return {(name, kind) for name in NAMES for kind in jobs_by_kind(load(name))}


def simulated() -> Mapping[str, tuple[Service, JobKind]]:
    """Return every simulated service with the kind of its jobs, by a name that a Provider document may have."""
    batches = {name: each for name, each in vars(batch_harness).items() if type(each) is BatchService}
    return {
        **{_name(name, FINE_TUNING): (each, FINE_TUNING) for name, each in SERVICES.items()},
        **{_name(name, BATCH): (each, BATCH) for name, each in batches.items()},
    }


def _name(name: str, kind: JobKind) -> str:
    words = name.lower().replace(",", "").replace("_", "-").replace(" ", "-")
    return f"{words}-{kind.name.lower().removesuffix('job')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindEndpoint:
    """A service on a socket, with one running job of one kind behind it."""

    name: str
    service: Service
    kind: JobKind
    url: str
    world: World

    @property
    def jobs(self) -> JobsOfKind:
        """The record with which the type declares these jobs."""
        return jobs_by_kind(load(self.service.type))[self.kind.name]

    @property
    def variable(self) -> str:
        """The variable that contains the key."""
        return f"KEY_OF_{self.name.replace('-', '_').upper()}"

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment variable with the key."""
        return {self.variable: self.service.key(SECRET)}

    @property
    def binding(self) -> str:
        """The operator's binding of the key to the socket."""
        return f"{self.variable}={urlsplit(self.url).netloc}"

    @property
    def document(self) -> str:
        """The Provider document of this account."""
        options = json.dumps(dict(self.service.options))
        return PROVIDER.format(
            name=self.name, type=self.service.type, url=self.url, variable=self.variable, options=options
        )

    def spec(self, state: str) -> str:
        """Return a spec for the running job."""
        job_id = json.dumps(self.service.job_id(str(_row(self.kind)["id"])))
        return SPEC.format(kind=self.kind.name, name=self.name, provider=self.name, job_id=job_id, state=state)

    def changes(self) -> int:
        """Return how many requests changed the job."""
        return sum(each.acted for each in self.world.requests)


@contextmanager
def serve_every_service() -> Iterator[Mapping[str, KindEndpoint]]:
    """Serve every service with one running job of its kind, whose cancel takes a second."""
    with ExitStack() as stack:
        found = {}
        for name, (service, kind) in simulated().items():
            world = _world(service, kind)
            api = create_app(world, lambda: datetime.now(UTC), api_key=SECRET)
            url = stack.enter_context(serve(service.front(api, SECRET))).removesuffix("/v1") + service.path
            found[name] = KindEndpoint(name=name, service=service, kind=kind, url=url, world=world)
        yield found


def embedded_document() -> str:
    """Return a Provider document of the type that needs no service, with a running job of each kind."""
    options = json.dumps({"jobs": [JOB], "batches": [{**BATCH_ROW, "cancelTakes": QUICKLY}]})
    return (
        "apiVersion: jobs.reconciler/v1\nkind: Provider\n"
        f"metadata: {{name: {EMBEDDED}-here}}\nspec: {{type: {EMBEDDED}, options: {options}}}\n"
    )


def embedded_specs() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of a spec for each kind of job of the type that needs no service."""
    for kind in (KINDS[each] for each in jobs_by_kind(load(EMBEDDED))):
        name = _name(EMBEDDED, kind)
        job_id = _row(kind)["id"]
        yield (
            name,
            SPEC.format(kind=kind.name, name=name, provider=f"{EMBEDDED}-here", job_id=job_id, state="cancelled"),
        )


def _row(kind: JobKind) -> Mapping[str, object]:
    return BATCH_ROW if kind is BATCH else JOB


def _world(service: Service, kind: JobKind) -> World:
    now = datetime.now(UTC)
    if kind is BATCH:
        return BatchWorld(SandboxOptions.model_validate({"batches": [BATCH_ROW], "cancelTakes": QUICKLY}), now)
    shown = {**service.world, "cancelTakes": QUICKLY} if service.world else {}
    return World(SandboxOptions.model_validate({"jobs": [JOB], **shown}), now)
