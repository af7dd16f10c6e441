"""Read and write a pinned plan as a JSON file.

Rules: equal plans are rendered to equal bytes. A file is refused if it is not JSON, if it has another kind or
apiVersion, or if one of its changes lacks a field or has an unknown field.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from reconciler.model.pinned_plan import Pin, PinnedPlan
from reconciler.model.spec import API_VERSION
from reconciler.model.status import Because, Verb

_KIND = "PinnedPlan"
_FIELDS = {each.name for each in fields(Pin)}


class PlanUnreadableError(Exception):
    """A file is not a usable pinned plan. The message names the file, the reason, and how to create a plan."""


def render_plan(plan: PinnedPlan) -> str:
    """Return the plan as JSON, with one change per line."""
    changes = ",\n".join(f"  {json.dumps(asdict(pin))}" for pin in sorted(plan.pins))
    listed = f"[\n{changes}\n]" if changes else "[]"
    return f'{{"apiVersion": {json.dumps(API_VERSION)}, "kind": "{_KIND}", "changes": {listed}}}\n'


def plan_digest(plan: PinnedPlan) -> str:
    """Return the SHA-256 digest of a plan, computed over the contents of its file."""
    return f"sha256:{hashlib.sha256(render_plan(plan).encode()).hexdigest()}"


def read_plan(path: Path) -> PinnedPlan:
    """Return the plan in a file. Raises `PlanUnreadableError` if the file is not a usable plan."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        if (tree["apiVersion"], tree["kind"]) != (API_VERSION, _KIND):
            raise _unreadable(path, f"its kind is not {_KIND}, or its apiVersion is not {API_VERSION}")
        return PinnedPlan(frozenset(map(_pin, tree["changes"])))
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _unreadable(path, "its content is not what `reconcile plan --out` writes") from None


def _pin(entry: Mapping[str, Any]) -> Pin:
    if set(entry) != _FIELDS or not all(isinstance(value, str) for value in entry.values()):
        raise ValueError
    return Pin(
        account=entry["account"],
        id=entry["id"],
        verb=Verb(entry["verb"]),
        because=Because(entry["because"]),
        name=entry["name"],
    )


def _unreadable(path: Path, why: str) -> PlanUnreadableError:
    return PlanUnreadableError(f"{path} is not a usable plan: {why}. Create one with `reconcile plan --out {path}`.")
