"""Whether accounts can be reached: the cheapest read there is, one row of a list. Nothing is changed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from reconciler.controller.account_resolver import Problem, Reach, reaches_by_name
from reconciler.controller.observe import unseen_by
from reconciler.controller.runtime import Tools, open_or_shut
from reconciler.errors import ProviderError
from reconciler.model.job import ListQuery, Unseen
from reconciler.model.reason import Reason
from reconciler.model.report import ExitCode
from reconciler.ports import Snapshot


@dataclass(frozen=True, slots=True)
class Checked:
    """One account under one of its names. `unseen` says why it cannot be used, as far as anybody asked."""

    name: str
    reach: Reach | None
    unseen: Unseen | None = None

    @property
    def exit_code(self) -> ExitCode:
        """What this is cause for."""
        if self.unseen is None:
            return ExitCode.OK
        if self.unseen.reason is Reason.INVALID_PROVIDER:
            return ExitCode.INVALID_DOCUMENT
        return ExitCode.CONFIGURATION if self.unseen.is_configuration else ExitCode.PROVIDER_UNSEEN


async def check(snapshot: Snapshot, tools: Tools, *, is_asked: bool) -> tuple[Checked, ...]:
    """Return every account that the documents name; with `is_asked`, each proven by a request."""
    reaches = reaches_by_name(snapshot, tools.environment)
    return tuple(await asyncio.gather(*(_check(name, to, tools, is_asked=is_asked) for name, to in reaches.items())))


async def _check(name: str, reach: Reach | Problem, tools: Tools, *, is_asked: bool) -> Checked:
    if isinstance(reach, Problem):
        is_unset = reach.reason is Reason.HOST_NOT_TRUSTED
        return Checked(name, None, Unseen(reach.reason, reach.message, is_transient=False, is_configuration=is_unset))
    if not is_asked:
        return Checked(name, reach)
    reader = await open_or_shut(tools.accounts, reach)
    try:
        await reader.list_page(ListQuery(1), None)
    except ProviderError as error:
        return Checked(name, reach, unseen_by(error))
    return Checked(name, reach)
