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
from functools import cache, partial
from pathlib import PurePosixPath
from typing import Any, Union, get_args, get_origin, get_type_hints

from reconciler.formats.status_writer import HEADER, digest
from reconciler.formats.yaml_text import Parse, Unreadable, parse
from reconciler.model.reason import Reason
from reconciler.model.scalar import is_name, parse_instant
from reconciler.model.spec import API_VERSION
from reconciler.model.status import ConditionType, JobStatus, ProviderStatus

_VERSION = re.compile(r"jobs\.reconciler/v([0-9]{1,9})")
_WHOLE = re.compile(r"-?[0-9]{1,18}")


class StatusUnreadable(Exception):
    """A status file that counts as none. The message says why."""


class StatusTooNew(Exception):
    """A status file that a later version of reconcile wrote. `job` is the account and id that it names, if it does."""

    def __init__(self, version: str, job: tuple[str, str] | None) -> None:
        super().__init__(version)
        self.job = job


def is_ours(data: bytes) -> bool:
    """Whether a file among the statuses is one. The beginning of one counts: a disk that was cut off leaves such."""
    begin = HEADER.encode()
    return not data.strip() or data[: len(begin)] == begin[: len(data)] or b"jobs.reconciler/" in data


def parse_status(text: str, parse: Parse = parse) -> JobStatus:
    """Return the status that `render_status` wrote. Raises `StatusUnreadable` or `StatusTooNew`."""
    name, tree = _body(text, "FineTuningJob", parse)
    status: JobStatus = _reader(JobStatus)({"name": name, **tree})
    if sum(each.type is ConditionType.READY for each in status.conditions) != 1:
        msg = "status.conditions: there must be one Ready"
        raise StatusUnreadable(msg)
    source = PurePosixPath(status.source)
    if source.is_absolute() or ".." in source.parts or not source.name:
        msg = "status.source: not a path below the specs directory"
        raise StatusUnreadable(msg)
    return status


def parse_provider_status(text: str, parse: Parse = parse) -> ProviderStatus:
    """Return the status that `render_provider_status` wrote. Raises `StatusUnreadable` or `StatusTooNew`."""
    name, tree = _body(text, "Provider", parse)
    told: _ProviderTree = _reader(_ProviderTree)(tree)
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


def _body(text: str, kind: str, parse: Parse) -> tuple[str, Mapping[str, Any]]:
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
        raise StatusTooNew(version[0], _job_in(frame))
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


def _job_in(frame: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the job that a status names, where that still stands where it does in ours."""
    match frame:
        case {"status": {"job": {"account": str(account), "id": str(job_id)}}}:
            return account, job_id
    return None


_Reader = Callable[[Any], Any]


@cache
def _reader(kind: Any) -> _Reader:
    """Return what reads a value as the type that the model wants; it raises `StatusUnreadable` that names the place."""
    if get_origin(kind) in {Union, types.UnionType}:
        wanted = _reader(next(each for each in get_args(kind) if each is not types.NoneType))
        return lambda value: None if value is None else wanted(value)
    if get_origin(kind) is tuple:
        return partial(_read_items, _reader(get_args(kind)[0]))
    if isinstance(kind, type) and is_dataclass(kind):
        return partial(_read_fields, kind, _members(kind))
    return partial(_read_text, _PARSERS.get(kind, kind))


def _read_items(read: _Reader, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        msg = "not a list"
        raise StatusUnreadable(msg)
    return tuple(map(read, value))


def _read_fields(kind: Callable[..., Any], members: tuple[_Member, ...], value: Any) -> Any:
    if not isinstance(value, dict):
        msg = "not a mapping"
        raise StatusUnreadable(msg)
    found = {}
    for each in members:
        if each.key in value:
            try:
                found[each.name] = each.read(value[each.key])
            except StatusUnreadable as error:
                msg = f"{each.key}: {error}"
                raise StatusUnreadable(msg) from None
        elif each.is_required:
            msg = f"without {each.key}"
            raise StatusUnreadable(msg)
    return kind(**found)


def _read_text(parse_text: Callable[[str], Any], value: Any) -> Any:
    if not isinstance(value, str):
        msg = "not a plain value"
        raise StatusUnreadable(msg)
    try:
        return parse_text(value)
    except (KeyError, ValueError):
        msg = "not a value that we write"
        raise StatusUnreadable(msg) from None


@dataclass(frozen=True, slots=True)
class _Member:
    """A field of a dataclass, as it stands in a file."""

    name: str
    key: str
    read: _Reader
    is_required: bool


def _members(kind: Any) -> tuple[_Member, ...]:
    hints = get_type_hints(kind)
    return tuple(
        _Member(each.name, _camel(each.name), _reader(hints[each.name]), each.default is MISSING)
        for each in fields(kind)
    )


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


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
