"""The workload of the real hour, which is the same in each period: jobs begin, end and are cancelled, and faults occur.

Each account has jobs that ended long ago, jobs that run all the time, and short jobs. One short job begins in each
minute; its spec is written then. Every second one is to be cancelled after a while, and the others end by themselves.
Then its spec is deleted, and later the provider no longer shows it. So the number of jobs and specs stays the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.cli import SPEC

PERIOD_MIN = 10
"""The faults repeat after this many minutes."""
CANCELLED_AFTER, ENDS_AFTER, DELETED_AFTER, ABSENT_AFTER = 4, 8, 12, 16
"""Minutes from the beginning of a short job."""
ONE_RUNS_IN = 10
"""One in this many of the jobs that do not change runs. The others have succeeded."""
FAULTS: Mapping[int, tuple[int, dict[str, Any]]] = {
    1: (0, {"fault": "status", "status": "503"}),
    3: (1, {"fault": "status", "status": "429", "retry_after": "20s"}),
    5: (2, {"fault": "hang"}),
    7: (3, {"fault": "partial-page"}),
    8: (4, {"fault": "status", "status": "401"}),
}
"""By the minute of a period: the account that has a fault for this minute, and the fault."""


@dataclass(frozen=True, slots=True)
class Short:
    """A short job of an account, by the minute in which it begins. Minutes before the start are negative."""

    account: int
    minute: int

    @property
    def id(self) -> str:
        """The id at the provider, and the name of its spec. No account has an id of another one."""
        if self.minute < 0:
            return f"ftjob-{account_name(self.account)}-before-{-self.minute}"
        return f"{new_ids(self.account)}{self.minute + 1:06}"

    @property
    def is_to_be_cancelled(self) -> bool:
        """Whether its spec is edited while it runs."""
        return self.minute % 2 == 0

    def declared(self, minute_s: float = 60.0) -> dict[str, object]:
        """Return the job as the sandbox declares it, if a minute of the workload lasts this many seconds."""
        life = [
            {"phase": "running", "for": f"{ENDS_AFTER * minute_s:.0f}s"},
            {"phase": "succeeded", "for": f"{(ABSENT_AFTER - ENDS_AFTER) * minute_s:.0f}s"},
            {"phase": "absent"},
        ]
        age = {"age": f"{-self.minute * minute_s:.0f}s"} if self.minute < 0 else {}
        return {"id": self.id, "life": life, **age}

    def spec(self, now: int) -> str | None:
        """Return the spec as it is in a minute of the run; None if it does not exist then."""
        if not self.minute <= now < self.minute + DELETED_AFTER:
            return None
        state = "cancelled" if self.is_to_be_cancelled and now >= self.minute + CANCELLED_AFTER else "observed"
        return SPEC.format(name=self.id, provider=account_name(self.account), job_id=self.id, state=state)


def account_name(account: int) -> str:
    """Return the name of an account, which is that of its Provider document."""
    return f"a{account}"


def new_ids(account: int) -> str:
    """Return how the ids begin that an account gives to jobs which are created there."""
    return f"ftjob-{account_name(account)}-created-"


def lasting_jobs(account: int, number: int) -> Iterator[dict[str, object]]:
    """Yield the jobs of an account that do not change, as the sandbox declares them."""
    for at in range(number):
        phase = "running" if at % ONE_RUNS_IN == 0 else "succeeded"
        yield {"id": f"ftjob-{account_name(account)}-lasting-{at}", "age": "90m", "life": [{"phase": phase}]}


def lasting_specs(account: int, number: int) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of the spec of each lasting job."""
    for job in lasting_jobs(account, number):
        text = SPEC.format(name=job["id"], provider=account_name(account), job_id=job["id"], state="observed")
        yield str(job["id"]), text


def short_jobs(account: int, now: int) -> list[Short]:
    """Return the short jobs of an account that have a spec in a minute, or had one in the minute before."""
    return [Short(account, minute) for minute in range(now - DELETED_AFTER, now + 1)]


def fault_at(minute: int) -> tuple[int, dict[str, Any]] | None:
    """Return the account that has a fault in a minute of the run, and the fault."""
    return FAULTS.get(minute % PERIOD_MIN)
