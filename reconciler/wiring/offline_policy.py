"""What specs mean to somebody who only reads their statuses, perhaps on another machine than the operator's.

Rules: where a document does not write an account's address or scope, the operator's environment does, and the reader
may have another one; so what the statuses of the account's type tell is believed. Nothing is sent there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from pydantic import BaseModel

from reconciler.controller.operator_policy import UsualOption
from reconciler.controller.run_options import Paths
from reconciler.local.credential_policy import normalise_base_url
from reconciler.local.operator_file import OperatorRules
from reconciler.model.spec import CredentialSource, Provider
from reconciler.model.status import JobStatus
from reconciler.ports import Located, ProviderType
from reconciler.wiring.run_setup import ConfiguredPolicy

_Kind = tuple[str, str]
"""A provider type, and the options that tell its accounts apart, as they stand in a status."""


class StatusReaderPolicy(ConfiguredPolicy):
    """The operator's environment, as far as statuses tell of it."""

    def __init__(
        self,
        paths: Paths,
        rules: OperatorRules,
        statuses: Iterable[JobStatus],
        providers: Iterable[Located[Provider]],
    ) -> None:
        super().__init__(paths, rules)
        written = set(_written(providers))
        self._told: defaultdict[_Kind, set[str]] = defaultdict(set)
        self._scopes: defaultdict[str, set[str]] = defaultdict(set)
        for status in statuses:
            type_, base_url, scope = _parts(status.job.account) if status.job is not None else ("", "", "")
            if base_url:
                self._scopes[type_].add(scope)
            if base_url and base_url not in written:
                self._told[type_, scope].add(base_url)
        self._notices: dict[str, str] = {}

    def usual_options(self, type_: ProviderType, source: CredentialSource | None) -> Mapping[str, UsualOption]:
        """Return the options that all statuses of a type tell, where variables may give them; else this machine's."""
        told = self._scopes.get(type_.name, set())
        if len(told) != 1:
            return super().usual_options(type_, source)
        values = dict(each.split("=", 1) for each in next(iter(told)).split() if "=" in each)
        names = {field.alias or name: name for name, field in type_.options.model_fields.items()}
        return {
            option: UsualOption(values[names[option]], "of the statuses")
            for option in type_.option_variables
            if names.get(option) in values
        }

    def base_url(self, type_: ProviderType, options: BaseModel, written: str | None) -> str:
        """Return the address that a document writes, else the one that statuses tell, else this machine's own."""
        scope = " ".join(f"{key}={value}" for key, value in type_.scope(options))
        told = self._told.get((type_.name, scope), set())
        if written is not None or len(told) != 1:
            return super().base_url(type_, options, written)
        (believed,) = told
        try:
            here = super().base_url(type_, options, None)
        except ValueError:  # there is none here
            return believed
        variable = next(filter(self.is_set, type_.url_variables), None)
        if here != believed and variable is not None:
            self._notices[type_.name] = (
                f"{variable} is {here} here, but the statuses are about {believed}: they are shown as they are"
            )
        return believed

    def notices(self) -> tuple[str, ...]:
        """Return where this machine's environment says something else than the statuses."""
        return tuple(self._notices.values())


def _written(providers: Iterable[Located[Provider]]) -> Iterator[str]:
    for each in providers:
        if each.document.spec.base_url is not None:
            with suppress(ValueError):  # which is told where documents are read
                yield normalise_base_url(each.document.spec.base_url)


def _parts(account: str) -> tuple[str, str, str]:
    type_, _, rest = account.partition(" ")
    base_url, _, scope = rest.partition(" ")
    return type_, base_url, scope
