"""What it takes to observe jobs: to retrieve each of them, or to read the list of their account.

Rules: pure. A cost is an estimate in seconds at the present request rate. It only decides which way is cheaper, so only
the ratios of the constants matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from reconciler.ports import Rate

RETRIEVE_S = 0.2
"""How long one retrieve takes. Several are sent at once."""
PAGE_S = 0.75
"""How long one page of a list takes. Pages are read one after another."""
REQUEST_S = 0.01
"""What each request costs the provider, so that many requests at once are not free."""


@dataclass(frozen=True, slots=True)
class RequestCosts:
    """The costs of the requests to one account."""

    rate: Callable[[], Rate]
    """Returns the present request rate of the account."""
    pages: int = 1
    """How many pages the last list had; 1 if none was read yet."""

    @property
    def at_once(self) -> int:
        """The maximum number of concurrent requests."""
        return self.rate().concurrency

    def prefers_list(self, jobs: int) -> bool:
        """Whether to read the list, because retrieving this many jobs costs more than all of its pages."""
        return self._list_s(self.pages) < self._retrieve_s(jobs)

    def ends_list(self, pages: int, missing: int) -> bool:
        """Whether to stop reading a list, because so many pages cost as much as retrieving the jobs still missing."""
        return self._retrieve_s(missing) <= self._list_s(pages)

    def are_few(self, jobs: int) -> bool:
        """Whether this many jobs are retrieved without waiting for the request rate."""
        return jobs <= self.rate().burst and not self.prefers_list(jobs)

    def _retrieve_s(self, jobs: int) -> float:
        rounds = math.ceil(jobs / self.at_once)
        return max(rounds * RETRIEVE_S, self._wait_s(jobs)) + jobs * REQUEST_S

    def _list_s(self, pages: int) -> float:
        return max(pages * PAGE_S, self._wait_s(pages)) + pages * REQUEST_S

    def _wait_s(self, requests: int) -> float:
        """Return how long the request rate delays the last of these requests."""
        rate = self.rate()
        return max(0, requests - rate.burst) / rate.requests_per_second
