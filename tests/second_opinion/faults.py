"""The faults between a client and the world, in one table by kind.

A fault affects the next `left` requests of its operations, for one job or account if it names one. It occurs either
before or after the request takes effect. A client cannot see the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

LOOK = ("list", "retrieve")
CHANGE = ("cancel", "pause", "resume")
ANY = LOOK + CHANGE

KINDS: dict[str, tuple[str, ...]] = {
    # the response is replaced, and the request has no effect
    "throttled": ANY,
    "throttled-no-hint": ANY,
    "throttled-date": ANY,
    "throttled-nonsense": ANY,
    "quota": ANY,
    "html-500": ANY,
    "html-502": ANY,
    "html-503": ANY,
    "gateway-504": ANY,
    "timeout-408": ANY,
    "key-401": ANY,
    "key-403": ANY,
    "echo-401": ANY,
    "reset-before": ANY,
    "not-found": ("retrieve", *CHANGE),
    "redirect": ANY,
    # the request takes effect, and the response is lost, late or unusual
    "reset-after": ANY,
    "cut-body": ANY,
    "slow": ANY,
    "silent-close": ANY,
    "html-502-after": CHANGE,
    "throttled-after": CHANGE,
    "no-date": ANY,
    "date-ahead": ANY,
    "date-behind": ANY,
    "empty-200": ANY,
    "null-200": ANY,
    "html-200": ANY,
    "odd-202": CHANGE,
    "odd-204": CHANGE,
    "brace-200": CHANGE,
    "other-job-200": ("retrieve", *CHANGE),
    # the change is accepted without an effect, takes effect late, or is refused
    "ignored": CHANGE,
    "late": CHANGE,
    "refused-409": CHANGE,
    "refused-400": CHANGE,
    # lists
    "list-forgets": ("list",),
    "list-short": ("list",),
    "list-lags": ("list",),
    "list-says-more": ("list",),
    "list-goes-round": ("list",),
    "list-garbled-row": ("list",),
    "list-null-row": ("list",),
    "list-no-data": ("list",),
    "list-twice": ("list",),
    "list-empty": ("list",),
    # rows
    "row-word": LOOK,
    "row-null-status": LOOK,
    "row-no-status": LOOK,
    "row-number-status": LOOK,
    "row-no-created": LOOK,
    "row-null-created": LOOK,
    "row-huge-created": LOOK,
    "row-text-created": LOOK,
    "row-ended-no-end": LOOK,
    "row-other-id": ("retrieve",),
}

UNTIL_TOLD = 10**6
"""A number of requests that no session reaches, so that the fault lasts until it is ended."""


@dataclass
class Fault:
    """A fault of `kind` for the next `left` requests of the operations `on`. Job and account may be None, for any."""

    kind: str
    on: tuple[str, ...]
    job: str | None = None
    account: str | None = None
    left: int = 1
    seconds: float = 1.0
    met: int = 0

    def meets(self, verb: str, job: str | None, account: str) -> bool:
        """Return whether the fault affects this request."""
        at_job = self.job is None or (job == self.job) or (verb == "list" and self.kind.startswith(("row-", "list-")))
        return self.left > 0 and verb in self.on and at_job and self.account in (None, account)


def drawn(chance: Random, jobs: list[str]) -> Fault:
    """Return a random fault of any kind, for some requests or until it is ended."""
    kind = chance.choice(sorted(kind for kind in KINDS if chance.random() < 0.5 or "cancel" in KINDS[kind]))
    on = KINDS[kind]
    if set(on) >= set(ANY):
        on = chance.choice([LOOK, CHANGE, CHANGE, ANY])
    one_job = chance.random() < 0.3 or kind in ("list-forgets", "row-other-id", "other-job-200")
    left = chance.choice([1, 2, 3, 5, UNTIL_TOLD]) if on == CHANGE else chance.choice([1, 1, 2, 3, 8, 30])
    return Fault(kind, on, chance.choice(jobs) if one_job else None, None, left, chance.choice([1, 1, 2, 5, 20, 40]))
