"""Walk the list of an account page by page, until every wanted job was shown or retrieving by id is cheaper.

Rules: what a page showed is a fact, even if a later page fails. A list that breaks off, repeats a cursor or has no end
is `broken`. A job that a list does not show is never absent because of that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.controller.request_failure import is_of_account, unseen_by
from reconciler.errors import Kind, PermanentError, ProviderError
from reconciler.model.job import JobPage, ListQuery, ObservedJob, Unobserved
from reconciler.model.reason import Reason
from reconciler.ports import JobReader

PAGES_MAX = 1000


@dataclass(frozen=True, slots=True)
class Listing:
    """The result of walking a list."""

    rows: Mapping[str, ObservedJob] = field(default_factory=dict)
    """The wanted jobs that were shown, by each of their ids."""
    has_answered: bool = False
    """Whether at least one page was received."""
    account_failure: Unobserved | None = None
    """Why the whole account is unobserved; no further request is made."""
    broken: Unobserved | None = None
    """Why the list is incomplete, if it is."""
    is_overtaken: bool = False
    """Whether the walk was stopped early, because the newest pass changed something for this account."""


async def walk(
    reader: JobReader,
    wanted: Collection[str],
    also: Collection[str],
    page_size: int,
    is_overtaken: Callable[[], bool] = lambda: False,
) -> Listing:
    """Walk the list of an account and return the rows of the wanted jobs.

    Args:
        reader: the account.
        wanted: ids; the walk ends once all were shown, or once more pages were read than jobs are missing.
        also: ids whose rows are returned too, but for which no further page is read.
        page_size: the most rows of a page.
        is_overtaken: returns whether to stop early, because the newest pass changed something for this account.
    """
    found: dict[str, ObservedJob] = {}
    passed: dict[str, ObservedJob] = {}
    cursors: set[str] = set()
    cursor: str | None = None
    why = f"the list has no end: {PAGES_MAX} pages and more to come"
    for pages in range(1, PAGES_MAX + 1):
        page = await _page(reader, page_size, cursor)
        if isinstance(page, ProviderError):
            if pages == 1:
                return _without_a_page(page)
            if is_of_account(page):
                return Listing({**passed, **found}, has_answered=True, account_failure=unseen_by(page))
            why = f"the list broke off at page {pages}: {page}"
            break
        found.update(_rows(page, wanted))
        passed.update(_rows(page, also))
        cursor = page.next_cursor
        # From here on, retrieving the missing jobs takes no more requests than the list has taken.
        if cursor is None or pages >= len(wanted) - len(found):
            return Listing({**passed, **found}, has_answered=True)
        if is_overtaken():
            return Listing({**passed, **found}, has_answered=True, is_overtaken=True)
        # A provider that repeats a cursor would be walked for ever.
        if cursor in cursors:
            why = f"the list came back to the same place after page {pages}"
            break
        cursors.add(cursor)
    broken = Unobserved(Reason.OBSERVATION_INCOMPLETE, why)
    return Listing({**passed, **found}, has_answered=True, broken=broken)


def _rows(page: JobPage, ids: Collection[str]) -> Iterator[tuple[str, ObservedJob]]:
    """Yield the rows of a page that show a job of these ids, by each id."""
    for job in page.jobs:
        for job_id in job.ids.intersection(ids):
            yield job_id, job


async def _page(reader: JobReader, page_size: int, cursor: str | None) -> JobPage | ProviderError:
    try:
        return await reader.list_page(ListQuery(page_size), cursor)
    except ProviderError as error:
        return error


def _without_a_page(error: ProviderError) -> Listing:
    """Return the listing after the first page failed. A credential that may not list may still retrieve jobs."""
    may_not_list = isinstance(error, PermanentError) and error.kind is Kind.FORBIDDEN
    return Listing() if may_not_list else Listing(account_failure=unseen_by(error))
