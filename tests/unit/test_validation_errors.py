"""Errors in documents and options are reported in the words of reconcile, at their path in the document."""

from __future__ import annotations

import itertools
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest
from pydantic import (
    UUID4,
    AnyUrl,
    AwareDatetime,
    BaseModel,
    Field,
    FutureDate,
    FutureDatetime,
    HttpUrl,
    Json,
    NaiveDatetime,
    PastDate,
    PastDatetime,
    ValidationError,
    create_model,
)

from reconciler.formats.validation_errors import FieldError, field_errors
from reconciler.plugin import Document
from reconciler.providers import load, provider_names


@dataclass
class _Pair:
    one: int


class _Named(NamedTuple):
    one: int


TYPES: tuple[Any, ...] = (
    *(Annotated[str, Field(min_length=2, max_length=3)], Annotated[str, Field(pattern="^a$")]),
    *(Annotated[bytes, Field(min_length=2, max_length=3)], Json, None, bool, _Pair, _Named),
    *(int, float, Annotated[int, Field(gt=0, lt=9)], Annotated[float, Field(ge=0, le=9, allow_inf_nan=False)]),
    *(Annotated[int, Field(multiple_of=7)], Fraction, complex, Decimal, Annotated[Decimal, Field(max_digits=1)]),
    *(Annotated[Decimal, Field(decimal_places=0)], Annotated[Decimal, Field(max_digits=2, decimal_places=2)]),
    *(date, PastDate, FutureDate, time, timedelta, datetime, NaiveDatetime, AwareDatetime, PastDatetime),
    *(FutureDatetime, AnyUrl, HttpUrl, UUID, UUID4, tuple[int, ...], list[int], set[Any], frozenset[int]),
    *(deque[int], Iterable[int], Mapping[str, int], dict[str, int], Counter[str], OrderedDict[str, int], int | str),
    *(Literal["on"], Annotated[list[str], Field(min_length=1, max_length=1)]),
)
VALUES: tuple[Any, ...] = (
    *(None, "", "x", "ä", "x" * 3000, "https://" + "x" * 3000, "-1", "1.5", "9" * 5000, "nan", "true", "{"),
    *("9999-01-01", "0002-01-01", "9999-01-01T00:00:00Z", "0002-01-01T00:00:00", "2026-01-01T08:00:00", "ftp://x"),
    *("00000000-0000-1000-8000-000000000000", [], ["a", "b"], [[]], {}, {"a": "b"}, {"one": "x"}),
)


def errors(model: type[BaseModel], document: Mapping[str, Any]) -> list[FieldError]:
    try:
        model.model_validate(document)
    except ValidationError as error:
        return list(field_errors(error, model))
    return []


def test_every_error_in_an_option_of_any_type_has_a_message_of_our_own() -> None:
    models = [create_model("Options", __base__=Document, option=(type_, ...)) for type_ in TYPES]
    found = [each for model, value in itertools.product(models, VALUES) for each in errors(model, {"option": value})]
    theirs = [each.message for each in found for word in ("nput ", "hould ", "is not valid") if word in each.message]

    assert len({each.message.partition(",")[0] for each in found}) > 40
    assert theirs == []


@pytest.mark.parametrize("name", provider_names())
def test_no_error_in_the_options_of_a_provider_type_uses_the_wording_of_pydantic(name: str) -> None:
    model = load(name).options
    keys = [field.alias or key for key, field in model.model_fields.items()]
    found = [each for key in (*keys, "surplus") for value in VALUES for each in errors(model, {key: value})]

    assert found
    assert [each.message for each in found if "nput " in each.message or "is not valid" in each.message] == []


@pytest.mark.parametrize(
    ("fault", "path", "said"),
    [
        ({"fault": "status", "status": "500", "on": "lis"}, ("on",), "'lis' is not one of list, create, "),
        ({"fault": "status", "status": "99"}, ("status",), "must be at least 400, but is '99'"),
        ({"fault": "hang", "for": "30s"}, ("for",), "unknown key; valid here: on, job, after, times, fault"),
        ({"fault": "slow"}, ("for",), "this field is required"),
        ({}, (), "must be a mapping with the key 'fault'"),
    ],
)
def test_an_error_in_one_of_several_alternatives_is_at_its_path_in_the_document(
    fault: Mapping[str, str], path: tuple[str, ...], said: str
) -> None:
    found, *_ = errors(load("sandbox").options, {"faults": [fault]})

    assert found.path == ("faults", 0, *path)
    assert found.message.startswith(said)


def test_options_of_a_type_without_options_name_no_valid_key() -> None:
    (found,) = errors(load("mistral").options, {"projekt": "a"})

    assert found.message == "unknown key; no key is valid here"


def test_a_key_of_the_authors_choice_is_part_of_the_path() -> None:
    model = create_model("Options", __base__=Document, limits=(dict[str, tuple[int, ...]], ...))

    assert [each.path for each in errors(model, {"limits": {"a": ["x"]}})] == [("limits", "a", 0)]


def test_the_name_of_the_type_that_was_tried_is_not_part_of_the_path() -> None:
    model = create_model("Options", __base__=Document, size=(int | dict[str, int], ...), pair=(_Pair, ...))

    assert [each.path for each in errors(model, {"size": "x", "pair": {}})] == [("size",), ("size",), ("pair", "one")]
