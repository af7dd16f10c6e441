"""What a renderer gets besides the result to show: the width, the time, the version and a size limit."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.views.layout import Canvas
from reconciler.views.repository_links import RepositoryLinks

COMMENT_MAX = 65_536
"""The maximum length of a GitHub comment, in characters."""

SizeOf = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class SizeLimit:
    """The maximum size of a text, and the function that measures it; `len` counts characters."""

    maximum: int = COMMENT_MAX
    size_of: SizeOf = len


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """The path of a document from the top of its repository, and the text of one of its lines, which may be empty."""

    path: str
    line: str = ""


FindSource = Callable[[str, int | None], SourcePlace]


@dataclass(frozen=True, slots=True)
class RenderContext:
    """The circumstances in which a result is rendered.

    Args:
        canvas: the width of the output, and whether it may have colours.
        now: the current time, from which ages are computed.
        find_version: returns the version of `reconcile`. It is called only by formats that show the version, because it
            takes time.
        find_source: returns where a file is in its repository, and the text of one of its lines.
        result: the name of the result in `RENDERERS`; for a report, its operation.
        argument: the argument of the format, such as the columns of `custom-columns=...`; empty if it has none.
        reported: the names of jobs whose changes were already printed during the run.
        size_limit: the maximum size of a Markdown text.
        specs: the specs directory, as `find_source` accepts it.
        find_links: returns the addresses of the repository and the CI run, or None outside CI.
    """

    canvas: Canvas
    now: datetime
    find_version: Callable[[], str] = lambda: "unknown"
    find_source: FindSource = lambda file, _line: SourcePlace(file)
    result: str = ""
    argument: str = ""
    reported: Collection[str] = ()
    size_limit: SizeLimit = field(default_factory=SizeLimit)
    specs: str = ""
    find_links: Callable[[], RepositoryLinks | None] = lambda: None

    @property
    def version(self) -> str:
        """The version of `reconcile`."""
        return self.find_version()
