"""The jobs that a recorded failure of their account hides.

A status records the last successful observation. While the account of a job cannot be observed, that status may be
outdated. Every reader of statuses marks such a job as unobserved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from reconciler.model.job import Unobserved
from reconciler.model.report import Row
from reconciler.model.status import ProviderStatus


def is_hidden(row: Row, outage: ProviderStatus) -> bool:
    """Return whether a failure hides the job of a row. A final job is never hidden."""
    return row.ref is not None and outage.hides(str(row.ref.account), row.ref.id) and not row.status.final


def hiding(row: Row, outages: Iterable[ProviderStatus]) -> ProviderStatus | None:
    """Return the failure that hides the job of a row, or None.

    A stalled job is not hidden, because its status says what a person must do. Nor is a job whose row already says why
    it could not be observed.
    """
    if row.unobserved is not None or row.status.is_stalled:
        return None
    return next((each for each in outages if is_hidden(row, each)), None)


def marked(row: Row, outages: Iterable[ProviderStatus]) -> Row:
    """Return the row, marked as unobserved if a failure hides its job."""
    outage = hiding(row, outages)
    return row if outage is None else hidden(row, outage)


def hidden(row: Row, outage: ProviderStatus) -> Row:
    """Return the row, marked as unobserved because of this failure."""
    return replace(row, unobserved=Unobserved(outage.reason, outage.message))
