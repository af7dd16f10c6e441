"""What the contract suite needs to be given: the other end of an adapter, with jobs on it and faults on demand."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Protocol

from reconciler.plugin import Capabilities, JobController, JobRef, Phase

RETRY_AFTER_S = 7
"""What `Fault.RATE_LIMITED` says in its Retry-After."""


class Fault(StrEnum):
    """What the other end does to every request from now on."""

    UNAUTHORISED = "401, in the provider's own words"
    FORBIDDEN = "403, in the provider's own words"
    RATE_LIMITED = "429 with a Retry-After of RETRY_AFTER_S"
    SERVER_ERROR = "500"
    RESET_BEFORE_ACTING = "does nothing, and breaks the connection"
    RESET_AFTER_ACTING = "does what was asked, and breaks the connection"
    SILENCE = "does nothing, and never answers"
    PAGE_OF_A_PROXY = "200 with an HTML page"
    CUT_SHORT = "200 with half an answer"
    EMPTY = "200 with no body"
    ACCEPTED_SILENTLY = "does what was asked, and answers 204 with no body"
    ACCEPTED_IN_OWN_WORDS = "does what was asked, and answers 202 with words that show no job"
    FOREIGN_NOT_FOUND = "404, but not in the provider's own words"
    UNKNOWN_WORD = "answers with a status word that nobody has heard of"
    ENDLESS_LIST = "gives the first page for every page of a list, and says that there is more"
    GARBLED_ROW = "gives nonsense for the first job of each page of a list"
    EMPTY_PAGE = "gives a list's page without its rows, and says whatever it says of more"
    POINTS_ELSEWHERE = "gives, beside the answer, an address of the next page on another host"
    FRACTIONAL_TIMES = "gives times with half a second"
    NO_TIMES = "leaves every time out"
    GZIPPED = "compresses each answer"
    HUGE = "blows each answer up to more than anyone should read"
    REDIRECTED = "307, to another host"
    REFUSAL_AS_TEXT = "400, as plain text"
    REFUSAL_AS_PAGE = "400, as an HTML page"
    REFUSAL_AS_DETAIL = "400, as JSON with a `detail`"
    REFUSAL_AS_STRING = "400, as JSON whose `error` is a text"
    REFUSAL_AS_NULLS = "400, as JSON whose `error` is full of nulls"
    REFUSED_ONCE = "400, as JSON, to the next request, which it does not do; all is well after that"


OWN = frozenset(
    {
        Fault.UNAUTHORISED,
        Fault.FORBIDDEN,
        Fault.RATE_LIMITED,
        Fault.SERVER_ERROR,
        Fault.UNKNOWN_WORD,
        Fault.ENDLESS_LIST,
    }
)
"""What only the provider's own words can say."""
REFUSALS = frozenset(fault for fault in Fault if fault.name.startswith("REFUSAL_"))
TAKEN = frozenset({Fault.EMPTY, Fault.ACCEPTED_SILENTLY, Fault.ACCEPTED_IN_OWN_WORDS})
"""Answers of 2xx that show no job: a request for a change was taken all the same."""
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
"""With these a request may well work."""


class Stage(Protocol):
    """A fresh world for one test.

    It has at least one job in each of the phases queued, running, succeeded, failed and cancelled, in paused too where
    the provider can pause, and five jobs or more in all. Its deadlines are short: at most half a second.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What the adapter says that it can do."""
        ...

    @property
    def secret(self) -> str:
        """The key that the adapter is opened with, of eight characters or more; empty where it needs none."""
        ...

    @property
    def job_ids(self) -> frozenset[str]:
        """Every job there is."""
        ...

    def job_in(self, phase: Phase) -> JobRef:
        """Return a job in that phase; for `absent`, an id that is well formed and was never given out."""
        ...

    def break_with(self, fault: Fault) -> None:
        """From now on, every request meets this fault.

        `OWN` are for the stage to do; `reconciler.testing.FaultInjector` does all others, for any application.
        Raises NotImplementedError for a fault that this stage cannot have: the test is skipped.
        """
        ...

    def heal(self) -> None:
        """From now on, no request meets a fault."""
        ...

    def open(self) -> AbstractAsyncContextManager[JobController]:
        """Open the adapter; a test does so more than once, and the world stays as it was left."""
        ...
