"""Text for GitHub Actions: annotations, outputs, and the escaping of workflow commands.

Rules: at most ten annotations of each level are written, because GitHub shows no more for a step. The most severe come
first, and the last annotation of a level states how many were left out. Text from specs and providers can neither start
nor end a command or a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from reconciler.ci.annotations import Annotation, Level
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


def without_commands(text: str) -> str:
    """Return text with its workflow commands escaped.

    A command begins with `::` at the beginning of a line, possibly after white space, or with `##[` anywhere. `::` is
    escaped in the style of `views.text.clean`. The escape of `##[` is also valid in JSON, so a program that parses JSON
    output reads the original text.
    """
    return _COMMAND_ANYWHERE.sub(r"##\\u005b", _COMMAND_AT_LINE_START.sub(r"\1\\x3a", text))


def commands(found: Iterable[Annotation]) -> str:
    """Return annotations as workflow commands, one per line, with at most `ANNOTATIONS_MAX` of each level."""
    ordered = list(found)
    shown = (each for level in Level for each in _first([each for each in ordered if each.level is level]))
    return "".join(f"{_command(each)}\n" for each in shown)


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


def _command(annotation: Annotation) -> str:
    properties = {"file": annotation.file, "line": annotation.line, "title": annotation.title}
    joined = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items() if value is not None)
    return f"::{annotation.level} {joined}::{_data(clean(annotation.message))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(clean(text)).replace(":", "%3A").replace(",", "%2C")
