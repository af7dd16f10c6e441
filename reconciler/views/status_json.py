"""Statuses as JSON: what the status files say, key by key, with the spec beside it.

`unobserved` is there only where the job could not be observed, and says why: the status is then what was known before.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any

from pydantic.alias_generators import to_camel

from reconciler.model.report import Report, Row
from reconciler.model.spec import API_VERSION, render_instant
from reconciler.views.render_context import RenderContext

_camel = cache(to_camel)


def get_json(report: Report, _context: RenderContext) -> str:
    """Return a JSON array with one object a job, as `get -o json` prints it."""
    return json.dumps([_document(row) for row in report.rows], indent=2) + "\n"


def _document(row: Row) -> dict[str, Any]:
    status = {_camel(each.name): _plain(getattr(row.status, each.name)) for each in fields(row.status)}
    name, _ = status.pop("name"), status.pop("kind")
    told = {
        "apiVersion": API_VERSION,
        "kind": row.status.kind.name,
        "metadata": {"name": name, **_labels(row)},
        "spec": {
            "provider": row.provider,
            "jobId": row.ref.id if row.ref else None,
            "desiredState": row.wanted,
            **_written(row),
        },
        "status": status,
    }
    return told if row.unseen is None else {**told, "unobserved": row.unseen.message}


def _labels(row: Row) -> dict[str, Any]:
    labels = dict(row.document.metadata.labels) if row.document else {}
    return {"labels": labels} if labels else {}


def _written(row: Row) -> dict[str, Any]:
    """Return the spec as it is written; the id of the job is then its author's spelling."""
    if row.document is None:
        return {}
    return row.document.spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)


def _plain(value: object) -> object:
    """Frozen data as JSON has it: camelCase keys in the order of the fields, moments as RFC 3339 text."""
    if isinstance(value, datetime):
        return render_instant(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if is_dataclass(value):
        return {_camel(field.name): _plain(getattr(value, field.name)) for field in fields(value)}
    return value
