"""One document of a YAML text, checked against the model of its kind: what is wrong with it, each thing at its line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from reconciler.formats.validation_errors import CREDENTIALS, FieldError, did_you_mean, flaws
from reconciler.formats.yaml_positions import Path
from reconciler.formats.yaml_text import MERGE, RawDocument
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.scalar import quoted
from reconciler.model.spec import API_VERSION

_OUR_VERSION = re.compile(r"jobs\.reconciler/v([0-9]{1,9})")
_PLAIN_KEY = re.compile(r"[\w./-]{1,80}")


@dataclass(frozen=True, slots=True)
class DocumentCheck:
    """One document, and what it may be.

    Args:
        raw: the document.
        shown: its file as the user would type it.
        kinds: the models, by the word for each kind.
    """

    raw: RawDocument
    shown: str
    kinds: Mapping[str, type[BaseModel]]

    def problems(self) -> list[Diagnostic]:
        """Return what is wrong with the YAML, and with a document that is no mapping."""
        said = [self.diagnostic(each.path, each.message, line=each.line) for each in self.raw.problems]
        if not isinstance(self.raw.value, dict):
            said.append(self.diagnostic((), "a document must be a mapping with apiVersion, kind, metadata and spec"))
        return said

    def check_header(self, value: Mapping[str, Any]) -> list[Diagnostic]:
        """Say what is wrong with `apiVersion` and `kind`; what it should say is then taken for granted."""
        said = []
        version, kind = value.get("apiVersion"), value.get("kind")
        if is_too_new(value):
            message = (
                f"{quoted(str(version))} is newer than this reconcile, which reads {API_VERSION}: update reconcile"
            )
            said.append(self.diagnostic(("apiVersion",), message))
        elif version != API_VERSION:
            said.append(self._wrong_word("apiVersion", version, (API_VERSION,)))
        if not isinstance(kind, str) or kind not in self.kinds:
            said.append(self._wrong_word("kind", kind, self.kinds))
        return said

    def validated(self, kind: str, value: Mapping[str, Any]) -> tuple[BaseModel | None, list[Diagnostic]]:
        """Return the document that a mapping is, or what is wrong with it."""
        model = self.kinds[kind]
        try:
            told = {**value, "apiVersion": API_VERSION, "kind": kind}
            return model.model_validate(told, by_alias=True, by_name=False), []
        except ValidationError as error:
            found = self._own(flaws(error, model))
            return None, [self.diagnostic(flaw.path, flaw.message, flaw.suggestion) for flaw in found]

    def diagnostic(
        self, path: Path, message: str, suggestion: str | None = None, *, line: int | None = None
    ) -> Diagnostic:
        """Return a diagnostic at that path's line, or at the line of the nearest thing around it that is there."""
        path = path[:2] if path[:2] == CREDENTIALS else path  # a key below may be a secret in the wrong place
        around = (path[:length] for length in range(len(path), 0, -1))
        found = next((self.raw.lines[each] for each in around if each in self.raw.lines), self.raw.line)
        return Diagnostic(
            file=self.shown, line=line or found, field=_dotted(path), message=message, suggestion=suggestion
        )

    def _own(self, found: Iterable[FieldError]) -> Iterator[FieldError]:
        """Leave out what is missing only because a merge key was to bring it."""
        merged = {each.path[:-1] for each in self.raw.problems if each.path[-1:] == (MERGE,)}
        return (flaw for flaw in found if not (flaw.is_absence and flaw.path[:-1] in merged))

    def _wrong_word(self, key: str, value: object, words: Iterable[str]) -> Diagnostic:
        if isinstance(value, str):
            message = f"{quoted(value)} is not one of {', '.join(words)}"
            return self.diagnostic((key,), message, did_you_mean(value, words))
        return self.diagnostic((key,), f"is required: one of {', '.join(words)}")


def is_too_new(value: Mapping[str, Any]) -> bool:
    """Whether a document is of a later `apiVersion`."""
    version = _OUR_VERSION.match(str(value.get("apiVersion")))
    return version is not None and int(version[1]) > 1


def _dotted(path: Path) -> str | None:
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            key = step if _PLAIN_KEY.fullmatch(step) else quoted(step)
            text += f".{key}" if text else key
    return text or None
