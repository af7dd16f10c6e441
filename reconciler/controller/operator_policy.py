"""The operator's decisions outside the specs, as a port that the controller calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel

from reconciler.model.price import Price
from reconciler.model.spec import CredentialSource
from reconciler.ports import NotBound, ProviderType


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential: the name that an operator uses for it, and a mark that identifies its current secret."""

    name: str
    mark: bytes | None = None
    """A value that is the same for equal secrets in one process, and is never written; None without a secret."""


@dataclass(frozen=True, slots=True)
class DefaultOption:
    """The default of an option that a document leaves out, and the variable from which it was read."""

    text: str
    variable: str


class OperatorPolicy(Protocol):
    """The operator's decisions outside the specs."""

    def provider_type(self, name: str) -> ProviderType:
        """Return a provider type by its name. Raises `LookupError` with a message for the user if it cannot be used."""
        ...

    def is_provider_type(self, name: str) -> bool:
        """Return whether a name is that of a provider type, whether or not the type can be used."""
        ...

    def base_url(self, type_: ProviderType, options: BaseModel, written: str | None) -> str:
        """Return the normalised base URL of an account.

        `written` is the base URL in the Provider document, or None if the document has none or there is no document.
        Raises `ValueError` with a message for the user if the URL is missing or invalid.
        """
        ...

    def why_not_trusted(
        self, type_: ProviderType, options: BaseModel, credentials: CredentialSource | None, base_url: str
    ) -> NotBound | None:
        """Return why a credential must not be sent to a base URL, and how an operator can allow it.

        Return None if the credential may be sent. `credentials` is the source that the document names, or None for the
        default credential of the type.
        """
        ...

    def credential(self, type_: ProviderType, source: CredentialSource | None) -> Credential:
        """Return the credential of a source. If the source is None, return the default credential of the type."""
        ...

    def default_options(self, type_: ProviderType, source: CredentialSource | None) -> Mapping[str, DefaultOption]:
        """Return the defaults of options, by option name. An option that a document sets overrides its default.

        `source` is the credential that the document names, or None for the default credential.
        """
        ...

    def named(self) -> Mapping[str, Credential]:
        """Return the credentials that the operator's file names, by their names in that file."""
        ...

    def ruled(self) -> tuple[tuple[Credential, str | None, tuple[str, ...]], ...]:
        """Return the path rules of the operator's file: credential, host (None: every host), globs of allowed files."""
        ...

    def prices(self) -> tuple[Price, ...] | None:
        """Return the prices of the operator's file, or None if it has none."""
        ...

    def show(self, file: str) -> str:
        """Return the path of a spec file as a user would type it."""
        ...

    def show_status(self, file: str) -> str:
        """Return the path of a status file as a user would type it."""
        ...
