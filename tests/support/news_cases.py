"""Builders of statuses and notifications for the tests of notifications."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from reconciler.core.news import NewsSource
from reconciler.model.job import Phase
from reconciler.model.notification import Notification, NotificationSeverity, NotificationType
from reconciler.model.reason import Reason
from reconciler.model.status import ConditionStatus, ConditionType, JobStatus, ProviderStatus, Receipt
from tests.support.build import ACCOUNT, NOW, a_status
from tests.support.reports import CONFIRMED


def a_stalled_status(
    name: str = "support-triage", reason: Reason = Reason.JOB_FAILED, at: datetime = NOW, message: str = "failed"
) -> JobStatus:
    """Return the status of a job that has been stalled since `at`."""
    status = a_status(name, phase=Phase.FAILED)
    ready = replace(status.ready, status=ConditionStatus.FALSE, reason=reason, message=message, last_transition_time=at)
    both = (ready, replace(ready, type=ConditionType.STALLED, status=ConditionStatus.TRUE))
    return replace(status, conditions=both, receipts=())


def a_cancelled_status(name: str = "support-triage", **receipt: Any) -> JobStatus:
    """Return the status of a job with a closed receipt. `receipt` has attributes of the receipt."""
    closed: Receipt = replace(CONFIRMED, **receipt)
    return replace(a_status(name), receipts=(closed,))


def an_outage(name: str = "east", *, jobs: tuple[str, ...] = (), since: datetime = NOW) -> ProviderStatus:
    """Return the status of an account that cannot be observed, or of which only `jobs` cannot."""
    return ProviderStatus(
        name=name,
        account=str(ACCOUNT),
        reason=Reason.CANNOT_OBSERVE_PROVIDER,
        message="cannot connect",
        since=since,
        jobs=jobs,
    )


def found(*jobs: JobStatus, accounts: tuple[ProviderStatus, ...] = (), **labels: dict[str, str]) -> NewsSource:
    """Return the statuses after a pass. `labels` are the labels of specs, by spec name with `_` for `-`."""
    named = {name.replace("_", "-"): each for name, each in labels.items()}
    return NewsSource(jobs, accounts, NOW, named)


def a_notification(number: int = 1, **rest: Any) -> Notification:
    """Return a notification with its own id and job. `rest` has further attributes."""
    usual: dict[str, Any] = {
        "id": f"msg_{number}",
        "type": NotificationType.JOB_CANCELLED,
        "at": NOW + timedelta(seconds=number),
        "severity": NotificationSeverity.INFO,
        "text": f"job-{number} was cancelled, as the provider confirmed.",
        "jobs": (f"job-{number}",),
    }
    return Notification(**usual | rest)
