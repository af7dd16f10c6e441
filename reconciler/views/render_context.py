"""What a renderer may know besides the result that it shows."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.views.layout import Canvas

COMMENT_MAX = 65_536
"""Characters that GitHub takes as one comment."""

Size = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Room:
    """How large a text may be, and how that is measured: `len` counts characters."""

    most: int = COMMENT_MAX
    size: Size = len


@dataclass(frozen=True, slots=True)
class RenderContext:
    """Where, when and for whom a result is shown.

    Args:
        canvas: how wide the text may be, and whether it may hold colours.
        now: the moment to count ages from.
        version: the version of `reconcile`.
        what: the result that is shown, as `RENDERERS` names it; of a report, the operation.
        told: names of the jobs whose changes the reader of this text has been told already.
        room: how large a text may be that is cut.
    """

    canvas: Canvas
    now: datetime
    version: str = "unknown"
    what: str = ""
    told: Collection[str] = ()
    room: Room = field(default_factory=Room)
