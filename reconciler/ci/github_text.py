"""What a step of GitHub Actions says: annotations, outputs, and text that is no command.

Rules: at most ten annotations of a level, which is all that GitHub shows of a step; the worst come first, and the last
says how many there were. Text from specs and providers can end neither a command nor a value, nor begin one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from posixpath import join, normpath

from reconciler.model.diagnostic import Severity
from reconciler.model.report import Report, Row
from reconciler.views.plan_text import TARGETS
from reconciler.views.problems import Problem, problems, unjudged_limits, unobserved_accounts
from reconciler.views.row_state import JobState, cause_text, is_pending, row_state
from reconciler.views.text import clean

ANNOTATIONS_MAX = 10
"""Of each level, in one step (https://github.com/orgs/community/discussions/26680)."""
SUMMARY_MAX = 1024 * 1024
"""Bytes of a step's summary; GitHub drops a larger one whole."""
OUTPUT_MAX = 512 * 1024
"""Characters of one output: half of what a job may hand on in all."""

_AT_ITS_BEGINNING = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)
_ANYWHERE = re.compile(r"##\[")


class Level(StrEnum):
    """What GitHub calls an annotation."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One remark, at its place where it has one."""

    level: Level
    title: str
    message: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        """Return the command that makes it."""
        properties = {"file": self.file, "line": self.line, "title": self.title}
        told = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items() if value is not None)
        return f"::{self.level} {told}::{_data(clean(self.message))}"


@dataclass(frozen=True, slots=True)
class Places:
    """Where files stand, seen from the repository's top."""

    here: str
    """The working directory."""
    specs: str
    """The specs directory, seen from the working directory."""

    def file(self, shown: str) -> str:
        """Return a file that is named as seen from the working directory."""
        return normpath(join(self.here, shown))

    def spec(self, source: str) -> str:
        """Return a file that is named as seen from the specs directory."""
        return self.file(join(self.specs, source))


def harmless(text: str) -> str:
    """Return text in which a runner finds no command.

    `::` is one at the beginning of a line, and `##[` anywhere. The escapes are those of `clean`; the second one is also
    JSON's own, so that a program reads what it would have read.
    """
    return _ANYWHERE.sub(r"##\\u005b", _AT_ITS_BEGINNING.sub(r"\1\\x3a", text))


def remarks(report: Report, places: Places) -> list[Annotation]:
    """Return what is to be said of a report, the worst first and never too many."""
    # From the end: what stopped everything stands last, for the end of a terminal is what is read.
    told = [
        _of_problem(each, places)
        for each in reversed((*unjudged_limits(report), *unobserved_accounts(report), *problems(report)))
    ]
    told += [found for row in report.rows if (found := _of_row(row, places)) is not None]
    return [each for level in Level for each in _first([found for found in told if found.level is level])]


def output_text(values: Mapping[str, str], delimiter: Callable[[], str]) -> str:
    """Return outputs as the file in `GITHUB_OUTPUT` takes them; a value that is too long is left empty.

    Args:
        values: by name.
        delimiter: gives a word that nobody can guess, so that no value can end itself.
    """
    return "".join(
        _output(name, value if len(value) <= OUTPUT_MAX else "", delimiter()) for name, value in values.items()
    )


def _output(name: str, value: str, word: str) -> str:
    return f"{name}<<{word}\n{value}\n{word}\n"


def _first(found: list[Annotation]) -> Iterator[Annotation]:
    if len(found) <= ANNOTATIONS_MAX:
        yield from found
        return
    *kept, last = found[:ANNOTATIONS_MAX]
    yield from kept
    left = len(found) - len(kept)
    yield replace(last, title="And more", message=f"{left:,} more: the summary has them all", file=None, line=None)


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
    look, file = row_state(row), places.spec(row.source)
    if look.job_state is JobState.STALLED:
        return Annotation(
            level=Level.ERROR, title=look.reason, message=f"{row.name}: {look.message}", file=file, line=1
        )
    if row.action is not None and is_pending(row):
        because = cause_text(row.action.because, row.action.reason)
        change = f"{row.name}: {row.status.phase} -> {TARGETS[row.action.verb]}, because {because}"
        return Annotation(level=Level.NOTICE, title=f"Would {row.action.verb}", message=change, file=file, line=1)
    return None


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(clean(text)).replace(":", "%3A").replace(",", "%2C")


def commands(found: Iterable[Annotation]) -> str:
    """Return annotations as a runner reads them, one a line."""
    return "".join(f"{each}\n" for each in found)
