"""Revisions of specs and Provider documents, and what is found in them."""

from __future__ import annotations

from typing import Any

from reconciler.controller.account_resolver import AccountResolver
from reconciler.controller.resolved_account import ResolvedAccount, SpecProblem
from reconciler.controller.spec_resolver import ResolutionCache, Resolved, resolve
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
    """Return an account that was found. Fails for a problem."""
    assert isinstance(found, ResolvedAccount), found
    return found


def problem_of(found: ResolvedAccount | SpecProblem) -> SpecProblem:
    """Return what keeps an account from being found. Fails for an account."""
    assert isinstance(found, SpecProblem), found
    return found


def told(resolver: AccountResolver) -> list[str]:
    """Return what is wrong with the Provider documents, as a person reads it."""
    return [str(each) for each in resolver.complaints()]


def resolved(*jobs: Located[FineTuningJob], known: ResolutionCache | None = None, **rest: Any) -> Resolved:
    """Resolve a revision with these specs, under an operator who has decided nothing."""
    return resolve(Snapshot(jobs=jobs, **rest), NOBODY, is_suspended=False, known=known)
