"""The positions of values in a YAML document, as lines or as ranges of characters. Pure.

A value is identified by its path: the sequence of keys and list indexes that leads to it. The memory for the positions
is proportional to the size of the document, however deeply it is nested.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
Members = dict[str, Any] | list[Any]
"""The lines of a mapping's keys or of a list's items.

Each entry is the line of a value without members, or a list of two items: the line of a value, and its own `Members`.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Lines(Mapping[Path, int]):
    """The line of each key and list item of a document, from 1, by its path. `tree` can be written as JSON."""

    tree: Members

    def __getitem__(self, path: Path) -> int:
        """Return the line of the key or item at a path. Raises `KeyError` if there is no such path."""
        node: Any = [None, self.tree]
        for step in path:
            members: Any = node[1] if isinstance(node, list) else ()
            is_there = step in members if isinstance(members, dict) else step in range(len(members))
            if not is_there:
                raise KeyError(path)
            node = members[step]
        line = node[0] if isinstance(node, list) else node
        if line is None:
            raise KeyError(path)
        return int(line)

    def __iter__(self) -> Iterator[Path]:
        """Yield each path. The path of a value comes before those of its members."""
        yield from _paths((), self.tree)

    def __len__(self) -> int:
        """Return the number of keys and items."""
        return sum(1 for _ in self)


def _paths(above: Path, members: Members) -> Iterator[Path]:
    for step, node in members.items() if isinstance(members, dict) else enumerate(members):
        here = (*above, step)
        yield here
        if isinstance(node, list):
            yield from _paths(here, node[1])


@dataclass(frozen=True, slots=True)
class Node:
    """The position of a value in the text, in characters from 0.

    The value begins at `start` and ends before `end`. `style` is the style that the parser reports for a scalar: `'`,
    `"`, `|` or `>`. It is None for a plain scalar, and for a value that is not a scalar.
    """

    start: int
    end: int
    key: int
    """The position of the first character of the key or item."""
    column: int
    """The number of characters before the value on its first line."""
    is_scalar: bool
    is_flow: bool
    """Whether the value is a mapping or list in braces or brackets."""
    is_alias: bool
    is_marked: bool
    """Whether the value starts with an anchor or a tag."""
    style: str | None
