"""The statuses as any YAML parser reads them: the oracles do not use the product's parser.

`yaml` is imported here on purpose: a reader that shares the product's parser would share its mistakes.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import lru_cache
from typing import Any

import yaml

Tree = dict[str, Any]
OVER = frozenset({"succeeded", "failed", "cancelled"})
UNFINISHED = frozenset({"validating_files", "queued", "running", "pausing", "paused", "cancelling"})


@lru_cache(maxsize=4096)
def read(data: bytes) -> Tree | None:
    """Return a status file as a tree, or None if it is no status, or was truncated or edited."""
    body, _, told = data.rpartition(b"digest: sha256:")
    if told.strip().decode(errors="replace") != hashlib.sha256(body).hexdigest():
        return None
    try:
        tree = yaml.load(data, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return None
    is_status = isinstance(tree, dict) and isinstance(tree.get("status"), dict) and "conditions" in tree["status"]
    return tree if is_status else None


def is_job(path: str) -> bool:
    """Return whether a path of the status tree is that of a job's status."""
    return not path.startswith("_providers/")


def ready(tree: Tree) -> Tree:
    """Return the `Ready` condition."""
    found: Tree = next(each for each in tree["status"]["conditions"] if each["type"] == "Ready")
    return found


def standing(tree: Tree) -> str:
    """Return the state of a job as one word: Ready, Reconciling, Stalled or Suspended."""
    types = {each["type"] for each in tree["status"]["conditions"] if each["status"] == "True"}
    if ready(tree)["reason"] == "Suspended":
        return "Suspended"
    return next((each for each in ("Stalled", "Reconciling", "Ready") if each in types), "Suspended")


def job_of(tree: Tree) -> tuple[str, str] | None:
    """Return the account's text and the job ID in a status, or None if the status contains no job."""
    job = tree["status"]["job"]
    return (job["account"], job["id"]) if job else None


def instant(text: str | datetime) -> datetime:
    """Return a time of a status, which the YAML parser may have left as text."""
    return text if isinstance(text, datetime) else datetime.fromisoformat(text)
