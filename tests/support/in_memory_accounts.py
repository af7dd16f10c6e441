"""Accounts in memory whose jobs can be changed, with what a change needs: a shared branch, and a disk that fails.

The rest of the world is in `in_memory`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from reconciler.controller.applied import ApplyContext
from reconciler.controller.plan import JobPlan
from reconciler.controller.resolved_account import ResolvedAccount
from reconciler.controller.runtime import Runtime
from reconciler.core.decide import decide
from reconciler.core.subject import Subject
from reconciler.errors import ConflictError, PublishError
from reconciler.model.changed_status import ChangedStatus
from reconciler.model.job import (
    TERMINAL,
    Accepted,
    Account,
    AlreadyOver,
    CredentialScope,
    JobPage,
    JobRef,
    ListQuery,
    Observed,
    ObservedJob,
    Phase,
)
from reconciler.model.kind import JobDocument
from reconciler.model.spec import FineTuningJob, spec_digest
from reconciler.model.status import JobStatus
from reconciler.ports import Rate, Snapshot
from reconciler.providers import load
from reconciler.throttle import Throttle
from tests.support.build import ACCOUNT, NOW, a_job, a_spec
from tests.support.documents import located
from tests.support.in_memory import OpenAccounts, Specs, Statuses, World
from tests.support.in_memory_operator import Operator
from tests.support.read_only_account import ReadOnlyAccount
from tests.support.subjects import CAN_PAUSE, a_subject

A = TypeVar("A", bound="InMemoryAccount")


@dataclass
class InMemoryAccount(ReadOnlyAccount):
    """An account in which a cancel takes effect at once. A key of `broken` may also be `cancel ftjob-1`."""

    takes_s: dict[str, float] = field(default_factory=dict)
    """The seconds that a response takes, by the same keys as `broken`."""

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return a page of jobs, after the configured delay or error."""
        await self._wait(f"page {int(cursor or 0) + 1}")
        return await super().list_page(query, cursor)

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return a job, after the configured delay or error; None if the account has no job with this ID."""
        await self._wait(ref.id)
        return await super().get_job(ref)

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Cancel a job, unless it has ended or an error is configured."""
        return await self._become("cancel", ref, Phase.CANCELLED)

    @property
    def changes(self) -> list[str]:
        """The requested changes in order, such as `cancel ftjob-1`."""
        return [each for each in self.asked if " " in each and not each.startswith("page")]

    async def _become(self, verb: str, ref: JobRef, phase: Phase) -> Accepted | AlreadyOver:
        await self._wait(f"{verb} {ref.id}")
        # A real account also waits for a permit, so that a request can be dropped while it waits.
        async with Throttle(Rate()).acquire():
            self.ask(f"{verb} {ref.id}")
        job = self.jobs[ref.id]
        if job.phase in TERMINAL:
            return AlreadyOver(job)
        self.jobs[ref.id] = replace(job, phase=phase, provider_status=str(phase))
        return Accepted()

    async def _wait(self, what: str) -> None:
        if what in self.takes_s:
            await asyncio.sleep(self.takes_s[what])


class PausableAccount(InMemoryAccount):
    """An account that can also pause and resume jobs."""

    async def pause_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Pause a job, unless it has ended or an error is configured."""
        return await self._become("pause", ref, Phase.PAUSED)

    async def resume_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Resume a job, unless it has ended or an error is configured."""
        return await self._become("resume", ref, Phase.RUNNING)


def an_account(*ids: str, phase: Phase = Phase.RUNNING) -> InMemoryAccount:
    """Return an account with these jobs, all in one phase. Without IDs, the account has the job of `a_spec`."""
    return InMemoryAccount({id_: a_job(phase, id=id_) for id_ in ids or ("ftjob-abc123",)})


def a_target(account: Account = ACCOUNT, rate: Rate | None = None) -> ResolvedAccount:
    """Return a resolved account with the default options and the default key of its type."""
    type_ = load(account.type)
    scope = CredentialScope(account.host, type_.key_variable or "")
    return ResolvedAccount(account, type_, type_.options(), rate or type_.rate, None, scope)


@dataclass
class SharedBranch:
    """The `Publisher`, which records the published messages. While `trouble` is set, each publication raises it."""

    is_shared: bool = True
    is_dedicated: bool = False
    edition: int = 0
    trouble: ConflictError | PublishError | None = None
    messages: list[str] = field(default_factory=list)
    turns_s: float = 0.0
    """How long each publication of a pass must wait."""

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[object]:
        """Acquire no lock, because nothing else publishes in memory."""
        yield None

    async def pull(self) -> None:
        """Do nothing, because nothing else publishes."""

    async def publish(self, message: str, is_valid: object = None) -> str | None:  # noqa: ARG002  nothing else publishes
        """Record the message, and return a name for its commit, such as `commit-1`, or raise `trouble`."""
        if self.trouble is not None:
            raise self.trouble
        self.messages.append(message)
        return f"commit-{len(self.messages)}"

    def changes_since(self, edition: int) -> tuple[ChangedStatus, ...] | None:
        """Return None after another pull, because that pull may have changed any status, and nothing otherwise."""
        return () if edition == self.edition else None

    async def catch_up(self, tries: int) -> None:
        """Do nothing, because nothing else publishes."""

    def turn_s(self) -> float:
        """Return how long a publication must wait."""
        return self.turns_s

    async def publish_on_top(self, message: str) -> str | None:
        """Do what `publish` does."""
        return await self.publish(message)


@dataclass
class PickyStatuses(Statuses):
    """Statuses of which some cannot be written or removed: `refuse` returns the error for a name, or None."""

    refuse: Callable[[str], Exception | None] = lambda _: None

    def write(self, status: JobStatus, *, durable: bool) -> bool:
        """Write a status, or raise the error for its name."""
        self._ask(status.name)
        return super().write(status, durable=durable)

    def remove(self, status: JobStatus) -> None:
        """Remove a status, or raise the error for its name."""
        self._ask(status.name)
        super().remove(status)

    def _ask(self, name: str) -> None:
        if (error := self.refuse(name)) is not None:
            raise error


def named_specs(*names: str, **spec: Any) -> list[FineTuningJob]:
    """Return a spec of each name, whose job is `ftjob-` and that name."""
    return [a_spec(name, **{"jobId": f"ftjob-{name}"} | spec) for name in names]


def a_revision(*jobs: JobDocument, **rest: Any) -> Snapshot:
    """Return a snapshot with these specs in one file; `rest` has more of its fields."""
    return Snapshot(jobs=tuple(located(each, line=line) for line, each in enumerate(jobs, 1)), **rest)


def a_world(account: InMemoryAccount, *jobs: FineTuningJob, **rest: Any) -> World:
    """Return a world with one account and these specs; `rest` has more fields of the snapshot."""
    return World(specs=Specs(a_revision(*jobs, **rest)), operator=Operator(), accounts=OpenAccounts({ACCOUNT: account}))


def controlled(world: World, **rest: Any) -> Runtime:
    """Return the runtime of a pass that may send requests."""
    readers: Mapping[Account, Any] = world.accounts.readers
    return world.runtime(**{"control": readers.__getitem__} | rest)


def subject_of(spec: FineTuningJob, source: str = "bots.yaml", account: Account = ACCOUNT) -> Subject:
    """Return the subject that a spec of this account resolves to."""
    return replace(
        a_subject(str(spec.spec.desired_state), can=CAN_PAUSE),
        name=spec.metadata.name,
        source=source,
        ref=JobRef(account, spec.spec.job_id),
        spec=spec.spec,
        digest=spec_digest(spec.spec, account),
        suspension=spec.spec.suspend,
    )


def a_case(spec: FineTuningJob, phase: Phase = Phase.RUNNING, last: JobStatus | None = None, **rest: Any) -> JobPlan:
    """Return the plan for a spec whose job is observed in this phase. `rest` has more fields of the plan."""
    job = a_job(phase, id=spec.spec.job_id, as_of=NOW)
    subject = subject_of(spec)
    return JobPlan(subject, last, decide(subject, Observed(job), last, NOW), **{"seen": job} | rest)


def a_context(world: World, **rest: Any) -> ApplyContext:
    """Return the context in which a plan is applied in this world. `rest` has more of its fields."""
    return ApplyContext(world.specs, world.statuses, world.clock.now, **rest)
