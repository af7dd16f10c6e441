"""Layout of text with `rich`: tables, sections and listings for a given width.

Layouts have no boxes or ellipses, so that they stay readable in a log. Colours are the basic colours of the terminal,
because its user has chosen them for a light or dark background. No information depends on colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import StringIO
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Span, Text

from reconciler.views.row_state import JobState
from reconciler.views.text import clean

GAP = 2
"""The number of spaces between two columns."""
FOLDED_MIN = 12
"""Columns with `fold_at` are narrowed to this width first, because most words fit. Then the other columns are narrowed.
"""
UNLIMITED_WIDTH = 4096
"""The width of a canvas for a pipe or a file. Only a longer line is folded."""

STYLES: dict[str, str] = {
    JobState.AS_DESIRED: "green",
    JobState.ON_THE_WAY: "cyan",
    JobState.STALLED: "red",
    JobState.SUSPENDED: "magenta",
    JobState.WITHHELD: "magenta",
    JobState.REFUSED: "red",
    JobState.OUT_OF_DATE: "yellow",
    JobState.UNOBSERVED: "yellow",
}


@dataclass(frozen=True, slots=True)
class Canvas:
    """The width of the output, and whether it may have colours."""

    width: int = UNLIMITED_WIDTH
    has_color: bool = False

    def render(self, parts: Sequence[RenderableType]) -> str:
        """Return the parts one below the other, as text that ends in a newline; an empty text if there are no parts."""
        if not self.has_color and all(isinstance(part, Text) and part.no_wrap for part in parts):
            return _lines("\n".join(part.plain for part in parts if isinstance(part, Text)))
        file = StringIO()
        console = Console(
            file=file,
            width=self.width,
            height=24,  # with TERM=dumb, rich ignores a width without a height
            force_terminal=self.has_color,
            color_system="standard" if self.has_color else None,
            no_color=not self.has_color,
            force_jupyter=False,
            legacy_windows=False,
            highlight=False,
            markup=False,
            emoji=False,
        )
        console.print(Group(*parts), crop=False)
        return _lines(file.getvalue())


def _lines(text: str) -> str:
    """Return a text without spaces at the ends of its lines."""
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def styled(text: str, style: str = "") -> Text:
    """Return text as one styled piece, cleaned of characters that control a terminal."""
    return Text(clean(text), style=style, overflow="fold")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. With `fold_at`, its cells may be folded to that width before columns are dropped."""

    title: str
    cells: Sequence[Text]
    fold_at: int | None = None
    full_width: int = field(init=False, repr=False, compare=False)
    """The width at which no cell is folded."""

    def __post_init__(self) -> None:
        """Compute `full_width` once. Many rows may share one cell."""
        different = {id(cell): cell for cell in self.cells}.values()
        object.__setattr__(self, "full_width", max(cell_len(self.title), *(cell.cell_len for cell in different), 0))

    @property
    def min_width(self) -> int:
        """The width to which the column may be folded before the table drops columns."""
        return max(cell_len(self.title), min(self.full_width, self.fold_at or self.full_width))


def table(columns: Sequence[Column], width: int, *, drop: Sequence[str] = (), has_titles: bool = True) -> Text:
    """Return the columns as a table. While it is too wide, the columns in `drop` are left out, in that order.

    Cells that still do not fit are folded within their column. Without `has_titles`, the columns have the same widths
    but no titles. This function exists because rich's own tables take a millisecond per row, which is too slow for ten
    thousand jobs.
    """
    kept = list(columns)
    for title in drop:
        if sum(column.min_width + GAP for column in kept) - GAP <= width:
            break
        kept = [column for column in kept if column.title != title]
    widths = _widths(kept, width)
    titles = [[Text(column.title, "bold") for column in kept]] if has_titles else []
    return _rows((*titles, *zip(*(column.cells for column in kept), strict=True)), widths)


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    """Return widths that fit. Columns that may fold become narrower first, then the widest columns."""
    widths = [column.full_width for column in columns]
    while sum(widths) + GAP * (len(widths) - 1) > width and max(widths) > 1:
        foldable = [at for at, column in enumerate(columns) if column.fold_at and widths[at] > FOLDED_MIN]
        widths[max(foldable or range(len(widths)), key=widths.__getitem__)] -= 1
    return widths


def _rows(rows: Iterable[Sequence[Text]], widths: Sequence[int]) -> Text:
    """Return rows of cells as one text. `Text.append` would take several times as long."""
    plain: list[str] = []
    spans: list[Span] = []
    at = 0
    known: dict[tuple[int, int], list[_Piece]] = {}
    for cells in rows:
        columns: list[list[_Piece]] = []
        for key in zip(map(id, cells), widths, strict=True):
            if key not in known:
                known[key] = _pieces(cells[len(columns)], key[1])
            columns.append(known[key])
        blank = [_piece(Text(), width) for width in widths] if max(map(len, columns)) > 1 else []
        for line in zip_longest(*columns):
            for number, piece in enumerate(line):
                text, styles = blank[number] if piece is None else piece
                plain.append(text)
                spans += [Span(at + begin, at + end, style) for begin, end, style in styles]
                at += len(text)
            plain.append("\n")
            at += 1
    return Text("".join(plain[:-1]), no_wrap=True, overflow="ignore", spans=spans)


_Piece = tuple[str, Sequence[Span]]
"""A line of a cell, padded to the width of its column, and its styles."""


def _pieces(cell: Text, width: int) -> list[_Piece]:
    return [_piece(each, width) for each in _folded(cell, width)]


def _piece(text: Text, width: int) -> _Piece:
    shown = text.plain
    whole = [Span(0, len(shown), text.style)] if text.style else []
    return shown + " " * (width - text.cell_len + GAP), (*whole, *text.spans)


def _folded(cell: Text, width: int) -> Sequence[Text]:
    return [cell] if cell.cell_len <= width else list(cell.wrap(Console(), width, overflow="fold"))


def listing(rows: Sequence[tuple[Text, ...]], *, indent: int = 2) -> RenderableType:
    """Return rows of cells in columns, without titles. The last cell folds within its own column."""
    grid = Table.grid(padding=(0, GAP, 0, 0))
    for cells in rows:
        grid.add_row(*cells)
    return Padding(grid, (0, 0, 0, indent), expand=False)


@dataclass(frozen=True, slots=True)
class SentenceTable:
    """Rows whose last cell is a sentence, in columns. If they are too wide, each sentence is below its row."""

    rows: Sequence[tuple[Text, ...]]

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the renderables that `rich` draws."""
        widths = (max(cell.cell_len for cell in column) for column in zip(*self.rows, strict=True))
        if sum(width + GAP for width in widths) <= options.max_width:
            yield listing(self.rows)
            return
        for *head, sentence in self.rows:
            yield Padding(Text(" " * GAP).join(head), (0, 0, 0, GAP), expand=False)
            yield Padding(sentence, (0, 0, 0, 2 * GAP), expand=False)


def section(title: str, body: RenderableType, style: str = "") -> RenderableType:
    """Return a title, a body below it, and an empty line."""
    return Group(styled(title, f"bold {style}".strip()), body, Text())
