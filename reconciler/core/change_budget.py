"""The change budget: which changes of a pass may be requested, counted over all accounts.

`judge` takes the changes of one account and works in this order: it collects the first attempts, applies the approvals,
adds the earlier refusals that still stand, judges each scope, and records which approvals were used.

Rules: a batch is refused as a whole. A refusal that still stands belongs to every later batch of its account, so a
refused batch cannot pass in parts. Percentages are of the jobs that were seen unfinished or that the journal knows to
be unfinished. A status alone is no evidence, because an author of specs may have forged it; `_unfinished` has the
exceptions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.core.guard import BY_NAME, Approvals, approve, judge
from reconciler.core.past_attempts import PastAttempts, PlannedChange, UsedApproval
from reconciler.core.scope import AccountMap, Extent, Scope, ScopedLimits
from reconciler.model.job import UNFINISHED, JobRef
from reconciler.model.report import Refusal
from reconciler.model.status import JobStatus, Verb

EVERYWHERE = "everywhere"
"""The key that stands for all accounts in a mapping by account."""


@dataclass(slots=True)
class ApprovalUse:
    """The operator's approvals that a run has used. They are valid once for the run, not once for each pass."""

    used: int = 0
    """How many changes `--allow-cancels N` has approved so far."""
    names: set[str] = field(default_factory=set)
    _granted: dict[tuple[JobRef, Verb], tuple[datetime, str]] = field(default_factory=dict)
    """The time and label of each approval, by request. The request was not sent as long as its receipt is missing."""

    def granted(self, change: PlannedChange) -> str | None:
        """Return the approval of a request that was approved earlier and not sent yet, or None."""
        at, by = self._granted.get((change.ref, change.verb), (None, None)) if change.verb else (None, None)
        return by if at is not None and all(each.requested_at < at for each in change.receipts) else None

    def grant(self, change: PlannedChange, by: str, now: datetime) -> None:
        """Record that a request was approved, unless an approval of it is still unused."""
        if change.verb is None or self.granted(change) is not None:
            return
        self._granted[change.ref, change.verb] = now, by
        if by == BY_NAME:
            self.names.add(change.name)
        else:
            self.used += 1


@dataclass(frozen=True, slots=True)
class Judged:
    """The judgement of one account's changes."""

    counted: frozenset[str] = frozenset()
    """The names of the changes that count as first attempts, which the journal records."""
    approved: Mapping[str, str] = field(default_factory=dict)
    """The approval of each approved change, by name."""
    refused: frozenset[str] = frozenset()
    refusals: tuple[Refusal, ...] = ()


@dataclass(slots=True)
class ChangeBudget:
    """The counts of one pass over all accounts. Each account's batch is added when it is allowed."""

    limits: ScopedLimits = field(default_factory=ScopedLimits)
    approvals: Approvals = field(default_factory=Approvals)
    past: PastAttempts = field(default_factory=PastAttempts)
    claimed: tuple[JobStatus, ...] = ()
    """The last statuses of valid specs. Percentages are of their jobs."""
    account_map: AccountMap = field(default_factory=AccountMap)
    known_unfinished: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The jobs that the journal knows to be unfinished: account and id, by spec name."""
    use: ApprovalUse = field(default_factory=ApprovalUse)
    standing: dict[str, str] = field(default_factory=dict)
    """The accounts of the jobs whose change was refused earlier and is still wanted, by spec name."""
    doubts: Mapping[str, str] = field(default_factory=dict)
    """Why the counts are incomplete, by account or `EVERYWHERE`. There no first attempt is allowed."""
    hidden: int = 0
    """The most attempts of the last hour that unread files may hold."""
    _allowed: Counter[str] = field(default_factory=Counter)
    """How many first attempts this pass allowed, by account."""
    _used: set[UsedApproval] = field(default_factory=set)
    """The approvals of commits that this pass used."""
    _seen: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """The account of each job that this pass saw, and whether it was unfinished, by spec name."""

    def judge(
        self, account: str, changes: Collection[PlannedChange], now: datetime, *, is_provisional: bool = False
    ) -> Judged:
        """Judge the first attempts of one account as one batch, together with its standing refusals.

        A provisional refusal is not recorded, because the whole account has not been observed yet.
        """
        self._record_seen(account, changes)
        first = self._first_attempts(changes)
        counted = frozenset(each.name for each in first)
        batch = [each for each in first if not each.is_unplanned]
        others = self._standing_elsewhere(changes)
        approved = self._approved(batch, others, now)
        asked = frozenset(each.name for each in batch) - approved.keys()
        here = sorted([*asked, *self._held(account, others, approved)])
        refusals = self._refusals(account, batch, tuple(here), now) if asked else ()
        if is_provisional and refusals:
            return Judged(refused=counted, refusals=refusals[:1])
        self._record_approvals(first, approved, others, now)
        self.standing = others | (dict.fromkeys(asked, account) if refusals else {})
        if refusals:
            return Judged(counted, approved, asked, refusals[:1])
        self._allowed[account] += len(asked)
        return Judged(counted, approved)

    def _standing_elsewhere(self, changes: Iterable[PlannedChange]) -> dict[str, str]:
        """Return the standing refusals of jobs outside this batch. Jobs in the batch are judged again."""
        seen = {each.name for each in changes if each.is_unfinished is not None}
        return {name: account for name, account in self.standing.items() if name not in seen}

    def _record_seen(self, account: str, changes: Collection[PlannedChange]) -> None:
        """Record which jobs this pass saw, and whether each was unfinished."""
        self._seen.update(
            (each.name, (account, each.is_unfinished)) for each in changes if each.is_unfinished is not None
        )

    def _first_attempts(self, changes: Collection[PlannedChange]) -> list[PlannedChange]:
        """Return the changes that count as first attempts."""
        return [each for each in changes if self.past.is_first_attempt(each)]

    def _approved(self, batch: list[PlannedChange], others: Mapping[str, str], now: datetime) -> dict[str, str]:
        """Return the approval of each approved name. One that was approved and not sent yet is not counted again."""
        granted = {each.name: by for each in batch if (by := self.use.granted(each)) is not None}
        left = replace(self.approvals, names=self.approvals.names - self.use.names)
        if self.doubts:
            left = replace(left, commits=())  # an unread file may record that these approvals were used
        rest = [name for name in (*(each.name for each in batch), *others) if name not in granted]
        own = {(each.name, receipt.requested_at) for each in batch if (receipt := each.open_receipt) is not None}
        used = {each for each in self.past.uses() if (each.name, each.at) not in own} | self._used
        return approve(rest, left, now, used, self.use.used) | granted

    def _held(self, account: str, others: Mapping[str, str], approved: Mapping[str, str]) -> list[str]:
        """Return the standing refusals of this account. Refusals of other accounts do not delay it."""
        return [name for name, its_account in others.items() if its_account == account and name not in approved]

    def _refusals(
        self, account: str, batch: list[PlannedChange], names: tuple[str, ...], now: datetime
    ) -> tuple[Refusal, ...]:
        """Return a refusal for each scope whose limit the batch exceeds."""
        place, doubt = self.account_map.place(account), self.doubts.get(account) or self.doubts.get(EVERYWHERE)
        earlier, unfinished = self.past.count(batch, now) + self._allowed, self._unfinished(account)
        verdicts = (
            judge(
                str(scope),
                names,
                self._sum(earlier, scope) + self.hidden,
                self._sum(unfinished, scope),
                self.limits.of(scope, place),
                doubt if scope.extent is Extent.ACCOUNT else None,
            )
            for scope in place.scopes()
        )
        return tuple(each for each in verdicts if each is not None)

    def _sum(self, by_account: Mapping[str, int], scope: Scope) -> int:
        return sum(count for account, count in by_account.items() if self.account_map.is_in(account, scope))

    def _unfinished(self, account: str) -> Counter[str]:
        """Return the number of jobs that are known to be unfinished, by account.

        A status alone counts only for another account of which this pass saw a job. That account is still being
        observed, and without its statuses the first account to finish would be refused for want of a total.
        """
        found = Counter(seen_in for seen_in, is_unfinished in self._seen.values() if is_unfinished)
        believed = {seen_in for seen_in, _ in self._seen.values()} - {account}
        for status in self.claimed:
            job = status.job
            if job is None or status.name in self._seen:
                continue
            is_believed = (self.past.is_ours or job.account in believed) and status.phase in UNFINISHED
            found[job.account] += is_believed or self.known_unfinished.get(status.name) == (job.account, job.id)
        return found

    def _record_approvals(
        self, first: list[PlannedChange], approved: Mapping[str, str], others: Mapping[str, str], now: datetime
    ) -> None:
        """Record the approvals that this batch uses."""
        self._used.update(UsedApproval(by, name, now) for name, by in approved.items() if name not in others)
        for each in first:
            by = approved.get(each.name)
            if by is not None and by in {BY_NAME, self.approvals.by_count}:
                self.use.grant(each, by, now)
