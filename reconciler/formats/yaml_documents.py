"""The results of parsing a YAML text, and the limits of the parser. Pure.

`yaml_text` creates these records. They are in a separate module, because most modules need only the records and not the
parser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.formats.yaml_positions import Path

REPEATED_NODES_MAX = 100_000
"""The maximum number of nodes that the aliases in one file may repeat. A short alias can stand for a large value."""
PROBLEMS_MAX = 1_000
"""If a file has more errors than this, one error with this number is reported instead."""


class YamlUnreadableError(Exception):
    """A text cannot be parsed.

    `line` is the line of the error, and `column` the character of the line, both from 1, or None if it is unknown.
    """

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class YamlProblem:
    """One error in a document whose other parts can be parsed. `line` is counted from 1."""

    path: Path
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class RawDocument:
    """A parsed document.

    Args:
        value: dicts with text as keys, lists, texts and None; None for an empty document.
        line: the line on which the document begins, from 1.
        lines: the line of each key and list item, by path.
        problems: the errors in the document.
    """

    value: Any
    line: int
    lines: Mapping[Path, int]
    problems: tuple[YamlProblem, ...]


Parse = Callable[[str], tuple[RawDocument, ...]]
"""A function that parses a text, such as `yaml_text.parse`."""


@dataclass(slots=True)
class ParseBudget:
    """How many repeated nodes and errors a file may still have. Both use far more memory than their text."""

    repeated_nodes: int = REPEATED_NODES_MAX
    problems: int = PROBLEMS_MAX

    def use_repeated_nodes(self, nodes: int, line: int) -> None:
        """Count the nodes that an alias repeats. Raises `YamlUnreadableError` if there are too many in the file."""
        self.repeated_nodes -= nodes
        if self.repeated_nodes < 0:
            msg = f"the aliases in this file repeat more than {REPEATED_NODES_MAX:,} values: use fewer aliases"
            raise YamlUnreadableError(msg, line)

    def use_problem(self, line: int) -> None:
        """Count one error. Raises `YamlUnreadableError` if there are too many in the file."""
        self.problems -= 1
        if self.problems < 0:
            msg = f"the file contains more than {PROBLEMS_MAX:,} errors: check whether this file is a spec"
            raise YamlUnreadableError(msg, line)
