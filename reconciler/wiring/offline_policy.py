"""The policy for commands that only read statuses, possibly on a different machine from the operator's.

If a document leaves out the base URL or the scope options of an account, the operator's environment provides them. The
reader's environment may differ. Therefore, this policy takes the base URL and the options from the statuses of the same
provider type, if all of these statuses agree. No request is sent to a URL from a status.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from pydantic import BaseModel

from reconciler.controller.operator_policy import DefaultOption
from reconciler.controller.run_options import Paths
from reconciler.local.credential_policy import normalise_base_url
from reconciler.local.operator_file import OperatorRules
from reconciler.model.account_line import without_kind
from reconciler.model.spec import CredentialSource, Provider
from reconciler.model.status import JobStatus
from reconciler.ports import Located, ProviderType
from reconciler.wiring.configured_policy import ConfiguredPolicy

_TypeAndScope = tuple[str, str]
"""A provider type, and the scope options of an account as they are written in statuses."""


class StatusReaderPolicy(ConfiguredPolicy):
    """A policy that prefers the base URLs and scope options in statuses to those in the environment."""

    def __init__(
        self,
        paths: Paths,
        rules: OperatorRules,
        statuses: Iterable[JobStatus],
        providers: Iterable[Located[Provider]],
    ) -> None:
        super().__init__(paths, rules)
        written = set(_written(providers))
        self._base_urls: defaultdict[_TypeAndScope, set[str]] = defaultdict(set)
        self._scopes: defaultdict[str, set[str]] = defaultdict(set)
        for status in statuses:
            type_, base_url, scope = _parts(status.job.account) if status.job is not None else ("", "", "")
            if base_url:
                self._scopes[type_].add(scope)
            if base_url and base_url not in written:
                self._base_urls[type_, scope].add(base_url)
        self._notices: dict[str, str] = {}

    def default_options(self, type_: ProviderType, source: CredentialSource | None) -> Mapping[str, DefaultOption]:
        """Return the scope options in the statuses of this provider type, if all of them are the same.

        If they differ, or if there is no such status, return the options of this environment.
        """
        scopes = self._scopes.get(type_.name, set())
        if len(scopes) != 1:
            return super().default_options(type_, source)
        values = dict(each.split("=", 1) for each in next(iter(scopes)).split() if "=" in each)
        names = {field.alias or name: name for name, field in type_.options.model_fields.items()}
        return {
            option: DefaultOption(values[names[option]], "of the environment in which the statuses were written")
            for option in type_.option_variables
            if names.get(option) in values
        }

    def base_url(self, type_: ProviderType, options: BaseModel, written: str | None) -> str:
        """Return the document's base URL, else the only base URL in the statuses, else that of this environment.

        Raises `ValueError` if there is no base URL, or if it is invalid.
        """
        scope = " ".join(f"{key}={value}" for key, value in type_.scope(options))
        recorded = self._base_urls.get((type_.name, scope), set())
        if written is not None or len(recorded) != 1:
            return super().base_url(type_, options, written)
        (base_url,) = recorded
        try:
            here = super().base_url(type_, options, None)
        except ValueError:  # this environment does not provide a valid address
            return base_url
        variable = next(filter(self.is_set, type_.url_variables), None)
        if here != base_url and variable is not None:
            self._notices[type_.name] = (
                f"{variable} is {here} here, but the statuses were written for {base_url}: they are shown unchanged"
            )
        return base_url

    def notices(self) -> tuple[str, ...]:
        """Return a notice for each base URL of this environment that differs from the one in the statuses."""
        return tuple(self._notices.values())


def _written(providers: Iterable[Located[Provider]]) -> Iterator[str]:
    for each in providers:
        if each.document.spec.base_url is not None:
            with suppress(ValueError):  # an invalid address is reported where the documents are read
                yield normalise_base_url(each.document.spec.base_url)


def _parts(account: str) -> tuple[str, str, str]:
    type_, _, rest = without_kind(account).partition(" ")
    base_url, _, scope = rest.partition(" ")
    return type_, base_url, scope
