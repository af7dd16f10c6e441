"""Write the statuses of accounts: why an account is unobserved, since when, and which of its jobs are affected.

Rules: a status is written if an account or one of its jobs is unobserved and the failure lasts. An observation of some
jobs does not clear a failure that affects other jobs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from hashlib import sha256

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.desired_specs import DesiredSpecs
from reconciler.controller.prune import attempt
from reconciler.controller.runtime import Runtime
from reconciler.controller.unobserved import UnobservedTracker, is_lasting
from reconciler.model.account_line import FINE_TUNING_JOB, kind_suffix
from reconciler.model.job import Account, JobRef, Unobserved
from reconciler.model.reason import Reason
from reconciler.model.scalar import NAME_MAX
from reconciler.model.status import ProviderStatus

DIGEST_LENGTH = 8
"""The number of characters of the digest that distinguishes accounts whose shortened names are equal."""
_PASSING = frozenset({Reason.CANNOT_OBSERVE_PROVIDER, Reason.RATE_LIMITED})
"""The reasons of transient failures. One outage may cause both, so a change between them is not a new failure."""
_IN_PART = frozenset({Reason.OBSERVATION_SUSPECT, Reason.OBSERVATION_INCOMPLETE})
"""The failures of an account that may affect only some of its jobs. Every other failure affects all of them."""


def write_provider_statuses(
    desired: DesiredSpecs, outcomes: Iterable[AccountOutcome], unobserved: UnobservedTracker, runtime: Runtime
) -> tuple[str, ...]:
    """Write the statuses of failing accounts, remove those of recovered accounts, and return the errors.

    A transient failure is written after two failed observations in a row. `ObservationSuspect` is written at once,
    because the absences are believed an hour after it was first written. If the run does not select every spec,
    existing statuses are left unchanged.
    """
    known = {each.account: each for each in desired.stored.providers}
    errors: tuple[str, ...] = ()
    for each in outcomes:
        account = each.target.account
        before = known.get(str(account))
        if each.plan is None or not each.plan.has_observed or (before is not None and not desired.is_whole):
            continue
        what = f"the status of the account {account}"
        failure = _failure_to_report(account, unobserved, desired.unfinished)
        if failure is not None:
            status = _provider_status(each, *failure, before, runtime.clock.now())
            errors += attempt(what, partial(runtime.statuses.write_provider, status))
        elif before is not None and account not in unobserved.accounts:
            errors += attempt(what, partial(runtime.statuses.remove_provider, before.name), "removed")
    return errors


def _failure_to_report(
    account: Account, tracker: UnobservedTracker, wanted: Collection[JobRef]
) -> tuple[Unobserved, tuple[str, ...]] | None:
    """Return the failure to report for an account, with the ids of the affected jobs (empty means all).

    Return None if there is nothing to report yet.
    """
    unobserved, alone = tracker.accounts.get(account), tracker.alone(account)
    if unobserved is None:
        return (next(iter(alone.values())), tuple(ref.id for ref in alone)) if alone else None
    if not is_lasting(unobserved, tracker.troubles[account]):
        return None
    hidden = {*tracker.hidden(account), *alone}
    is_in_part = unobserved.reason in _IN_PART and any(ref.account == account and ref not in hidden for ref in wanted)
    return unobserved, tuple(sorted(ref.id for ref in hidden)) if is_in_part else ()


def prune_provider_statuses(desired: DesiredSpecs, runtime: Runtime) -> tuple[str, ...]:
    """Remove the statuses of accounts that do not have an unsettled job, and return the errors.

    Nothing is removed if the run does not select every spec, if a spec file could not be read, or if no change may be
    requested.
    """
    may_remove = desired.may_ask and desired.is_whole and not desired.snapshot.broken_files
    if not desired.stored.providers or not may_remove:
        return ()
    is_open = {str(ref.account) for ref in desired.unfinished}
    return tuple(
        problem
        for each in desired.stored.providers
        if each.account not in is_open and desired.share.has_account(each.account)
        for problem in attempt(
            f"the status of the account {each.account}",
            partial(runtime.statuses.remove_provider, each.name),
            "removed",
        )
    )


def _provider_status(
    outcome: AccountOutcome, unobserved: Unobserved, jobs: tuple[str, ...], before: ProviderStatus | None, now: datetime
) -> ProviderStatus:
    reason = unobserved.reason
    if before is not None and before.reason is reason:
        return before if jobs == before.jobs else replace(before, message=unobserved.message, jobs=jobs)
    if before is not None and reason in _PASSING and before.reason in {*_PASSING, Reason.OBSERVATION_SUSPECT}:
        return replace(before, jobs=jobs)
    return ProviderStatus(
        name=_name(outcome),
        account=str(outcome.target.account),
        reason=reason,
        message=unobserved.message,
        since=now.replace(microsecond=0),
        jobs=jobs,
    )


def _name(outcome: AccountOutcome) -> str:
    """Return the name of an account's status. In one account, each kind of job has a status of its own."""
    account = outcome.target.account
    if account.kind == FINE_TUNING_JOB:
        return outcome.alias
    suffix = kind_suffix(account.kind)
    name = f"{outcome.alias}{suffix}"
    if len(name) <= NAME_MAX:
        return name
    digest = sha256(str(account).encode()).hexdigest()[:DIGEST_LENGTH]
    return f"{outcome.alias[: NAME_MAX - len(suffix) - DIGEST_LENGTH - 1]}-{digest}{suffix}"
