"""What was asked for before, by the journal and by the statuses, each first attempt once.

Rules: whoever writes a status can leave an attempt out and make one up, so the journal counts with the statuses: what
either tells of counts, and no attempt counts twice. An open receipt is vouched for by the journal, or by a place of
statuses that only we write. What is in a batch at this moment is no part of the past.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.core.backoff import SKEW_MAX
from reconciler.core.receipts import open_for
from reconciler.core.remembered_attempts import WINDOW, attempts, is_remembered
from reconciler.model.job import JobRef
from reconciler.model.journal import Requested
from reconciler.model.status import JobStatus, Receipt, Verb

_Key = tuple[str, datetime]
"""An account, and when something was asked of it first."""


@dataclass(frozen=True, slots=True)
class UsedApproval:
    """An approval that let the change of a spec pass: once, and not again."""

    label: str
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One spec's part in what is decided about an account, as far as the guard goes."""

    name: str
    ref: JobRef
    verb: Verb | None = None
    """What is due; None where nothing is."""
    is_first: bool = False
    """It is the first attempt, by its status."""
    is_unplanned: bool = False
    receipts: tuple[Receipt, ...] = ()
    """What the status told before."""
    is_unfinished: bool | None = None
    """Whether the job was just seen unfinished; None where nobody saw it."""

    @property
    def open_receipt(self) -> Receipt | None:
        """The receipt of an earlier attempt at what is due."""
        return None if self.verb is None else open_for(self.receipts, self.verb)


@dataclass(frozen=True, slots=True)
class PastAttempts:
    """All that is told of earlier first attempts."""

    statuses: tuple[JobStatus, ...] = ()
    """As they stand, those of unselected and orphaned jobs included."""
    journal: tuple[Requested, ...] = ()
    older: tuple[JobStatus, ...] = ()
    """As they stood before, where the journal is younger than what counts."""
    is_ours: bool = False
    """Whether only we write the statuses, so that each vouches for itself."""
    _told: list[tuple[Counter[_Key], Counter[_Key]]] = field(default_factory=list, compare=False)

    def is_first_attempt(self, change: PlannedChange) -> bool:
        """Whether what is due counts as a first attempt, also where an earlier one is told of and not vouched for."""
        receipt = change.open_receipt
        if change.verb is None or receipt is None or self.is_ours:
            return change.verb is not None and change.is_first
        return not any(
            (each.account, each.job_id, each.verb, each.receipt_at)
            == (str(change.ref.account), change.ref.id, change.verb, receipt.requested_at)
            for each in self.journal
        )

    def count(self, batch: Collection[PlannedChange], now: datetime) -> Counter[str]:
        """Return how many first attempts the last hour saw that nobody approved, by account, besides the batch's own.

        One from the future counts too, if the clocks may just disagree: forgetting one would loosen the brakes.
        """
        in_statuses, in_journal = self._by_moment()
        in_statuses, in_journal = in_statuses.copy(), in_journal.copy()
        for change in batch:
            account, receipt = str(change.ref.account), change.open_receipt
            if receipt is not None:
                in_statuses[account, receipt.requested_at] -= 1
            in_journal.subtract(self._of(change))
        found: Counter[str] = Counter()
        for account, at in in_statuses.keys() | in_journal.keys():
            if -SKEW_MAX <= now - at < WINDOW:
                found[account] += max(in_statuses[account, at], in_journal[account, at], 0)
        return found

    def uses(self) -> frozenset[UsedApproval]:
        """Return which approvals were used for which spec."""
        told = {
            UsedApproval(attempt.approved_by, status.name, attempt.requested_at)
            for status in (*self.statuses, *self.older)
            for attempt in attempts(status)
            if attempt.approved_by is not None
        }
        kept = {
            UsedApproval(each.approved_by, each.name, each.at) for each in self.journal if each.approved_by is not None
        }
        return frozenset(told | kept)

    def _of(self, change: PlannedChange) -> Iterable[_Key]:
        """Yield what the journal has of this very change and its status does not tell of.

        It never left, or the status was taken away. Either way it is in the batch now.
        """
        moments = {each.requested_at for each in change.receipts}
        for each in self.journal:
            is_same = (each.account, each.job_id, each.verb) == (str(change.ref.account), change.ref.id, change.verb)
            if is_same and each.approved_by is None and each.receipt_at not in moments:
                yield each.account, each.at

    def _by_moment(self) -> tuple[Counter[_Key], Counter[_Key]]:
        """Return how many unapproved attempts there were, by account and moment: by statuses, and by the journal."""
        if not self._told:
            versions: dict[str, Counter[_Key]] = {}
            for status in (each for each in (*self.statuses, *self.older) if each.receipts or each.spent):
                told = Counter((each.account, each.requested_at) for each in attempts(status) if not each.approved_by)
                versions[status.name] = versions.get(status.name, Counter()) | told
            in_statuses: Counter[_Key] = Counter()
            for each in versions.values():
                in_statuses.update(each)
            in_journal = Counter((each.account, each.at) for each in self.journal if not each.approved_by)
            self._told.append((in_statuses, in_journal))
        return self._told[0]


def still_counting(journal: Iterable[Requested], statuses: Iterable[JobStatus], now: datetime) -> tuple[Requested, ...]:
    """Return what the journal must still hold: what counts, and what vouches for a receipt that is open."""
    is_open = {
        (status.job.account, status.job.id, receipt.verb, receipt.requested_at)
        for status in statuses
        if status.job is not None and (receipt := status.open_receipt) is not None
    }
    return tuple(
        each
        for each in journal
        if is_remembered(each.at, each.approved_by, now)
        or (each.account, each.job_id, each.verb, each.receipt_at) in is_open
    )
