"""Statuses as JSON: what the status files say, key by key, with what the spec wants beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, cast

from pydantic.alias_generators import to_camel

from reconciler.model.report import Row
from reconciler.model.spec import API_VERSION, render_instant

_camel = cache(to_camel)


def get_json(rows: Iterable[Row]) -> str:
    """Return a JSON array with one object a job, as `get -o json` prints it."""
    return json.dumps([_document(row) for row in rows], indent=2) + "\n"


def _document(row: Row) -> dict[str, Any]:
    status = cast("dict[str, Any]", _plain(row.status))
    return {
        "apiVersion": API_VERSION,
        "kind": "FineTuningJob",
        "metadata": {"name": status.pop("name")},
        "spec": {"provider": row.provider, "jobId": row.ref.id if row.ref else None, "desiredState": row.wanted},
        "status": status,
    }


def _plain(value: object) -> object:
    """Frozen data as JSON has it: camelCase keys in the order of the fields, moments as RFC 3339 text."""
    if isinstance(value, datetime):
        return render_instant(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if is_dataclass(value):
        return {_camel(field.name): _plain(getattr(value, field.name)) for field in fields(value)}
    return value
