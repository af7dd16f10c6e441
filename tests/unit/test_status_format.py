from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import get_args, get_type_hints

import pytest

from reconciler.formats.status_format import JOB_STATUSES, RECORDS, Field, Form, Record
from reconciler.formats.status_parser import parse_status
from reconciler.formats.status_writer import render_status
from reconciler.model.status import JobStatus
from tests.unit.test_status_writer import the_golden_batch_status, the_golden_status

BY_RECORD = pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.model.__name__)


@BY_RECORD
def test_a_record_names_each_attribute_of_its_model_once(record: Record) -> None:
    written = [each.name for each in record.fields if each.constant is None]

    assert sorted((*written, *record.elsewhere)) == sorted(each.name for each in fields(record.model))


@BY_RECORD
def test_a_model_can_be_created_by_setting_its_slots(record: Record) -> None:
    assert not hasattr(record.model, "__post_init__"), "`status_rows` does not call it"


@BY_RECORD
def test_nested_records_and_lists_match_the_types_of_the_model(record: Record) -> None:
    hints = get_type_hints(record.model)
    for each in record.fields:
        if each.constant is None:
            kinds = {hints[each.name], *get_args(hints[each.name])}
            models = {found.model for found in RECORDS} & kinds
            assert models == ({each.record.model} if each.record else set())
            assert each.is_list == (Ellipsis in kinds)
            assert (each.form in {Form.MAPPING, Form.FLOW}) == (each.record is not None)


@BY_RECORD
def test_each_field_that_may_be_omitted_has_a_default(record: Record) -> None:
    assert all(record.default(each.name) in (None, (), 0) for each in record.fields if each.is_left_out)


@pytest.mark.parametrize("status", [the_golden_status(), the_golden_batch_status()], ids=lambda each: each.kind.name)
def test_a_complete_status_contains_every_key_of_the_format_for_its_kind(status: JobStatus) -> None:
    text = render_status(status)
    wanted = {each.key for each in _fields(JOB_STATUSES[status.kind.name]) if not each.is_left_out}

    assert {key for key in wanted if f"{key}:" not in text} == set()
    assert render_status(parse_status(text)) == text


def _fields(record: Record) -> Iterator[Field]:
    for each in record.fields:
        yield each
        yield from _fields(each.record) if each.record is not None and not each.is_left_out else ()


def test_the_error_for_an_attribute_without_a_field_names_it() -> None:
    @dataclass(frozen=True)
    class Growing:
        new: str

    with pytest.raises(LookupError, match=r"no field for .*Growing.new"):
        Record(Growing, ()).field("new")
