"""Text for GitHub Actions: annotations, outputs, and the escaping of workflow commands.

Rules: at most ten annotations of each level are written, because GitHub shows no more for a step. The most severe come
first, and the last annotation of a level states how many were left out. Text from specs and providers can neither start
nor end a command or a value.
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
"""The maximum number of annotations of one level that GitHub shows for a step
(https://github.com/orgs/community/discussions/26680)."""
SUMMARY_MAX = 1024 * 1024
"""The maximum size of a step's summary, in bytes. GitHub drops a larger summary completely."""
OUTPUT_MAX = 512 * 1024
"""The maximum length of one output, in characters: half of the limit for all outputs of a job."""

_COMMAND_AT_LINE_START = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)
_COMMAND_ANYWHERE = re.compile(r"##\[")


class Level(StrEnum):
    """How GitHub shows an annotation. The most severe level is first."""

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

    def __str__(self) -> str:
        """Return the workflow command."""
        properties = {"file": self.file, "line": self.line, "title": self.title}
        joined = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items() if value is not None)
        return f"::{self.level} {joined}::{_data(clean(self.message))}"


@dataclass(frozen=True, slots=True)
class Places:
    """The directories from which the paths in annotations are computed."""

    here: str
    """The working directory, relative to the top of the repository."""
    specs: str
    """The specs directory, relative to the working directory."""

    def file(self, shown: str) -> str:
        """Return the path for an annotation from a path relative to the working directory."""
        return normpath(join(self.here, shown))

    def spec(self, source: str) -> str:
        """Return the path for an annotation from a path relative to the specs directory."""
        return self.file(join(self.specs, source))


def without_commands(text: str) -> str:
    """Return text with its workflow commands escaped.

    A command begins with `::` at the beginning of a line, possibly after white space, or with `##[` anywhere. `::` is
    escaped in the style of `views.text.clean`. The escape of `##[` is also valid in JSON, so a program that parses JSON
    output reads the original text.
    """
    return _COMMAND_ANYWHERE.sub(r"##\\u005b", _COMMAND_AT_LINE_START.sub(r"\1\\x3a", text))


def annotations_of(report: Report, places: Places) -> list[Annotation]:
    """Return the annotations of a report, the most severe first, with at most `ANNOTATIONS_MAX` of each level."""
    # The report ends with the problem that stopped the run, because a terminal shows the end of the output. Only the
    # first annotations of a level are kept, so the order is reversed here.
    found = [
        _of_problem(each, places)
        for each in reversed((*unjudged_limits(report), *unobserved_accounts(report), *problems(report)))
    ]
    found += [of_row for row in report.rows if (of_row := _of_row(row, places)) is not None]
    return [each for level in Level for each in _first([each for each in found if each.level is level])]


def output_text(values: Mapping[str, str], delimiter: Callable[[], str]) -> str:
    """Return outputs in the format of the file `GITHUB_OUTPUT`. A value longer than `OUTPUT_MAX` is left empty.

    Args:
        values: the value of each output, by name.
        delimiter: returns a word that marks the end of a value. The word is new and unpredictable for each value, so
            that the value does not contain it.
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
    yield replace(last, title="And more", message=f"{left:,} more: the summary lists all of them", file=None, line=None)


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


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(clean(text)).replace(":", "%3A").replace(",", "%2C")


def commands(found: Iterable[Annotation]) -> str:
    """Return annotations as workflow commands, one per line."""
    return "".join(f"{each}\n" for each in found)
