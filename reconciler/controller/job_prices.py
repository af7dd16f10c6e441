"""The prices that may apply to the jobs of a revision: those of the operator, and those in Provider documents.

Rules: a price in a Provider document applies only to jobs whose specs name the document. `maxCost` does not act on it
if the document has the name of a provider type, because a spec may name that type without a document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reconciler.controller.operator_policy import OperatorPolicy
from reconciler.model.price import Price, prices_of
from reconciler.model.spec import ProviderSpec
from reconciler.ports import Snapshot


@dataclass(frozen=True, slots=True)
class JobPrices:
    """The prices of one revision. Those in Provider documents are not compared, because the documents are."""

    of_operator: tuple[Price, ...] | None
    """The prices of the operator. None if neither the operator nor any Provider document states prices."""
    _specs: Mapping[str, ProviderSpec] = field(compare=False)
    """The Provider documents that state prices, by name."""
    _policy: OperatorPolicy = field(compare=False)
    _found: dict[tuple[str, str, str], tuple[Price, ...]] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, snapshot: Snapshot, policy: OperatorPolicy) -> JobPrices:
        """Return the prices of a snapshot."""
        documents = (each.document for each in snapshot.providers)
        specs = {each.metadata.name: each.spec for each in documents if each.spec.prices is not None}
        of_operator = policy.prices()
        return cls(() if of_operator is None and specs else of_operator, specs, policy)

    def of_jobs(self, provider: str, type_: str, kind: str) -> tuple[Price, ...] | None:
        """Return the prices that may apply to the jobs of one kind, or None if no prices are stated at all.

        Args:
            provider: the name of the provider in the specs of the jobs.
            type_: the type of that provider.
            kind: the kind of the jobs.
        """
        if self.of_operator is None:
            return None
        key = provider, type_, kind
        if key not in self._found:
            self._found[key] = prices_of((*self.of_operator, *self._declared(provider)), type_, kind)
        return self._found[key]

    def _declared(self, provider: str) -> tuple[Price, ...]:
        """Return the prices in the Provider document with this name, if there is one and it states prices."""
        spec = self._specs.get(provider)
        listed = spec.prices if spec is not None else None
        if spec is None or listed is None:
            return ()
        prices = (each.price(spec.type, listed.currency) for each in listed.list)
        may_act = not self._policy.is_provider_type(provider)
        return tuple(replace(each, document=provider, may_act=may_act) for each in prices)
