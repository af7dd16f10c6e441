"""The estimated costs of observing jobs: by retrieving each job, or by reading the list of the account.

Rules: this module is pure. A cost is an estimate in seconds at the current request rate. Costs are only compared with
each other, so they need not be exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from reconciler.ports import Rate

RETRIEVE_S = 0.2
"""The assumed time to retrieve one job, in seconds. Several jobs are retrieved concurrently."""
PAGE_S = 1.0
"""The assumed time to read one page of a list, in seconds. Pages are read one after another."""
REQUEST_S = 0.01
"""The additional cost of each request, in seconds, so that concurrent requests are not free."""


@dataclass(frozen=True, slots=True)
class RequestCosts:
    """The costs of the requests to one account."""

    rate: Callable[[], Rate]
    """A function that returns the current rate limit of the account."""
    pages: int = 1
    """The number of pages of the last list; 1 if no list has been read yet."""

    @property
    def at_once(self) -> int:
        """The maximum number of concurrent requests."""
        return self.rate().concurrency

    def prefers_list(self, jobs: int) -> bool:
        """Return whether reading all pages of the list costs less than retrieving this many jobs."""
        return self._list_s(self.pages) < self._retrieve_s(jobs)

    def ends_list(self, pages: int, found: int, missing: int) -> bool:
        """Return whether to stop reading a list after this many pages, and to retrieve the missing jobs instead.

        Reading stops if retrieving the missing jobs costs at most as much as the pages that were read, and at most as
        much as the pages that are probably still needed. Their number is estimated from how many wanted jobs each page
        has shown so far. If no wanted job was shown, only the first condition applies.
        """
        ahead = self._list_s(math.ceil(missing * pages / found)) if found else math.inf
        return self._retrieve_s(missing) <= min(self._list_s(pages), ahead)

    def are_few(self, jobs: int) -> bool:
        """Return whether retrieving this many jobs costs no more than a list, and is not delayed by the rate limit."""
        return jobs <= self.rate().burst and not self.prefers_list(jobs)

    def _retrieve_s(self, jobs: int) -> float:
        rounds = math.ceil(jobs / self.at_once)
        return max(rounds * RETRIEVE_S, self._wait_s(jobs)) + jobs * REQUEST_S

    def _list_s(self, pages: int) -> float:
        return max(pages * PAGE_S, self._wait_s(pages)) + pages * REQUEST_S

    def _wait_s(self, requests: int) -> float:
        """Return for how many seconds the rate limit delays the last of these requests."""
        rate = self.rate()
        return max(0, requests - rate.burst) / rate.requests_per_second
