"""Find the announced ends that concern the accounts and the models of jobs, for `plan` and `providers`.

Rules: an end is reported once for each account or model, however many jobs it concerns. What a type declares applies
only at the vendor's own address, because a compatible service is another service. The ends of models are requested only
from accounts with an unfinished job. If that request fails, the ends are left out, because no decision depends on them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from reconciler.controller.account_resolver import accounts_by_name
from reconciler.controller.resolved_account import ResolvedAccount
from reconciler.controller.runtime import Runtime, open_or_unavailable
from reconciler.errors import ProviderError
from reconciler.model.account_line import titled
from reconciler.model.job import UNFINISHED, Account
from reconciler.model.report import Row
from reconciler.model.retirement import AnnouncedEnd, ModelEnd
from reconciler.ports import Snapshot, SupportsModelEnds

WARN_BEFORE = timedelta(days=180)
"""An end is reported from this long before its day."""
WARN_AFTER = timedelta(days=30)
"""An end is reported until this long after its day. The end of a model that an unfinished job uses has no limit."""
MODELS_WITHIN_S = 5.0
"""How long reading the ends of models may take, in seconds."""
MODELS_SOURCE = "as the provider reports"


@dataclass(slots=True)
class _Used:
    """One account: its name for display, its kinds of job, and its unfinished jobs by the model that they use."""

    name: str
    kinds: dict[str, ResolvedAccount] = field(default_factory=dict)
    jobs: dict[str, list[str]] = field(default_factory=dict)


def service_ends(title: str, target: ResolvedAccount, today: date) -> Iterator[AnnouncedEnd]:
    """Yield the ends near `today` that the type of an account declares for jobs of the account's kind."""
    if target.account.base_url != target.type.own_url(target.options):
        return
    for each in target.jobs.capabilities.retirements:
        if -WARN_AFTER <= each.on - today <= WARN_BEFORE:
            yield AnnouncedEnd(
                account=title, what=each.what, on=each.on, days=(each.on - today).days, source=each.source
            )


async def announced_ends(
    runtime: Runtime, targets: Mapping[Account, ResolvedAccount], rows: Iterable[Row]
) -> tuple[AnnouncedEnd, ...]:
    """Return the ends that concern the accounts of these rows and the models of their unfinished jobs.

    Rows of an account that is not in `targets` are ignored.
    """
    used = _used(rows, targets)
    today = runtime.clock.now().date()
    found = [
        end
        for each in used
        for kind, target in each.kinds.items()
        for end in service_ends(titled(each.name, kind), target, today)
    ]
    for ends in await asyncio.gather(*(_model_ends(runtime, each, today) for each in used)):
        found += ends
    return tuple(sorted(found, key=_order))


def named_ends(runtime: Runtime, snapshot: Snapshot) -> tuple[AnnouncedEnd, ...]:
    """Return the ends that concern the accounts in the documents, for each kind of job that their specs use.

    No request is sent. If no spec uses an account, the ends for every kind of its jobs are returned.
    """
    used = {(each.document.spec.provider, each.document.kind) for each in snapshot.jobs}
    today = runtime.clock.now().date()
    found: dict[tuple[Account, str], AnnouncedEnd] = {}
    for name, named in accounts_by_name(snapshot, runtime.policy).items():
        targets = list(named.of_each_kind()) if isinstance(named, ResolvedAccount) else []
        chosen = [each for each in targets if (name, each.account.kind) in used] or targets
        for target in chosen:
            for end in service_ends(titled(name, target.account.kind), target, today):
                found.setdefault((target.account, end.what), end)
    return tuple(sorted(found.values(), key=_order))


def _order(end: AnnouncedEnd) -> tuple[date, str, str]:
    return end.on, end.account, end.what


def _used(rows: Iterable[Row], targets: Mapping[Account, ResolvedAccount]) -> Collection[_Used]:
    """Return each account of these rows once, under the name that its first row uses."""
    found: dict[Account, _Used] = {}
    for row in rows:
        target = targets.get(row.ref.account) if row.ref is not None else None
        if target is None:
            continue
        used = found.setdefault(target.account.shared, _Used(row.provider or ""))
        used.kinds.setdefault(target.account.kind, target)
        model = row.status.job.model if row.status.job is not None else None
        if model is not None and row.unobserved is None and row.status.phase in UNFINISHED:
            used.jobs.setdefault(base_model(model), []).append(row.name)
    return found.values()


async def _model_ends(runtime: Runtime, used: _Used, today: date) -> list[AnnouncedEnd]:
    able = [each for each in used.kinds.values() if each.jobs.capabilities.can_list_model_ends]
    if not used.jobs or not able:
        return []
    return [
        AnnouncedEnd(
            account=used.name,
            what=f"the model {end.model}",
            on=end.on,
            days=(end.on - today).days,
            source=MODELS_SOURCE,
            jobs=tuple(used.jobs[end.model]),
        )
        for end in await _read_ends(runtime, able[0])
        if end.model in used.jobs and end.on - today <= WARN_BEFORE
    ]


async def _read_ends(runtime: Runtime, target: ResolvedAccount) -> tuple[ModelEnd, ...]:
    reader = await open_or_unavailable(runtime.accounts, target)
    if not isinstance(reader, SupportsModelEnds):
        return ()
    try:
        async with asyncio.timeout(MODELS_WITHIN_S):
            return await reader.list_model_ends()
    except (ProviderError, TimeoutError):
        return ()


def base_model(model: str) -> str:
    """Return the base of a fine-tuned model: `gpt-4o-mini` for `ft:gpt-4o-mini:acme::9a`. Other names stay as is."""
    parts = model.split(":")
    return parts[1] if parts[0] == "ft" and len(parts) > 1 else model
