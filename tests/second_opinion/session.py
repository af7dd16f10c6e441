"""One run of a world, a user and the product, from a seed. At the end, all faults end, and every promise must hold.

Every edit, fault and command is drawn from the seed. The product takes real time, so that two runs of one seed are
similar but not identical.
"""

from __future__ import annotations

import json
import os
import re
import signal
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import yaml

from tests.second_opinion.accounts import drawn_accounts, variable
from tests.second_opinion.clock import Clock
from tests.second_opinion.command import Process, Run, crowded, wait_real
from tests.second_opinion.documents import JobDoc, ProviderDoc
from tests.second_opinion.judge import published
from tests.second_opinion.publishing import MODES
from tests.second_opinion.repository import Repository
from tests.second_opinion.user import User
from tests.second_opinion.wire import Tamper, Wire
from tests.second_opinion.world import World
from tests.second_opinion.world_events import WorldEvents

READS_STATUSES = frozenset({"plan", "get", "describe", "drift", "wait"})

TALKS_TO_GIT = frozenset({"commit", "push", "branch", "remote"})
LOCK = re.compile(r"(/\S+\.lock) exists: .*; if none is running, remove the file")
BELIEVED = 300.0
"""Seconds by which the machine's clock may differ from the provider's."""


@dataclass(frozen=True)
class Violation:
    """A promise that was broken: which rule, what happened, and when in the run's time."""

    rule: str
    what: str
    at: float

    def __str__(self) -> str:
        """Return the violation as one line."""
        return f"{self.rule}: {self.what} (at {self.at:.1f})"


@dataclass(frozen=True)
class Damage:
    """A damaged status file: when it was damaged, and its remaining contents, or None if it was deleted."""

    at: float
    path: str
    left: bytes | None


class Session:
    """One session. `tamper` changes responses, and `after_run` edits files after each command, to plant a defect."""

    def __init__(
        self,
        seed: int,
        tamper: Tamper | None = None,
        after_run: Callable[[Session], None] | None = None,
        steps: int | None = None,
    ) -> None:
        self.seed = seed
        self.chance = Random(seed)  # noqa: S311 - repeatable, not a secret
        self.scratch = tempfile.TemporaryDirectory(prefix="second-opinion-")
        self.root = Path(self.scratch.name) / "repo"
        planted = tamper is not None or after_run is not None
        mode = "plain" if planted else self.chance.choice(MODES)
        speed = self.chance.choice([5.0] if mode in TALKS_TO_GIT else [5.0, 10.0, 20.0, 20.0])
        self.clock = Clock(max(1.0, speed / crowded()))  # on a busy machine, every response would otherwise be late
        self.off = 0.0 if planted else self.chance.choice([0.0] * 8 + [600.0, -600.0])
        self.accounts = drawn_accounts(self.chance, simple=planted)
        self.world = World(self.clock, self.accounts)
        self.world.refuses_ended_with = self.chance.choice([400, 409])
        self.world.takes = self.chance.choice([0.0, 0.0, 3.0, 30.0])
        self.repository = Repository(self.root, self.clock, mode)
        self.remote = self.repository.remote
        self.troubles = WorldEvents(self.chance, self.world, lambda: [doc.job for doc in self.jobs()])
        self.wire = Wire(self.world, tamper)
        self.steps = steps if steps is not None else self.chance.randint(5, 9)
        self.runs: list[Run] = []
        self._after_run = after_run
        self.lines: list[str] = []
        self.damages: list[Damage] = []
        self.violations: list[Violation] = []
        self.checked: Counter[str] = Counter()
        self.approvals: list[tuple[float, int]] = []
        self.under_way: list[Run] = []
        self.disk: str | None = None
        self.merging = False
        self.cache = "cache"

    @property
    def is_on_time(self) -> bool:
        """Return whether the user's clock is close enough to the provider's for limits to apply."""
        return abs(self.off) < BELIEVED

    def note(self, line: str) -> None:
        """Add a line to the transcript."""
        self.lines.append(f"{self.clock.now():.1f} {line}")

    def blame(self, rule: str, what: str, at: float | None = None) -> None:
        """Record a violation, unless the same one is recorded already."""
        found = Violation(rule, what, self.clock.now() if at is None else at)
        if all((each.rule, each.what) != (rule, what) for each in self.violations):
            self.violations.append(found)
            self.lines.append(f"VIOLATION {found}")

    def check(self, rule: str, holds: object, what: str, at: float | None = None) -> None:
        """Count a checked promise, and record a violation if it does not hold."""
        self.checked[rule] += 1
        if not holds:
            self.blame(rule, what, at)

    def begin(self) -> None:
        """Populate the world and write the first specs."""
        ids = self.troubles.populate(self.accounts, self.chance.choice([6, 10, 16, 40]))
        host = f"http://127.0.0.1:{self.wire.port}"
        providers = [
            ProviderDoc(
                f"at-{each.name}",
                each.name,
                variable(each),
                each.key,
                host + each.dialect.base,
                each.project,
                type=each.type,
                concurrency=self.chance.choice([1, 4]),
                burst=self.chance.choice([1, 3, 500]),
            )
            for each in self.accounts
        ]
        if self.remote.is_there:
            self.world.before_change = lambda request: published.intent(self, request)
        self.user = User(self.chance, self.repository, self.clock, ids)
        self.user.begin(providers, self.chance.choice([3, 6, 12, 20]))
        self.repository.commit("Begin")

    def policy(self) -> dict[str, str]:
        """Return the environment of a command: the keys, the hosts that they are bound to, and the clock."""
        host = f"127.0.0.1:{self.wire.port}"
        env = {
            "PATH": self.remote.path(),
            "HOME": str(self.root),
            "XDG_CACHE_HOME": str(self.root.parent / self.cache),
            "RECONCILE_TRUST": " ".join(f"{variable(each)}={host}" for each in self.accounts),
            "PYTHONWARNINGS": "default",
            "PYTHONFAULTHANDLER": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            **{variable(each): each.key for each in self.accounts},
            **self.clock.policy(self.off),
        }
        if self.disk is not None:
            env["SECOND_OPINION_DISK"] = self.disk
        if self.repository.halted and not self.merging:
            env["RECONCILE_SUSPEND"] = "true"
        return env

    def unfinished_merge(self, *, there: bool) -> None:
        """Begin a merge in the checkout, or end it. No change may be requested in between."""
        mark = self.root / ".git" / "MERGE_HEAD"
        if there:
            mark.write_bytes((self.root / ".git" / "refs" / "heads" / "main").read_bytes())
        else:
            mark.unlink()
        self.merging = there
        self.repository.halt(halted=there)

    def start(self, *args: str) -> Process:
        """Start a command, with the options for publishing or for reading published statuses."""
        verb = args[0] if args and not args[0].startswith("-") else None
        more = self.remote.options() if verb is None else self.remote.reading() if verb in READS_STATUSES else []
        process = Process((*args, *more), self.root, self.policy(), self.clock, self.root.parent / "said")
        run = process.run
        self.under_way.append(run)
        run.before = self.repository.everything()
        run.first = len(self.world.record.all())
        run.plan = "".join((self.root / name).read_text() for name in run.option("--plan"))
        run.audit = self.audit()
        return process

    def audit(self) -> str:
        """Return the contents of the audit log."""
        path = self.root / "audit.jsonl"
        return path.read_text() if path.exists() else ""

    def end(self, process: Process, *, disturbed: bool = False) -> Run:
        """Wait for a command to end, and record its run."""
        run = process.end()
        self.runs.append(run)
        self.under_way.remove(run)
        if self._after_run is not None:
            self._after_run(self)
        run.after = self.repository.everything()
        run.last = len(self.world.record.all())
        run.audit = self.audit().removeprefix(run.audit)
        run.disturbed = disturbed or not self.remote.is_well
        run.unpublished = self.repository.unpublished()
        self.note("\n      ".join([str(run), *run.err.splitlines()[:20]]))
        self._remove_locks(run)
        return run

    def _remove_locks(self, run: Run) -> None:
        """Remove each lock file that a message names, as the message tells a person to do."""
        for path in LOCK.findall(run.err) if not self.under_way else ():
            self.note(f"a person removes {path}")
            Path(path).unlink(missing_ok=True)

    def reconcile(self, *args: str) -> Run:
        """Run a command to its end. No other command runs meanwhile."""
        return self.end(self.start(*args))

    def unreadable(self, error: str, seconds: float, words: tuple[str, ...]) -> Run:
        """Run a command that cannot read the statuses for this many real seconds."""
        self.disk = f"{error} {seconds} {self.repository.specs / 'status'}"
        self.note(f"the statuses cannot be read for {seconds} s: {error}")
        process = self.start(*words)
        process.run.disk = seconds
        self.disk = None
        return self.end(process)

    def struck(self, which: signal.Signals, after: float, *args: str) -> Run:
        """Run a command, and send it a signal after this many real seconds."""
        process = self.start(*args)
        wait_real(after)
        process.signal(which)
        return self.end(process)

    def watched(self, edits: int, which: signal.Signals) -> Run:
        """Run a watch with this many edits or world events, and end it by a signal."""
        process = self.start("--audit", "audit.jsonl")
        wait_real(self.chance.uniform(0.8, 1.6))
        for _ in range(edits):
            self.note(self.user.edit() if self.chance.random() < 0.7 else self.troubles.happen())
            wait_real(self.chance.uniform(0.1, 0.8))
        wait_real(self.chance.uniform(0.2, 1.2))
        process.signal(which)
        return self.end(process, disturbed=True)

    def damage(self, path: str, how: str) -> None:
        """Delete, truncate, edit or garble a status file."""
        target = self.repository.specs / "status" / path
        data = target.read_bytes()
        match how:
            case "delete":
                target.unlink()
            case "cut":
                target.write_bytes(data[: len(data) // 2])
            case "ready":
                target.write_bytes(
                    data.replace(b"status: 'False'", b"status: 'True'").replace(b"running", b"cancelled")
                )
            case "final":
                target.write_bytes(data.replace(b"final: false", b"final: true"))
            case _:
                target.write_bytes(b"\x00{{ no yaml")
        left = target.read_bytes() if target.exists() else None
        if left == data:
            return
        self.damages.append(Damage(self.clock.now(), f"status/{path}", left))
        self.note(f"damage {path}: {how}")

    def jobs(self) -> list[JobDoc]:
        """Return the current job documents."""
        return [doc for _, doc in self.repository.now.jobs()]

    def took_edit(self, path: str, doc: JobDoc, **fields: object) -> None:
        """Record the edit of a spec by a command."""
        self.repository.took(path, doc, replace(doc, **fields))  # type: ignore[arg-type]

    def edited_by_verb(self, path: str) -> None:
        """Report a command whose edit differs from the expected documents."""
        found = [each for each in yaml.safe_load_all((self.repository.specs / path).read_text()) if each is not None]
        meant = [doc.payload() for doc in self.repository.files[path].docs]
        if [_comparable(each) for each in found] != [_comparable(each) for each in meant]:
            self.blame("verb-edit", f"{self.runs[-1]}: {path} contains {found} instead of {meant}")


def _comparable(document: dict[str, Any]) -> str:
    """Return the contents of a document as text. An absent `suspend` equals one that is false."""
    spec = {
        name: value for name, value in document["spec"].items() if not (name == "suspend" and value in (True, False))
    }
    suspended = document["spec"].get("suspend") is True
    return json.dumps([document["kind"], document["metadata"], spec, suspended], sort_keys=True)
