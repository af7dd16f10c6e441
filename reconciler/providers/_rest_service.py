"""The provider types of services whose API is JSON over HTTP with a key in a header, each described by one record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pydantic import BaseModel

from reconciler.plugin import AccountConfig, Capabilities, Credentials, JobsOfKind, Rate, Transport
from reconciler.providers._no_options import NoOptions
from reconciler.providers._rest_jobs import RestApi, RestJobs


@dataclass(frozen=True, slots=True, kw_only=True)
class RestCollection:
    """The jobs of one kind at a service.

    Args:
        api: the API for these jobs.
        id_pattern: a regular expression that matches every complete id.
        capabilities: what the service documents about these jobs.
        bare_id: returns the spelling of an id that the service uses, without a prefix that a spec may contain.
        jobs: the class that calls the API.
    """

    api: RestApi
    id_pattern: str
    capabilities: Capabilities
    bare_id: Callable[[str], str] = str
    jobs: type[RestJobs] = RestJobs

    def canonical_id(self, job_id: str, options: BaseModel) -> str:  # noqa: ARG002 - the port's signature
        """Return the service's spelling of an id."""
        return self.bare_id(job_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestService:
    """A `ProviderType`. Its kinds of job share the address and the key.

    Args:
        name: the value of `spec.type`.
        key_variable: the variable from which the vendor's client reads the key.
        url_variables: the variables from which that client reads the base URL. A variable whose value differs between
            versions of the client is left out.
        address: the base URL of the service, which is the `own_url` of the type.
        collections: the jobs of each kind, by the name of the kind.

    The other attributes are those of `ProviderType`.
    """

    name: str
    key_variable: str
    url_variables: tuple[str, ...]
    address: str
    collections: Mapping[str, RestCollection]
    options: type[BaseModel] = NoOptions
    option_variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    has_whole_key: bool = True
    finds_credentials: bool = False
    rate: Rate = field(default_factory=Rate)

    @property
    def kinds(self) -> Mapping[str, JobsOfKind]:
        """Return the kinds of job that the service has, by the name of the kind."""
        return {
            kind: JobsOfKind(id_pattern=each.id_pattern, capabilities=each.capabilities, canonical_id=each.canonical_id)
            for kind, each in self.collections.items()
        }

    @property
    def id_pattern(self) -> str:
        """Return the id pattern of the first kind in `collections`."""
        return self._first.id_pattern

    @property
    def capabilities(self) -> Capabilities:
        """Return the capabilities for the first kind in `collections`."""
        return self._first.capabilities

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:  # noqa: ARG002 - the port's signature
        """Return an empty scope, because the key identifies the account."""
        return ()

    def canonical_id(self, job_id: str, options: BaseModel) -> str:
        """Return the service's spelling of an id of the first kind in `collections`."""
        return self._first.canonical_id(job_id, options)

    def own_url(self, options: BaseModel) -> str:  # noqa: ARG002 - the port's signature
        """Return the address of the service."""
        return self.address

    @asynccontextmanager
    async def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[RestJobs]:
        """Yield the adapter for the jobs of the kind `config.account.kind`."""
        collection = self.collections[config.account.kind]
        yield collection.jobs(transport, credentials, collection.api)

    @property
    def _first(self) -> RestCollection:
        return next(iter(self.collections.values()))
