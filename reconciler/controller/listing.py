"""Read the list of an account page by page, until every wanted job was shown or retrieving by id is cheaper.

Rules: a job that a page showed is observed, even if a later page fails. A list is `broken` if a later page fails for a
reason that does not concern the whole account, if a cursor is repeated, or if the list has more than `PAGES_MAX` pages.
A job is not considered absent only because a list does not show it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.controller.request_costs import RequestCosts
from reconciler.controller.request_failure import is_of_account, unobserved_by
from reconciler.errors import Kind, PermanentError, ProviderError
from reconciler.model.job import JobPage, ListQuery, ObservedJob, Unobserved
from reconciler.model.reason import Reason
from reconciler.ports import JobReader

PAGES_MAX = 1000


@dataclass(frozen=True, slots=True)
class Listing:
    """What reading a list showed, and why reading ended before the end of the list, if it did."""

    rows: Mapping[str, ObservedJob] = field(default_factory=dict)
    """The row of each requested id that the list showed. A job with several requested ids is included under each."""
    has_answered: bool = False
    """Whether at least one page was received."""
    account_failure: Unobserved | None = None
    """The failure after which no further request is sent in this observation; None if there is none."""
    broken: Unobserved | None = None
    """The failure that ended only the list, so that jobs can still be retrieved by id; None if there is none."""
    is_overtaken: bool = False
    """Whether reading stopped early, because the newest pass changed something for this account."""
    pages: int = 0
    """The number of pages that were needed; 0 if reading failed or stopped early, so that the number is not known."""


async def walk(
    reader: JobReader,
    wanted: Collection[str],
    also: Collection[str],
    page_size: int,
    costs: RequestCosts,
    is_overtaken: Callable[[], bool] = lambda: False,
) -> Listing:
    """Read the list of an account, and return the rows of the wanted jobs. A provider error is part of the result.

    Args:
        reader: the account.
        wanted: the ids of the jobs to find. Reading ends once retrieving the missing jobs costs less than further
            pages (`RequestCosts.ends_list`).
        also: further ids. Their rows are returned too, but no further page is read for them.
        page_size: the maximum number of rows on a page.
        costs: the costs of requests to the account.
        is_overtaken: returns whether to stop early, because the newest pass changed something for this account.
    """
    found: dict[str, ObservedJob] = {}
    passed: dict[str, ObservedJob] = {}
    cursors: set[str] = set()
    cursor: str | None = None
    why = f"the list has more than {PAGES_MAX} pages, so it was not read to its end"
    for pages in range(1, PAGES_MAX + 1):
        page = await _page(reader, page_size, cursor)
        if isinstance(page, ProviderError):
            if pages == 1:
                return _without_a_page(page)
            if is_of_account(page):
                return Listing({**passed, **found}, has_answered=True, account_failure=unobserved_by(page))
            why = f"page {pages} of the list could not be read: {page}"
            break
        found.update(_rows(page, wanted))
        passed.update(_rows(page, also))
        cursor = page.next_cursor
        if cursor is None or costs.ends_list(pages, len(found), len(wanted) - len(found)):
            return Listing({**passed, **found}, has_answered=True, pages=pages)
        if is_overtaken():
            return Listing({**passed, **found}, has_answered=True, is_overtaken=True)
        # Without this check, a provider that repeats a cursor would be read until `PAGES_MAX`.
        if cursor in cursors:
            why = f"the list repeated a cursor after page {pages}"
            break
        cursors.add(cursor)
    broken = Unobserved(Reason.OBSERVATION_INCOMPLETE, why)
    return Listing({**passed, **found}, has_answered=True, broken=broken)


def _rows(page: JobPage, ids: Collection[str]) -> Iterator[tuple[str, ObservedJob]]:
    """Yield each of these ids that a page shows, with the job's row."""
    for job in page.jobs:
        for job_id in (job.id, *job.aliases):
            if job_id in ids:
                yield job_id, job


async def _page(reader: JobReader, page_size: int, cursor: str | None) -> JobPage | ProviderError:
    try:
        return await reader.list_page(ListQuery(page_size), cursor)
    except ProviderError as error:
        return error


def _without_a_page(error: ProviderError) -> Listing:
    """Return the result for a first page that failed.

    If only listing is forbidden, this is not a failure of the account, because jobs may still be retrieved by id.
    """
    may_not_list = isinstance(error, PermanentError) and error.kind is Kind.FORBIDDEN
    return Listing() if may_not_list else Listing(account_failure=unobserved_by(error))
