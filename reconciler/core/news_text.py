"""The sentences of notifications. Each sentence begins with its subject, and needs no other sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from reconciler.model.account_line import account_title, kind_of_line
from reconciler.model.notification import Notification, NotificationType
from reconciler.model.receipt_parts import cancel_amounts
from reconciler.model.spec import render_instant
from reconciler.model.status import Because, JobStatus, LimitWarning, Outcome, ProviderStatus, Receipt, Verb

NAMES_MAX = 5
"""The maximum number of jobs that a sentence names."""
_DONE = {
    (Verb.CANCEL, Outcome.CANCELLED): "cancelled",
    (Verb.PAUSE, Outcome.PAUSED): "paused",
    (Verb.RESUME, Outcome.RUNNING): "resumed",
}
_SUMMARISED = {
    NotificationType.JOB_CANCELLED: "cancelled and confirmed",
    NotificationType.JOB_PAUSED: "paused and confirmed",
    NotificationType.JOB_RESUMED: "resumed and confirmed",
    NotificationType.JOB_FINISHED: "ended by themselves",
    NotificationType.JOB_GONE: "gone after a cancel",
    NotificationType.JOB_STALLED: "stalled",
    NotificationType.JOB_RECOVERED: "no longer stalled",
    NotificationType.CHANGES_REFUSED: "refusals of the guard",
    NotificationType.CHANGES_RELEASED: "ends of a refusal",
    NotificationType.CHANGE_WITHHELD: "changes that shadow mode withholds",
    NotificationType.LIMIT_NEAR: "limits that are near",
    NotificationType.ACCOUNT_AWAY: "accounts that cannot be observed",
    NotificationType.ACCOUNT_BACK: "accounts that are observed again",
    NotificationType.WATCH_STARTED: "starts",
    NotificationType.WATCH_STOPPED: "stops",
}


def receipt_closed(name: str, receipt: Receipt) -> str:
    """Return what a request led to, with the cause of the request."""
    verb, outcome = receipt.verb, receipt.outcome
    if receipt.is_moot:
        end = f"is {outcome}, but the provider accepted no {verb} from reconcile"
    elif outcome is not None and (verb, outcome) in _DONE:
        end = f"was {_DONE[verb, outcome]}, as the provider confirmed"
    elif outcome is Outcome.GONE:
        end = f"is gone: the provider accepted the {verb}, and no longer knows the job"
    else:
        end = f"{outcome} before the {verb} took effect"
    return f"{name} {end}{_money(receipt)}{_cause(receipt)}"


def _money(receipt: Receipt) -> str:
    """Return what the job of a confirmed cancel had cost and what was not spent, as far as that is known."""
    cost, saved = cancel_amounts(receipt)
    parts = [f"it had cost {cost}"] if cost is not None else []
    parts += [f"{saved.with_document} not spent"] if saved is not None else []
    return f" ({'; '.join(parts)})" if parts else ""


def _cause(receipt: Receipt) -> str:
    if receipt.because is Because.LIMIT_REACHED:
        return f": over {receipt.reason}."
    origin = receipt.origin
    who = f" ({origin.author.partition(' <')[0]}, {origin.commit[:7]})" if origin is not None else ""
    return f'. "{receipt.reason}"{who}' if receipt.reason else f"{who}."


def stalled(status: JobStatus) -> str:
    """Return that a job is stalled, and why."""
    return f"{status.name} is stalled ({status.ready.reason}): {status.ready.message}."


def recovered(status: JobStatus, reason: str) -> str:
    """Return that the problem of a job has ended. `reason` is that of the problem."""
    return f"{status.name} is no longer stalled ({reason}): {status.ready.message or status.ready.reason}."


def withheld(status: JobStatus) -> str:
    """Return which change shadow mode withholds."""
    return f"[shadow] {status.name} would be changed ({status.ready.reason}): {status.ready.message}."


def limit_near(status: JobStatus, warning: LimitWarning) -> str:
    """Return which limit will cancel a job, and how to prevent it."""
    keep = f"To keep the job, raise the limit in {status.source}, or suspend the job"
    return f"{status.name} is near {warning.limit}: {status.ready.message}. {keep}."


def deleted(name: str, reason: str) -> str:
    """Return that a stalled job is no longer managed."""
    return f"{name} is no longer stalled ({reason}), because its spec was deleted."


def refused(account: str, jobs: Sequence[JobStatus]) -> str:
    """Return which changes of an account the guard refused, and why."""
    changes = _number(len(jobs), "change")
    names = named(each.name for each in jobs)
    return f"The guard refused {changes} on {account}, so none is requested: {names}. {jobs[0].ready.message}."


def released(account: str) -> str:
    """Return that the guard no longer refuses a change of an account."""
    return f"The guard no longer refuses a change on {account}."


def away(status: ProviderStatus, jobs: Sequence[JobStatus]) -> str:
    """Return since when and why an account, or some of its jobs, is unobserved. `jobs` are its unfinished jobs."""
    pending = sum(each.open_receipt is not None for each in jobs)
    title = _titled(status.name, status.account)
    what = f"{_number(len(status.jobs), 'job')} of {title}" if status.jobs else title
    waiting = f", {pending} of them with a request in progress" if pending else ""
    return (
        f"{what} {'have' if len(status.jobs) > 1 else 'has'} not been observed since {render_instant(status.since)}: "
        f"{status.message}. The account has {_number(len(jobs), 'unfinished job')}{waiting}. "
        "No change is requested until it is observed again."
    )


def back(name: str, account: str, since: str, now: datetime) -> str:
    """Return that an account is observed again."""
    return f"{_titled(name, account)} is observed again. It was unobserved from {since} to {render_instant(now)}."


def _number(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _titled(name: str, account: str) -> str:
    return account_title(name, kind_of_line(account))


def summary(messages: Sequence[Notification]) -> str:
    """Return the number of notifications of each type, and the first jobs that they are about."""
    counts = counted(messages)
    parts = ", ".join(f"{number} {_SUMMARISED[NotificationType(each)]}" for each, number in counts.items())
    names = list(dict.fromkeys(name for each in messages for name in each.jobs))
    more = ", …" if len(names) > NAMES_MAX else "."
    first = f" Jobs: {', '.join(names[:NAMES_MAX])}{more}" if names else ""
    return f"{sum(counts.values())} notifications in one: {parts}.{first}"


def counted(messages: Iterable[Notification]) -> dict[str, int]:
    """Return the number of notifications of each type. A summary counts as the notifications that it replaces."""
    counts: Counter[str] = Counter()
    for each in messages:
        counts.update(each.counts or {each.type: 1})
    return dict(counts)


def named(names: Iterable[str]) -> str:
    """Return at most `NAMES_MAX` names as text, and how many further names there are."""
    found = list(names)
    more = f" and {len(found) - NAMES_MAX} more" if len(found) > NAMES_MAX else ""
    return f"{', '.join(found[:NAMES_MAX])}{more}"


def facts(status: JobStatus) -> Mapping[str, str]:
    """Return the facts about a job, by their camel-case names."""
    found = {"source": status.source, "phase": str(status.phase), "message": status.ready.message}
    if status.job is not None:
        found["jobId"] = status.job.id
    return found


def receipt_facts(receipt: Receipt) -> Mapping[str, str]:
    """Return the facts of a receipt, by the names of its fields in a status."""
    cost, saved = cancel_amounts(receipt)
    found: dict[str, str | None] = {
        "verb": receipt.verb,
        "because": receipt.because,
        "specReason": receipt.reason,
        "commit": receipt.origin.commit if receipt.origin else None,
        "author": receipt.origin.author if receipt.origin else None,
        "requestedAt": render_instant(receipt.requested_at),
        "acceptedAt": render_instant(receipt.accepted_at) if receipt.accepted_at else None,
        "confirmedAt": render_instant(receipt.confirmed_at) if receipt.confirmed_at else None,
        "attempts": str(receipt.attempts),
        "outcome": receipt.outcome,
        "sunkCost": str(cost) if cost is not None else None,
        "notSpent": saved.with_document if saved is not None else None,
    }
    return {key: value for key, value in found.items() if value is not None}
