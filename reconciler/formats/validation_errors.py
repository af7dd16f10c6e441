"""Translate pydantic's errors into messages for the author of a document.

Rules: pydantic's own messages are not shown to users. A rejected value is shown at most 80 characters long and with
control characters escaped. A value in a place for a secret (`secret_place`) is never shown.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from reconciler.model.document import PlacedError
from reconciler.model.operator import SECRET_FIELDS
from reconciler.model.scalar import quoted

ERRORS_MAX = 50
LISTED_MAX = 5_000
"""If a document has more errors than this, only their number is reported.

Formatting all of them would take far more memory than the document itself.
"""
CREDENTIALS = ("spec", "credentials")
_NOTIFY = ("spec", "notify")
_CREDENTIAL_MESSAGE = "must be {env: VARIABLE} or {file: PATH}: never write the secret itself"
_KEY_MARK = "[key]"  # how pydantic marks that an error is in the key of a mapping

MESSAGES = {
    "missing": "this field is required",
    # Mappings and lists
    **dict.fromkeys(("model_type", "model_attributes_type", "dataclass_type", "named_tuple_type"), "must be a mapping"),
    **dict.fromkeys(("dict_type", "mapping_type", "frozen_dict_type", "ordered_dict_type"), "must be a mapping"),
    "counter_type": "must be a mapping",
    "unexpected_keyword_argument": "unknown key",
    **dict.fromkeys(
        ("missing_argument", "missing_keyword_only_argument", "missing_positional_only_argument"),
        "this field is required",
    ),
    "invalid_key": "must have only text as keys",
    **dict.fromkeys(
        ("tuple_type", "list_type", "set_type", "frozen_set_type", "deque_type", "iterable_type"), "must be a list"
    ),
    "set_item_not_hashable": "must be plain text or a number",
    "too_long": "must have at most {max_length} item{s}",
    "too_short": "must have at least {min_length} item{s}",
    "union_tag_not_found": "must be a mapping with the key {discriminator}",
    "union_tag_invalid": "must have the key {discriminator} with one of {expected_tags}",
    # Text
    **dict.fromkeys(("string_type", "string_unicode", "bytes_type", "bytes_invalid_encoding"), "must be text"),
    "string_not_ascii": "must have only ASCII characters",
    "string_too_short": "must have at least {min_length} character{s}",
    "string_too_long": "must have at most {max_length} character{s}",
    "bytes_too_short": "must have at least {min_length} byte{s}",
    "bytes_too_long": "must have at most {max_length} byte{s}",
    "string_pattern_mismatch": "must match the regular expression {pattern}",
    "none_required": "must be empty",
    "json_type": "must be text in JSON",
    "json_invalid": "must be text in JSON",
    # Numbers
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    "int_parsing_size": "must be a whole number with fewer digits",
    **dict.fromkeys(("float_type", "float_parsing", "decimal_type", "decimal_parsing"), "must be a number"),
    "finite_number": "must be a finite number",
    "decimal_max_digits": "must be a number with at most {max_digits} digit{s}",
    "decimal_max_places": "must be a number with at most {decimal_places} decimal place{s}",
    "decimal_whole_digits": "must be a number with at most {whole_digits} digit{s} before the decimal point",
    **dict.fromkeys(("fraction_type", "fraction_parsing"), "must be a fraction such as 1/2"),
    **dict.fromkeys(("complex_type", "complex_str_parsing"), "must be a complex number such as 1+2j"),
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    # Times
    "time_delta_type": "must be a duration such as 90s or 6h",
    "time_delta_parsing": "must be a duration such as PT90S",
    **dict.fromkeys(
        ("datetime_type", "datetime_parsing", "datetime_object_invalid", "datetime_from_date_parsing"),
        "must be a time such as 2026-12-01T00:00:00Z",
    ),
    "datetime_past": "must be a time in the past",
    "datetime_future": "must be a time in the future",
    "timezone_naive": "must be a time without a zone",
    "timezone_aware": "must be a time with a zone, such as 2026-12-01T00:00:00Z",
    "timezone_offset": "must be a time with another UTC offset",
    **dict.fromkeys(
        ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"),
        "must be a date such as 2026-12-01",
    ),
    "date_past": "must be a date in the past",
    "date_future": "must be a date in the future",
    **dict.fromkeys(("time_type", "time_parsing"), "must be a time of day such as 08:00:00"),
    # Identifiers
    **dict.fromkeys(("url_type", "url_parsing", "url_syntax_violation"), "must be a URL such as https://host/path"),
    "url_too_long": "must have at most {max_length} character{s}",
    "url_scheme": "must be a URL with the scheme {expected_schemes}",
    **dict.fromkeys(("uuid_type", "uuid_parsing"), "must be a UUID"),
    "uuid_version": "must be a UUID of version {expected_version}",
}
"""Messages by pydantic's error type. Most of them are followed by the rejected value.

The options of a third-party provider type may have any type that pydantic supports. `_field_error` handles some errors
itself, and gives a general message for an error type that is not in the table. `{s}` is the plural ending after a
number.
"""


_WITHOUT_VALUE = frozenset(
    {"too_long", "too_short", "union_tag_not_found", "union_tag_invalid", "unexpected_keyword_argument"}
    | {"missing_argument", "missing_keyword_only_argument", "missing_positional_only_argument"}
)
"""Errors about the items or keys of a value. Their messages are not followed by the value, because it does not help."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One error in a document."""

    path: tuple[str | int, ...]
    """The keys and list indexes that lead to the value in the document."""
    message: str
    suggestion: str | None = None
    """What the author may have meant, or None."""
    is_absence: bool = False
    """Whether a required field is missing."""


def secret_place(path: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
    """Return the path of the credential, or of the secret of a sink, at or above a path, or None if there is none."""
    if path[:2] == CREDENTIALS:
        return CREDENTIALS
    return path[:4] if path[:2] == _NOTIFY and path[3:4] and path[3] in SECRET_FIELDS else None


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that is most similar to a word, ignoring case, or None if none is similar."""
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(word[:80].lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def one_of(words: Collection[str]) -> str:
    """Return `one of a, b, c`, or the word itself if there is only one."""
    return f"{'one of ' if len(words) > 1 else ''}{', '.join(words)}"


def not_one_of(text: str, words: Collection[str]) -> str:
    """Return the message for a text that is not one of the allowed words."""
    return (
        f"{quoted(text)} is not {one_of(words)}"
        if len(words) > 1
        else f"must be {one_of(words)}, but is {quoted(text)}"
    )


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """Return the suggestion 'did you mean …?' for a diagnostic, or None if no candidate is similar."""
    meant = closest(word, candidates)
    return None if meant is None else f"did you mean {meant!r}?"


def field_errors(error: ValidationError, model: type[BaseModel]) -> Iterator[FieldError]:
    """Yield each distinct error, at most `ERRORS_MAX` in total. `model` is the model that rejected the value.

    If there are more than `LISTED_MAX` errors, yield one error with their number instead.
    """
    if error.error_count() > LISTED_MAX:
        yield FieldError((), f"the document has {error.error_count():,} errors: check whether this file is a spec")
        return
    found = (_field_error(details, model) for details in error.errors(include_url=False))
    yield from list(dict.fromkeys(found))[:ERRORS_MAX]


def _field_error(details: ErrorDetails, model: type[BaseModel]) -> FieldError:
    path, keys = _place(details["loc"], model)
    if (secret := secret_place(path)) is not None:
        return FieldError(secret, _CREDENTIAL_MESSAGE)
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "extra_forbidden":
        valid = f"valid here: {', '.join(keys)}" if keys else "no key is valid here"
        return FieldError(path, f"unknown key; {valid}", did_you_mean(str(path[-1]), keys))
    if kind in {"enum", "literal_error"}:
        return _wrong_word(path, value, re.findall(r"'([^']*)'", str(context["expected"])))
    if kind in {"value_error", "assertion_error"}:
        return _raised(path, context["error"])
    if kind == "missing":
        return FieldError(path, MESSAGES[kind], is_absence=True)
    if kind not in MESSAGES:
        return FieldError(path, f"{_described(value)} is not valid: `reconcile explain` shows what this field accepts")
    plural = "" if any(isinstance(each, int) and each == 1 for each in context.values()) else "s"
    message = MESSAGES[kind].format_map({**context, "s": plural})
    return FieldError(path, message if kind in _WITHOUT_VALUE else f"{message}, but is {_described(value)}")


def _raised(path: tuple[str | int, ...], error: Exception) -> FieldError:
    """Return the error that a validator of the model raised."""
    return FieldError((*path, *error.path) if isinstance(error, PlacedError) else path, str(error))


def _wrong_word(path: tuple[str | int, ...], value: object, words: list[str]) -> FieldError:
    if isinstance(value, str):
        return FieldError(path, not_one_of(value, words), did_you_mean(value, words))
    return FieldError(path, f"must be {one_of(words)}, but is {_described(value)}")


def _described(value: object) -> str:
    match value:
        case None | "":
            return "empty"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return quoted(str(value))


def _place(location: Iterable[str | int], model: type[BaseModel]) -> tuple[tuple[str | int, ...], list[str]]:
    """Return the path of an error in the document, and the valid keys of the mapping that contains its last key.

    If a field accepts several types, pydantic's location also contains a name for the type that it tried. That name is
    not in the document, so it is left out of the path.
    """
    path: list[str | int] = []
    keys: list[str] = []
    current: Any = model
    for step in location:
        if step == _KEY_MARK:
            continue
        types = list(_alternatives(current))
        if len(types) > 1:
            current = next((each for each in types if step in _names(each)), None)
            continue
        path.append(step)
        type_ = types[0] if types else None
        fields = _fields(type_)
        keys = [each.alias or name for name, each in fields.items()] if fields else keys
        current = _type_at(step, fields) if fields else _inner(type_)
    return tuple(path), keys


def _type_at(key: str | int, fields: Mapping[str, FieldInfo]) -> Any:
    """Return the type of the field with this key, or None if there is no such field."""
    return next((each.annotation for name, each in fields.items() if key in {name, each.alias}), None)


def _alternatives(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation accepts, without None."""
    if get_origin(annotation) is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, UnionType}:
        for each in get_args(annotation):
            yield from _alternatives(each)
    elif annotation not in {None, NoneType}:
        yield annotation


def _names(type_: Any) -> set[object]:
    """Return the words by which pydantic names a model among several: its class, and the fixed values of its fields."""
    literals = (each.annotation for each in _fields(type_).values() if get_origin(each.annotation) is Literal)
    return {getattr(type_, "__name__", None), *(word for each in literals for word in get_args(each))}


def _fields(type_: Any) -> Mapping[str, FieldInfo]:
    return type_.model_fields if isinstance(type_, type) and issubclass(type_, BaseModel) else {}


def _inner(type_: Any) -> Any:
    """Return the type of the items of a list or of the values of a mapping, or None if it is unknown."""
    inner = [each for each in get_args(type_) if each is not Ellipsis]
    return inner[-1] if inner else None
