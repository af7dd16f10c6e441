"""Revisions of specs and Provider documents, and the accounts and problems found in them."""

from __future__ import annotations

from typing import Any

from reconciler.controller.account_resolver import AccountResolver
from reconciler.controller.resolution_cache import ResolutionCache
from reconciler.controller.resolved_account import ResolvedAccount, SpecProblem
from reconciler.controller.spec_resolver import Resolved, resolve
from reconciler.model.spec import FineTuningJob, Provider
from reconciler.ports import Located, Snapshot
from tests.support.build import a_spec
from tests.support.documents import located
from tests.support.in_memory_operator import Operator

NOBODY = Operator()


def revision(*providers: Located[Provider], uses: tuple[str, ...] = (), **rest: Any) -> Snapshot:
    """Return a revision with these Provider documents, and one spec for each name in `uses`, in `NAME.yaml`."""
    jobs = tuple(located(a_spec(f"uses-{name}", provider=name), f"{name}.yaml") for name in uses)
    return Snapshot(jobs=jobs, providers=providers, **rest)


def account_of(found: ResolvedAccount | SpecProblem) -> ResolvedAccount:
    """Return the account of a resolution. Fails if there is a problem instead."""
    assert isinstance(found, ResolvedAccount), found
    return found


def problem_of(found: ResolvedAccount | SpecProblem) -> SpecProblem:
    """Return the problem of a resolution. Fails if there is an account instead."""
    assert isinstance(found, SpecProblem), found
    return found


def told(resolver: AccountResolver) -> list[str]:
    """Return the problems of the Provider documents, as text."""
    return [str(each) for each in resolver.complaints()]


def resolved(*jobs: Located[FineTuningJob], known: ResolutionCache | None = None, **rest: Any) -> Resolved:
    """Resolve a revision with these specs, for an operator who has configured nothing."""
    return resolve(Snapshot(jobs=jobs, **rest), NOBODY, is_suspended=False, known=known)
