"""Where the documents of a report are on the host of their repository.

Rule: a file has an address only if the report is of the commit that the CI run checked out, or of the commit that was
proposed. A report of another repository, such as that of `--git-url`, has no addresses.
"""

from __future__ import annotations

from posixpath import join
from typing import Self

from reconciler.model.report import Report, Row
from reconciler.views.render_context import FindSource, RenderContext, SourcePlace
from reconciler.views.repository_links import RepositoryLinks


class ReportSources:
    """The addresses of one report.

    Args:
        commit: the commit of the report, or None if it is unknown.
        links: the addresses of its repository, or None if they are unknown.
        specs: the specs directory, as `find_source` accepts it.
        find_source: returns where a file is in its repository.
    """

    def __init__(self, commit: str | None, links: RepositoryLinks | None, specs: str, find_source: FindSource) -> None:
        self.commit = commit
        self.links = links if links is not None and links.knows(commit) else None
        self._specs = specs
        self._find_source = find_source

    @classmethod
    def of(cls, report: Report, context: RenderContext) -> Self:
        """Return the sources of a report that is rendered in this context."""
        return cls(report.revision, context.find_links(), context.specs, context.find_source)

    def url(self, file: str, line: int | None) -> str | None:
        """Return the address of a file, relative to the working directory, or None if it is unknown."""
        if self.links is None or self.commit is None:
            return None
        return self.links.file_url(self.commit, self._find_source(file, None).path, line)

    def spec_url(self, row: Row) -> str | None:
        """Return the address of a spec, or None if it is unknown."""
        return self.url(join(self._specs, row.source), row.line)


NO_SOURCES = ReportSources(None, None, "", lambda file, _line: SourcePlace(file))
"""The sources of a report without addresses."""
