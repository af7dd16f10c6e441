"""Events of the world without the user: faults begin and end, and another user changes, ends or deletes jobs."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.second_opinion.faults import Fault, drawn
from tests.second_opinion.jobs import ENDED, MISSING, Job, Life
from tests.second_opinion.world import Account, World

LIVES: tuple[Life, ...] = (
    [("running", None)],
    [("running", None)],
    [("running", None)],
    [("validating_files", 120), ("queued", 600), ("running", None)],
    [("queued", None)],
    [("queued", 3600), ("running", 7200), ("succeeded", None)],
    [("validating_files", 60), ("failed", None)],
    [("running", 86400), ("succeeded", None)],
    [("running", 4000), ("failed", None)],
    [("running", 4000), ("paused", None)],
)


class WorldEvents:
    """Causes events in a world. Each call of `happen` is one fault, or one action of a provider or another user.

    `named` returns the jobs that the specs name, which most faults affect.
    """

    def __init__(self, chance: Random, world: World, named: Callable[[], list[str]]) -> None:
        self.chance = chance
        self.world = world
        self.named = named

    def populate(self, accounts: list[Account], each: int) -> dict[str, list[str]]:
        """Add this many jobs of various ages to each account, and return their IDs."""
        now = self.world.clock.now()
        for account in accounts:
            for number in range(each):
                age = self.chance.choice([30, 600, 5000, 20000, 200000])
                name = f"ftjob-{account.name}{number:02}"
                self.world.add(Job.born(name, account.name, now - age - number, self.chance.choice(LIVES)))
        return {account.name: [job for owner, job in self.world.jobs if owner == account.name] for account in accounts}

    def _job(self) -> Job:
        named = [job for (_, name), job in self.world.jobs.items() if name in self.named()]
        return self.chance.choice(named or list(self.world.jobs.values()))

    def happen(self) -> str:
        """Cause one random event, and return its description."""
        with self.world.lock:
            roll = self.chance.random()
            if roll < 0.6:
                fault = drawn(self.chance, self.named() or [job for _, job in self.world.jobs])
                self.world.faults.append(fault)
                return f"fault {fault}"
            if roll < 0.75:
                self.world.faults = [each for each in self.world.faults if self.chance.random() < 0.4]
                return f"faults left: {len(self.world.faults)}"
            return self._another_user(self._job())

    def _another_user(self, job: Job) -> str:
        now = self.world.clock.now()
        ended = job.word(now) in ENDED
        deed = self.chance.choice(["cancel", "fail", "succeed", "pause", "resume", "delete", "word", "fields", "lag"])
        if deed in ("cancel", "fail", "succeed") and not ended:
            job.end(now, {"cancel": "cancelled", "fail": "failed", "succeed": "succeeded"}[deed])
        elif deed == "pause" and job.word(now) in ("queued", "running"):
            job.pause(now, 5)
        elif deed == "resume" and job.word(now) == "paused":
            job.resume(now, 5)
        elif deed == "delete" and self.chance.random() < 0.5:
            job.gone = now
        elif deed == "word":
            word = self.chance.choice(["hibernating", "Running", "", None, 3, "cancelled_by_admin"])
            job.odd_word = (now, now + self.chance.choice([30, 900, 7200]), word)
        elif deed == "fields":
            job.odd_fields = self.chance.choice(
                [{"created_at": None}, {"created_at": MISSING}, {"created_at": 0}, {"model": None}, {"error": None}, {}]
            )
        elif deed == "lag":
            self.world.lag = self.chance.choice([0, 0, 5, 60])
        else:
            return f"no change of {job.id}"
        return f"another user: {deed} {job.id}"

    def end(self) -> None:
        """End all faults and unusual status values."""
        with self.world.lock:
            self.world.faults.clear()
            self.world.lag = 0.0
            for job in self.world.jobs.values():
                job.odd_fields, job.odd_word = {}, None


def summary(faults: list[Fault]) -> str:
    """Return the current faults, as one line."""
    return ", ".join(f"{fault.kind}x{fault.left}" for fault in faults)
