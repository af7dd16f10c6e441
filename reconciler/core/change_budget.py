"""The change budget of a pass, which decides for each account whether its changes may be requested.

`ChangeBudget.judge` judges the changes of one account in this order: collect the first attempts, apply the approvals,
refuse the cancels whose cost can never be allowed (`core.cost_guard`), add the pending refusals, judge each scope, and
record which approvals were used. A *pending* refusal is a refusal whose change is still wanted.

Rules: a batch is refused as a whole, or all of its cancels because of their cost. Accounts are judged in the order in
which they are observed, so the first accounts may use up a limit that several accounts share. If the pass waited for
all accounts first, one account that hangs would delay every change. A change with a pending refusal is part of every
later batch of its account, so a refused batch cannot pass in parts. Percentages refer to the jobs that this pass saw
unfinished or that the journal records as unfinished. A status alone is not evidence that a job is unfinished, because a
spec author may have forged it. `_unfinished` describes the exceptions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from reconciler.core.approval_use import ApprovalUse
from reconciler.core.attempt_totals import AttemptTotals, sum_of
from reconciler.core.cost_guard import ScopeUse, costs_of, parted, refused_alone, refused_together
from reconciler.core.guard import BY_NAME, Approvals, approve, judge
from reconciler.core.past_attempts import PastAttempts, PlannedChange, UsedApproval
from reconciler.core.scope import AccountMap, Extent, Scope, ScopedLimits
from reconciler.model.guard_use import GuardUse
from reconciler.model.job import UNFINISHED
from reconciler.model.job_identity import job_identity
from reconciler.model.money import Cost
from reconciler.model.report import Refusal
from reconciler.model.status import JobStatus
from reconciler.model.sunk_cost import upper_bound

EVERYWHERE = "everywhere"
"""The key that represents all accounts in a mapping by account."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict of the change budget on the changes of one account."""

    counted: frozenset[str] = frozenset()
    """The names of the specs whose changes are first attempts. The journal records those that are requested."""
    approved: Mapping[str, str] = field(default_factory=dict)
    """The label under which each change was approved, by spec name."""
    refused: frozenset[str] = frozenset()
    """The names of the specs whose changes are refused."""
    refusals: tuple[Refusal, ...] = ()
    """The refusals of cancels that are refused alone, and of the batch, in the first scope that does not allow it."""

    def refusal_of(self, name: str) -> Refusal:
        """Return the refusal of a refused change."""
        return next((each for each in self.refusals if name in each.names), self.refusals[-1])


@dataclass(frozen=True, slots=True)
class UnwrittenBatch:
    """The allowed changes of one account whose intents are not written yet, so that no status records them."""

    attempts: AttemptTotals
    """The unapproved first attempts."""
    approvals: frozenset[UsedApproval]
    """The approvals that the approved first attempts use."""


@dataclass(slots=True)
class ChangeBudget:
    """The change budget of one pass, shared by all accounts.

    Once the batch of an account has been allowed, it is counted when later batches are judged. A worker may have to
    wait before it writes its intents. Until then, the budgets of later passes count the batch too.
    """

    limits: ScopedLimits = field(default_factory=ScopedLimits)
    approvals: Approvals = field(default_factory=Approvals)
    past: PastAttempts = field(default_factory=PastAttempts)
    claimed: tuple[JobStatus, ...] = ()
    """The last statuses of valid specs, except those of finished jobs that are not in `known_unfinished`.

    The jobs of these statuses may be among the unfinished jobs that percentages refer to.
    """
    account_map: AccountMap = field(default_factory=AccountMap)
    known_unfinished: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The jobs that the journal records as unfinished: account and id, by spec name."""
    use: ApprovalUse = field(default_factory=ApprovalUse)
    standing: dict[str, str] = field(default_factory=dict)
    """The pending refusals: the account of each, by spec name."""
    standing_costs: dict[str, Cost] = field(default_factory=dict)
    """What the jobs of the pending refusals of cancels have cost, by spec name."""
    doubts: Mapping[str, str] = field(default_factory=dict)
    """Why past attempts cannot be counted, by account or `EVERYWHERE`. No unapproved first attempt is allowed in such
    an account.
    """
    hidden: int = 0
    """How many attempts of the last hour the unread status files are assumed to contain."""
    unwritten: dict[str, UnwrittenBatch] = field(default_factory=dict)
    """The latest batch of each account until its intents are written. The budgets of all passes share this mapping."""
    _allowed: defaultdict[str, AttemptTotals] = field(default_factory=lambda: defaultdict(AttemptTotals))
    """The unapproved first attempts that were allowed and that `past` does not contain, by account."""
    _used: set[UsedApproval] = field(default_factory=set)
    """The approvals that were used and that `past` does not contain."""
    _seen: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """The account of each job that this pass observed, and whether the job was unfinished, by spec name."""

    def __post_init__(self) -> None:
        """Count the batches that earlier passes have allowed and that are not written yet."""
        for account, batch in self.unwritten.items():
            self._allowed[account] += batch.attempts
            self._used |= batch.approvals

    def judge(
        self, account: str, changes: Collection[PlannedChange], now: datetime, *, is_provisional: bool = False
    ) -> Judged:
        """Judge the first attempts of one account as one batch, together with the account's pending refusals.

        Return which changes are approved and which are refused.

        Args:
            account: the account line (`model.account_line`).
            changes: the account's specs, with the change that is due for each, if any.
            now: the current time.
            is_provisional: whether the rest of the account is not observed yet. If a change is then refused, all are
                refused, also the approved ones, and neither the refusal nor an approval is recorded.
        """
        self._record_seen(account, changes)
        first = self._first_attempts(changes)
        counted = frozenset(each.name for each in first)
        batch = [each for each in first if not each.is_unplanned]
        others = self._pending_elsewhere(changes)
        approved = self._approved(batch, others, now)
        asked = [each for each in batch if each.name not in approved]
        scopes = self._scope_uses(account, batch, now) if asked else ()
        alone = refused_alone(costs_of(asked), scopes)
        barred, asked = parted(asked, alone)
        together = self._refusals(account, scopes, asked, self._still_refused(account, others, approved))
        refusals = tuple(map(self._with_ignored, (*alone, *together)))
        if is_provisional and refusals:
            return Judged(refused=counted, refusals=refusals)
        used = self._record_approvals(first, approved, others, now)
        refused, allowed = parted(asked, together)
        self.standing = others | {each.name: account for each in refused}
        self.standing_costs |= costs_of(refused)
        attempts = sum_of(map(self._one, allowed))
        self.unwritten[account] = UnwrittenBatch(attempts, used)
        self._allowed[account] += attempts
        return Judged(counted, approved, frozenset(each.name for each in (*barred, *refused)), refusals)

    def written(self, account: str) -> UnwrittenBatch | None:
        """Record that an account's latest batch is written or was dropped, and return the batch, if there was one."""
        return self.unwritten.pop(account, None)

    def withdrawn(self, account: str, batch: UnwrittenBatch) -> None:
        """Record that a batch is no longer on disk, because its intents will be written again."""
        self.unwritten[account] = batch

    def uses(self, now: datetime) -> Mapping[str, GuardUse]:
        """Return how much of the limits each account has used, by account line."""
        earlier = self._earlier((), now)
        overall = self._in_scope(earlier, Scope(Extent.OVERALL))
        return {
            account: self._use(account, earlier[account] + AttemptTotals(self.hidden), overall)
            for account in self.account_map.protections
        }

    def _use(self, account: str, used: AttemptTotals, overall: AttemptTotals) -> GuardUse:
        place = self.account_map.place(account)
        limits = self.limits.of(Scope(Extent.ACCOUNT, account), place)
        return GuardUse(
            account=used.count,
            overall=None if place.is_embedded else overall.count,
            sunk_cost=used.sunk_cost,
            overall_sunk_cost=None if place.is_embedded else overall.sunk_cost,
            max_sunk_cost=limits.sunk_cost,
            max_cancels=limits.max_cancels,
            max_cancel_percent=limits.max_cancel_percent,
            max_cancels_absolute=limits.max_cancels_absolute,
            doubt=self.doubts.get(account) or self.doubts.get(EVERYWHERE),
        )

    def _pending_elsewhere(self, changes: Iterable[PlannedChange]) -> dict[str, str]:
        """Return the pending refusals, except those of the observed jobs in `changes`, which are judged again."""
        seen = {each.name for each in changes if each.is_unfinished is not None}
        return {name: account for name, account in self.standing.items() if name not in seen}

    def _record_seen(self, account: str, changes: Collection[PlannedChange]) -> None:
        self._seen.update(
            (each.name, (account, each.is_unfinished)) for each in changes if each.is_unfinished is not None
        )

    def _first_attempts(self, changes: Collection[PlannedChange]) -> list[PlannedChange]:
        return [each for each in changes if self.past.is_first_attempt(each)]

    def _approved(self, batch: list[PlannedChange], others: Mapping[str, str], now: datetime) -> dict[str, str]:
        """Return the label under which each change is approved, by spec name.

        A change that was approved earlier and not sent yet keeps its approval, so it uses up no further approval.
        """
        granted = {each.name: by for each in batch if (by := self.use.granted(each)) is not None}
        left = replace(self.approvals, names=self.approvals.names - self.use.names)
        if self.doubts:
            left = replace(left, commits=())  # an unread file may record that these approvals were used
        rest = [name for name in (*(each.name for each in batch), *others) if name not in granted]
        own = {(each.name, receipt.requested_at) for each in batch if (receipt := each.open_receipt) is not None}
        used = {each for each in self.past.uses() if (each.name, each.at) not in own} | self._used
        return approve(rest, left, now, used, self.use.used) | granted

    def _still_refused(self, account: str, others: Mapping[str, str], approved: Mapping[str, str]) -> list[str]:
        """Return the specs of this account with an unapproved pending refusal.

        Pending refusals of other accounts are left out, so that they do not delay this account.
        """
        return [name for name, its_account in others.items() if its_account == account and name not in approved]

    def _refusals(
        self, account: str, scopes: Sequence[ScopeUse], asked: Sequence[PlannedChange], pending: list[str]
    ) -> tuple[Refusal, ...]:
        """Return the refusal of the first scope that does not allow the batch; empty if all allow it.

        `scopes` are those of the account, which is the first. `asked` are the changes that are due and not approved,
        and `pending` the specs of the account whose changes were refused earlier.
        """
        if not asked:
            return ()
        doubt = self.doubts.get(account) or self.doubts.get(EVERYWHERE)
        names = tuple(sorted([*(each.name for each in asked), *pending]))
        verdicts = (
            judge(each.scope, names, each.earlier.count, each.unfinished, each.limits, None if at else doubt)
            for at, each in enumerate(scopes)
        )
        found = next(filter(None, verdicts), None)
        if found is None:
            costs = {name: self.standing_costs[name] for name in pending if name in self.standing_costs}
            found = refused_together(costs_of(asked), costs, scopes)
        return () if found is None else (found,)

    def _with_ignored(self, refusal: Refusal) -> Refusal:
        commits = (each for each in self.approvals.commits if each.why_ignored and each.names & set(refusal.names))
        return replace(refusal, ignored=tuple(commits))

    def _scope_uses(self, account: str, batch: list[PlannedChange], now: datetime) -> tuple[ScopeUse, ...]:
        """Return the scopes of an account. The first attempts in `batch` do not count as past attempts."""
        earlier, unfinished = self._earlier(batch, now), self._unfinished(account)
        place = self.account_map.place(account)
        return tuple(
            ScopeUse(
                str(scope),
                self.limits.of(scope, place),
                self._in_scope(earlier, scope),
                sum(count for line, count in unfinished.items() if self.account_map.is_in(line, scope)),
            )
            for scope in place.scopes()
        )

    def _earlier(self, batch: Collection[PlannedChange], now: datetime) -> defaultdict[str, AttemptTotals]:
        """Return the attempts that count, by account, without those of the batch."""
        found = self.past.totals(batch, now)
        for account, total in self._allowed.items():
            found[account] += total
        return found

    def _in_scope(self, earlier: Mapping[str, AttemptTotals], scope: Scope) -> AttemptTotals:
        here = (total for account, total in earlier.items() if self.account_map.is_in(account, scope))
        return sum_of(here) + AttemptTotals(self.hidden)

    def _one(self, change: PlannedChange) -> AttemptTotals:
        """Return a change as an attempt, with its sunk cost."""
        cost = change.sunk_cost
        return AttemptTotals.one(Decimal(0) if cost is None else upper_bound(cost, self.limits.currency))

    def _unfinished(self, account: str) -> Counter[str]:
        """Return the number of jobs that are known to be unfinished, by account.

        A status alone is believed in two cases. The first is that only reconcile writes statuses. The second is that
        the status belongs to another account of which this pass has already observed a job. The observation of that
        account may not be complete, and without its statuses the total would be too low when this account is judged.
        """
        found = Counter(seen_in for seen_in, is_unfinished in self._seen.values() if is_unfinished)
        believed = {seen_in for seen_in, _ in self._seen.values()} - {account}
        for status in self.claimed:
            job = status.job
            if job is None or status.name in self._seen:
                continue
            is_believed = (self.past.is_ours or job.account in believed) and status.phase in UNFINISHED
            found[job.account] += is_believed or self.known_unfinished.get(status.name) == job_identity(job)
        return found

    def _record_approvals(
        self, first: list[PlannedChange], approved: Mapping[str, str], others: Mapping[str, str], now: datetime
    ) -> frozenset[UsedApproval]:
        """Record the approvals that this batch uses, and return them."""
        used = frozenset(UsedApproval(by, name, now) for name, by in approved.items() if name not in others)
        self._used |= used
        for each in first:
            by = approved.get(each.name)
            if by is not None and by in {BY_NAME, self.approvals.by_count}:
                self.use.grant(each, by, now)
        return used
