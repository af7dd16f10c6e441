"""The port of a provider type: what is known about a type of provider before one of its accounts is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pydantic import BaseModel

from reconciler.model.account_line import FINE_TUNING_JOB
from reconciler.model.capabilities import Capabilities
from reconciler.ports.provider import AccountConfig, Credentials, JobController, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The request rate of an account: its initial pace, and how far the pace may rise while requests succeed."""

    requests_per_second: float = 10.0
    burst: int = 10
    concurrency: int = 8
    """The maximum number of requests in progress at the initial pace."""
    requests_per_second_max: float | None = None
    """The maximum pace. None means `requests_per_second`."""
    concurrency_max: int | None = None
    """The maximum number of requests in progress at any pace. None means `concurrency`."""


def _same_id(job_id: str, _options: BaseModel) -> str:
    return job_id


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsOfKind:
    """What a provider type declares about its jobs of one kind.

    The fields have the meaning of the members of `ProviderType` with the same names.
    """

    id_pattern: str
    capabilities: Capabilities
    canonical_id: Callable[[str, BaseModel], str] = _same_id


@runtime_checkable
class SupportsKinds(Protocol):
    """The port that a provider type implements if it has jobs of a kind other than fine-tuning."""

    @property
    def kinds(self) -> Mapping[str, JobsOfKind]:
        """All kinds of the type, by the name of the kind. `open` is called with an account of one of these kinds."""
        ...


class ProviderType(Protocol):
    """A provider type, with everything that is known before an account is opened.

    A type that does not implement `SupportsKinds` has fine-tuning jobs only.
    """

    @property
    def name(self) -> str:
        """The value of `spec.type` that selects this type."""
        ...

    @property
    def options(self) -> type[BaseModel]:
        """The pydantic model of `spec.options` in a Provider document of this type."""
        ...

    @property
    def id_pattern(self) -> str:
        """A regular expression that matches every job id completely. It allows `/` or `?` only if ids contain them."""
        ...

    def canonical_id(self, job_id: str, options: BaseModel) -> str:
        """Return the canonical spelling of a job id in this account. The function must be pure.

        The id matches `id_pattern`. If every job has only one spelling, return the id unchanged. Raises `ValueError`
        with a message for the user if no job in this account can have the id.
        """
        ...

    @property
    def key_variable(self) -> str | None:
        """The environment variable from which the vendor's SDK reads the secret, or None if no secret is needed.

        It may contain only a part of the secret or the path of a file: see `has_whole_key`.
        """
        ...

    @property
    def has_whole_key(self) -> bool:
        """Whether `key_variable` contains the complete secret, not a part of it or the path of a file."""
        ...

    @property
    def url_variables(self) -> tuple[str, ...]:
        """The variables from which the vendor's SDK reads the base URL. The first variable that is set is used."""
        ...

    @property
    def option_variables(self) -> Mapping[str, tuple[str, ...]]:
        """The variables from which the vendor's SDK reads options, by the names of the options in a document.

        They are used if an account uses the default credential and its document leaves the option out.
        """
        ...

    @property
    def finds_credentials(self) -> bool:
        """Whether the vendor's library can find a secret that no document names and no single variable contains.

        If so, an account may be opened with credentials whose token is empty, and bindings refer to the secret as
        `key_variable`.
        """
        ...

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities for fine-tuning jobs. They are not used if the type implements `SupportsKinds`."""
        ...

    @property
    def rate(self) -> Rate:
        """The rate that an account begins with. A Provider document may override it.

        The maximums of this rate are not used: without a limit in the document, the rate rises while requests succeed.
        """
        ...

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:
        """Return the options that are part of an account's identity, such as project and region."""
        ...

    def own_url(self, options: BaseModel) -> str | None:
        """Return the vendor's base URL for these options, or None if every account has a base URL of its own.

        The default secret is sent to this host without a binding from the operator. Therefore no option may lead to a
        host that does not belong to the vendor.
        """
        ...

    def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AbstractAsyncContextManager[JobController]:
        """Return a context manager that opens the jobs of one kind in an account, and closes it on exit.

        The kind is `config.account.kind`. On entry, `PermanentError` is raised if a credential or an extra is missing,
        and `OSError` if the state of the embedded sandbox cannot be read.
        """
        ...


def jobs_by_kind(type_: ProviderType) -> Mapping[str, JobsOfKind]:
    """Return what a type declares about its jobs, by the name of the kind."""
    if isinstance(type_, SupportsKinds):
        return type_.kinds
    own = JobsOfKind(id_pattern=type_.id_pattern, capabilities=type_.capabilities, canonical_id=type_.canonical_id)
    return {FINE_TUNING_JOB: own}
