"""The product, as the simulation drives it: only this module starts and stops its loop, and reads its health.

Rules: the history records what the product reports, in the words of the user interface. Only the simulation uses this
module, so that another loop can be simulated instead.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from io import StringIO

from reconciler.controller.build_report import PassResult
from reconciler.controller.health import HealthTracker
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.reconcile import reconcile_once
from reconciler.controller.run_once import run_to_completion
from reconciler.controller.run_options import ChangeRules, RunOptions
from reconciler.controller.runtime import Runtime
from reconciler.controller.watch import Watch
from reconciler.core.guard import ChangeLimits
from reconciler.core.scope import ScopedLimits
from reconciler.core.subject import INTERVAL
from reconciler.errors import error_location
from reconciler.model.action_record import AccountAnswered, PassEvent
from reconciler.model.report import Report
from reconciler.model.watch_status import liveness_problems, readiness_problems
from reconciler.ports import ChangeNotifier, Clock
from reconciler.telemetry.log import PassLog, make_logger
from tests.scenario.history import HealthShown, History, Logged, Reported
from tests.scenario.process import Machine, ProcessLife, run

QUESTIONED_EVERY_S = 20.0


@dataclass(slots=True)
class Product:
    """One process of the product."""

    runtime: Runtime
    options: RunOptions
    stop: asyncio.Event
    jitter: Callable[[], float]
    _witness: _Witness
    _memory: PassMemory

    async def make_pass(self) -> Report:
        """Make one pass over all specs."""
        return (await reconcile_once(self.runtime, self.options, self._memory)).report

    async def make_passes(self, within_s: float) -> Report:
        """Make passes, as `--once --wait` makes them."""
        return await run_to_completion(
            self.runtime, self.options, wait_s=within_s, timeout_s=within_s, jitter=self.jitter
        )

    async def watch(self, waker: ChangeNotifier, asked: Callable[[], frozenset[str]]) -> None:
        """Watch until the process is requested to stop.

        Args:
            waker: notifies the watch of changes.
            asked: returns the names of the specs for which a person has requested a retry, each request once.
        """
        witness = self._witness
        questions = asyncio.ensure_future(witness.question_for_ever())
        try:
            await Watch(self.runtime, self.options, waker, self.jitter, witness.health, witness.passed, asked).run(
                self.stop
            )
        except Exception as error:  # noqa: BLE001  the oracles report a watch that ends because of a bug
            witness.died(error)
        finally:
            questions.cancel()


@asynccontextmanager
async def started(
    machine: Machine, life: ProcessLife, change_limits: ChangeLimits, jitter: Callable[[], float]
) -> AsyncIterator[Product]:
    """Start a process that runs until the body ends."""
    stop, clock = asyncio.Event(), machine.clock
    health = HealthTracker.beginning(clock.monotonic(), INTERVAL.total_seconds())
    witness = _Witness(machine.history, clock, health)
    async with run(machine, life, stop, witness.happened) as runtime:
        yield Product(
            runtime, RunOptions(rules=ChangeRules(ScopedLimits(change_limits))), stop, jitter, witness, PassMemory()
        )


class _Pages(StringIO):
    """A stream whose lines are recorded in the history."""

    def __init__(self, history: History, clock: Clock) -> None:
        super().__init__()
        self._history = history
        self._clock = clock

    def write(self, text: str) -> int:
        """Record each line in the history."""
        for line in filter(None, text.splitlines()):
            event = json.loads(line)
            # The level and the time are left out, because the history has its own times.
            message = " ".join(str(value) for key, value in sorted(event.items()) if key not in {"at", "level"})
            self._history.events.append(Logged(self._clock.now(), message, event.get("account")))
        return len(text)


class _Witness:
    """Records everything that a watch reports to its users."""

    def __init__(self, history: History, clock: Clock, health: HealthTracker) -> None:
        self.health = health
        self._history = history
        self._clock = clock
        self._log = PassLog(make_logger(_Pages(history, clock)))
        self._reported: tuple[str, ...] = ()
        self._shown: HealthShown | None = None

    def happened(self, event: PassEvent) -> None:
        """Record an event within a pass."""
        if isinstance(event, AccountAnswered):
            self.health.moved(event.account, self._clock.monotonic())
        self._log.log_event(event)

    def passed(self, result: PassResult, _: float) -> None:
        """Record a pass of a watch."""
        report = result.report
        self._log.log_pass(report, result.looked)
        if report.errors != self._reported:
            # Only changes are recorded, because a record of every pass of a day would not fit into memory.
            self._reported = report.errors
            self._history.events.append(Reported(self._clock.now(), whole(report), report.errors))
        self._question()

    def died(self, error: Exception) -> None:
        """Record the exception that ended the watch."""
        self._history.events.append(
            Reported(self._clock.now(), "", (f"an exception ended the watch: {error_location(error)}",))
        )

    async def question_for_ever(self) -> None:
        """Read the health of the watch at regular intervals, until cancelled."""
        while True:
            self._question()
            await self._clock.sleep(QUESTIONED_EVERY_S)

    def _question(self) -> None:
        overview = self.health.overview
        shown = HealthShown(
            self._clock.now(),
            readiness_problems(overview),
            liveness_problems(overview, self._clock.monotonic()),
            overview.seen_at,
        )
        before, self._shown = self._shown, shown
        if before is None or _said(before) != _said(shown):
            self._history.events.append(shown)


def _said(shown: HealthShown) -> tuple[object, ...]:
    return shown.readiness_problems, shown.liveness_problems, shown.seen_at


def whole(report: Report) -> str:
    """Return everything that a report can print, because the repr of a report has only its size."""
    return repr([getattr(report, each.name) for each in fields(report)])
