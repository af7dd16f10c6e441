"""The operator of a test: the environment is a mapping, and the provider types and the trust rules are real."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from reconciler.controller.operator_policy import Credential, DefaultOption
from reconciler.local.credential_policy import Trust, credential_name, normalise_base_url
from reconciler.model.price import Price
from reconciler.model.spec import CredentialSource
from reconciler.ports import NotBound, ProviderType
from reconciler.providers import load, provider_names


@dataclass(frozen=True)
class Operator:
    """The `OperatorPolicy` of an environment that a test defines."""

    environ: Mapping[str, str] = field(default_factory=dict)
    """The variables: keys, the vendors' addresses and options, and RECONCILE_TRUST."""
    paths: tuple[tuple[str, str | None, tuple[str, ...]], ...] = ()
    """The operator's rules: a credential, a host with its port or None for any, and the files that may use it there."""
    speaks_of: tuple[str, ...] = ()
    """The additional credentials that the operator's file names."""
    listed: tuple[Price, ...] | None = None
    """The prices of the operator's file."""

    def provider_type(self, name: str) -> ProviderType:
        """Return the built-in provider type with this name."""
        return load(name)

    def is_provider_type(self, name: str) -> bool:
        """Return whether a name is that of a provider type."""
        return name in provider_names()

    def base_url(self, type_: ProviderType, options: BaseModel, written: str | None) -> str:
        """Return the written URL, that of a variable, or that of the type. Raises `ValueError` if it is not valid."""
        text = written or self._first(type_.url_variables) or type_.own_url(options)
        if text is None:
            msg = f"{type_.name} has no default base URL: set spec.baseUrl"
            raise ValueError(msg)
        return normalise_base_url(text)

    def why_not_trusted(
        self, type_: ProviderType, options: BaseModel, credentials: CredentialSource | None, base_url: str
    ) -> NotBound | None:
        """Return the result of the product's own check of RECONCILE_TRUST; None if the host is trusted."""
        return Trust.read(self.environ, {}).check(type_, options, credentials, base_url)

    def credential(self, type_: ProviderType, source: CredentialSource | None) -> Credential:
        """Return a credential with its name, and with a mark that is equal for equal secrets."""
        return self._known(credential_name(type_, source))

    def default_options(self, type_: ProviderType, source: CredentialSource | None) -> Mapping[str, DefaultOption]:
        """Return the options that the variables provide to an account with the default key."""
        if source is not None and (source.env is None or source.env != type_.key_variable):
            return {}
        given = {option: next(filter(self.environ.get, each), "") for option, each in type_.option_variables.items()}
        return {option: DefaultOption(self.environ[each], each) for option, each in given.items() if each}

    def named(self) -> Mapping[str, Credential]:
        """Return the credentials that the operator's file names."""
        return {name: self._known(name) for name in (*(name for name, _, _ in self.paths), *self.speaks_of)}

    def ruled(self) -> tuple[tuple[Credential, str | None, tuple[str, ...]], ...]:
        """Return the operator's rules, as in `paths`."""
        return tuple((self._known(name), host, globs) for name, host, globs in self.paths)

    def prices(self) -> tuple[Price, ...] | None:
        """Return the prices of the operator's file."""
        return self.listed

    def show(self, file: str) -> str:
        """Return the path of a spec, as messages show it."""
        return f"specs/{file}"

    def show_status(self, file: str) -> str:
        """Return the path of a status, as messages show it."""
        return f"specs/status/{file}"

    def _known(self, name: str) -> Credential:
        secret = self.environ.get(name)
        return Credential(name, secret.encode() if secret else None)

    def _first(self, variables: Iterable[str]) -> str | None:
        return next(filter(None, map(self.environ.get, variables)), None)
