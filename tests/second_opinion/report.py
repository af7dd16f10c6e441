"""The figures of many sessions, and a report of each session with violations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.second_opinion.session import Session, Violation


@dataclass
class Figures:
    """The sums of the figures of all sessions."""

    runs: int = 0
    edits: int = 0
    skipped_hours: float = 0.0
    commands: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    damages: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    effects: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    claims: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)

    def add(self, session: Session) -> None:
        """Add the figures of one session."""
        exchanges = session.world.record.all()
        self.runs += 1
        self.edits += session.repository.edits
        self.commands.update(run.verb for run in session.runs)
        self.codes.update(f"{run.killed or run.code}" for run in session.runs)
        self.kills += sum(run.killed is not None for run in session.runs)
        self.damages += len(session.damages)
        self.requests.update(each.verb for each in exchanges)
        self.changes.update(each.verb for each in exchanges if each.change)
        self.effects += sum(each.effect for each in exchanges)
        self.faults.update(each.fault for each in exchanges if each.fault is not None)
        self.claims.update(session.checked)
        self.modes[session.remote.mode] += 1
        self.types.update(each.type for each in session.accounts)
        self.violations.update(each.rule for each in session.violations)

    def text(self) -> str:
        """Return the figures as lines."""
        rows = [
            ("runs", str(self.runs)),
            ("edits", str(self.edits)),
            ("commands run", _counted(self.commands)),
            ("ended with", _counted(self.codes)),
            ("kills and signals", str(self.kills)),
            ("statuses damaged", str(self.damages)),
            ("requests", _counted(self.requests)),
            ("change requests checked", f"{_counted(self.changes)}; {self.effects} took effect"),
            ("faults by kind", _counted(self.faults)),
            ("statuses published", _counted(self.modes)),
            ("accounts", _counted(self.types)),
            ("claims checked", _counted(self.claims)),
            ("violations", _counted(self.violations)),
        ]
        return "\n".join(f"{name}: {value}" for name, value in rows)


def _counted(counter: Counter[str]) -> str:
    if not counter:
        return "0"
    return f"{counter.total()} ({', '.join(f'{name} {number}' for name, number in counter.most_common())})"


def account(session: Session) -> str:
    """Return the violations of a session, the command that repeats it, and its transcript."""
    firsts: dict[str, Violation] = {}
    for each in sorted(session.violations, key=lambda each: each.at):
        firsts.setdefault(each.rule, each)
    number = Counter(each.rule for each in session.violations)
    lines = [
        f"== seed {session.seed} failed: python -m tests.second_opinion --runs 1 --seed {session.seed} --transcript",
        *(f"{number[rule]} times {each}" for rule, each in firsts.items()),
    ]
    return "\n".join(lines)


def transcript(session: Session) -> str:
    """Return all events of a session and all requests, in chronological order."""
    requests = [(each.at, f"    {each}") for each in session.world.record.all()]
    said = [(float(line.split(" ", 1)[0]), line) for line in session.lines if line[0].isdigit()]
    return "\n".join(line for _, line in sorted(requests + said, key=lambda pair: pair[0]))
