"""The row of one spec in the report of a pass."""

from __future__ import annotations

from typing import Any

from reconciler.controller.resolved_spec import ResolvedSpec
from reconciler.model.report import Row
from reconciler.model.status import JobStatus


def row_of_spec(spec: ResolvedSpec, status: JobStatus, before: JobStatus | None, **done: Any) -> Row:
    """Return the row of a spec.

    Args:
        spec: the spec.
        status: its status after the pass.
        before: its status before the pass.
        done: what the pass did, as further attributes of the row.
    """
    document = spec.document.document if spec.document else None
    return Row(
        name=spec.name,
        source=spec.source,
        provider=document.spec.provider if document else None,
        ref=spec.ref,
        wanted=document.spec.desired_state if document else None,
        status=status,
        before=before,
        document=document,
        line=spec.document.line if spec.document else None,
        capabilities=spec.subject.capabilities if spec.subject else None,
        price=spec.subject.price(status.job) if spec.subject else None,
        **done,
    )


def untouched_row(spec: ResolvedSpec, last: JobStatus | None) -> Row | None:
    """Return the row of a spec that no worker handled, or None if it has no status."""
    return None if last is None else row_of_spec(spec, last, last)
