"""Write the intents of several accounts, and publish them together.

Theory: of all steps before a request, a push takes the longest, and other writers push to the same branch. Therefore
only one push runs at a time. All intents that become ready during a push are published together in the next push, like
the group commit of a database.

Rules:

- No other task publishes between the write of an intent and its publication.
- If another writer has pushed first, and all decisions remain valid, the publisher pushes the intents on top of the
  other writer's commit.
- If a decision does not remain valid, the intents are withdrawn, the branch is pulled, and the intents whose decisions
  are still valid are written and pushed at once, up to `TRIES` times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from reconciler.controller.outdated import OutdatedDecisions
from reconciler.errors import ConflictError, PublishError
from reconciler.model.changed_status import ChangedStatus
from reconciler.ports import Publisher

TRIES = 8
"""How many times intents are written and published. If that fails each time, their jobs are decided again."""


class IntentBatch(Protocol):
    """The intents of one account."""

    def write(self, publisher: Publisher | None) -> Sequence[str]:
        """Write the intents whose decisions are still valid, and return what each will request.

        This is called again after each `withdraw`.
        """
        ...

    def is_valid(self, outdated: OutdatedDecisions) -> bool:
        """Return whether the decisions behind all intents remain valid after changes by others.

        `outdated` are the decisions that these changes make outdated. Another thread may call this after `write`.
        """
        ...

    def withdraw(self) -> None:
        """Undo the write of all intents. Raises `OSError` if that fails."""
        ...


@dataclass(slots=True, eq=False)
class _WaitingBatch:
    """A batch that is not published yet."""

    batch: IntentBatch
    is_done: bool = False
    obstacle: Exception | None = None


@dataclass(slots=True)
class IntentQueue:
    """The batches that wait for the next push. All accounts of a process share one queue."""

    _waiting: list[_WaitingBatch] = field(default_factory=list)

    async def publish(self, batch: IntentBatch, publisher: Publisher | None) -> Exception | None:
        """Write the intents of a batch, and publish them if other machines act on the same statuses.

        Return the error if they are not published, or None: a `ConflictError` if the intents were withdrawn, a
        `PublishError`, or the exception of a bug.
        """
        this = _WaitingBatch(batch)
        self._waiting.append(this)
        try:
            async with publisher.exclusive() if publisher is not None else nullcontext():
                if not this.is_done:
                    await self._publish_waiting(publisher)
        finally:
            if this in self._waiting:
                self._waiting.remove(this)
        return this.obstacle

    async def _publish_waiting(self, publisher: Publisher | None) -> None:
        """Publish the batches that wait, including those that are added while another writer pushes first."""
        group: list[_WaitingBatch] = []
        # The exception that ends the task of one account must not leave the others without a result.
        obstacle: Exception | None = PublishError("the publication was interrupted")
        try:
            obstacle = await self._push(group, publisher)
        finally:
            for each in group:
                each.is_done, each.obstacle = True, each.obstacle or obstacle

    async def _push(self, group: list[_WaitingBatch], publisher: Publisher | None) -> Exception | None:
        for tries in range(1, TRIES + 1):
            group += self._waiting
            self._waiting.clear()
            requests = [each for one in group for each in _written(one, publisher)]
            if not requests or publisher is None or not publisher.is_shared:
                return None
            try:
                await publisher.publish(_message(requests), _check_of(group))
            except ConflictError as conflict:
                _withdraw(group)
                if tries == TRIES:
                    return conflict
            except PublishError as error:
                return error
            else:
                return None
            try:
                await publisher.catch_up(tries)
            except PublishError as error:
                return error
        return None


def _written(waiting: _WaitingBatch, publisher: Publisher | None) -> Sequence[str]:
    """Write the intents of a batch, and return what each will request. An error concerns only this batch."""
    try:
        return () if waiting.obstacle is not None else waiting.batch.write(publisher)
    except Exception as error:  # noqa: BLE001  a bug: the worker of the account reports it
        waiting.obstacle = error
    return ()


def _check_of(group: Iterable[_WaitingBatch]) -> Callable[[Sequence[ChangedStatus]], bool]:
    """Return the check of the batches that are written now.

    A push continues in its thread if its task is cancelled. Therefore, the check does not depend on the obstacle that
    each batch then gets.
    """
    return partial(_are_valid, tuple(each.batch for each in group if each.obstacle is None))


def _are_valid(batches: Iterable[IntentBatch], changes: Sequence[ChangedStatus]) -> bool:
    outdated = OutdatedDecisions.of(changes)
    return all(each.is_valid(outdated) for each in batches)


def _withdraw(group: Sequence[_WaitingBatch]) -> None:
    for each in group:
        try:
            each.batch.withdraw()
        except OSError as error:
            each.obstacle = PublishError(f"{error.strerror}: {error.filename}")


def _message(requests: Sequence[str]) -> str:
    first, *others = sorted(requests)
    return f"reconcile: about to {first}" + (f" and {len(others)} more" if others else "")
