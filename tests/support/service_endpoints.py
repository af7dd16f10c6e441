"""A provider service on a socket, with its Provider document, its key, and the operator's binding of that key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from reconciler.sandbox.app import create_app
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.world import World
from tests.contract.dialects.services import Service
from tests.support.sandbox_server import serve

PROVIDER = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {{name: {name}}}
spec:
  type: {type}
  baseUrl: {url}
  credentials: {{env: {variable}}}
  options: {options}
  rateLimit: {{requestsPerSecond: 1000, burst: 1000}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEndpoint:
    """One served account, and the simulated world behind it."""

    name: str
    service: Service
    secret: str
    base_url: str
    world: World

    @property
    def variable(self) -> str:
        """The variable that contains the endpoint's key."""
        return f"KEY_OF_{self.name.replace('-', '_').upper()}"

    @property
    def document(self) -> str:
        """The Provider document of this account."""
        return PROVIDER.format(
            name=self.name,
            type=self.service.type,
            url=self.base_url,
            variable=self.variable,
            options=json.dumps(dict(self.service.options)),
        )

    @property
    def environ(self) -> dict[str, str]:
        """The environment variable with the key."""
        return {self.variable: self.service.key(self.secret)}


def a_world(service: Service, jobs: Sequence[Mapping[str, Any]]) -> World:
    """Return a world with these jobs, in which a cancel takes as long as at the service."""
    return World(SandboxOptions.model_validate({"jobs": jobs, **service.world}), datetime.now(UTC))


@contextmanager
def serve_service(
    name: str, service: Service, jobs: Sequence[Mapping[str, Any]], secret: str
) -> Iterator[ServiceEndpoint]:
    """Serve a service over a world with these jobs."""
    world = a_world(service, jobs)
    with serve(the_api(service, world, secret)) as url:
        yield ServiceEndpoint(
            name=name,
            service=service,
            secret=secret,
            base_url=url.removesuffix("/v1") + service.path,
            world=world,
        )


def the_api(service: Service, world: World, secret: str) -> ASGIApp:
    """Return a service's own API over a world."""
    return service.front(create_app(world, lambda: datetime.now(UTC), api_key=secret), secret)


def trust_in(endpoints: Sequence[ServiceEndpoint]) -> dict[str, str]:
    """Return the operator's bindings: each key is bound to its own host."""
    return {"RECONCILE_TRUST": ",".join(f"{each.variable}={urlsplit(each.base_url).netloc}" for each in endpoints)}
