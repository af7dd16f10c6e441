"""The change budget of a pass, which decides for each account whether its changes may be requested.

`ChangeBudget.judge` judges the changes of one account in this order: collect the first attempts, apply the approvals,
add the pending refusals, judge each scope, and record which approvals were used. A *pending* refusal is a refusal whose
change is still wanted.

Rules: a batch is refused as a whole. Accounts are judged in the order in which they are observed, so the first accounts
may use up a limit that several accounts share. If the pass waited for all accounts first, one account that hangs would
delay every change. A change with a pending refusal is part of every later batch of its account, so a refused batch
cannot pass in parts. Percentages refer to the jobs that this pass saw unfinished or that the journal records as
unfinished. A status alone is not evidence that a job is unfinished, because a spec author may have forged it.
`_unfinished` describes the exceptions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.core.guard import BY_NAME, Approvals, approve, judge
from reconciler.core.past_attempts import PastAttempts, PlannedChange, UsedApproval
from reconciler.core.scope import AccountMap, Extent, Scope, ScopedLimits
from reconciler.model.guard_use import GuardUse
from reconciler.model.job import UNFINISHED, JobRef
from reconciler.model.report import Refusal
from reconciler.model.status import JobStatus, Verb

EVERYWHERE = "everywhere"
"""The key that represents all accounts in a mapping by account."""


@dataclass(slots=True)
class ApprovalUse:
    """The operator's approvals that a run has used. An approval is valid once in the run, not once in each pass."""

    used: int = 0
    """How many changes `--allow-cancels N` has approved so far."""
    names: set[str] = field(default_factory=set)
    """The specs for which `--allow-cancel NAME` has been used."""
    _granted: dict[tuple[JobRef, Verb], tuple[datetime, str]] = field(default_factory=dict)
    """The time and label of each approval, by job and verb. An approval is used up once the job has a later receipt."""

    def granted(self, change: PlannedChange) -> str | None:
        """Return the label under which a change was approved earlier, or None.

        The result is also None if no change is due, or if a request was recorded for the job since the approval.
        """
        at, by = self._granted.get((change.ref, change.verb), (None, None)) if change.verb else (None, None)
        return by if at is not None and all(each.requested_at < at for each in change.receipts) else None

    def grant(self, change: PlannedChange, by: str, now: datetime) -> None:
        """Record that a due change was approved. Do nothing if an earlier approval of the change has not been used yet.

        `by` is the label of an operator's approval: `BY_NAME` or `Approvals.by_count`.
        """
        if change.verb is None or self.granted(change) is not None:
            return
        self._granted[change.ref, change.verb] = now, by
        if by == BY_NAME:
            self.names.add(change.name)
        else:
            self.used += 1


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
    """The refusal in the first scope that does not allow the batch; empty if all scopes allow it."""


@dataclass(frozen=True, slots=True)
class UnwrittenBatch:
    """The allowed changes of one account whose intents are not written yet, so that no status records them."""

    attempts: int
    """How many unapproved first attempts there are."""
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
    doubts: Mapping[str, str] = field(default_factory=dict)
    """Why past attempts cannot be counted, by account or `EVERYWHERE`. No unapproved first attempt is allowed in such
    an account.
    """
    hidden: int = 0
    """How many attempts of the last hour the unread status files are assumed to contain."""
    unwritten: dict[str, UnwrittenBatch] = field(default_factory=dict)
    """The latest batch of each account until its intents are written. The budgets of all passes share this mapping."""
    _allowed: Counter[str] = field(default_factory=Counter)
    """How many unapproved first attempts were allowed that `past` does not contain, by account."""
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
            is_provisional: whether the rest of the account is not observed yet. If the batch is then refused, its
                approved changes are refused too, and neither the refusal nor an approval is recorded.
        """
        self._record_seen(account, changes)
        first = self._first_attempts(changes)
        counted = frozenset(each.name for each in first)
        batch = [each for each in first if not each.is_unplanned]
        others = self._pending_elsewhere(changes)
        approved = self._approved(batch, others, now)
        asked = frozenset(each.name for each in batch) - approved.keys()
        here = sorted([*asked, *self._still_refused(account, others, approved)])
        refusals = self._refusals(account, batch, tuple(here), now) if asked else ()
        if is_provisional and refusals:
            return Judged(refused=counted, refusals=refusals[:1])
        used = self._record_approvals(first, approved, others, now)
        self.standing = others | (dict.fromkeys(asked, account) if refusals else {})
        self.unwritten[account] = UnwrittenBatch(0 if refusals else len(asked), used)
        if refusals:
            return Judged(counted, approved, asked, refusals[:1])
        self._allowed[account] += len(asked)
        return Judged(counted, approved)

    def written(self, account: str) -> None:
        """Record that the intents of an account's latest batch are written, or that the batch was dropped."""
        self.unwritten.pop(account, None)

    def uses(self, now: datetime) -> Mapping[str, GuardUse]:
        """Return how much of the limits each account has used, by account line."""
        earlier = self.past.count((), now) + self._allowed
        overall = self._sum(earlier, Scope(Extent.OVERALL)) + self.hidden
        return {
            account: self._use(account, earlier[account] + self.hidden, overall)
            for account in self.account_map.protections
        }

    def _use(self, account: str, used: int, overall: int) -> GuardUse:
        limits = self.limits.of(Scope(Extent.ACCOUNT, account), self.account_map.place(account))
        return GuardUse(
            account=used,
            overall=overall,
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
        self, account: str, batch: list[PlannedChange], names: tuple[str, ...], now: datetime
    ) -> tuple[Refusal, ...]:
        """Return a refusal for each scope whose limit is exceeded or whose attempts cannot be counted.

        `batch` contains the first attempts, which do not count as past attempts. `names` are the specs whose change
        needs the limits' permission: it is due or was refused earlier, and it is not approved.
        """
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
        ignored = tuple(each for each in self.approvals.commits if each.why_ignored and each.names & set(names))
        return tuple(replace(each, ignored=ignored) for each in verdicts if each is not None)

    def _sum(self, by_account: Mapping[str, int], scope: Scope) -> int:
        return sum(count for account, count in by_account.items() if self.account_map.is_in(account, scope))

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
            found[job.account] += is_believed or self.known_unfinished.get(status.name) == (job.account, job.id)
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
