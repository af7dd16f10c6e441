"""Check whether accounts can be used, by their documents or by requesting one row of each account's list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.controller.account_resolver import accounts_by_name
from reconciler.controller.request_failure import unobserved_by
from reconciler.controller.resolved_account import ResolvedAccount, SpecProblem
from reconciler.controller.runtime import Runtime, open_or_unavailable
from reconciler.errors import ProviderError
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import ListQuery, Unobserved
from reconciler.ports import Snapshot


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of checking one provider name.

    `target` is None if the name cannot be resolved to an account. `unobserved` is the problem that was found; None if
    there was none.
    """

    name: str
    target: ResolvedAccount | None
    unobserved: Unobserved | None = None

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that this result alone causes."""
        return ExitCode.OK if self.unobserved is None else self.unobserved.exit_code


async def check(snapshot: Snapshot, runtime: Runtime, *, is_asked: bool) -> tuple[Checked, ...]:
    """Return the result of the check for each provider name in the documents.

    With `is_asked`, a list of one job is requested from each account that can be resolved. Without it, only the
    documents and the bindings of their credentials are checked.
    """
    used = {(each.document.spec.provider, each.document.kind) for each in snapshot.jobs}
    targets = {
        name: to if isinstance(to, SpecProblem) else _of_used_kind(to, [kind for key, kind in used if key == name])
        for name, to in accounts_by_name(snapshot, runtime.policy).items()
    }
    return tuple(await asyncio.gather(*(_check(name, to, runtime, is_asked=is_asked) for name, to in targets.items())))


def _of_used_kind(target: ResolvedAccount, kinds: Iterable[str]) -> ResolvedAccount:
    """Return the account with a kind of job that its specs use, because a compatible service may lack the other kinds.

    `target` has the first kind of its type. That kind is preferred if it is one of several that specs use, and is
    returned if no spec uses the account.
    """
    possible = [found for kind in sorted(kinds) if (found := target.of_kind(kind)) is not None]
    return next((each for each in possible if each == target), possible[0] if possible else target)


async def _check(name: str, target: ResolvedAccount | SpecProblem, runtime: Runtime, *, is_asked: bool) -> Checked:
    if isinstance(target, SpecProblem):
        return Checked(name, None, target.unobserved)
    if not is_asked:
        return Checked(name, target)
    reader = await open_or_unavailable(runtime.accounts, target)
    try:
        await reader.list_page(ListQuery(1), None)
    except ProviderError as error:
        return Checked(name, target, unobserved_by(error))
    return Checked(name, target)
