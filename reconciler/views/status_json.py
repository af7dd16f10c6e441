"""Statuses as JSON: the content of the status files, with the keys of these files, and the spec of each job.

If a job could not be observed, its object also has the key `unobserved`, whose value says why. `status` is then the
last known status. With `get --live`, the counters of a job are the observed ones. If prices are stated, `cost` says
what the job has cost and will still cost.
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
from reconciler.views.cost_text import cost_json
from reconciler.views.render_context import RenderContext
from reconciler.views.usage import current_facts

_camel = cache(to_camel)


def get_json(report: Report, context: RenderContext) -> str:
    """Return a JSON array with one object per job, as `get -o json` prints it."""
    return json.dumps(status_documents(report, context.now), indent=2) + "\n"


def status_documents(report: Report, now: datetime) -> list[dict[str, Any]]:
    """Return the object of each job. `now` is the time at which costs are computed."""
    return [_document(row, now) for row in report.rows]


def _document(row: Row, now: datetime) -> dict[str, Any]:
    status = {_camel(each.name): _plain(getattr(row.status, each.name)) for each in fields(row.status)}
    name, kind = status.pop("name"), row.status.kind
    del status["kind"]
    job = current_facts(row)
    if job is not None:
        status["job"] = {_camel(each): _plain(getattr(job, each)) for each in ("account", "id", *kind.facts)}
    document = {
        "apiVersion": API_VERSION,
        "kind": kind.name,
        "metadata": {"name": name, **_labels(row)},
        "spec": {
            "provider": row.provider,
            "jobId": row.ref.id if row.ref else None,
            "desiredState": row.wanted,
            **_spec(row),
        },
        "status": status,
        **cost_json(row, now),
    }
    return document if row.unobserved is None else {**document, "unobserved": row.unobserved.message}


def _labels(row: Row) -> dict[str, Any]:
    labels = dict(row.document.metadata.labels) if row.document else {}
    return {"labels": labels} if labels else {}


def _spec(row: Row) -> dict[str, Any]:
    """Return the fields that the author of the spec wrote, with the author's spelling of the job's id."""
    if row.document is None:
        return {}
    return row.document.spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)


def _plain(value: object) -> object:
    """Return frozen data as JSON values: camelCase keys in the order of the fields, times as RFC 3339 text."""
    if isinstance(value, datetime):
        return render_instant(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if is_dataclass(value):
        return {_camel(field.name): _plain(getattr(value, field.name)) for field in fields(value)}
    return value
