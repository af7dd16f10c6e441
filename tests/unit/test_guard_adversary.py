"""The guard against an adversary who can write every status, name every account and commit as often as they want.

Each seed is one run of passes that are minutes apart. In each pass the adversary requests the cancel of any jobs under
any account name, and between passes they delete, forge, backdate and approve statuses. The test counts the cancels that
the guard allowed in each hour, independently of every file that the adversary can write.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from reconciler.core.change_budget import ChangeBudget
from reconciler.core.past_attempts import PastAttempts, PlannedChange, still_counting
from reconciler.core.scope import AccountMap
from reconciler.model.job import Account, CredentialScope, JobRef, Phase
from reconciler.model.journal import Requested
from reconciler.model.status import JobFacts, JobStatus, Outcome, Receipt, Verb
from tests.support.build import NOW, a_status
from tests.support.subjects import a_receipt

SEEDS = 120
PASSES = 40
HOUR = timedelta(hours=1)
ALIASES = tuple(Account("openai", "https://api.openai.com/v1", (("project", f"p{number}"),)) for number in range(5))
SANDBOX = Account("sandbox", "http://sandbox.localhost/v1")
SCOPE = CredentialScope("api.openai.com:443", "OPENAI_API_KEY")


@dataclass
class World:
    """The true state of the jobs, and the contents of the files."""

    rng: random.Random
    jobs: int
    now: datetime = NOW
    done: set[int] = field(default_factory=set)
    """The jobs that were cancelled."""
    let_through: list[datetime] = field(default_factory=list)
    journal: tuple[Requested, ...] = ()
    statuses: dict[str, JobStatus] = field(default_factory=dict)
    """The statuses by the names of their specs. The adversary can write them."""

    def one_pass(self) -> None:
        """Let the adversary request cancels of any jobs under any account name, and let the guard judge them."""
        account = self.rng.choice(ALIASES)
        left = [number for number in range(self.jobs) if number not in self.done]
        wanted = set(self.rng.sample(left, self.rng.randrange(min(len(left), 8) + 1)))
        changes = [self._change(number, account, is_wanted=number in wanted) for number in range(self.jobs)]
        budget = ChangeBudget(
            past=PastAttempts(tuple(self.statuses.values()), self.journal),
            claimed=tuple(self.statuses.values()),
            account_map=AccountMap({str(account): SCOPE, str(SANDBOX): CredentialScope(str(SANDBOX), "sandbox")}),
        )
        padding = [
            PlannedChange(f"pad-{number}", JobRef(SANDBOX, f"x{number}"), is_unfinished=True) for number in range(100)
        ]
        budget.judge(str(SANDBOX), padding, self.now)
        judged = budget.judge(str(account), changes, self.now)
        assert judged.approved == {}
        sent = [number for number in wanted if self._name(number) in judged.counted - judged.refused]
        again = [number for number in wanted if self._name(number) not in judged.counted]
        fresh = tuple(self._requested(number, account) for number in sent)
        self.journal = (*still_counting(self.journal, self.statuses.values, self.now), *fresh)
        for number in (*sent, *again):
            self.statuses[self._name(number)] = self._status(number, account)
        self.done.update(sent, again)
        self.let_through += [self.now] * len(sent)
        assert again == []  # each job ends with its first cancel, so no receipt stays open

    def _change(self, number: int, account: Account, *, is_wanted: bool) -> PlannedChange:
        status = self.statuses.get(self._name(number))
        return PlannedChange(
            name=self._name(number),
            ref=JobRef(account, f"ftjob-{number}"),
            verb=Verb.CANCEL if is_wanted else None,
            is_first=is_wanted and not (status and status.open_receipt),
            receipts=status.receipts if status else (),
            is_unfinished=number not in self.done,
        )

    def _name(self, number: int) -> str:
        return f"job-{number:02}"

    def _requested(self, number: int, account: Account) -> Requested:
        return Requested(
            name=self._name(number),
            account=str(account),
            job_id=f"ftjob-{number}",
            verb=Verb.CANCEL,
            at=self.now,
            receipt_at=self.now,
        )

    def _status(self, number: int, account: Account, phase: Phase = Phase.CANCELLED) -> JobStatus:
        facts = JobFacts(account=str(account), id=f"ftjob-{number}", provider_status=str(phase))
        receipt = replace(a_receipt(outcome=Outcome.CANCELLED), requested_at=self.now, last_attempt_at=self.now)
        return replace(a_status(self._name(number)), phase=phase, job=facts, receipts=(receipt,))

    def any_name(self) -> str:
        """Return the name of one of the specs."""
        return self._name(self.rng.randrange(self.jobs))

    def with_receipt(self, name: str, change: Callable[[Receipt], Receipt]) -> None:
        """Change the receipts of a status."""
        status = self.statuses.get(name)
        if status is not None:
            self.statuses[name] = replace(status, receipts=tuple(map(change, status.receipts)))


def delete(world: World) -> None:
    world.statuses.pop(world.any_name(), None)


def delete_all(world: World) -> None:
    world.statuses.clear()


def forge_open(world: World) -> None:
    """Forge a cancel that has been open for some time, so that the next attempt does not appear to be the first."""
    for number in world.rng.sample(range(world.jobs), min(8, world.jobs)):
        account = world.rng.choice(ALIASES)
        status = world._status(number, account, Phase.RUNNING)  # noqa: SLF001  so that it is a valid status
        at = world.now - world.rng.choice([timedelta(minutes=10), timedelta(hours=3)])
        receipt = replace(status.receipts[0], outcome=None, requested_at=at, last_attempt_at=at)
        world.statuses[status.name] = replace(status, receipts=(receipt,))


def date_back(world: World) -> None:
    world.with_receipt(world.any_name(), lambda each: replace(each, requested_at=NOW - timedelta(days=9)))


def approve(world: World) -> None:
    world.with_receipt(world.any_name(), lambda each: replace(each, approved_by="--allow-cancels 99"))


def move_to_the_sandbox(world: World) -> None:
    name = world.any_name()
    status = world.statuses.get(name)
    if status is not None and status.job is not None:
        world.statuses[name] = replace(status, job=replace(status.job, account=str(SANDBOX)))


def make_up_unfinished(world: World) -> None:
    for number in range(100):
        facts = JobFacts(account=str(ALIASES[0]), id=f"none-{number}", provider_status="running")
        world.statuses[f"none-{number}"] = replace(
            a_status(f"none-{number}"), phase=Phase.RUNNING, final=False, job=facts, receipts=()
        )


def do_nothing(_: World) -> None:
    """Leave everything as it is."""


TRICKS = (delete, delete_all, forge_open, date_back, approve, move_to_the_sandbox, make_up_unfinished, do_nothing)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("first", range(0, SEEDS, 30))
def test_forged_and_deleted_statuses_do_not_raise_the_hourly_limit_of_the_guard(first: int) -> None:
    for seed in range(first, first + 30):
        rng = random.Random(seed)  # noqa: S311  reproducible, not secret
        world = World(rng, jobs=rng.choice([5, 12, 30, 90]))
        for _ in range(PASSES):
            world.one_pass()
            for _ in range(rng.randrange(4)):
                rng.choice(TRICKS)(world)
            world.now += timedelta(minutes=rng.choice([1, 5, 20]))
        most = max(3, min(20, 30 * world.jobs // 100))
        for at in world.let_through:
            within = sum(timedelta(0) <= each - at < HOUR for each in world.let_through)

            assert within <= most, f"seed {seed}: {within} cancels in an hour; at most {most} are allowed"
