"""Where text is laid out, with `rich`. A canvas is a width, and whether it may be coloured.

Layouts are ASCII without boxes or ellipses, so that they survive a log. Colours are the terminal's own basic ones,
which its owner has made readable on light or dark, and no meaning hangs on them alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reconciler.views.row_state import JobState
from reconciler.views.text import clean

GAP = 2
FOLDED_MIN = 12
"""A folded column is kept at least this wide, for words to fit, as long as anything else can give way."""
UNFOLDED = 4096
"""The width of a canvas that folds nothing: for pipes and files."""

STYLES: dict[str, str] = {
    JobState.AS_DESIRED: "green",
    JobState.ON_THE_WAY: "cyan",
    JobState.STALLED: "red",
    JobState.SUSPENDED: "magenta",
    JobState.REFUSED: "red",
    JobState.OUT_OF_DATE: "yellow",
    JobState.UNSEEN: "yellow",
}


@dataclass(frozen=True, slots=True)
class Canvas:
    """How wide the text may be, and whether it may hold colours."""

    width: int = UNFOLDED
    has_color: bool = False

    def render(self, parts: Sequence[RenderableType]) -> str:
        """Return the parts below one another, ending in a newline; nothing, for no parts."""
        file = StringIO()
        console = Console(
            file=file,
            width=self.width,
            height=24,  # where TERM is dumb, rich takes a width only together with a height
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
        return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def styled(text: str, style: str = "") -> Text:
    """Return foreign or own text, cleaned, as one styled piece."""
    return Text(clean(text), style=style, overflow="fold")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. With a `fold_at`, that many characters are enough to show it well."""

    title: str
    cells: Sequence[Text]
    fold_at: int | None = None

    @property
    def widest(self) -> int:
        """The width that shows it without folding."""
        return max(cell_len(self.title), *(cell.cell_len for cell in self.cells), 0)

    @property
    def needs(self) -> int:
        """The width below which it cannot be shown well."""
        return max(cell_len(self.title), min(self.widest, self.fold_at or self.widest))


def table(columns: Sequence[Column], width: int, *, drop: Sequence[str] = ()) -> Text:
    """Return the columns as a table; while it is too wide, those named in `drop` are left out, in that order.

    What still does not fit is folded in its own column. (rich's own tables take a millisecond a row, and there are
    people with ten thousand jobs.)
    """
    kept = list(columns)
    for title in drop:
        if sum(column.needs + GAP for column in kept) - GAP <= width:
            break
        kept = [column for column in kept if column.title != title]
    widths = _widths(kept, width)
    text = Text(no_wrap=True, overflow="ignore")
    titles = [Text(column.title, "bold") for column in kept]
    for cells in (titles, *zip(*(column.cells for column in kept), strict=True)):
        _append_row(text, cells, widths)
    text.right_crop()
    return text


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    """The columns' widths, made to fit: at the cost of those that may be folded, and only then of the widest."""
    widths = [column.widest for column in columns]
    while sum(widths) + GAP * (len(widths) - 1) > width and max(widths) > 1:
        foldable = [at for at, column in enumerate(columns) if column.fold_at and widths[at] > FOLDED_MIN]
        widths[max(foldable or range(len(widths)), key=widths.__getitem__)] -= 1
    return widths


def _append_row(text: Text, cells: Sequence[Text], widths: Sequence[int]) -> None:
    for pieces in zip_longest(*map(_folded, cells, widths), fillvalue=Text()):
        for piece, width in zip(pieces, widths, strict=True):
            text.append_text(piece)
            text.append(" " * (width - piece.cell_len + GAP))
        text.append("\n")


def _folded(cell: Text, width: int) -> Sequence[Text]:
    return [cell] if cell.cell_len <= width else list(cell.wrap(Console(), width, overflow="fold"))


def listing(rows: Sequence[tuple[Text, ...]], *, indent: int = 2) -> RenderableType:
    """Return rows of cells below one another, without titles; the last cell folds within its own column."""
    grid = Table.grid(padding=(0, GAP, 0, 0))
    for cells in rows:
        grid.add_row(*cells)
    return Padding(grid, (0, 0, 0, indent), expand=False)


@dataclass(frozen=True, slots=True)
class SentenceTable:
    """Rows whose last cell is a sentence: in columns, or where one would not fit, each sentence below its row."""

    rows: Sequence[tuple[Text, ...]]

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        """Draw them, as `rich` asks for it."""
        widths = (max(cell.cell_len for cell in column) for column in zip(*self.rows, strict=True))
        if sum(width + GAP for width in widths) <= options.max_width:
            yield listing(self.rows)
            return
        for *head, sentence in self.rows:
            yield Padding(Text(" " * GAP).join(head), (0, 0, 0, GAP), expand=False)
            yield Padding(sentence, (0, 0, 0, 2 * GAP), expand=False)


def section(title: str, body: RenderableType, style: str = "") -> RenderableType:
    """Return a titled part, with an empty line after it."""
    return Group(styled(title, f"bold {style}".strip()), body, Text())
