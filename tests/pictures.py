"""The README's picture: the output of real commands on a terminal, as an SVG.

`python -m tests.pictures` rewrites it. `tests/test_docs.py` checks that it shows the current output of the commands.
"""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from collections.abc import Sequence
from html import unescape
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests.support.markdown_table import ROOT
from tests.support.terminal import shown_on_a_terminal

PICTURE = ROOT / ".github" / "terminal.svg"
COMMANDS = ("reconcile plan", "reconcile --once --wait")
COLUMNS = 86
DARK = TerminalTheme(
    (24, 27, 33),
    (220, 223, 228),
    [
        (40, 44, 52),
        (240, 113, 120),
        (152, 195, 121),
        (229, 192, 123),
        (97, 175, 239),
        (198, 120, 221),
        (86, 182, 194),
        (220, 223, 228),
    ],
)
CELL = 12.2
"""The width of a character in rich's SVG."""
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"

_FONT_FACE = re.compile(r"@font-face \{.*?\n *\}\n", re.DOTALL)
_TEXT = re.compile(r'<text class="[\w-]+-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>')


def drawn(commands: Sequence[str], directory: Path, environ: dict[str, str], columns: int = COLUMNS) -> str:
    """Return the SVG of a terminal in which these commands were run in a directory, one after another."""
    console = Console(file=StringIO(), record=True, width=columns, force_terminal=True, color_system="standard")
    for number, command in enumerate(commands):
        console.print(Text.assemble("\n" if number else "", ("$ ", "bold green"), (command, "bold")))
        text = shown_on_a_terminal(command, directory, environ, columns)
        for line in Text.from_ansi(text.rstrip("\n")).split("\n", allow_blank=True):
            for piece in line.divide(
                range(columns, len(line), columns)
            ):  # at the width, also within a word, as a terminal does
                console.print(piece, soft_wrap=True)
    svg = console.export_svg(title="reconcile", theme=DARK)
    # a picture in a README may fetch nothing, and each machine has a monospaced font of its own
    return _FONT_FACE.sub("", svg).replace("Fira Code, monospace", FONTS)


def said_by(svg: str) -> list[str]:
    """Return the lines of text in such an SVG, from top to bottom."""
    lines: defaultdict[float, str] = defaultdict(str)
    for x, y, text in _TEXT.findall(svg):
        begun = lines[float(y)].ljust(round(float(x) / CELL))
        lines[float(y)] = begun + unescape(text).replace("\xa0", " ")
    return [line for _, line in sorted(lines.items())]


def picture(path: str) -> str:
    """Return the README's picture, made with the commands on this search path, in a copy of the example specs."""
    with TemporaryDirectory() as root:
        shutil.copytree(ROOT / "specs", Path(root) / "specs", ignore=shutil.ignore_patterns("status"))
        return drawn(COMMANDS, Path(root), {"PATH": path, "XDG_CACHE_HOME": f"{root}/.cache"})


if __name__ == "__main__":
    import os
    import sys

    PICTURE.write_text(picture(f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"), encoding="utf-8")
