"""The jobs that the page shows, and their order: the query in the address of the page selects them.

Rules: the table, its totals and its links come from one selection. The parameters `kind`, `provider` and `selector`
mean what the options of `get` with these names mean. A parameter or value that is not valid is ignored, and the
page says so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from reconciler.model.job import Phase
from reconciler.model.kind import KINDS
from reconciler.model.money import Amount, Total, total_of
from reconciler.model.selector import Labels, parse_selector
from reconciler.views.row_state import JobState
from reconciler.views.usage import expected_end, used_tokens
from reconciler.views.watch_view import NEEDS_A_PERSON, NOT_SEEN, JobLine

PAGE_SIZE = 100
ALL = "all"
"""The value of `page` that shows every job that matches."""
GROUPS: dict[str, tuple[JobState, ...]] = {
    "needs attention": NEEDS_A_PERSON,
    "cannot be observed": NOT_SEEN,
    **{state.value: (state,) for state in JobState},
}
"""The values of `state`: each state of a job, and the groups of states that the page counts."""
URGENCY = {
    state: rank
    for rank, state in enumerate(
        (
            JobState.REFUSED,
            JobState.STALLED,
            JobState.UNOBSERVED,
            JobState.OUT_OF_DATE,
            JobState.ON_THE_WAY,
            JobState.WITHHELD,
            JobState.SUSPENDED,
            JobState.AS_DESIRED,
        )
    )
}
"""The rank of each state in the default order: first what a person must look at."""
SORTS: dict[str, Callable[[JobLine], Any]] = {
    "state": lambda line: URGENCY[line.state.job_state],
    "job": lambda line: line.row.name,
    "phase": lambda line: line.row.status.phase.value,
    "wanted": lambda line: line.row.wanted,
    "provider": lambda line: line.row.provider,
    "created": lambda line: line.row.status.job.created_at if line.row.status.job else None,
    "left": lambda line: expected_end(line.row),
    "tokens": lambda line: used_tokens(line.row),
    "cost": lambda line: (line.cost.currency, line.cost.value) if isinstance(line.cost, Amount) else None,
    "changed": lambda line: line.row.status.ready.last_transition_time,
}
"""The sort key of each order, by its name. A job without a value comes last in both directions."""


@dataclass(frozen=True, slots=True)
class JobQuery:
    """The selection of jobs that an address asks for. An empty filter selects every job."""

    state: str = ""
    phase: str = ""
    kind: str = ""
    provider: str = ""
    selector: str = ""
    q: str = ""
    """A text that the name, the reason, the job id or the message contains, in any case."""
    sort: str = "state"
    """A key of `SORTS`, with a `-` before it for the opposite direction."""
    page: str = "1"
    """A number from 1, or `ALL`."""

    def link(self, **changes: str) -> str:
        """Return the address of this query with these changes: of its first page, unless `page` is one of them."""
        changed = replace(self, **{"page": "1", **changes})
        parameters = {name: getattr(changed, name) for name in NAMES}
        query = urlencode(
            {name: value for name, value in parameters.items() if value != getattr(DEFAULT, name)}, errors="replace"
        )
        return f"/?{query}" if query else "/"

    @property
    def is_filtered(self) -> bool:
        """Whether the query leaves jobs out."""
        return any((self.state, self.phase, self.kind, self.provider, self.selector, self.q))


DEFAULT = JobQuery()
NAMES = tuple(each.name for each in fields(JobQuery))
"""The parameters, in the order in which links have them."""


@dataclass(frozen=True, slots=True)
class SelectedJobs:
    """The jobs that a query selects."""

    query: JobQuery
    lines: Sequence[JobLine]
    """The jobs of this page."""
    first: int
    """The number of the first job of this page, from 1."""
    matching: int
    total: int
    pages: int
    cost: Total
    """What the jobs that match have cost, on this page and the others."""


_CHECKS: dict[str, Callable[[str], object]] = {
    "state": GROUPS.__getitem__,
    "phase": Phase,
    "kind": KINDS.__getitem__,
    "selector": parse_selector,
    "sort": lambda value: SORTS[value.removeprefix("-")],
    "page": lambda value: value == ALL or range(1, sys.maxsize).index(int(value)),
}
"""The check of each parameter that accepts only some values: a function that raises an error for any other value."""


def parse_query(parameters: Iterable[tuple[str, str]]) -> tuple[JobQuery, list[str]]:
    """Return the query of an address, and each parameter that was ignored, such as `phase=runing`."""
    query, ignored = DEFAULT, []
    for name, value in parameters:
        text = value.strip()
        if name in NAMES and _is_understood(name, text):
            query = replace(query, **{name: text or getattr(DEFAULT, name)})
        else:
            ignored.append(f"{name}={value}")
    return query, ignored


def select(lines: Sequence[JobLine], query: JobQuery) -> SelectedJobs:
    """Return the jobs that a query selects. If it names a page after the last page, return the last page."""
    labels, text = parse_selector(query.selector), query.q.casefold()
    matching = _sorted([line for line in lines if _matches(line, query, labels, text)], query.sort)
    cost = total_of(line.cost for line in matching)
    pages = max(1, -(-len(matching) // PAGE_SIZE))
    if query.page == ALL:
        return SelectedJobs(query, matching, 1, len(matching), len(lines), pages, cost)
    page = min(int(query.page), pages)
    begin = (page - 1) * PAGE_SIZE
    return SelectedJobs(
        replace(query, page=str(page)),
        matching[begin : begin + PAGE_SIZE],
        begin + 1,
        len(matching),
        len(lines),
        pages,
        cost,
    )


def _is_understood(name: str, value: str) -> bool:
    if not value or name not in _CHECKS:
        return True
    try:
        _CHECKS[name](value)
    except (KeyError, ValueError):
        return False
    return True


def _matches(line: JobLine, query: JobQuery, labels: Labels, text: str) -> bool:
    row, status = line.row, line.row.status
    filters = (
        (query.phase, status.phase),
        (query.kind, status.kind.name),
        (query.provider, row.provider),
    )
    if any(wanted and wanted != value for wanted, value in filters):
        return False
    if query.state and line.state.job_state not in GROUPS[query.state]:
        return False
    return (not labels or _has_labels(line, labels)) and (not text or _contains(line, text))


def _has_labels(line: JobLine, labels: Labels) -> bool:
    document = line.row.document
    own = document.metadata.labels if document else {}
    return all(own.get(key) == value for key, value in labels)


def _contains(line: JobLine, text: str) -> bool:
    """Return whether the name, the reason, the message or the id of a job contains a text."""
    row = line.row
    texts = (row.name, line.state.reason, line.state.message, row.ref.id if row.ref else "")
    return any(text in each.casefold() for each in texts)


def _sorted(lines: list[JobLine], sort: str) -> list[JobLine]:
    """Return jobs in an order. Jobs with equal values keep their order, which is by name."""
    key = SORTS[sort.removeprefix("-")]
    known = [line for line in lines if key(line) is not None]
    ordered = sorted(known, key=key, reverse=sort.startswith("-"))
    return ordered + [line for line in lines if key(line) is None]
