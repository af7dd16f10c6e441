"""The operator's policy, as the environment and the operator's file configure it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from reconciler.controller.operator_policy import Credential, DefaultOption
from reconciler.controller.run_options import Paths
from reconciler.local.credential_policy import Trust, canonical_name, credential_name, normalise_base_url
from reconciler.local.credentials import SecretMarks, current_secret
from reconciler.local.operator_file import OperatorRules
from reconciler.model.price import Price
from reconciler.model.spec import CredentialSource
from reconciler.ports import NotBound, ProviderType
from reconciler.providers import load, provider_names


class ConfiguredPolicy:
    """The operator's policy, from the environment, the operator's file and the trusted hosts."""

    def __init__(
        self,
        paths: Paths,
        rules: OperatorRules,
        trust: Trust | None = None,
        secret_dirs: tuple[Path, ...] = (),
    ) -> None:
        """Create the policy. `trust` is None for commands that send no request."""
        self._paths = paths
        self._rules = rules
        self._trust = trust
        self._secret_dirs = secret_dirs
        self._marks = SecretMarks()
        listed = rules.spec.prices
        # Built once, so that the specs of one pass and the next are compared quickly.
        self._prices = (
            None if listed is None else tuple(each.price(each.provider, listed.currency) for each in listed.list)
        )

    def provider_type(self, name: str) -> ProviderType:
        """Return a provider type by its name. Raises `LookupError` if it is unknown or cannot be loaded."""
        return load(name)

    def is_provider_type(self, name: str) -> bool:
        """Return whether a name is that of a built-in or installed provider type."""
        return name in provider_names()

    def base_url(self, type_: ProviderType, options: BaseModel, written: str | None) -> str:
        """Return the normalised base URL: the document's, else the one in the vendor's variable, else the type's own.

        `written` is the base URL in the document. Raises `ValueError` if there is no base URL, or if it is invalid.
        """
        in_environment = next(filter(None, map(os.environ.get, type_.url_variables)), None)
        text = written or in_environment or type_.own_url(options)
        if text is None:
            msg = f"{type_.name} has no default base URL: set spec.baseUrl"
            raise ValueError(msg)
        return normalise_base_url(text)

    def default_options(self, type_: ProviderType, source: CredentialSource | None) -> Mapping[str, DefaultOption]:
        """Return the options that the vendor's variables set, by name.

        They apply only to an account that uses the type's default credential. For any other account, return an empty
        mapping.
        """
        if source is not None and (source.env is None or source.env != type_.key_variable):
            return {}
        variables = {option: next(filter(self.is_set, each), None) for option, each in type_.option_variables.items()}
        return {
            option: DefaultOption(_as_yaml(os.environ[variable]), variable)
            for option, variable in variables.items()
            if variable is not None
        }

    def is_set(self, variable: str) -> bool:
        """Return whether a variable is set and not empty."""
        return bool(os.environ.get(variable))

    def why_not_trusted(
        self, type_: ProviderType, options: BaseModel, credentials: CredentialSource | None, base_url: str
    ) -> NotBound | None:
        """Return why a credential must not be sent to a base URL; None if it may be sent, or without `trust`."""
        return self._trust.check(type_, options, credentials, base_url) if self._trust else None

    def credential(self, type_: ProviderType, source: CredentialSource | None) -> Credential:
        """Return the name that the operator uses for a credential, with a mark of its current secret.

        If `source` is None, the credential is the default one of the type.
        """
        return self._marked(credential_name(type_, source))

    def named(self) -> Mapping[str, Credential]:
        """Return the credentials that the operator's file names, by their names in that file."""
        spec = self._rules.spec
        names = {*(rule.credential for rule in spec.paths), *spec.safety.credentials}
        return {name: self._marked(canonical_name(name)) for name in sorted(names)}

    def ruled(self) -> tuple[tuple[Credential, str | None, tuple[str, ...]], ...]:
        """Return the path rules of the operator's file: credential, host, and globs of the specs that may use it there.

        A host of None stands for every host.
        """
        return tuple(
            (self._marked(canonical_name(rule.credential)), host, rule.specs)
            for rule, host in zip(self._rules.spec.paths, self._rules.hosts, strict=True)
        )

    def prices(self) -> tuple[Price, ...] | None:
        """Return the prices of the operator's file, or None if it has none."""
        return self._prices

    def _marked(self, name: str) -> Credential:
        """Return a credential with a mark of its secret. Two names of one secret have equal marks."""
        return Credential(name, self._marks.of(current_secret(name, os.environ, self._secret_dirs)))

    def show(self, file: str) -> str:
        """Return the path of a spec file as a user would type it."""
        return str(self._paths.specs / file)

    def show_status(self, file: str) -> str:
        """Return the path of a status file as a user would type it."""
        return str(self._paths.statuses / file)


def _as_yaml(text: str) -> str:
    """Return the text of a variable as a document would contain it: `true` for `True`, and `false` for `False`."""
    return text.lower() if text.lower() in {"true", "false"} else text
