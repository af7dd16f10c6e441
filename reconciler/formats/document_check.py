"""Check one document of a YAML text against the model of its kind. Each error has the line that it refers to."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from reconciler.formats.validation_errors import (
    FieldError,
    did_you_mean,
    field_errors,
    not_one_of,
    one_of,
    secret_place,
)
from reconciler.formats.yaml_documents import RawDocument
from reconciler.formats.yaml_positions import Path
from reconciler.formats.yaml_text import MERGE
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.scalar import quoted
from reconciler.model.spec import API_VERSION

_OUR_VERSION = re.compile(r"jobs\.reconciler/v([0-9]{1,9})")
_PLAIN_KEY = re.compile(r"[\w./-]{1,80}")


def valid_document(raw: RawDocument, kinds: Mapping[str, type[BaseModel]]) -> BaseModel | None:
    """Return the document if it is valid, or None if `DocumentCheck` has to find out what is wrong with it.

    `kinds` is the model of each allowed kind, by the name of the kind.
    """
    value = raw.value
    if raw.problems or not isinstance(value, dict) or value.get("apiVersion") != API_VERSION:
        return None
    kind = value.get("kind")
    model = kinds.get(kind) if isinstance(kind, str) else None
    if model is None:
        return None
    try:
        return model.model_validate(value, by_alias=True, by_name=False)
    except ValidationError:
        return None


@dataclass(frozen=True, slots=True)
class DocumentCheck:
    """The check of one document, as several steps that each return diagnostics.

    Args:
        raw: the document.
        shown: the path of its file, as the user would type it.
        kinds: the model of each allowed kind, by the name of the kind.
    """

    raw: RawDocument
    shown: str
    kinds: Mapping[str, type[BaseModel]]

    def problems(self) -> list[Diagnostic]:
        """Return the errors that the YAML parser found, and an error if the document is not a mapping."""
        found = [self.diagnostic(each.path, each.message, line=each.line) for each in self.raw.problems]
        if not isinstance(self.raw.value, dict):
            found.append(self.diagnostic((), "a document must be a mapping with apiVersion, kind, metadata and spec"))
        return found

    def check_header(self, value: Mapping[str, Any]) -> list[Diagnostic]:
        """Return the errors in `apiVersion` and `kind`, which `validated` does not check."""
        found = []
        version, kind = value.get("apiVersion"), value.get("kind")
        if is_too_new(value):
            message = (
                f"{quoted(str(version))} is newer than this reconcile, which reads {API_VERSION}: update reconcile"
            )
            found.append(self.diagnostic(("apiVersion",), message))
        elif version != API_VERSION:
            found.append(self._wrong_word("apiVersion", version, (API_VERSION,)))
        if not isinstance(kind, str) or kind not in self.kinds:
            found.append(self._wrong_word("kind", kind, self.kinds))
        return found

    def validated(self, kind: str, value: Mapping[str, Any]) -> tuple[BaseModel | None, list[Diagnostic]]:
        """Validate a mapping against the model of a kind, whatever its `apiVersion` and `kind` are.

        Return the document and an empty list, or None and the errors.
        """
        model = self.kinds[kind]
        try:
            completed = {**value, "apiVersion": API_VERSION, "kind": kind}
            return model.model_validate(completed, by_alias=True, by_name=False), []
        except ValidationError as error:
            errors = self._without_merged(field_errors(error, model))
            return None, [self.diagnostic(each.path, each.message, each.suggestion) for each in errors]

    def diagnostic(
        self, path: Path, message: str, suggestion: str | None = None, *, line: int | None = None
    ) -> Diagnostic:
        """Return a diagnostic for the value at a path.

        `suggestion` is what the author could do, or None. If `line` is None, the line is that of the value, or of the
        nearest value around it that is in the text.
        """
        # Name the field that holds the secret: a key below that field may itself be a misplaced secret.
        path = secret_place(path) or path
        around = (path[:length] for length in range(len(path), 0, -1))
        found = next((self.raw.lines[each] for each in around if each in self.raw.lines), self.raw.line)
        return Diagnostic(
            file=self.shown, line=line or found, field=dotted(path), message=message, suggestion=suggestion
        )

    def _without_merged(self, errors: Iterable[FieldError]) -> Iterator[FieldError]:
        """Yield the errors, without those about missing fields in a mapping with a merge key.

        The merge key may set these fields. An error about the merge key itself is among the problems of the document.
        """
        merged = {each.path[:-1] for each in self.raw.problems if each.path[-1:] == (MERGE,)}
        return (each for each in errors if not (each.is_absence and each.path[:-1] in merged))

    def _wrong_word(self, key: str, value: object, words: Collection[str]) -> Diagnostic:
        wanted = one_of(words)
        if isinstance(value, str):
            return self.diagnostic((key,), not_one_of(value, words), did_you_mean(value, words))
        return self.diagnostic(
            (key,), f"this field is required: write {wanted}" if value is None else f"must be {wanted}"
        )


def is_too_new(value: Mapping[str, Any]) -> bool:
    """Return whether a document's `apiVersion` is later than the `apiVersion` that this version of reconcile reads."""
    written = value.get("apiVersion")
    version = None if written == API_VERSION else _OUR_VERSION.match(str(written))
    return version is not None and int(version[1]) > 1


def dotted(path: Path) -> str | None:
    """Return the text of a path in a document, such as `spec.paths[0].host`; None if it is empty."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            key = step if _PLAIN_KEY.fullmatch(step) else quoted(step)
            text += f".{key}" if text else key
    return text or None
