"""Resolve the provider names in specs and Provider documents to accounts, or to the reason why a name cannot be used.

Rules:

- A provider name is only an alias of an account.
- A name cannot be used if its Provider document is invalid, occurs twice, or may be in a file that cannot be read.
- A credential is used only at hosts that it is bound to.
- The guard and the path rules identify a credential at a host by its secret where possible, and never by a provider
  name, because spec authors choose provider names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from pydantic import BaseModel

from reconciler.controller.account_options import options_of
from reconciler.controller.operator_policy import Credential, OperatorPolicy
from reconciler.controller.path_rules import AllowedPaths, PathRules, Ruling
from reconciler.controller.resolved_account import ResolvedAccount, SpecProblem, diagnose, needs_document, rate_of
from reconciler.model.account_line import FINE_TUNING_JOB, kind_suffix
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.job import Account, CredentialScope
from reconciler.model.kind import KINDS, JobDocument
from reconciler.model.reason import Reason
from reconciler.model.spec import CredentialSource, Provider, ProviderSpec
from reconciler.ports import BINDINGS_MAX, Located, ProviderType, Snapshot, jobs_by_kind

PLACES_MAX = 5
"""The maximum number of files that a message lists."""
SEARCHED_MAX = 20
"""The maximum number of unknown names for which the resolver looks for a similar declared name."""
_RESERVED = tuple(kind_suffix(kind) for kind in KINDS if kind != FINE_TUNING_JOB)
_RESERVED_MESSAGE = (
    f"a name must not end in {_RESERVED[0]}, because statuses of batches have such names: choose another name"
)


def accounts_by_name(
    snapshot: Snapshot, policy: OperatorPolicy, also: Iterable[str] = ()
) -> dict[str, ResolvedAccount | SpecProblem]:
    """Return the account or the problem of each provider name that is declared, used by a spec, or in `also`."""
    targets = AccountResolver(snapshot, policy)
    declared = {each.document.metadata.name for each in snapshot.providers} | snapshot.broken_providers
    named = {each.document.spec.provider for each in snapshot.jobs}
    return {name: targets.of(name) for name in sorted({*declared, *named, *also})}


class AccountResolver:
    """The accounts of one revision, by provider name."""

    def __init__(self, snapshot: Snapshot, policy: OperatorPolicy) -> None:
        self._policy = policy
        self._documents = {each.document.metadata.name: each for each in snapshot.providers}
        self._doubled = _doubled(snapshot)
        self._broken = snapshot.broken_providers
        self._may_hold = sorted(snapshot.may_hold_providers)
        self._searched = 0
        self.used = used = frozenset(each.document.spec.provider for each in snapshot.jobs)
        """The provider names that specs use."""
        self._name_by_mark = self._names_of_secrets(snapshot, used)
        # Documents with the same name are resolved too, because the `allowedPaths` of each of them still apply.
        self._resolved = [(each, self._resolve(each.document.metadata.name, each)) for each in snapshot.providers]
        self._known: dict[str, ResolvedAccount | SpecProblem] = {
            each.document.metadata.name: found for each, found in self._resolved
        } | {name: self._resolve(name, None) for name in self._doubled}
        allowances = [
            (found.scope, AllowedPaths(each.document.metadata.name, found.account, globs))
            for each, found in self._resolved
            if isinstance(found, ResolvedAccount) and (globs := each.document.spec.allowed_paths) is not None
        ]
        rulings = (Ruling(self._name(credential), host, globs) for credential, host, globs in policy.ruled())
        self._rights = PathRules(allowances, rulings)
        self._known |= {name: self._resolve(name, None) for name in used - self._known.keys()}
        self._known |= self._clashes(snapshot.jobs)
        self._known = self._with_all_missing_bindings()

    def of(self, name: str) -> ResolvedAccount | SpecProblem:
        """Return the account of a provider name, or why the name cannot be used.

        The account is that of the first kind of job of its provider type. `ResolvedAccount.of_kind` returns the account
        of another kind.
        """
        if name not in self._known:
            self._known[name] = self._resolve(name, None)
        return self._known[name]

    def all(self) -> dict[str, ResolvedAccount | SpecProblem]:
        """Return the account or the problem of each name that is declared or has been resolved so far."""
        return self._known

    def basis(self, name: str, known: Mapping[str, ResolvedAccount | SpecProblem]) -> tuple[object, ...]:
        """Return every input on which the resolution of a spec with this provider name depends.

        If `known`, which is the result of `all` for an earlier revision, contains an equal account or problem, that
        object is reused.
        """
        target, before = self.of(name), known.get(name)
        if before is not target and before == target:
            target = self._known[name] = before
        return (
            target,
            self._documents.get(name),
            self._rights.of(target.scope) if isinstance(target, ResolvedAccount) else (),
        )

    def names(self) -> dict[str, str]:
        """Return the name that the guard uses for each credential, by the credential's name in the operator's file."""
        return {written: self._name(each) for written, each in self._policy.named().items()}

    def by_account(self) -> dict[str, ResolvedAccount]:
        """Return the resolved accounts, one for each kind of job, by account line (`model.account_line`)."""
        resolved = (each for each in self._known.values() if isinstance(each, ResolvedAccount))
        return {str(each.account): each for target in resolved for each in target.of_each_kind()}

    def complaints(self) -> list[Diagnostic]:
        """Return a diagnostic for each problem that can be fixed in a field of a Provider document."""
        clashing = (
            (located, problem)
            for name, located in self._documents.items()
            if name not in self._doubled and isinstance(problem := self._known[name], SpecProblem)
        )
        alone = ((located, found) for located, found in self._resolved if isinstance(found, SpecProblem))
        found = dict.fromkeys(
            diagnose(located, problem, self._policy) for located, problem in (*alone, *clashing) if problem.path
        )
        return list(found)

    def refusal(self, located: Located[JobDocument], target: ResolvedAccount) -> SpecProblem | None:
        """Return why the path rules forbid a spec from using an account, or None if they allow it."""
        message = self._rights.objection(located.file, located.document.spec.provider, target.account, target.scope)
        return None if message is None else SpecProblem(Reason.INVALID_SPEC, message, ("spec", "provider"))

    def may_use(self, file: str, target: ResolvedAccount) -> bool:
        """Return whether the path rules allow a spec file to use an account under some provider name."""
        return self._rights.objection(file, "", target.account, target.scope) is None

    def _names_of_secrets(self, snapshot: Snapshot, used: Iterable[str]) -> dict[bytes, str]:
        """Return one name for each secret, by the secret's mark.

        If several names have the same secret, the alphabetically first name is used. A name in the operator's file
        takes precedence.
        """
        sources = [(each.document.spec.type, each.document.spec.credentials) for each in snapshot.providers]
        sources += [(name, None) for name in used if name not in self._documents]
        # Sorted in reverse, so that of several names with the same mark, the alphabetically first stays in the mapping.
        named = sorted(self._policy.named().values(), key=lambda each: each.name, reverse=True)
        found = {each.mark: each.name for each in named if each.mark is not None}
        ruled = frozenset(found)
        for word, source in sources:
            try:
                credential = self._policy.credential(self._policy.provider_type(word), source)
            except LookupError:
                continue  # an unknown type is reported at each document that names it
            if credential.mark is not None and credential.mark not in ruled:
                found[credential.mark] = min(credential.name, found.get(credential.mark, credential.name))
        return found

    def _scope(self, account: Account, type_: ProviderType, source: CredentialSource | None) -> CredentialScope:
        name = self._name(self._policy.credential(type_, source))
        # An embedded account does not send requests to a host, so its scope contains only that account.
        return CredentialScope(str(account) if account.is_embedded else account.host, name)

    def _name(self, credential: Credential) -> str:
        """Return the name of a credential. Credentials with the same secret have the same name."""
        return self._name_by_mark.get(credential.mark, credential.name) if credential.mark else credential.name

    def _clashes(self, jobs: Iterable[Located[JobDocument]]) -> dict[str, SpecProblem]:
        """Return a problem for each allowed name whose account another such name uses with a different credential."""
        resolved = {name: each for name in self.used if isinstance(each := self.of(name), ResolvedAccount)}
        if len({each.account for each in resolved.values()}) == len(
            {(each.account, each.scope.credential) for each in resolved.values()}
        ):
            return {}
        targets = self._allowed(jobs)
        first: dict[Account, dict[str, str]] = {}
        for name, target in targets.items():
            first.setdefault(target.account, {}).setdefault(target.scope.credential, name)
        found = {}
        for name, target in targets.items():
            others = [(key, other) for key, other in first[target.account].items() if key != target.scope.credential]
            if others:
                found[name] = self._clash(name, *others[0])
        return found

    def _allowed(self, jobs: Iterable[Located[JobDocument]]) -> dict[str, ResolvedAccount]:
        """Return the account of each name in a spec that the path rules allow, in the order of the spec files."""
        used = {(each.file, each.document.spec.provider): each for each in jobs}
        return {
            name: target
            for (_, name), each in sorted(used.items())
            if isinstance(target := self.of(name), ResolvedAccount) and self.refusal(each, target) is None
        }

    def _with_all_missing_bindings(self) -> dict[str, ResolvedAccount | SpecProblem]:
        """Return the resolved names, with all missing bindings in the message of each unbound account.

        An operator who follows the message of one account then does not drop the binding of another.
        """
        lacking = {name: each.not_bound for name, each in self._known.items() if isinstance(each, SpecProblem)}
        pairs = {each.pair for each in lacking.values() if each is not None and each.pair}
        if sum(map(len, pairs)) > BINDINGS_MAX:
            pairs = set()  # too long for one message, so each message contains only its own binding
        complete = {
            name: SpecProblem(Reason.HOST_NOT_TRUSTED, each.message(pairs), not_bound=each)
            for name, each in lacking.items()
            if each is not None
        }
        return self._known | complete

    def _near(self, name: str) -> list[str]:
        """Return a list with the most similar declared name, or an empty list if no name is similar.

        After `SEARCHED_MAX` calls, the list is always empty, because each search is slow.
        """
        self._searched += 1
        return get_close_matches(name, self._documents, n=1) if self._searched <= SEARCHED_MAX else []

    def _clash(self, name: str, key: str, other: str) -> SpecProblem:
        how = "use only one of the two names, or set the options that distinguish the two accounts"
        message = f"the provider {other!r} is the same account with a different key ({key}): {how}"
        return SpecProblem(
            Reason.INVALID_PROVIDER, message, ("spec", "credentials" if name in self._documents else "provider")
        )

    def _resolve(self, name: str, located: Located[Provider] | None) -> ResolvedAccount | SpecProblem:
        """Return the account of a Provider document, or the problem that prevents its use.

        If `located` is None, the name is used as a provider type.
        """
        problem = None if located else self._undeclared(name)
        if problem is not None:
            return problem
        if located is not None and name.endswith(_RESERVED):
            return SpecProblem(Reason.INVALID_PROVIDER, _RESERVED_MESSAGE, ("metadata", "name"))
        try:
            type_ = self._policy.provider_type(located.document.spec.type if located else name)
        except LookupError as error:
            return self._unknown_type(name, str(error.args[0]), is_declared=located is not None)
        spec = located.document.spec if located else ProviderSpec(type=type_.name)
        options = options_of(type_, spec, self._policy)
        if isinstance(options, SpecProblem):
            return options if located else needs_document(type_.name, options)
        return self._account_of(type_, options, spec, is_declared=located is not None)

    def _account_of(
        self, type_: ProviderType, options: BaseModel, spec: ProviderSpec, *, is_declared: bool
    ) -> ResolvedAccount | SpecProblem:
        try:
            base_url = self._policy.base_url(type_, options, spec.base_url)
        except ValueError as error:
            return SpecProblem(Reason.INVALID_PROVIDER, str(error), ("spec", "baseUrl" if is_declared else "provider"))
        not_bound = self._policy.why_not_trusted(type_, options, spec.credentials, base_url)
        if not_bound is not None:
            return SpecProblem(Reason.HOST_NOT_TRUSTED, not_bound.message(()), not_bound=not_bound)
        try:
            account = Account(type_.name, base_url, type_.scope(options), kind=next(iter(jobs_by_kind(type_))))
        except ValueError as error:
            return SpecProblem(Reason.INVALID_PROVIDER, str(error), ("spec", "options" if is_declared else "provider"))
        scope = self._scope(account, type_, spec.credentials)
        return ResolvedAccount(account, type_, options, rate_of(spec, type_), spec.credentials, scope)

    def _unknown_type(self, name: str, message: str, *, is_declared: bool) -> SpecProblem:
        if is_declared:
            return SpecProblem(Reason.INVALID_PROVIDER, message, ("spec", "type"))
        if near := self._near(name):
            message = f"no provider is called {name!r}; did you mean {near[0]!r}?"
        return SpecProblem(Reason.INVALID_PROVIDER, message, ("spec", "provider"))

    def _undeclared(self, name: str) -> SpecProblem | None:
        """Return why a name without a usable Provider document cannot be used as a provider type, or None."""
        if name in self._doubled:
            message = (
                f"more than one Provider document may be called {name!r}, so it is not clear which one applies: keep "
                "one, and correct every invalid file"
            )
        elif name in self._broken:
            message = f"the Provider document {name!r} is not valid: correct it first"
        elif self._may_hold:
            more = len(self._may_hold) - PLACES_MAX
            where = ", ".join(map(self._policy.show, self._may_hold[:PLACES_MAX]))
            where += f" and {more:,} more" if more > 0 else ""
            message = (
                f"no Provider document {name!r} was found; it may be in a file that cannot be read: correct {where}"
            )
        else:
            return None
        return SpecProblem(Reason.INVALID_PROVIDER, message)


def _doubled(snapshot: Snapshot) -> frozenset[str]:
    """Return the declared names that may occur more than once, including in invalid and unreadable documents."""
    places = Counter(each.document.metadata.name for each in snapshot.providers)
    hidden = snapshot.broken_providers | snapshot.may_name_providers
    return frozenset(name for name, count in places.items() if count > 1 or name in hidden)
