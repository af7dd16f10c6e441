"""The past first attempts, as the journal and the statuses record them, each counted once.

Theory: a spec author who can write statuses can remove an attempt from a status or forge one. Only reconcile writes the
journal in the state directory, but a new CI runner has no journal. Therefore both sources are used.

Rules: an attempt is counted if either source records it, and no attempt is counted twice. An open receipt is believed
if the journal records it, or if only reconcile writes statuses. The attempts of the batch that is being judged are not
past attempts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import chain

from reconciler.core.attempt_totals import AttemptTotals
from reconciler.core.backoff import SKEW_MAX
from reconciler.core.receipts import open_for
from reconciler.core.remembered_attempts import WINDOW, attempts, is_remembered
from reconciler.core.shadow import reported_at
from reconciler.model.job import JobRef
from reconciler.model.journal import Requested
from reconciler.model.money import Cost, RecordedAmount, Unpriced
from reconciler.model.status import JobStatus, Receipt, RememberedAttempt, Verb
from reconciler.model.sunk_cost import upper_bound

_Totals = defaultdict[tuple[str, datetime], AttemptTotals]
"""The first attempts of each account at each time."""


@dataclass(frozen=True, slots=True)
class UsedApproval:
    """The use of an approval for a change of one spec."""

    label: str
    name: str
    """The name of the spec."""
    at: datetime
    """When the approved change was first requested."""


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """The part of one spec's decision that the change budget needs."""

    name: str
    ref: JobRef
    verb: Verb | None = None
    """The verb of the change that is due, or None."""
    is_first: bool = False
    """Whether the change is a first attempt, according to the status."""
    is_unplanned: bool = False
    """Whether a pinned plan (`reconcile plan --out`) lacks the change, so that it is not requested."""
    receipts: tuple[Receipt, ...] = ()
    """The receipts of the last status."""
    is_unfinished: bool | None = None
    """Whether this pass saw the job unfinished, or None if the job was not observed."""
    sunk_cost: Cost | None = None
    """What the job has cost, or None if the change that is due is no cancel."""

    @property
    def open_receipt(self) -> Receipt | None:
        """The open receipt of the change that is due, or None."""
        return None if self.verb is None else open_for(self.receipts, self.verb)


@dataclass(frozen=True, slots=True)
class PastAttempts:
    """The records of past first attempts, from which the guard counts the changes of the last hour."""

    statuses: tuple[JobStatus, ...] = ()
    """The statuses on disk, including those of unselected and orphaned jobs."""
    journal: tuple[Requested, ...] = ()
    older: tuple[JobStatus, ...] = ()
    """Earlier versions of statuses, which are needed if the journal does not cover the whole time that is counted."""
    is_ours: bool = False
    """Whether only reconcile writes statuses, so that every status is believed."""
    is_shadow: bool = False
    """Whether a change that shadow mode has withheld counts as if it had been requested."""
    currency: str | None = None
    """The currency of the limits on sunk costs, or None without such a limit. A cost in another currency is unknown."""
    costs_now: Mapping[str, Cost] = field(default_factory=dict)
    """What the jobs whose cancel shadow mode has withheld have cost by now, by status name."""
    _by_moments: list[tuple[_Totals, _Totals]] = field(default_factory=list, compare=False)
    """The result of `_by_moment`, once it has been computed; empty before."""

    def is_first_attempt(self, change: PlannedChange) -> bool:
        """Return whether the change is a first attempt. The result is True if its open receipt is not believed."""
        receipt = change.open_receipt
        if change.verb is None or receipt is None or self.is_ours:
            return change.verb is not None and change.is_first
        return not any(
            (each.account, each.job_id, each.verb, each.receipt_at)
            == (str(change.ref.account), change.ref.id, change.verb, receipt.requested_at)
            for each in self.journal
        )

    def totals(self, batch: Collection[PlannedChange], now: datetime) -> defaultdict[str, AttemptTotals]:
        """Return the unapproved first attempts of the last hour, by account, without those of the batch.

        An attempt dated in the near future is counted too, because clocks may differ, and leaving it out would loosen
        the limits.
        """
        in_statuses, in_journal = self._by_moment()
        in_statuses, in_journal = in_statuses.copy(), in_journal.copy()
        for change in batch:
            account, receipt = str(change.ref.account), change.open_receipt
            if receipt is not None and not receipt.approved_by:
                in_statuses[account, receipt.requested_at] -= self._one(receipt)
            for each in self._of(change):
                in_journal[each.account, each.at] -= self._one(each)
        found = defaultdict[str, AttemptTotals](AttemptTotals)
        for account, at in in_statuses.keys() | in_journal.keys():
            if -SKEW_MAX <= now - at < WINDOW:
                found[account] += in_statuses[account, at] | in_journal[account, at]
        return found

    def uses(self) -> frozenset[UsedApproval]:
        """Return every recorded use of an approval."""
        in_statuses = {
            UsedApproval(attempt.approved_by, status.name, attempt.requested_at)
            for status in self._recording()
            for attempt in attempts(status)
            if attempt.approved_by is not None
        }
        in_journal = {
            UsedApproval(each.approved_by, each.name, each.at) for each in self.journal if each.approved_by is not None
        }
        return frozenset(in_statuses | in_journal)

    def _of(self, change: PlannedChange) -> Iterable[Requested]:
        """Yield the unapproved attempts of this change that the journal records and the status does not.

        Either the request was never sent, or the status has been removed since. In both cases the change is now part
        of the batch, so the attempt must not be counted again.
        """
        moments = {each.requested_at for each in change.receipts}
        for each in self.journal:
            is_same = (each.account, each.job_id, each.verb) == (str(change.ref.account), change.ref.id, change.verb)
            if is_same and each.approved_by is None and each.receipt_at not in moments:
                yield each

    def _recording(self) -> Iterator[JobStatus]:
        """Yield the statuses that record attempts, which are few."""
        return (each for each in chain(self.statuses, self.older) if each.receipts or each.spent or self.is_shadow)

    def _by_moment(self) -> tuple[_Totals, _Totals]:
        """Return the unapproved attempts by account and time, in the statuses and in the journal."""
        if not self._by_moments:
            versions: dict[str, _Totals] = {}
            for status in self._recording():
                known = versions.setdefault(status.name, defaultdict(AttemptTotals))
                # The versions of one status record the same attempts, so the larger record counts and not the sum.
                for key, total in _summed(self._in_status(status)).items():
                    known[key] |= total
            in_statuses = _summed(chain.from_iterable(each.items() for each in versions.values()))
            in_journal = _summed(
                ((each.account, each.at), self._one(each)) for each in self.journal if not each.approved_by
            )
            self._by_moments.append((in_statuses, in_journal))
        return self._by_moments[0]

    def _in_status(self, status: JobStatus) -> Iterator[tuple[tuple[str, datetime], AttemptTotals]]:
        """Yield each unapproved attempt that a status records."""
        for each in attempts(status):
            if not each.approved_by:
                yield (each.account, each.requested_at), self._one(each)
        if self.is_shadow and status.job is not None:
            cost = upper_bound(self.costs_now.get(status.name, Unpriced("not observed")), self.currency)
            for at, verb in reported_at(status):
                yield (status.job.account, at), AttemptTotals.one(cost if verb is Verb.CANCEL else Decimal(0))

    def _one(self, attempt: Receipt | RememberedAttempt | Requested) -> AttemptTotals:
        """Return an attempt, with its sunk cost."""
        return AttemptTotals.one(self._cost(attempt.sunk_cost) if attempt.verb in {None, Verb.CANCEL} else Decimal(0))

    def _cost(self, recorded: RecordedAmount | None) -> Decimal | None:
        return None if recorded is None else upper_bound(recorded.cost, self.currency)


def _summed(found: Iterable[tuple[tuple[str, datetime], AttemptTotals]]) -> _Totals:
    totals: _Totals = defaultdict(AttemptTotals)
    for key, total in found:
        totals[key] += total
    return totals


def still_counting(
    journal: Collection[Requested], statuses: Callable[[], Iterable[JobStatus]], now: datetime
) -> tuple[Requested, ...]:
    """Return the journal entries to keep: those that are still counted, and those that prove an open receipt.

    `statuses` returns the statuses. It is called only if an entry is no longer counted.
    """
    counting = {each for each in journal if is_remembered(each.at, each.approved_by, now)}
    if len(counting) == len(journal):
        return tuple(journal)
    is_open = {
        (status.job.account, status.job.id, receipt.verb, receipt.requested_at)
        for status in statuses()
        if status.job is not None and (receipt := status.open_receipt) is not None
    }
    return tuple(
        each
        for each in journal
        if each in counting or (each.account, each.job_id, each.verb, each.receipt_at) in is_open
    )
