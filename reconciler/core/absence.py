"""Decide whether an absent job is believed to be gone. `core.table` sees only the absences that are believed here.

Theory: with a wrong key, project or URL, a provider may respond "not found" for every job. A single such response may
also mean that the job was deleted. Therefore all absences in one observation of an account are weighed together.

Rules:

- A job that the provider shows exists. Only absences are doubted.
- A *witness* is a job that this observation shows, and that a spec names or an earlier observation showed. It proves
  that the key, project and URL are correct. Without a witness, no absence is believed if a missing job was last seen
  unfinished or may be gone because of a cancel. There is one exception: if every job that the account ever showed has
  an open cancel that the provider accepted, absences are believed.
- With a witness, an absence is believed unless a *crowd* vanished. A crowd is at least two jobs and more than 20 % of
  the unfinished jobs that were observed. Jobs may also vanish one by one. Therefore the jobs that vanished within the
  last hour are also compared with the unfinished jobs that the account had an hour ago.
- A crowd is doubted until an hour after the doubt was first reported (`status/_providers/`). After that hour, an
  absence is believed if the provider repeats it and also shows a witness, so that deleted jobs are not doubted forever.
  A wrong belief is corrected by the next observation that shows the job. Until then, no change is requested for the
  job.
- A job that may be gone because reconcile cancelled it is not part of a crowd.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.core.conditions import phase_since
from reconciler.core.receipts import may_vanish, newest_cancel
from reconciler.model.job import UNFINISHED, Account, JobRef, Phase, Unobserved
from reconciler.model.reason import Reason
from reconciler.model.status import JobStatus, Outcome

CROWD_MIN = 2
"""The minimum number of jobs in a crowd. A single job is often deleted by a person."""
CROWD_PERCENT = 20
"""The percentage of the unfinished jobs above which the vanished jobs are a crowd."""
DOUBT_LASTS = timedelta(hours=1)
"""How long a crowd is doubted: time for a person to notice the report and correct a wrong key, project or URL."""
PERCENT = 100
_PRESENT = UNFINISHED | {Phase.UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBefore:
    """The jobs of an account as earlier observations showed them, by job id."""

    phases: Mapping[str, Phase] = field(default_factory=dict)
    """The last recorded phase of each job that the provider ever showed, including finished and absent jobs."""
    may_vanish: frozenset[str] = frozenset()
    """The jobs that may be gone because the provider accepted a cancel from reconcile."""
    doubted: frozenset[str] = frozenset()
    """The jobs whose absence was doubted at the last observation."""
    doubted_since: datetime | None = None
    """When the account's status first reported the doubt, or None if there is no doubt."""
    lately_gone: int = 0
    """How many jobs were first believed gone within the last hour, except those that reconcile may have cancelled."""

    @property
    def unfinished(self) -> frozenset[str]:
        """The ids of the jobs whose last recorded phase is unfinished or unknown."""
        return frozenset(job_id for job_id, phase in self.phases.items() if phase in _PRESENT)

    def vanished(self, absent: Collection[str]) -> frozenset[str]:
        """Return the ids in `absent` that are in `unfinished`, except those in `may_vanish`."""
        return frozenset(each for each in absent if self.phases.get(each) in _PRESENT) - self.may_vanish


def known_before(
    account: Account,
    statuses: Iterable[JobStatus],
    now: datetime,
    *,
    doubted: Collection[JobRef] = (),
    doubted_since: datetime | None = None,
) -> KnownBefore:
    """Return what the statuses and earlier doubts record about an account.

    Args:
        account: the account.
        statuses: the last statuses, of this and other accounts.
        now: the current time.
        doubted: the jobs whose absence was doubted at the last observation, of this and other accounts.
        doubted_since: when the account's status first reported the doubt, or None if there is no doubt.
    """
    ours = [(each.job, each) for each in statuses if each.job is not None and each.job.account == str(account)]
    return KnownBefore(
        phases={job.id: each.phase for job, each in ours if job.was_seen},
        may_vanish=frozenset(job.id for job, each in ours if each.receipts and may_vanish(each.receipts)),
        doubted=frozenset(ref.id for ref in doubted if ref.account == account),
        doubted_since=doubted_since,
        lately_gone=sum(_is_lately_gone(each, now) for _, each in ours),
    )


def _is_lately_gone(status: JobStatus, now: datetime) -> bool:
    since = phase_since(status, Phase.ABSENT)
    if since is None:
        return False
    cancel = newest_cancel(status.receipts)
    is_ours = cancel is not None and (cancel.outcome is Outcome.GONE or may_vanish(status.receipts))
    was_seen = status.job is not None and status.job.was_seen
    return was_seen and not is_ours and now - since < DOUBT_LASTS


@dataclass(frozen=True, slots=True)
class Doubt:
    """The jobs whose absence is not believed, and the failed observation to report for them."""

    absent: frozenset[str]
    unobserved: Unobserved


def is_crowd(gone: int, observed: int, before: KnownBefore, now: datetime) -> bool:
    """Return whether so many jobs vanished at once that a wrong key, project or URL is the more likely cause.

    Jobs that vanished within the last hour count too. The result is False if the doubt was first reported at least an
    hour ago.

    Args:
        gone: the number of jobs that vanished unexpectedly.
        observed: the number of unfinished jobs that were observed.
        before: what earlier observations showed.
        now: the current time.
    """
    if before.doubted_since is not None and now - before.doubted_since >= DOUBT_LASTS:
        return False
    in_an_hour = gone + before.lately_gone
    return _is_many(gone, observed) or _is_many(in_an_hour, len(before.unfinished) + before.lately_gone)


def weigh(
    absent: Collection[str],
    shown: Collection[str],
    before: KnownBefore,
    now: datetime,
    *,
    has_witness: bool,
    not_retrieved: Collection[str] = (),
) -> Doubt | None:
    """Return the doubted absences of one observation, or None if all are believed.

    Args:
        absent: the ids of the jobs for which the provider responded "not found".
        shown: the ids of the jobs that the provider showed.
        before: what earlier observations showed of the account.
        now: the current time, in whole seconds.
        has_witness: whether a witness was shown.
        not_retrieved: the ids of the jobs that were not retrieved, for example because a crowd was already certain.
    """
    vanished = before.vanished(absent)
    expected = before.may_vanish.intersection(absent)
    missing = vanished | before.vanished(not_retrieved)
    if not has_witness:
        is_sole_cancel = not missing and before.phases.keys() <= before.may_vanish
        doubted = frozenset() if is_sole_cancel or not (missing or expected) else frozenset(absent)
    else:
        observed = len(before.unfinished.intersection({*absent, *shown, *not_retrieved}) - expected)
        doubted = vanished if is_crowd(len(missing), observed, before, now) else frozenset()
    if not doubted:
        return None
    gone = ((missing | before.doubted) - set(shown)) & before.unfinished | expected
    return Doubt(doubted, _suspect(len(gone), len(before.unfinished | expected), has_witness=has_witness))


def _suspect(gone: int, of: int, *, has_witness: bool) -> Unobserved:
    then = (
        "jobs that are still missing an hour after this was first reported are considered deleted"
        if has_witness
        else "if they were deleted, remove their specs"
    )
    message = f"{gone} of {of} unfinished jobs are missing, so the key, project or URL may be wrong: check them; {then}"
    return Unobserved(Reason.OBSERVATION_SUSPECT, message, is_transient=False)


def _is_many(gone: int, of: int) -> bool:
    return gone >= CROWD_MIN and gone * PERCENT > CROWD_PERCENT * of
