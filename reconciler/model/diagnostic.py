"""Errors and warnings about documents, as data. A run may report many, each with its file and line."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import StrEnum


class Severity(StrEnum):
    """Whether a diagnostic makes its document invalid."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Diagnostic:
    """One finding.

    `file` is a path for display: as the user would type it, or relative to the repository if it is about the checkout.
    Lines are numbered from 1, and `field` is a dotted path such as `spec.desiredState`. `line` is None if it is not
    known, `field` if the finding is not about one field, and `suggestion` if there is none.
    """

    file: str
    line: int | None = None
    field: str | None = None
    message: str
    suggestion: str | None = None
    severity: Severity = Severity.ERROR
    column: int | None = dataclass_field(default=None, compare=False)
    """The character of the line at which the text cannot be parsed, from 1, or None if it can be, or is unknown."""

    def __str__(self) -> str:
        """Return a text such as `specs/a.yaml:7: spec.desiredState: message; suggestion`, without the missing parts."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        text = self.message if self.suggestion is None else f"{self.message}; {self.suggestion}"
        return ": ".join(part for part in (place, self.field, text) if part)
