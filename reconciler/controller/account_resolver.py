"""Which accounts the specs and Provider documents stand for, and what keeps one from being spoken to.

Rules: a provider's name is only an alias, and each is resolved once; an account is never spoken to under a name whose
document is not valid, or may stand where nobody can read it, nor at a host that its credential is not bound to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Protocol

from pydantic import BaseModel, ValidationError

from reconciler.model.diagnostic import Diagnostic
from reconciler.model.job import Account
from reconciler.model.reason import Reason
from reconciler.model.scalar import quoted
from reconciler.model.spec import CredentialSource, FineTuningJob, Provider, ProviderSpec
from reconciler.ports import Located, ProviderType, Rate, Snapshot


class Environment(Protocol):
    """What the operator decides, outside the specs."""

    def provider_type(self, name: str) -> ProviderType:
        """Return a type by its word. Raises LookupError with a sentence for people."""
        ...

    def base_url(self, type_: ProviderType, options: BaseModel, written: str | None) -> str:
        """Return the normalised base URL of an account. Raises ValueError with a sentence."""
        ...

    def distrust(
        self, type_: ProviderType, options: BaseModel, credentials: CredentialSource | None, base_url: str
    ) -> str | None:
        """Return why a credential must not be sent to that URL, and how an operator would allow it; None if it may."""
        ...

    def show(self, file: str) -> str:
        """Return a spec file's path as its user would type it."""
        ...

    def show_status(self, file: str) -> str:
        """Return a status file's path as its user would type it."""
        ...


@dataclass(frozen=True, slots=True)
class Reach:
    """An account, and how it is reached."""

    account: Account
    type: ProviderType
    options: BaseModel
    rate: Rate
    credentials: CredentialSource | None

    @property
    def key(self) -> str:
        """Where its key comes from, as an operator would write it."""
        source = self.credentials
        return (source.file or source.env if source else None) or self.type.key_variable or "none"

    def canonical_id(self, job_id: str) -> str:
        """Return the spelling that a job goes by. Raises ValueError with a sentence for what is no id here."""
        if re.fullmatch(self.type.id_pattern, job_id) is None or ".." in job_id:
            # what the pattern looks ahead for is for the machine, and says no more than `..` does
            pattern = re.sub(r"[(][?]![^)]*[)]", "", self.type.id_pattern)
            how = f"copy it as the provider shows it, which matches {pattern}, without '..'"
            msg = f"{quoted(job_id)} is not a job id of {self.type.name}: {how}"
            raise ValueError(msg)
        return self.type.canonical_id(job_id, self.options)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why nothing can be done for a spec."""

    reason: Reason
    message: str
    path: tuple[str, ...] = ()
    """The field to mend; empty where it is not the document's to mend."""


def reaches_by_name(
    snapshot: Snapshot, environment: Environment, also: Iterable[str] = ()
) -> dict[str, Reach | Problem]:
    """Return what each provider stands for that a document declares, a spec names, or `also` holds, by that name."""
    reaches = Reaches(snapshot, environment)
    declared = {each.document.metadata.name for each in snapshot.providers} | snapshot.broken_providers
    named = {each.document.spec.provider for each in snapshot.jobs}
    return {name: reaches.of(name) for name in sorted({*declared, *named, *also})}


def diagnose(
    located: Located[FineTuningJob] | Located[Provider], problem: Problem, environment: Environment
) -> Diagnostic:
    """Return a problem as it is told of the document that it is to be mended in."""
    path = problem.path
    lines = (located.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in located.lines)
    return Diagnostic(
        file=environment.show(located.file),
        line=next(lines, located.line),
        field=".".join(path),
        message=problem.message,
    )


class Reaches:
    """The accounts that the specs and Provider documents stand for, each resolved once."""

    def __init__(self, snapshot: Snapshot, environment: Environment) -> None:
        self._environment = environment
        self._documents = {each.document.metadata.name: each for each in snapshot.providers}
        self._broken = snapshot.broken_providers
        self._may_hold = sorted(snapshot.may_hold_providers)
        self._known = {name: self._resolve(name) for name in self._documents}
        self._allowances = self._allowances_by_account()
        self._known |= self._clashes({each.document.spec.provider for each in snapshot.jobs})

    def of(self, name: str) -> Reach | Problem:
        """Return the account that a provider's name stands for."""
        if name not in self._known:
            self._known[name] = self._resolve(name)
        return self._known[name]

    def all(self) -> dict[str, Reach | Problem]:
        """Return what every name stands for that was asked for so far, or is declared."""
        return self._known

    def basis(self, name: str, known: Mapping[str, Reach | Problem]) -> tuple[object, ...]:
        """Return all that a spec of this provider depends on; what is equal to what was known is the same object."""
        reach, before = self.of(name), known.get(name)
        if before is not reach and before == reach:
            reach = self._known[name] = before
        return reach, self._documents.get(name), self._allowed(reach) if isinstance(reach, Reach) else ()

    def by_account(self) -> dict[str, Reach]:
        """Return the accounts that can be reached."""
        return {str(each.account): each for each in self._known.values() if isinstance(each, Reach)}

    def complaints(self) -> list[Diagnostic]:
        """Return what is wrong with the Provider documents themselves."""
        return [
            diagnose(located, problem, self._environment)
            for name, located in self._documents.items()
            if isinstance(problem := self._known[name], Problem) and problem.path
        ]

    def objection(self, located: Located[FineTuningJob], reach: Reach) -> Problem | None:
        """Return what one spec may not ask of an account."""
        spec = located.document.spec
        for name, globs in self._allowed(reach):
            if not any(_matches(located.file, glob) for glob in globs):
                same = "" if name == spec.provider else f" is the account of {name!r}, and"
                message = f"provider {spec.provider!r}{same} may be named only by files that match {', '.join(globs)}"
                return Problem(Reason.INVALID_SPEC, message, ("spec", "provider"))
        try:
            reach.canonical_id(spec.job_id)
        except ValueError as error:
            return Problem(Reason.INVALID_SPEC, str(error), ("spec", "jobId"))
        return None

    def _allowed(self, reach: Reach) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return which files may name an account, by each Provider document that stands for it and says so."""
        return self._allowances.get(reach.account, ())

    def _allowances_by_account(self) -> dict[Account, tuple[tuple[str, tuple[str, ...]], ...]]:
        found: dict[Account, tuple[tuple[str, tuple[str, ...]], ...]] = {}
        for name, located in self._documents.items():
            reach, globs = self._known[name], located.document.spec.allowed_paths
            if isinstance(reach, Reach) and globs is not None:
                found[reach.account] = (*found.get(reach.account, ()), (name, globs))
        return found

    def _clashes(self, used: Iterable[str]) -> dict[str, Problem]:
        """Return what is wrong with the names of one account that would have it spoken to with different keys."""
        reaches = {name: reach for name in sorted(used) if isinstance(reach := self.of(name), Reach)}
        first: dict[Account, dict[str, str]] = {}
        for name, reach in reaches.items():
            first.setdefault(reach.account, {}).setdefault(reach.key, name)
        found = {}
        for name, reach in reaches.items():
            others = [(key, other) for key, other in first[reach.account].items() if key != reach.key]
            if others:
                found[name] = self._clash(name, *others[0])
        return found

    def _clash(self, name: str, key: str, other: str) -> Problem:
        how = "use one of them, or give each the options that tell its account apart"
        message = f"{other!r} stands for the same account, with another key ({key}): {how}"
        return Problem(
            Reason.INVALID_PROVIDER, message, ("spec", "credentials" if name in self._documents else "provider")
        )

    def _resolve(self, name: str) -> Reach | Problem:
        located = self._documents.get(name)
        if located is None and name in self._broken:
            return Problem(Reason.INVALID_PROVIDER, f"the Provider document {name!r} is not valid")
        if located is None and self._may_hold:
            where = ", ".join(map(self._environment.show, self._may_hold))
            message = (
                f"no Provider document {name!r} can be read, and it may stand in {where}, which must be mended first"
            )
            return Problem(Reason.INVALID_PROVIDER, message)
        try:
            type_ = self._environment.provider_type(located.document.spec.type if located else name)
        except LookupError as error:
            near = [] if located else get_close_matches(name, self._documents, n=1)
            message = f"no provider is called {name!r}; did you mean {near[0]!r}?" if near else str(error.args[0])
            return Problem(Reason.INVALID_PROVIDER, message, ("spec", "type" if located else "provider"))
        spec = located.document.spec if located else ProviderSpec(type=type_.name)
        try:
            options = type_.options.model_validate(spec.options)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            message = str(first["msg"]).removeprefix("Value error, ")
            return Problem(Reason.INVALID_PROVIDER, message, ("spec", "options", *map(str, first["loc"])))
        try:
            base_url = self._environment.base_url(type_, options, spec.base_url)
        except ValueError as error:
            return Problem(Reason.INVALID_PROVIDER, str(error), ("spec", "baseUrl" if located else "provider"))
        distrust = self._environment.distrust(type_, options, spec.credentials, base_url)
        if distrust is not None:
            return Problem(Reason.HOST_NOT_TRUSTED, distrust)
        account = Account(type_.name, base_url, type_.scope(options))
        return Reach(account, type_, options, _rate(spec, type_), spec.credentials)


def _rate(spec: ProviderSpec, type_: ProviderType) -> Rate:
    written = spec.rate_limit
    return Rate(
        requests_per_second=written.requests_per_second or type_.rate.requests_per_second,
        burst=written.burst or type_.rate.burst,
        concurrency=written.concurrency or type_.rate.concurrency,
    )


def _matches(file: str, glob: str) -> bool:
    """Whether a path is below a glob, in which `**` stands for any number of folders."""
    return _match_parts(PurePosixPath(file).parts, PurePosixPath(glob).parts)


def _match_parts(parts: tuple[str, ...], globs: tuple[str, ...]) -> bool:
    if not globs:
        return not parts
    if globs[0] == "**":
        return any(_match_parts(parts[skip:], globs[1:]) for skip in range(len(parts) + 1)) or len(globs) == 1
    return bool(parts) and PurePosixPath(parts[0]).match(globs[0]) and _match_parts(parts[1:], globs[1:])
