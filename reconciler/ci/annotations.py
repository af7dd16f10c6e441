"""The annotations of a report on files of the repository: for each problem, stalled job and pending change.

This module creates the annotations and computes their paths. Each CI host shows them in its own format.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from posixpath import join, normpath
from typing import Self

from reconciler.model.diagnostic import Severity
from reconciler.model.report import Report, Row
from reconciler.views.plan_text import TARGETS
from reconciler.views.problems import Problem, problems, unjudged_limits, unobserved_accounts
from reconciler.views.row_state import JobState, cause_text, is_pending, row_state


class Level(StrEnum):
    """The severity of an annotation. The most severe level is first."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One annotation, with the file and line that it refers to. None means no file, or no line."""

    level: Level
    title: str
    message: str
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """The directories from which the paths in annotations are computed."""

    here: str
    """The working directory, relative to the top of the repository."""
    specs: str
    """The specs directory, relative to the working directory."""

    @classmethod
    def below(cls, top: Path | None, specs: Path) -> Self:
        """Return the places for a repository at `top`. Outside of it, or if it is None, paths are those shown."""
        here = Path.cwd()
        seen_from_top = here.relative_to(top) if top and here.is_relative_to(top) else Path()
        return cls(seen_from_top.as_posix(), str(specs))

    def file(self, shown: str) -> str:
        """Return the path for an annotation from a path relative to the working directory."""
        return normpath(join(self.here, shown))

    def spec(self, source: str) -> str:
        """Return the path for an annotation from a path relative to the specs directory."""
        return self.file(join(self.specs, source))


def annotations_of(report: Report, places: Places) -> list[Annotation]:
    """Return the annotations of a report, the most severe first."""
    # The report ends with the problem that stopped the run, because a terminal shows the end of the output. A host may
    # show only the first annotations, so the order is reversed here.
    found = [
        _of_problem(each, places)
        for each in reversed((*unjudged_limits(report), *unobserved_accounts(report), *problems(report)))
    ]
    found += [of_row for row in report.rows if (of_row := _of_row(row, places)) is not None]
    return [each for level in Level for each in found if each.level is level]


def _of_problem(problem: Problem, places: Places) -> Annotation:
    is_placed = problem.file is not None
    hint = "" if problem.hint is None or is_placed else f" {problem.hint}"
    return Annotation(
        level=Level.ERROR if problem.severity is Severity.ERROR else Level.WARNING,
        title=problem.code,
        message=f"{problem.summary}{hint}",
        file=places.file(problem.file) if problem.file is not None else None,
        line=(problem.line or 1) if is_placed else None,
    )


def _of_row(row: Row, places: Places) -> Annotation | None:
    look, file, line = row_state(row), places.spec(row.source), row.line or 1
    if look.job_state is JobState.STALLED:
        return Annotation(
            level=Level.ERROR, title=look.reason, message=f"{row.name}: {look.message}", file=file, line=line
        )
    if row.action is not None and is_pending(row):
        because = cause_text(row.action.because, row.action.reason)
        change = f"{row.name}: {row.status.phase} -> {TARGETS[row.action.verb]}, because {because}"
        return Annotation(level=Level.NOTICE, title=f"Would {row.action.verb}", message=change, file=file, line=line)
    return None
