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
"""The maximum number of nodes that the aliases in one file may repeat, because a short alias may need much memory."""
PROBLEMS_MAX = 1_000
"""If a file has more errors than this, it is rejected with one error instead."""


class YamlUnreadableError(Exception):
    """A text cannot be parsed. `line` is the line of the error, from 1, or None if it is unknown."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class YamlProblem:
    """One error in a document that can otherwise be parsed."""

    path: Path
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class RawDocument:
    """A document as dicts, lists, texts and None. `lines` contains the line of each key and item, by path."""

    value: Any
    line: int
    lines: Mapping[Path, int]
    problems: tuple[YamlProblem, ...]


Parse = Callable[[str], tuple[RawDocument, ...]]
"""A function that parses a text, such as `yaml_text.parse`."""


@dataclass(slots=True)
class ParseBudget:
    """The remaining budget of a file for constructs that use far more memory than their text."""

    repeated_nodes: int = REPEATED_NODES_MAX
    problems: int = PROBLEMS_MAX

    def use_repeated_nodes(self, nodes: int, line: int) -> None:
        """Subtract the nodes that an alias repeats. Raises `YamlUnreadableError` if the budget is exceeded."""
        self.repeated_nodes -= nodes
        if self.repeated_nodes < 0:
            msg = f"aliases repeat more than {REPEATED_NODES_MAX:,} values"
            raise YamlUnreadableError(msg, line)

    def use_problem(self, line: int) -> None:
        """Subtract one error. Raises `YamlUnreadableError` if the budget is exceeded."""
        self.problems -= 1
        if self.problems < 0:
            msg = f"contains more than {PROBLEMS_MAX:,} errors: is this a spec?"
            raise YamlUnreadableError(msg, line)
