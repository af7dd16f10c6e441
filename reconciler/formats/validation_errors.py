"""Translate pydantic's errors into messages for the author of a document.

Rules: pydantic's own messages are not shown to users. Values are shown shortened and without control characters. A
value in a place for a credential is never shown.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from reconciler.model.scalar import quoted

ERRORS_MAX = 50
LISTED_MAX = 5_000
"""If a document has more errors than this, only their number is reported.

Formatting all of them would take far more memory than the document itself.
"""
CREDENTIALS = ("spec", "credentials")
_CREDENTIAL_MESSAGE = "must be {env: VARIABLE} or {file: PATH}: where the secret is, never the secret itself"
_KEY_MARK = "[key]"  # pydantic's mark for the key of a mapping, not its value

MESSAGES = {
    "missing": "is required",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} item(s)",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must look like {pattern}",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "time_delta_type": "must be a duration such as 90s or 6h",
    "datetime_type": "must be a time such as 2026-12-01T00:00:00Z",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "model_attributes_type": "must be a mapping",
    "union_tag_not_found": "must be a mapping with the key {discriminator}",
    "union_tag_invalid": "must have the key {discriminator} with one of {expected_tags}",
}
"""Messages by pydantic's error type. Most of them are followed by the rejected value."""


_WITHOUT_VALUE = frozenset({"too_long", "too_short", "union_tag_not_found", "union_tag_invalid"})
"""Error types about the items or keys of a value. Their messages are not followed by the value, which is no help."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One error, with its path inside the document."""

    path: tuple[str | int, ...]
    message: str
    suggestion: str | None = None
    is_absence: bool = False
    """Whether a required field is missing."""


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that is most similar to a word, ignoring case, or None if none is similar."""
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(word[:80].lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """Return the suggestion 'did you mean …?' for a diagnostic, or None if no candidate is similar."""
    meant = closest(word, candidates)
    return None if meant is None else f"did you mean {meant!r}?"


def field_errors(error: ValidationError, model: type[BaseModel]) -> Iterator[FieldError]:
    """Yield each distinct error, at most `ERRORS_MAX` in total. `model` is the model that rejected the value.

    If there are more than `LISTED_MAX` errors, yield one error with their number instead.
    """
    if error.error_count() > LISTED_MAX:
        yield FieldError((), f"has {error.error_count():,} errors: is this a spec?")
        return
    found = (_field_error(details, model) for details in error.errors(include_url=False))
    yield from list(dict.fromkeys(found))[:ERRORS_MAX]


def _field_error(details: ErrorDetails, model: type[BaseModel]) -> FieldError:
    path = tuple(step for step in details["loc"] if step != _KEY_MARK)
    if path[:2] == CREDENTIALS:
        return FieldError(CREDENTIALS, _CREDENTIAL_MESSAGE)
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "extra_forbidden":
        valid = _keys(model, path[:-1])
        return FieldError(path, f"unknown key; valid here: {', '.join(valid)}", did_you_mean(str(path[-1]), valid))
    if kind in {"enum", "literal_error"}:
        return _wrong_word(path, value, re.findall(r"'([^']*)'", str(context["expected"])))
    if kind == "value_error":
        return FieldError(path, str(context["error"]))
    if kind == "missing":
        return FieldError(path, MESSAGES[kind], is_absence=True)
    message = MESSAGES.get(kind, "is not valid").format_map(context)
    return FieldError(path, message if kind in _WITHOUT_VALUE else f"{message}, but is {_described(value)}")


def _wrong_word(path: tuple[str | int, ...], value: object, words: list[str]) -> FieldError:
    if isinstance(value, str):
        return FieldError(path, f"{quoted(value)} is not one of {', '.join(words)}", did_you_mean(value, words))
    return FieldError(path, f"must be one of {', '.join(words)}, but is {_described(value)}")


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


def _keys(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """Return the valid keys of the mapping at a path. List indexes in the path are skipped."""
    for step in path:
        field = next((each for name, each in model.model_fields.items() if step in {name, each.alias}), None)
        if field is not None:
            model = _model_in(field.annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
