"""One change budget for all accounts: each account's changes reduce it for the others, even if an account is slow."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from reconciler.controller.build_report import PassResult
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.reconcile import reconcile_once
from reconciler.controller.run_options import ChangeRules, RunOptions
from reconciler.core.guard import ChangeLimits
from reconciler.core.scope import ScopedLimits
from reconciler.model.job import Account, JobRef, Phase
from reconciler.model.spec import FineTuningJob
from tests.support.build import ACCOUNT, NOW
from tests.support.clock import VirtualClock, in_virtual_time
from tests.support.documents import a_provider, located
from tests.support.in_memory_accounts import (
    InMemoryAccount,
    a_revision,
    a_world,
    an_account,
    controlled,
    named_specs,
)
from tests.support.in_memory_operator import Operator

SLOW = Account("openai", "https://slow.example.org/v1")
PROVIDERS = (located(a_provider("slow", baseUrl=SLOW.base_url), "slow.yaml"),)
HERE = tuple(f"here-{number:02}" for number in range(8))
THERE = tuple(f"there-{number:02}" for number in range(21))
"""Enough jobs that their account is observed by a list."""
LIMITS = ChangeLimits(max_cancels=1000, max_cancel_percent=100, max_cancels_absolute=25)
OPTIONS = RunOptions(rules=ChangeRules(ScopedLimits(LIMITS)))


@dataclass
class TwoAccounts:
    """A process that makes passes over two accounts. Each pass waits 0.2 s for slow accounts."""

    here: InMemoryAccount = field(default_factory=lambda: an_account(*(f"ftjob-{name}" for name in HERE)))
    slow: InMemoryAccount = field(default_factory=lambda: an_account("ftjob-odd", *(f"ftjob-{name}" for name in THERE)))
    memory: PassMemory = field(default_factory=PassMemory)

    def __post_init__(self) -> None:
        """Create the world that contains both accounts."""
        self.world = a_world(self.here, *self.specs("observed", "observed"), providers=PROVIDERS)
        self.world.operator = Operator({"RECONCILE_TRUST": "OPENAI_API_KEY=slow.example.org"})
        self.world.accounts.readers = {SLOW: self.slow, ACCOUNT: self.here}

    def specs(self, here: str, there: str) -> list[FineTuningJob]:
        """Return the specs of both accounts with these desired states. The job `odd` should always be cancelled."""
        return [
            *named_specs("odd", provider="slow"),
            *named_specs(*THERE, provider="slow", desiredState=there),
            *named_specs(*HERE, desiredState=here),
        ]

    def want(self, here: str, there: str) -> None:
        """Change the desired states in the specs of both accounts."""
        self.world.specs.revision = a_revision(*self.specs(here, there), providers=PROVIDERS)

    def make_list_lag(self) -> None:
        """Make the slow account show `odd` as if its cancel had no effect, and make its retrieve take 10 s."""
        self.slow.jobs["ftjob-odd"] = replace(self.slow.jobs["ftjob-odd"], phase=Phase.RUNNING)
        self.slow.takes_s["ftjob-odd"] = 10.0

    async def make_pass(self, due: frozenset[JobRef] | None = frozenset()) -> PassResult:
        """Make a pass over the jobs that changed or are in `due`. None means every job."""
        runtime = replace(controlled(self.world), clock=VirtualClock(NOW))
        return await reconcile_once(runtime, OPTIONS, self.memory, due, yield_signal=lambda: asyncio.sleep(0.2))


def test_a_slow_accounts_pending_batch_and_a_later_pass_share_one_change_budget() -> None:
    async def main() -> None:
        two = TwoAccounts()
        await two.make_pass(due=None)
        two.make_list_lag()
        two.want("observed", "cancelled")
        await two.make_pass(due=None)
        two.want("cancelled", "cancelled")
        await two.make_pass()
        await asyncio.sleep(60.0)
        last = await two.make_pass()
        await asyncio.sleep(60.0)
        await two.memory.workers.abandon()

        assert sorted(two.here.changes) == [f"cancel ftjob-{name}" for name in HERE]
        assert two.slow.changes == ["cancel ftjob-odd"]
        assert {(each.requested, each.earlier) for each in last.report.refusals} == {(len(THERE), 1 + len(HERE))}

    in_virtual_time(main)
