"""A status file's text back to the status that it was written from, if it can be trusted.

Rules: a status is input, and input is not trusted. What is not YAML, was edited (its digest says so) or holds anything
that we would not write is `StatusUnreadable`, and counts as none; what a later version wrote is `StatusTooNew`, and is
left alone. The fields are those of the model, in camel case. Pure.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import datetime
from functools import cache
from pathlib import PurePosixPath
from typing import Any, Union, get_args, get_origin, get_type_hints

from reconciler.adapters.status_text import digest
from reconciler.adapters.yaml_text import Unreadable, parse
from reconciler.model.reason import Reason
from reconciler.model.scalar import is_name, parse_instant
from reconciler.model.spec import API_VERSION
from reconciler.model.status import ConditionType, JobStatus, ProviderStatus

_VERSION = re.compile(r"jobs\.reconciler/v([0-9]{1,9})")
_WHOLE = re.compile(r"-?[0-9]{1,18}")


class StatusUnreadable(Exception):
    """A status file that counts as none. The message says why."""


class StatusTooNew(Exception):
    """A status file that a later version of reconcile wrote."""


def parse_status(text: str) -> JobStatus:
    """Return the status that `render_status` wrote. Raises `StatusUnreadable` or `StatusTooNew`."""
    name, tree = _body(text, "FineTuningJob")
    status: JobStatus = _read(JobStatus, {"name": name, **tree}, "status")
    if sum(each.type is ConditionType.READY for each in status.conditions) != 1:
        msg = "status.conditions: there must be one Ready"
        raise StatusUnreadable(msg)
    source = PurePosixPath(status.source)
    if source.is_absolute() or ".." in source.parts or not source.name:
        msg = "status.source: not a path below the specs directory"
        raise StatusUnreadable(msg)
    return status


def parse_provider_status(text: str) -> ProviderStatus:
    """Return the status that `render_provider_status` wrote. Raises `StatusUnreadable` or `StatusTooNew`."""
    name, tree = _body(text, "Provider")
    told: _ProviderTree = _read(_ProviderTree, tree, "status")
    if len(told.conditions) != 1:
        msg = "status.conditions: there must be one"
        raise StatusUnreadable(msg)
    (ready,) = told.conditions
    return ProviderStatus(
        name=name,
        account=told.account,
        reason=ready.reason,
        message=ready.message,
        since=ready.last_transition_time,
    )


@dataclass(frozen=True, slots=True)
class _ProviderCondition:
    reason: Reason
    message: str
    last_transition_time: datetime


@dataclass(frozen=True, slots=True)
class _ProviderTree:
    account: str
    conditions: tuple[_ProviderCondition, ...]


def _body(text: str, kind: str) -> tuple[str, Mapping[str, Any]]:
    """Return a file's name and its `status`, once its frame is as it should be."""
    try:
        documents = parse(text)
    except Unreadable as error:
        raise StatusUnreadable(str(error)) from None
    if len(documents) != 1 or documents[0].problems or not isinstance(documents[0].value, dict):
        msg = "not one mapping"
        raise StatusUnreadable(msg)
    frame = documents[0].value
    version = _VERSION.match(str(frame.get("apiVersion")))
    if version is not None and int(version[1]) > 1:
        raise StatusTooNew(version[0])
    above, _, _ = text.rpartition("digest: ")
    if text != above + digest(above):
        msg = "its digest is wrong: it was edited"
        raise StatusUnreadable(msg)
    metadata, tree = frame.get("metadata"), frame.get("status")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if frame.get("apiVersion") != API_VERSION or frame.get("kind") != kind or not isinstance(tree, dict):
        msg = f"not a status of kind {kind}"
        raise StatusUnreadable(msg)
    if not isinstance(name, str) or not is_name(name):
        msg = "metadata.name: not a name"
        raise StatusUnreadable(msg)
    return name, tree


def _read(kind: Any, value: Any, at: str) -> Any:
    """Return a value as the type that the model wants. Raises `StatusUnreadable` that names the place."""
    if get_origin(kind) in {Union, types.UnionType}:
        wanted = next(each for each in get_args(kind) if each is not types.NoneType)
        return None if value is None else _read(wanted, value, at)
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            msg = f"{at}: not a list"
            raise StatusUnreadable(msg)
        return tuple(_read(get_args(kind)[0], each, at) for each in value)
    if is_dataclass(kind):
        return _read_fields(kind, value, at)
    if not isinstance(value, str):
        msg = f"{at}: not a plain value"
        raise StatusUnreadable(msg)
    return _read_text(kind, value, at)


def _read_fields(kind: Any, value: Any, at: str) -> Any:
    if not isinstance(value, dict):
        msg = f"{at}: not a mapping"
        raise StatusUnreadable(msg)
    read = {name: _read(hint, value[key], f"{at}.{key}") for name, key, hint, _ in _members(kind) if key in value}
    missing = [key for name, key, _, is_required in _members(kind) if is_required and name not in read]
    if missing:
        msg = f"{at}: without {', '.join(missing)}"
        raise StatusUnreadable(msg)
    return kind(**read)


@cache
def _members(kind: Any) -> tuple[tuple[str, str, Any, bool], ...]:
    """Return name, key in the file, type and whether it must be there, for each field of a dataclass."""
    hints = get_type_hints(kind)
    return tuple((each.name, _camel(each.name), hints[each.name], each.default is MISSING) for each in fields(kind))


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _read_text(kind: Any, value: str, at: str) -> Any:
    try:
        return _PARSERS.get(kind, kind)(value)
    except (KeyError, ValueError):
        msg = f"{at}: not a value that we write"
        raise StatusUnreadable(msg) from None


def _whole(value: str) -> int:
    if _WHOLE.fullmatch(value) is None:
        raise ValueError(value)
    return int(value)


_PARSERS: Mapping[Any, Callable[[str], Any]] = {
    bool: {"true": True, "false": False}.__getitem__,
    int: _whole,
    datetime: parse_instant,
}
"""How a type's values are read; those of an enum, and texts, by the type itself."""
