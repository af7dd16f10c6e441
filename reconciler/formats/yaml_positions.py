"""Where the values of a YAML document stand: at which line, or between which characters. Pure.

Rules: a place is found by its path, the keys and positions that lead to it; what is kept for all of a document takes
room in proportion to the document, however deep it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
Members = dict[str, Any] | list[Any]
"""The lines of a mapping's keys, or of a list's items: each is a number, or a list of it and of the members below."""


@dataclass(frozen=True, slots=True, eq=False)
class Lines(Mapping[Path, int]):
    """The line of each key and item of a document, by its path. The tree is plain enough to be written as JSON."""

    tree: Members

    def __getitem__(self, path: Path) -> int:
        """Return a line. Raises KeyError where nothing has that path."""
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
        """Yield each path, from the outside in."""
        yield from _paths((), self.tree)

    def __len__(self) -> int:
        """Return how many keys and items there are."""
        return sum(1 for _ in self)


def _paths(above: Path, members: Members) -> Iterator[Path]:
    for step, node in members.items() if isinstance(members, dict) else enumerate(members):
        here = (*above, step)
        yield here
        if isinstance(node, list):
            yield from _paths(here, node[1])


@dataclass(frozen=True, slots=True)
class Node:
    """Where a value stands, as positions in the text: its first character, and the one after its last.

    `style` is the parser's: `'`, `"`, `|`, `>` or None for a plain scalar; None for all that is no scalar.
    """

    start: int
    end: int
    key: int
    """Where the key, or the item, begins."""
    column: int
    is_scalar: bool
    is_flow: bool
    is_alias: bool
    is_marked: bool
    """It has an anchor or a tag, which stand at its beginning."""
    style: str | None
