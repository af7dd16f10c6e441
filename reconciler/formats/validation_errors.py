"""What pydantic finds wrong with a value, in words for the person who wrote it.

Rules: no word of pydantic's reaches a user; a value is shown cut and without control characters; what
stands where a credential does is not shown at all.
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

FLAWS_MAX = 50
COUNTED_MAX = 5_000
"""Of more than that, none is told by itself: to make the words of all takes far more room than the document."""
CREDENTIALS = ("spec", "credentials")
_WHERE_IT_IS = "must be {env: VARIABLE} or {file: PATH}: where the secret is, never the secret itself"
_KEY_MARK = "[key]"  # how pydantic says that it means a mapping's key, and not the value under it

WORDS = {
    "missing": "is required",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length}",
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
}
"""Words by pydantic's error type. Those that name a type of value are followed by what stands there instead."""


_COUNTED = frozenset({"too_long", "too_short"})
"""What is wrong with the number of items: to name the value, a list, would say nothing."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong, and the path to it inside its document."""

    path: tuple[str | int, ...]
    message: str
    suggestion: str | None = None
    is_absence: bool = False
    """Something that is required is not there."""


def near(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that was probably meant, if one is like the word; case does not count."""
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(word[:80].lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """Return the question that a diagnostic ends with, if there is something to ask."""
    meant = near(word, candidates)
    return None if meant is None else f"did you mean {meant!r}?"


def flaws(error: ValidationError, model: type[BaseModel]) -> Iterator[FieldError]:
    """Yield what is wrong, each thing once, at most 50 of them. `model` is what the value was to be."""
    if error.error_count() > COUNTED_MAX:
        yield FieldError((), f"{error.error_count():,} things are wrong with it: is this a spec?")
        return
    found = (_flaw(details, model) for details in error.errors(include_url=False))
    yield from list(dict.fromkeys(found))[:FLAWS_MAX]


def _flaw(details: ErrorDetails, model: type[BaseModel]) -> FieldError:
    path = tuple(step for step in details["loc"] if step != _KEY_MARK)
    if path[:2] == CREDENTIALS:
        return FieldError(CREDENTIALS, _WHERE_IT_IS)
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "extra_forbidden":
        valid = _keys(model, path[:-1])
        return FieldError(path, f"unknown key; valid here: {', '.join(valid)}", did_you_mean(str(path[-1]), valid))
    if kind in {"enum", "literal_error"}:
        return _wrong_word(path, value, re.findall(r"'([^']*)'", str(context["expected"])))
    if kind == "value_error":
        return FieldError(path, str(context["error"]))
    if kind == "missing":
        return FieldError(path, WORDS[kind], is_absence=True)
    told = WORDS.get(kind, "is not valid").format_map(context)
    return FieldError(path, told if kind in _COUNTED else f"{told}, but is {_what(value)}")


def _wrong_word(path: tuple[str | int, ...], value: object, words: list[str]) -> FieldError:
    if isinstance(value, str):
        return FieldError(path, f"{quoted(value)} is not one of {', '.join(words)}", did_you_mean(value, words))
    return FieldError(path, f"must be one of {', '.join(words)}, but is {_what(value)}")


def _what(value: object) -> str:
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
    """Return the keys that may stand in the mapping at that path; a list's index does not change what they are."""
    for step in path:
        field = next((each for name, each in model.model_fields.items() if step in {name, each.alias}), None)
        if field is not None:
            model = _model_in(field.annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
