"""Parse the text of a status file into the status that it was rendered from.

Rules: a status file is untrusted input. `StatusUnreadableError` is raised if the file is not YAML, was edited (its
digest does not match), or contains a value that reconcile does not write. The content of such a file is ignored.
`StatusTooNewError` is raised for a file from a later version, which must not be overwritten: it has a later apiVersion,
or it is intact and contains an unknown word. The fields are those of `status_format`. Pure.

Implementation: when the first status is parsed, `_reader` builds one parser function for each record, from
`status_format` and the model's type hints. Therefore types are not looked up again for each status.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from enum import EnumType
from functools import cache, partial
from pathlib import PurePosixPath
from typing import Any, get_args

from reconciler.formats.checkout_conversion import as_committed
from reconciler.formats.status_format import JOB_STATUSES, PROVIDER_STATUS, Field, ProviderTree, Record
from reconciler.formats.status_writer import HEADER, digest
from reconciler.formats.yaml_documents import YamlUnreadableError
from reconciler.formats.yaml_text import parse
from reconciler.model.account_line import kind_of_line
from reconciler.model.kind import KINDS
from reconciler.model.scalar import is_name, parse_instant
from reconciler.model.spec import API_VERSION
from reconciler.model.status import ConditionType, JobStatus, ProviderStatus

_VERSION = re.compile(r"jobs\.reconciler/v([0-9]{1,9})")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_PROVIDER = "Provider"
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


class StatusUnreadableError(Exception):
    """A status file is invalid, so its content must be ignored. The message says why."""


class _UnknownWordError(StatusUnreadableError):
    """A value that must be one of a fixed set of words is another word, which a later version may have added."""


class StatusTooNewError(Exception):
    """A status file is from a later version of reconcile.

    `word` is the apiVersion, kind or other word that this version does not know. `job` is the account and id of the
    job, or None if the file does not have them at the keys of this version.
    """

    def __init__(self, word: str, job: tuple[str, str] | None) -> None:
        super().__init__(word)
        self.job = job


def as_written(data: bytes) -> bytes:
    """Return a status file's bytes as reconcile wrote them, with the conversions of a Git checkout undone.

    Return `data` unchanged if its digest already matches, or if undoing the conversions does not make it match.
    """
    committed = as_committed(data)
    return committed if committed != data and _has_valid_digest(committed) and not _has_valid_digest(data) else data


def _has_valid_digest(data: bytes) -> bool:
    """Return whether the digest at the end of a status file matches its text."""
    above, _, _ = data.rpartition(b"digest: ")
    try:
        return data == above + digest(above.decode()).encode()
    except UnicodeDecodeError:
        return False


def is_status_file(data: bytes) -> bool:
    """Return whether a file seems to be a status that reconcile wrote.

    A file that a crash has truncated counts too, even if it is empty.
    """
    begin = HEADER.encode()
    return not data.strip() or data[: len(begin)] == begin[: len(data)] or b"jobs.reconciler/" in data


def parse_status(text: str) -> JobStatus:
    """Return the status that `render_status` wrote. Raises `StatusUnreadableError` or `StatusTooNewError`."""
    kind, name, tree = _body(text, KINDS)
    try:
        status: JobStatus = _job_reader(kind)(tree, name=name, kind=KINDS[kind])
    except _UnknownWordError as error:
        raise StatusTooNewError(str(error), _job_in(tree)) from None
    if sum(each.type is ConditionType.READY for each in status.conditions) != 1:
        msg = "status.conditions: there must be exactly one Ready"
        raise StatusUnreadableError(msg)
    if status.job is not None and kind_of_line(status.job.account) != kind:
        msg = f"status.job.account: not an account with jobs of kind {kind}"
        raise StatusUnreadableError(msg)
    source = PurePosixPath(status.source)
    if source.is_absolute() or ".." in source.parts or not source.name:
        msg = "status.source: not a path below the specs directory"
        raise StatusUnreadableError(msg)
    return status


def parse_provider_status(text: str) -> ProviderStatus:
    """Return the status that `render_provider_status` wrote. Raises `StatusUnreadableError` or `StatusTooNewError`."""
    _, name, tree = _body(text, (_PROVIDER,))
    status: ProviderTree = _provider_reader()(tree)
    if len(status.conditions) != 1:
        msg = "status.conditions: there must be exactly one"
        raise StatusUnreadableError(msg)
    (ready,) = status.conditions
    return ProviderStatus(
        name=name,
        account=status.account,
        reason=ready.reason,
        message=ready.message,
        since=ready.last_transition_time,
        jobs=status.jobs,
    )


def _body(text: str, kinds: Collection[str]) -> tuple[str, str, Mapping[str, Any]]:
    """Return the kind, the name and the mapping `status` of a file, after checking its header and its digest.

    `kinds` are the allowed kinds. Raises `StatusUnreadableError` or `StatusTooNewError`.
    """
    frame = _frame(text)
    version = _VERSION.match(str(frame.get("apiVersion")))
    if version is not None and int(version[1]) > 1:
        raise StatusTooNewError(version[0], _job_in(frame.get("status")))
    above, _, _ = text.rpartition("digest: ")
    if text != above + digest(above):
        msg = "its digest does not match its text: it was edited or truncated"
        raise StatusUnreadableError(msg)
    metadata, tree, kind = frame.get("metadata"), frame.get("status"), str(frame.get("kind"))
    if kind not in {*KINDS, _PROVIDER} and _WORD.fullmatch(kind):
        raise StatusTooNewError(kind, _job_in(tree))
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if frame.get("apiVersion") != API_VERSION or kind not in kinds or not isinstance(tree, dict):
        msg = f"not a status of kind {' or '.join(kinds)}"
        raise StatusUnreadableError(msg)
    if not isinstance(name, str) or not is_name(name):
        msg = "metadata.name: not a valid name"
        raise StatusUnreadableError(msg)
    return kind, name, tree


def _frame(text: str) -> Mapping[str, Any]:
    """Return the mapping that is the only document of a file. Raises `StatusUnreadableError` if it is not that."""
    try:
        documents = parse(text)
    except YamlUnreadableError as error:
        raise StatusUnreadableError(str(error)) from None
    if len(documents) != 1 or documents[0].problems or not isinstance(documents[0].value, dict):
        msg = "not exactly one document that is a mapping"
        raise StatusUnreadableError(msg)
    return documents[0].value


def _job_in(tree: object) -> tuple[str, str] | None:
    """Return the account and id of the job in a status of a later version, or None if they are at other keys.

    `tree` is the value at the key `status`.
    """
    match tree:
        case {"job": {"account": str(account), "id": str(job_id)}}:
            return account, job_id
    return None


_Reader = Callable[[Any], Any]


def _reader_of(field: Field, kind: Any) -> _Reader:
    """Return a function that parses the value of a field. `kind` is the type of the attribute in the model.

    The function raises `StatusUnreadableError` if the value is invalid.
    """
    wanted = next((each for each in get_args(kind) if each not in {Ellipsis, types.NoneType}), kind)
    read = _reader(field.record) if field.record else partial(_read_text, _PARSERS.get(wanted, wanted))
    if field.is_list:
        return partial(_read_items, read)
    return read if wanted is kind else lambda value: None if value is None else read(value)


def _reader(record: Record) -> Callable[..., Any]:
    """Return a function that parses a record. Raises `LookupError` if the format lacks a field for an attribute."""
    kinds = record.types
    members = tuple(
        _Member(each.name, field.key, _reader_of(field, kinds[each.name]), each.default is MISSING)
        for each in fields(record.model)
        if each.name not in record.elsewhere
        for field in [record.field(each.name)]
    )
    return partial(_read_fields, record.model, members)


def _read_items(read: _Reader, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        msg = "not a list"
        raise StatusUnreadableError(msg)
    return tuple(map(read, value))


def _read_fields(model: Callable[..., Any], members: tuple[_Member, ...], value: Any, /, **above: Any) -> Any:
    if not isinstance(value, dict):
        msg = "not a mapping"
        raise StatusUnreadableError(msg)
    found = above
    for each in members:
        if each.key in value:
            try:
                found[each.name] = each.read(value[each.key])
            except StatusUnreadableError as error:
                msg = f"{each.key}: {error}"
                raise type(error)(msg) from None
        elif each.is_required:
            msg = f"{each.key} is missing"
            raise StatusUnreadableError(msg)
    return model(**found)


def _read_text(parse_text: Callable[[str], Any], value: Any) -> Any:
    if not isinstance(value, str):
        msg = "not a plain value"
        raise StatusUnreadableError(msg)
    try:
        return parse_text(value)
    except (KeyError, ValueError):
        is_new_word = isinstance(parse_text, EnumType) and _WORD.fullmatch(value)
        msg = f"{value} is not a known word" if is_new_word else "not a valid value"
        raise (_UnknownWordError if is_new_word else StatusUnreadableError)(msg) from None


@dataclass(frozen=True, slots=True)
class _Member:
    """An attribute of a dataclass, with its key in the file and the function that parses its value."""

    name: str
    key: str
    read: _Reader
    is_required: bool


def _integer(value: str) -> int:
    if _INTEGER.fullmatch(value) is None:
        raise ValueError(value)
    return int(value)


_PARSERS: Mapping[Any, Callable[[str], Any]] = {
    bool: {"true": True, "false": False}.__getitem__,
    int: _integer,
    datetime: parse_instant,
}
"""The parser for each type. For an enum or a text, the type itself is the parser."""


@cache
def _job_reader(kind: str) -> Callable[..., Any]:
    return _reader(JOB_STATUSES[kind])


@cache
def _provider_reader() -> Callable[..., Any]:
    return _reader(PROVIDER_STATUS)
