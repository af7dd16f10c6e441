"""Simulated processes that can be stopped and continued, as SIGSTOP and SIGCONT do, in one event loop.

Theory: the task factory of the loop wraps each coroutine, so that every step of a task first waits until its process
is not stopped. Time goes on meanwhile: what was due in between happens once the process continues.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextvars import ContextVar, copy_context
from types import coroutine
from typing import Any, cast

_stopper: ContextVar[Stopper | None] = ContextVar("stopper", default=None)
"""The stopper of the process to which the current task belongs."""


class Stopper:
    """Stops and continues the tasks of one process."""

    def __init__(self) -> None:
        self._running = asyncio.Event()
        self._running.set()

    @property
    def is_stopped(self) -> bool:
        """Whether the tasks are stopped."""
        return not self._running.is_set()

    def stop(self) -> None:
        """Stop every task of the process before its next step."""
        self._running.clear()

    def resume(self) -> None:
        """Let the tasks continue."""
        self._running.set()

    def start(self, main: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start the process. Tasks that its tasks start belong to it too."""
        context = copy_context()
        context.run(_stopper.set, self)
        return asyncio.get_running_loop().create_task(main, context=context)

    async def wait(self) -> None:
        """Wait until the process is not stopped."""
        while self.is_stopped:
            await self._running.wait()


def allow_stops(loop: asyncio.AbstractEventLoop) -> None:
    """Let the tasks of a loop be stopped with their process."""

    def factory(loop: asyncio.AbstractEventLoop, main: Any, **options: Any) -> asyncio.Task[Any]:
        stopper = (options.get("context") or copy_context()).get(_stopper)
        task = asyncio.Task(main if stopper is None else _run(main, stopper), loop=loop, **options)
        # A task that is cancelled before its first step does not begin its coroutine.
        task.add_done_callback(lambda _: main.close())
        return task

    loop.set_task_factory(cast("Any", factory))


async def _run(main: Any, stopper: Stopper) -> Any:
    return await _stoppable(main, stopper)


@coroutine
def _stoppable(main: Any, stopper: Stopper) -> Generator[Any, Any, Any]:
    """Run a coroutine step by step, and only while its process is not stopped."""
    sent: Any = None
    raised: BaseException | None = None
    while True:
        try:
            yield from stopper.wait().__await__()
        except BaseException as error:  # noqa: BLE001  the coroutine decides what a cancellation means
            raised = error
        try:
            awaited = main.send(sent) if raised is None else main.throw(raised)
        except StopIteration as ended:
            return ended.value
        sent, raised = None, None
        try:
            sent = yield awaited
        except BaseException as error:  # noqa: BLE001  as above
            raised = error
