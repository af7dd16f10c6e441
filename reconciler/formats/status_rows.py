"""The status of a job as one line of JSON, for the index of the statuses. Pure.

Rules: unpacking a row gives the same status as parsing its file. The caller makes a row only for a file whose bytes are
exactly those that rendering the status gives, so the row represents the bytes too.

Implementation: `_packer` and `_unpacker` build functions for each record of `status_format` when the first status is
packed or unpacked. A record is packed as a list of the values of its fields, in the order of the format.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from functools import cache, lru_cache, partial
from operator import attrgetter
from sys import intern
from typing import Any, get_args

from reconciler.formats.status_format import JOB_STATUSES, Field, Form, Record
from reconciler.formats.status_writer import CACHED_TEXTS_MAX, clean_text, encodable
from reconciler.model.kind import KINDS
from reconciler.model.scalar import render_instant
from reconciler.model.status import JobStatus

_Convert = Callable[[Any], Any] | None
"""A function that converts a value, or None if JSON can represent the value itself."""

_json = json.JSONEncoder(separators=(",", ":")).encode
_parse_json = json.JSONDecoder().raw_decode
"""Like `json.loads`, which also looks for space around the value and needs a third more time."""


def pack_status(status: JobStatus) -> str:
    """Return the row of a status, with texts from providers cleaned in the same way as in the file."""
    return _json([status.kind.name, encodable(status.name), _job_packer(status.kind.name)(status)])


def unpack_status(row: str) -> JobStatus:
    """Return the status that a row contains. `row` must be a result of `pack_status`."""
    (kind, name, values), _ = _parse_json(row)
    status: JobStatus = _job_unpacker(kind)(values, name, KINDS[kind])
    return status


def _value_type(kind: Any) -> Any:
    """Return the type of a field's value, or of each of its items."""
    return next((each for each in get_args(kind) if each not in {Ellipsis, types.NoneType}), kind)


def _packer(record: Record) -> Callable[[Any], Any]:
    kinds = record.types
    converts = tuple(_pack_field(each, _value_type(kinds[each.name])) for each in record.fields)
    values_of = attrgetter(*(each.name for each in record.fields))
    return partial(_packed, values_of, converts)


def _pack_field(field: Field, wanted: Any) -> _Convert:
    convert: _Convert = None
    if field.record is not None:
        convert = _packer(field.record)
    elif wanted is datetime:
        convert = render_instant
    elif field.form is Form.FOREIGN:
        convert = _clean
    elif field.form is Form.TEXT:
        convert = encodable
    return partial(_each, list, convert) if field.is_list else convert


def _unpacker(record: Record) -> Callable[..., Any]:
    kinds = record.types
    converts = ((at, _unpack_field(each, _value_type(kinds[each.name]))) for at, each in enumerate(record.fields))
    needed = tuple((at, convert) for at, convert in converts if convert is not None)
    defaults = tuple(map(record.default, record.elsewhere))
    unpack = partial(_unpacked, record.model, _setters(record), needed, defaults)
    is_flat = not any(each.record or each.is_list for each in record.fields)
    return _shared(unpack) if is_flat else unpack


def _shared(unpack: Callable[..., Any]) -> Callable[[list[Any]], Any]:
    """Return a function that unpacks a record without records in it. Thousands of statuses share such a record."""
    known = lru_cache(CACHED_TEXTS_MAX)(lambda *values: unpack([*values]))
    return lambda values: known(*values)


def _setters(record: Record) -> tuple[Callable[[Any, Any], None], ...]:
    """Return the functions that set the attributes of the fields, and then those of the attributes elsewhere."""
    names = [*(each.name for each in record.fields), *record.elsewhere]
    return tuple(getattr(record.model, each).__set__ for each in names)


def _unpack_field(field: Field, wanted: Any) -> _Convert:
    convert: _Convert = None
    if field.record is not None:
        convert = _unpacker(field.record)
    elif wanted is datetime:
        convert = _instant
    elif issubclass(wanted, Enum):
        convert = {each.value: each for each in wanted}.__getitem__
    elif field.form is Form.FOREIGN or field.name == "account":
        convert = intern  # thousands of statuses have the same account, model and messages
    return partial(_each, tuple, convert) if field.is_list else convert


def _packed(values_of: Callable[[Any], Any], converts: tuple[_Convert, ...], record: Any) -> list[Any]:
    values = values_of(record)
    return [
        each if each is None or convert is None else convert(each)
        for convert, each in zip(converts, values, strict=True)
    ]


def _unpacked(
    model: type[Any],
    setters: tuple[Callable[[Any, Any], None], ...],
    converts: tuple[tuple[int, Callable[[Any], Any]], ...],
    defaults: tuple[Any, ...],
    values: list[Any],
    *above: Any,
) -> Any:
    """Return a record with these values, which are converted in place. `converts` has the positions to convert.

    `above` are the values of the attributes that are elsewhere in a file. If there are none, they have `defaults`.
    """
    for at, convert in converts:
        if values[at] is not None:
            values[at] = convert(values[at])
    # The attributes are set one by one, because `__init__` with keyword arguments takes three times as long for a
    # record of 14 attributes. It took a third of the time in which a quiet pass loads the statuses.
    record = object.__new__(model)
    for set_value, value in zip(setters, (*values, *(above or defaults)), strict=True):
        set_value(record, value)
    return record


def _each(container: Callable[[Any], Any], convert: _Convert, values: Any) -> Any:
    return container(values if convert is None else map(convert, values))


@lru_cache(CACHED_TEXTS_MAX)
def _clean(text: str) -> str:
    return encodable(clean_text(text))


@lru_cache(CACHED_TEXTS_MAX)
def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@cache
def _job_packer(kind: str) -> Callable[[Any], Any]:
    return _packer(JOB_STATUSES[kind])


@cache
def _job_unpacker(kind: str) -> Callable[..., Any]:
    return _unpacker(JOB_STATUSES[kind])
