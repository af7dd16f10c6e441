"""Decide which spec files may use a credential at a host, by the rules of the operator's file and Provider documents.

Rules: the `allowedPaths` of a valid Provider document apply to every file that uses the same credential at the same
host, whatever provider type, options, URL path or provider name its specs use. The file must match the `allowedPaths`
of every such document.

If the operator's file has a rule for a credential, that rule applies instead. A document can then only further restrict
which files may use the document's own name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.core.globs import matches_any
from reconciler.model.job import Account, CredentialScope
from reconciler.model.scalar import quoted

Globs = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllowedPaths:
    """The `allowedPaths` of one Provider document."""

    name: str
    """The name of the document."""
    account: Account
    globs: Globs


@dataclass(frozen=True, slots=True)
class Ruling:
    """One rule of the operator's file: the spec files that may use a credential."""

    credential: str
    host: str | None
    """The host with its port; None means every host that the credential is bound to."""
    globs: Globs


class PathRules:
    """All rules that restrict which spec files may use a credential."""

    def __init__(
        self, documents: Iterable[tuple[CredentialScope, AllowedPaths]], rulings: Iterable[Ruling] = ()
    ) -> None:
        self._rulings: dict[str, tuple[Ruling, ...]] = {}
        for ruling in rulings:
            self._rulings[ruling.credential] = (*self._rulings.get(ruling.credential, ()), ruling)
        self._by_scope: dict[CredentialScope, tuple[AllowedPaths, ...]] = {}
        for scope, allowance in documents:
            self._by_scope[scope] = (*self._by_scope.get(scope, ()), allowance)

    def of(self, scope: CredentialScope) -> tuple[object, ...]:
        """Return every rule that affects the use of a credential at a host."""
        return (*self._rulings.get(scope.credential, ()), *self._by_scope.get(scope, ()))

    def objection(self, file: str, provider: str, account: Account, scope: CredentialScope) -> str | None:
        """Return why a spec file may not use an account under a provider name, or None if the file may use it."""
        rulings = self._rulings.get(scope.credential)
        if rulings is not None:
            globs = tuple(glob for each in rulings if each.host in {None, scope.host} for glob in each.globs)
            if not matches_any(file, globs):
                only = (
                    f"allows only for files that match {', '.join(globs)}" if globs else "does not allow for any file"
                )
                return f"provider {quoted(provider)} uses {scope}, which the operator's file {only}"
        for each in self._by_scope.get(scope, ()):
            if (each.name == provider or rulings is None) and not matches_any(file, each.globs):
                return _objection_text(provider, account, scope, each)
        return None


def _objection_text(provider: str, account: Account, scope: CredentialScope, allowance: AllowedPaths) -> str:
    only = f"may be used only by files that match {', '.join(allowance.globs)}"
    if allowance.name == provider:
        return f"provider {quoted(provider)} {only}"
    better = "the operator can set another rule, with paths in the --config file"
    if allowance.account.shared == account.shared:
        return f"provider {quoted(provider)} is the same account as {quoted(allowance.name)}, which {only}; {better}"
    return f"provider {quoted(provider)} uses {scope}, as {quoted(allowance.name)} does, which {only}; {better}"
