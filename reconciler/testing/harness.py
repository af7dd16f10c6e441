"""The interface between the contract tests and an adapter: a simulated provider with jobs and faults."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Protocol

from reconciler.plugin import Capabilities, JobController, JobRef, Phase

RETRY_AFTER_S = 7
"""The value of Retry-After for `Fault.RATE_LIMITED`."""


class Fault(StrEnum):
    """A fault of the simulated provider. It applies to every request until it is removed.

    `REFUSED_ONCE` applies to one request only.
    """

    UNAUTHORISED = "a 401 in the provider's error format"
    FORBIDDEN = "a 403 in the provider's error format"
    RATE_LIMITED = "a 429 with a Retry-After of RETRY_AFTER_S"
    SERVER_ERROR = "a 500"
    RESET_BEFORE_ACTING = "the connection breaks, and the request has no effect"
    RESET_AFTER_ACTING = "the connection breaks, and the request takes effect"
    SILENCE = "no response, and the request has no effect"
    PAGE_OF_A_PROXY = "a 200 with an HTML page"
    CUT_SHORT = "a 200 with half of the body"
    EMPTY = "a 200 without a body"
    ACCEPTED_SILENTLY = "the request takes effect, and the response is a 204 without a body"
    ACCEPTED_IN_OWN_WORDS = "the request takes effect, and the response is a 202 without a job"
    FOREIGN_NOT_FOUND = "a 404 that is not in the provider's error format"
    UNKNOWN_WORD = "an undocumented status word"
    ENDLESS_LIST = "every page of a list is the first page, and has a next page"
    GARBLED_ROW = "the first row of each page of a list is not a job"
    EMPTY_PAGE = "a page of a list without its rows, with the same next page"
    POINTS_ELSEWHERE = "the response also contains the address of a next page on another host"
    FRACTIONAL_TIMES = "times contain a fraction of a second"
    NO_TIMES = "no times"
    GZIPPED = "compressed responses"
    HUGE = "responses that are too large to read"
    REDIRECTED = "a 307 to another host"
    REFUSAL_AS_TEXT = "a 400 as plain text"
    REFUSAL_AS_PAGE = "a 400 as an HTML page"
    REFUSAL_AS_DETAIL = "a 400 as JSON with a `detail`"
    REFUSAL_AS_STRING = "a 400 as JSON whose `error` is a string"
    REFUSAL_AS_NULLS = "a 400 as JSON whose `error` contains only nulls"
    REFUSED_ONCE = "a 400 as JSON for the next request, which has no effect; later requests succeed"


PROVIDER_FAULTS = frozenset(
    {
        Fault.UNAUTHORISED,
        Fault.FORBIDDEN,
        Fault.RATE_LIMITED,
        Fault.SERVER_ERROR,
        Fault.UNKNOWN_WORD,
        Fault.ENDLESS_LIST,
    }
)
"""The faults that need the provider's own formats. A stage implements them, because `FaultInjector` cannot."""
REFUSALS = frozenset(fault for fault in Fault if fault.name.startswith("REFUSAL_"))
"""The 400 responses in formats of gateways."""
ACCEPTED = frozenset({Fault.EMPTY, Fault.ACCEPTED_SILENTLY, Fault.ACCEPTED_IN_OWN_WORDS})
"""2xx responses without a job and without an error. A change request that gets such a response counts as accepted."""
HARMLESS = frozenset(
    {
        Fault.ACCEPTED_IN_OWN_WORDS,
        Fault.UNKNOWN_WORD,
        Fault.ENDLESS_LIST,
        Fault.GARBLED_ROW,
        Fault.EMPTY_PAGE,
        Fault.POINTS_ELSEWHERE,
        Fault.FRACTIONAL_TIMES,
        Fault.NO_TIMES,
        Fault.GZIPPED,
    }
)
"""The faults with which a request can still succeed."""


class Stage(Protocol):
    """A new simulated provider for one test.

    The provider has at least one job in each of the phases running, failed and cancelled. If it has the phases queued
    and succeeded, it has a job in each of them too. If it can pause jobs, it has a paused job. After
    `break_with(Fault.SILENCE)`, the adapter is opened with deadlines of at most half a second.
    """

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities that the adapter declares."""
        ...

    @property
    def secret(self) -> str:
        """The key that opens the adapter, with at least eight characters; empty if the adapter needs no key."""
        ...

    @property
    def job_ids(self) -> frozenset[str]:
        """The ids of all jobs of the provider."""
        ...

    def job_in(self, phase: Phase) -> JobRef:
        """Return a job in this phase. For `absent`, return a valid id that no job has.

        Raises `NotImplementedError` for `queued` and `succeeded` if the provider has no such phase; the test is then
        skipped, or uses another job that has ended.
        """
        ...

    def break_with(self, fault: Fault) -> None:
        """Apply a fault to every request from now on.

        The stage implements `PROVIDER_FAULTS`; `reconciler.testing.FaultInjector` implements all others, for any
        application. Raises `NotImplementedError` for a fault that the stage does not support; the test is then skipped.
        Every stage supports `FOREIGN_NOT_FOUND`, and the faults from `UNAUTHORISED` to `SILENCE`.
        """
        ...

    def heal(self) -> None:
        """Remove the fault, so that later requests are handled normally."""
        ...

    def open(self) -> AbstractAsyncContextManager[JobController]:
        """Open the adapter. A test may open it more than once; the simulated provider keeps its state."""
        ...
