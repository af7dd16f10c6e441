"""Find the news: the difference between the statuses and the record of what earlier notifications told.

Rules: the statuses are compared, not the passes. A crash between a status and its notification therefore loses nothing:
the next pass finds the same difference, and its notification has the same id. A receipt gets one notification, when it
closes. A problem gets one when it begins, when its reason changes, and when it ends. Refusals of the guard are grouped
by account.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from itertools import islice

from reconciler.core import news_text
from reconciler.core.shadow import WOULD, reported_at
from reconciler.model.account_line import kind_of_line
from reconciler.model.job_identity import job_identity
from reconciler.model.notification import Mark, News, Notification, NotificationSeverity, NotificationType, Told
from reconciler.model.reason import Reason
from reconciler.model.spec import render_instant
from reconciler.model.status import JobStatus, Outcome, ProviderStatus, Receipt, Verb

_EFFECTS = {
    (Verb.CANCEL, Outcome.CANCELLED): NotificationType.JOB_CANCELLED,
    (Verb.CANCEL, Outcome.GONE): NotificationType.JOB_GONE,
    (Verb.PAUSE, Outcome.PAUSED): NotificationType.JOB_PAUSED,
    (Verb.RESUME, Outcome.RUNNING): NotificationType.JOB_RESUMED,
}
"""The type of the notification about a request that took effect, by verb and outcome.

A request with any other outcome is reported as `job.finished`: the job ended before the request took effect.
"""
JOB, RECEIPT, REFUSED, ACCOUNT, WITHHELD, NEAR = "job ", "receipt ", "refused ", "account ", "withheld ", "near "
"""The beginnings of the subjects in the record of what was told.

The mark of a subject is a tuple. For a job, it contains the reason and the key of the job's problem; for a receipt, its
time and outcome; for refusals, the names of the jobs; for a withheld change, its reason and time; for a warning, its
limit and time; and for an account, the start of the outage, `_ALL` or `_SOME`, the reason, and the account's name.
"""
_ALL, _SOME = "all", "some"


@dataclass(frozen=True, slots=True)
class NewsSource:
    """The statuses after a pass, which are compared with the record of what was told."""

    jobs: tuple[JobStatus, ...]
    accounts: tuple[ProviderStatus, ...]
    now: datetime
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The labels of each spec, by name. A job without a status or a spec was deleted."""


def notification_id(*parts: str) -> str:
    """Return the id of a notification, which is equal for equal parts. It contains no dot."""
    return f"msg_{sha256(chr(0).join(parts).encode()).hexdigest()[:32]}"


def news_since(told: Told, found: NewsSource) -> tuple[News, ...]:
    """Return the news since `told`, in the order of its notifications."""
    return (
        *_news_of_accounts(told, found),
        *_news_of_refusals(told, found),
        *(each for status in found.jobs for each in _news_of_job(told, status, found.labels.get(status.name, {}))),
        *_news_of_deleted(told, found),
    )


def job_names(told: Told) -> Iterator[str]:
    """Yield the names of the jobs whose problem was told and has not ended."""
    return (subject.removeprefix(JOB) for subject in told if subject.startswith(JOB))


def _news_of_job(told: Told, status: JobStatus, labels: Mapping[str, str]) -> Iterator[News]:
    yield from (_receipt_closed(status, each, labels) for each in _newly_closed(told, status))
    yield from _withheld(told, status, labels)
    yield from _limit_near(told, status, labels)
    subject, reason = f"{JOB}{status.name}", status.ready.reason
    before = told.get(subject)
    # A refusal by the guard is news of the account. The problem of the job stays open while the job is stalled.
    if status.is_stalled and reason is not Reason.REFUSED_BY_GUARD:
        if before is None or before[0] != reason:
            problem = before[1] if before is not None else notification_id(status.name, *_job_of(status))
            message = _about(status, NotificationType.JOB_STALLED, news_text.stalled(status), reason, problem)
            yield News(message, {subject: (reason, problem)}, (labels,))
    elif before is not None and not status.is_stalled:
        text = news_text.recovered(status, before[0])
        yield News(
            _about(status, NotificationType.JOB_RECOVERED, text, before[0], before[1]), {subject: None}, (labels,)
        )


def _withheld(told: Told, status: JobStatus, labels: Mapping[str, str]) -> Iterator[News]:
    """Yield the news that shadow mode withholds a change of a job. The end of that is not news."""
    subject, reason = f"{WITHHELD}{status.name}", status.ready.reason
    if reason not in WOULD.values():
        return
    mark = (reason, *(render_instant(at) for at, _ in islice(reported_at(status), 1)))
    if told.get(subject) != mark:
        message = _about(status, NotificationType.CHANGE_WITHHELD, news_text.withheld(status), reason, subject)
        yield News(replace(message, severity=NotificationSeverity.INFO, problem=""), {subject: mark}, (labels,))


def _limit_near(told: Told, status: JobStatus, labels: Mapping[str, str]) -> Iterator[News]:
    """Yield the warning that a limit will cancel a job. That the limit is no longer near is not told."""
    subject, warning = f"{NEAR}{status.name}", status.warning
    if warning is None:
        return
    mark = (warning.limit, render_instant(warning.since))
    if told.get(subject) != mark:
        text = news_text.limit_near(status, warning)
        message = _about(status, NotificationType.LIMIT_NEAR, text, Reason.LIMIT_NEAR, " ".join((subject, *mark)))
        yield News(
            replace(message, at=warning.since, severity=NotificationSeverity.WARNING, problem=""),
            {subject: mark},
            (labels,),
        )


def _newly_closed(told: Told, status: JobStatus) -> list[Receipt]:
    """Return the closed receipts that were not told yet, oldest first. Withdrawn receipts are left out."""
    known = told.get(_receipt_subject(status))
    closed = [each for each in reversed(status.receipts) if each.outcome not in {None, Outcome.WITHDRAWN}]
    if known is None:
        return closed
    at, outcome = known
    return [
        each
        for each in closed
        if (since := render_instant(each.requested_at)) > at or (since == at and each.outcome != outcome)
    ]


def _receipt_subject(status: JobStatus) -> str:
    return RECEIPT + " ".join(_job_of(status))


def _receipt_closed(status: JobStatus, receipt: Receipt, labels: Mapping[str, str]) -> News:
    outcome = receipt.outcome or Outcome.WITHDRAWN
    asked_at = render_instant(receipt.requested_at)
    effect = None if receipt.is_moot else _EFFECTS.get((receipt.verb, outcome))
    return News(
        Notification(
            id=notification_id(*_job_of(status), asked_at, outcome),
            type=effect or NotificationType.JOB_FINISHED,
            at=receipt.confirmed_at or status.ready.last_transition_time,
            severity=NotificationSeverity.INFO,
            text=news_text.receipt_closed(status.name, receipt),
            reason=status.ready.reason,
            jobs=(status.name,),
            kind=status.kind.name,
            account=status.job.account if status.job else "",
            facts={**news_text.facts(status), **news_text.receipt_facts(receipt)},
        ),
        {_receipt_subject(status): (asked_at, outcome)},
        (labels,),
    )


def _about(status: JobStatus, type_: NotificationType, text: str, reason: str, problem: str) -> Notification:
    """Return the notification that a problem of a job began or ended."""
    at = status.ready.last_transition_time
    return Notification(
        id=notification_id(type_, problem, reason, render_instant(at)),
        type=type_,
        at=at,
        severity=NotificationSeverity.ERROR,
        text=text,
        reason=reason,
        jobs=(status.name,),
        kind=status.kind.name,
        account=status.job.account if status.job else "",
        facts=news_text.facts(status),
        problem=problem,
        is_resolved=type_ is NotificationType.JOB_RECOVERED,
    )


def _news_of_deleted(told: Told, found: NewsSource) -> Iterator[News]:
    """Yield the end of the problem of each job whose status was removed, because its spec was deleted."""
    names = {each.name for each in found.jobs} | found.labels.keys()
    for name in job_names(told):
        if name not in names:
            reason, problem = told[subject := f"{JOB}{name}"]
            yield News(
                Notification(
                    id=notification_id(NotificationType.JOB_RECOVERED, problem, reason, "deleted"),
                    type=NotificationType.JOB_RECOVERED,
                    at=found.now,
                    severity=NotificationSeverity.ERROR,
                    text=news_text.deleted(name, reason),
                    reason=reason,
                    jobs=(name,),
                    problem=problem,
                    is_resolved=True,
                ),
                {subject: None},
            )


def _news_of_refusals(told: Told, found: NewsSource) -> Iterator[News]:
    refused = _refused_by_account(found.jobs)
    before = {key.removeprefix(REFUSED): mark for key, mark in told.items() if key.startswith(REFUSED)}
    for account in sorted(refused.keys() | before.keys()):
        jobs, known = refused.get(account, []), before.get(account, ())
        names = tuple(sorted(each.name for each in jobs))
        if set(names) - set(known) or (known and not names):
            yield _refusal(account, jobs, names or known, found)


def _refused_by_account(jobs: Iterable[JobStatus]) -> dict[str, list[JobStatus]]:
    """Return the jobs whose change the guard refuses, by account. The account of an unknown job is empty."""
    refused: dict[str, list[JobStatus]] = {}
    for each in jobs:
        if each.is_stalled and each.ready.reason is Reason.REFUSED_BY_GUARD:
            refused.setdefault(each.job.account if each.job else "", []).append(each)
    return refused


def _refusal(account: str, jobs: list[JobStatus], names: tuple[str, ...], found: NewsSource) -> News:
    """Return the news that changes of an account were refused, or, without jobs, that no change is refused any more."""
    type_ = NotificationType.CHANGES_REFUSED if jobs else NotificationType.CHANGES_RELEASED
    at = max((each.ready.last_transition_time for each in jobs), default=found.now)
    message = Notification(
        id=notification_id(type_, account, *names, *([render_instant(at)] if jobs else [])),
        type=type_,
        at=at,
        severity=NotificationSeverity.ERROR,
        text=news_text.refused(account, jobs) if jobs else news_text.released(account),
        reason=Reason.REFUSED_BY_GUARD,
        jobs=names,
        kind=kind_of_line(account),
        account=account,
        problem=notification_id(REFUSED, account),
        is_resolved=not jobs,
    )
    mark: Mark = names if jobs else None
    return News(message, {f"{REFUSED}{account}": mark}, tuple(found.labels.get(name, {}) for name in names))


def _news_of_accounts(told: Told, found: NewsSource) -> Iterator[News]:
    away = {each.account: each for each in found.accounts}
    for account, status in sorted(away.items()):
        extent = _SOME if status.jobs else _ALL
        mark: tuple[str, ...] = (render_instant(status.since), extent, status.reason, status.name)
        known = told.get(f"{ACCOUNT}{account}")
        if known is None or known[0] != mark[0] or (known[1], extent) == (_SOME, _ALL):
            yield _account(account, mark, status, found)
    for subject, mark in sorted(told.items()):
        if subject.startswith(ACCOUNT) and (account := subject.removeprefix(ACCOUNT)) not in away:
            yield _account(account, mark, None, found)


def _account(account: str, mark: tuple[str, ...], status: ProviderStatus | None, found: NewsSource) -> News:
    """Return the news that an account is away, or, without a status, that the account is back."""
    since, extent, reason, name = mark
    type_ = NotificationType.ACCOUNT_BACK if status is None else NotificationType.ACCOUNT_AWAY
    jobs = [each for each in found.jobs if each.job is not None and each.job.account == account and not each.final]
    message = Notification(
        id=notification_id(type_, account, since, extent),
        type=type_,
        at=found.now if status is None else status.since,
        severity=NotificationSeverity.ERROR if extent == _ALL else NotificationSeverity.WARNING,
        text=news_text.back(name, account, since, found.now) if status is None else news_text.away(status, jobs),
        reason=reason,
        kind=kind_of_line(account),
        account=account,
        facts={"since": since},
        problem=notification_id(ACCOUNT, account),
        is_resolved=status is None,
    )
    labels = tuple(found.labels.get(each.name, {}) for each in jobs)
    return News(message, {f"{ACCOUNT}{account}": None if status is None else mark}, labels)


def _job_of(status: JobStatus) -> tuple[str, str]:
    """Return what identifies the job: its account and id, or, if it is not known, the file and the name of its spec."""
    return job_identity(status.job) if status.job is not None else (status.source, status.name)
