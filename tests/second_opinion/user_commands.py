"""The commands that a user runs at random: passes, reads, edits, kills, a watch, concurrent passes, and damage."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace

from tests.second_opinion import approvals, host_faults, read_commands
from tests.second_opinion.command import Run, crowded, wait_real
from tests.second_opinion.documents import JobDoc
from tests.second_opinion.due_cancels import due_cancels
from tests.second_opinion.session import Session

PASS = ("--once", "--timeout=20s", "--audit", "audit.jsonl")
WAIT = ("--once", "--wait=30s", "--timeout=20s", "--audit", "audit.jsonl")
HARD, SOFT = signal.SIGKILL, signal.SIGTERM


class UserCommands:
    """Runs one random command after another in a session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.chance = session.chance
        self.commands: list[tuple[int, Callable[[], object]]] = [
            (8, lambda: session.reconcile(*self.pass_words())),
            (5, lambda: session.reconcile(*WAIT)),
            (2, lambda: session.reconcile("--once", "--dry-run", "--timeout=10s")),
            (2, lambda: read_commands.plan(self)),
            (2, lambda: read_commands.get(self)),
            (1, lambda: session.reconcile("get", "--live")),
            (2, lambda: read_commands.drift(self)),
            (2, lambda: read_commands.wait(self)),
            (3, lambda: approvals.by_commit(self)),
            (2, lambda: approvals.by_name(self)),
            (2, lambda: host_faults.disk_unreadable(self)),
            (1, lambda: session.reconcile("validate")),
            (1, lambda: session.reconcile("providers", "--check")),
            (2, self.retry),
            (2, self.set),
            (1, self.suspend),
            (1, self.unsuspend),
            (1, lambda: read_commands.describe(self)),
            (4, self.kill),
            (2, self.terminate),
            (3, self.watch),
            (1, self.two),
            (1, self.pinned),
            (5, self.allowed),
            (1, self.filtered),
            (2, self.damage),
            (1, self.suspended_pass),
            (1, self.merging_pass),
            (1, self.other_machine),
            (3, self.prompt_watch),
        ]
        if session.remote.is_there:
            self.commands += [
                (3, lambda: host_faults.remote_away(self)),
                (2, lambda: host_faults.remote_slow(self)),
                (3, lambda: host_faults.remote_torn(self)),
            ]

    def act(self) -> None:
        """Run one random command, or a few related ones."""
        weights = [weight for weight, _ in self.commands]
        _, act = self.chance.choices(self.commands, weights)[0]
        act()

    def pass_words(self) -> tuple[str, ...]:
        """Return the arguments of a pass. It may wait, and print JSON, at random."""
        return (*self.chance.choice([PASS, PASS, WAIT]), *self.chance.choice([(), ("-o", "json")]))

    def act_anyhow(self) -> None:
        """Make a pass, or watch, even if faults or invalid documents are present."""
        if self.chance.random() < 0.7:
            self.session.reconcile(*self.pass_words())
        else:
            self.watch()

    def sound_spec(self) -> tuple[str, JobDoc] | None:
        """Return a spec with a unique name in a readable file."""
        pairs = self.session.repository.now.jobs()
        names = [doc.name for _, doc in pairs]
        sound = [(path, doc) for path, doc in pairs if names.count(doc.name) == 1 and doc.defect is None]
        return self.chance.choice(sound) if sound else None

    def retry(self) -> None:
        """Run `retry` for one or two jobs."""
        names = [pair[1].name for pair in (self.sound_spec(), self.sound_spec()) if pair is not None]
        if names and not self.session.remote.has_own_branch:
            self.session.reconcile("retry", "--timeout=10s", *sorted(set(names)))

    def set(self) -> None:
        """Run `set` for a random spec."""
        pair = self.sound_spec()
        if pair is None:
            return
        path, doc = pair
        state = self.chance.choice(["running", "paused", "cancelled", "observed"])
        reason = self.chance.choice([None, "by verb: 100 %"])
        words = ["set", doc.name, state, *(["--reason", reason] if reason else [])]
        run = self.session.reconcile(*words)
        if run.code == 0:
            self.session.took_edit(path, doc, desired=state, **({"reason": reason} if reason else {}))
            self._check_verb(run, path)

    def suspend(self) -> None:
        """Run `suspend` for a random spec."""
        pair = self.sound_spec()
        if pair is None or pair[1].suspended:
            return
        run = self.session.reconcile("suspend", pair[1].name)
        if run.code == 0:
            self.session.took_edit(*pair, suspended=True, until=None)
            self._check_verb(run, pair[0])

    def unsuspend(self) -> None:
        """Run `unsuspend` for a suspended spec."""
        pair = next(((path, doc) for path, doc in self.session.repository.now.jobs() if doc.suspended), None)
        if pair is None or pair[1].defect is not None:
            return
        run = self.session.reconcile("unsuspend", pair[1].name)
        if run.code == 0:
            self.session.took_edit(*pair, suspended=False, until=None)
            self._check_verb(run, pair[0])

    def _check_verb(self, run: Run, path: str) -> None:
        others = {name for name in run.before if name != path and run.before[name] != run.after.get(name)}
        if others:
            self.session.blame("verb-wrote-elsewhere", f"{run} changed {sorted(others)}")
        self.session.edited_by_verb(path)

    def kill(self) -> None:
        """Kill a pass at a random time, and sometimes the next one too."""
        for _ in range(self.chance.choice([1, 1, 2])):
            args = self.chance.choice([PASS, WAIT])
            self.session.struck(HARD, self.chance.choice([0.2, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.6, 2.2]), *args)

    def terminate(self) -> None:
        """End a pass by SIGTERM at a random time."""
        self.session.struck(SOFT, self.chance.uniform(0.2, 2.0), *self.chance.choice([PASS, WAIT]))

    def watch(self) -> None:
        """Run a watch with edits and faults, and end it by a random signal."""
        self.session.watched(self.chance.randint(1, 4), self.chance.choice([SOFT, SOFT, HARD, signal.SIGINT]))

    def two(self) -> None:
        """Start two passes at once."""
        first = self.session.start(*PASS)
        wait_real(self.chance.uniform(0, 0.4))
        second = self.session.start(*WAIT)
        self.session.end(first, disturbed=True)
        self.session.end(second, disturbed=True)

    def pinned(self) -> None:
        """Write a plan, sometimes edit a spec, and apply the plan."""
        self.session.reconcile("plan", "--out", "plan.json")
        if self.chance.random() < 0.5:
            self.session.note(self.session.user.edit())
        if (self.session.root / "plan.json").exists():
            self.session.reconcile(*PASS, "--plan", "plan.json")

    def allowed(self) -> None:
        """Make a pass with `--allow-cancels`."""
        self.session.reconcile(
            *self.chance.choice([PASS, WAIT]), "--allow-cancels", str(self.chance.choice([1, 3, 10, 20]))
        )

    def filtered(self) -> None:
        """Make a pass over selected jobs."""
        choice = self.chance.choice([("--selector", "team=red"), ("--provider", "at-a")])
        self.session.reconcile(*PASS, *choice)

    def damage(self) -> None:
        """Damage some status files, and make a pass."""
        paths = sorted(path for path in self.session.repository.statuses() if not path.startswith("_"))
        for path in self.chance.sample(paths, min(len(paths), self.chance.choice([1, 1, 3, 30]))):
            self.session.damage(path, self.chance.choice(["delete", "cut", "ready", "final", "garble"]))
        if self.chance.random() < 0.3:
            self.session.reconcile("validate")
        self.session.reconcile(*PASS)

    def merging_pass(self) -> None:
        """Make a pass while a merge is unfinished."""
        if self.session.remote.mode not in ("plain", "remote"):
            self.session.unfinished_merge(there=True)
            self.session.reconcile(*self.chance.choice([PASS, WAIT]))
            self.session.unfinished_merge(there=False)

    def other_machine(self) -> None:
        """Continue on another machine, which has the same specs and statuses but no state directory."""
        self.session.cache = f"cache-{len(self.session.runs)}"
        self.session.reconcile(*PASS)

    def prompt_watch(self) -> None:
        """Save a cancel while a watch runs and no fault is present. It must be requested without another edit."""
        session = self.session
        with session.world.lock:
            session.world.faults.clear()
        pair = self.sound_spec()
        if pair is None or session.repository.now.held_back():
            return
        path, doc = pair
        process = session.start("--audit", "audit.jsonl", "--max-cancels", "100", "--max-cancels-absolute", "100")
        wait_real(2.0)
        session.repository.change(path, doc, replace(doc, desired="cancelled", suspended=False, until=None))
        session.note(f"{doc.name} is now cancelled, in a watch")
        for _ in range(int(40 * crowded())):
            if not process.alive or not due_cancels(session, doc.job):
                break
            wait_real(0.25)
        else:
            word = [job.word(session.clock.now()) for (_, name), job in session.world.jobs.items() if name == doc.job]
            session.blame("watch-deaf", f"{doc.name}: long after it was saved, {doc.job} is still {word}")
        process.signal(SOFT)
        session.end(process, disturbed=True)

    def suspended_pass(self) -> None:
        """Make a pass while the operator's variable suspends every change."""
        self.session.repository.halt(halted=True)
        self.session.reconcile(*WAIT)
        self.session.repository.halt(halted=False)
