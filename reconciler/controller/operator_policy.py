"""The operator's decisions outside the specs, as a port that the controller calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel

from reconciler.model.spec import CredentialSource
from reconciler.ports import NotBound, ProviderType


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential: the name that an operator writes, and a mark of its current secret."""

    name: str
    mark: bytes | None = None
    """Equal for equal secrets within one process, and never written; None if there is no secret."""


@dataclass(frozen=True, slots=True)
class UsualOption:
    """The value of an option that a vendor's environment variable sets."""

    text: str
    variable: str


class OperatorPolicy(Protocol):
    """The operator's decisions outside the specs."""

    def provider_type(self, name: str) -> ProviderType:
        """Return the provider type of a name. Raises LookupError with a message for the user."""
        ...

    def base_url(self, type_: ProviderType, options: BaseModel, written: str | None) -> str:
        """Return the normalised base URL of an account. Raises ValueError with a message for the user."""
        ...

    def why_not_trusted(
        self, type_: ProviderType, options: BaseModel, credentials: CredentialSource | None, base_url: str
    ) -> NotBound | None:
        """Return why a credential must not be sent to that URL, and how an operator would allow it; None if it may."""
        ...

    def credential(self, type_: ProviderType, source: CredentialSource | None) -> Credential:
        """Return the credential of a source; without a source, the usual credential of the type."""
        ...

    def usual_options(self, type_: ProviderType, source: CredentialSource | None) -> Mapping[str, UsualOption]:
        """Return the defaults of the options that a document leaves out, by option name."""
        ...

    def named(self) -> Mapping[str, Credential]:
        """Return the credentials that the operator's file names, by their names there."""
        ...

    def ruled(self) -> tuple[tuple[Credential, str | None, tuple[str, ...]], ...]:
        """Return the rules of the operator's file: a credential, a host or None, and the globs of the allowed files."""
        ...

    def show(self, file: str) -> str:
        """Return a spec file's path as its user would type it."""
        ...

    def show_status(self, file: str) -> str:
        """Return a status file's path as its user would type it."""
        ...
