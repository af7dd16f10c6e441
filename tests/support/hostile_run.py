"""One repository with hostile authors, a run of the command, and the checks afterwards."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from tests.support.hostile_commits import HIDDEN, MESSAGES, Aim, a_message, entries
from tests.support.hostile_host import Ended
from tests.support.hostile_repository import (
    ALLOWED,
    BATCH,
    COMMONS,
    COMMONS_KEY,
    RUNS,
    STOPS,
    TOKEN,
    VICTIMS_KEY,
    FileStamp,
    HostileRepository,
)
from tests.support.hostile_texts import TEXTS
from tests.support.hostile_trees import KINDS, LOUD, Author

AUTHORS = 6
CODES = {0, 1, 2, 3, 64, 65, 69, 70, 75, 78}
MEMORY_MAX = 512 * 1024**2
QUIET = {**KINDS, **TEXTS}
ALL = {**QUIET, **LOUD}
PASS = ("--once", "--timeout", "15s", "--audit", "../audit.jsonl")
WAYS: dict[str, tuple[tuple[str, ...], int]] = {
    "a pass": (PASS, 60),
    "a pass that commits": ((*PASS, "--commit"), 6),
    "a pass over a remote": ((*PASS, "--git-url", "file://{git_dir}"), 8),
    "a dry run": (("--once", "--dry-run"), 6),
    "plan": (("plan", "--out", "../plan.json"), 8),
    "validate": (("validate", "--since", "{base}"), 6),
    "drift": (("drift",), 3),
    "get": (("get", "-o", "yaml"), 3),
}
"""The commands that an operator runs, with the frequency of each in percent."""
SECRETS = (VICTIMS_KEY, COMMONS_KEY, TOKEN)


@dataclass
class HostileRun:
    """The attacks in one repository, and their result."""

    seed: int
    way: str
    kinds: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    is_loud: bool = False
    wrong: list[str] = field(default_factory=list)
    told: str = ""

    def transcript(self) -> str:
        """Return the attacks and the detected problems, as text."""
        tried = [f"seed {self.seed} (replay it with --seed {self.seed}): {self.way}", *self.wrong]
        return "\n".join([*tried, f"trees: {self.kinds}", f"messages: {self.messages}", self.told[-3000:]])


def attack(repository: HostileRepository, seed: int) -> HostileRun:
    """Let the authors write, run the command, and check the result."""
    random = Random(seed)  # noqa: S311 - a seed determines the run
    way = random.choices([*WAYS], [weight for _, weight in WAYS.values()])[0]
    run = HostileRun(seed, way)
    repository.renew()
    base = repository.head
    kinds = [*QUIET] if random.random() < 0.6 else [*ALL]
    aim = Aim(repository, _want_the_batch(repository, random) if random.random() < 0.6 else base)
    for number in range(AUTHORS):
        author = Author(random, repository, f"team{number}")
        for kind in random.sample(kinds, random.choice([1, 1, 1, 2])):
            ALL[kind](author)
            run.kinds.append(kind)
            run.is_loud |= kind in LOUD
        kind = random.choice([*MESSAGES])
        message = a_message(random, kind, aim)
        is_odd = random.random() < 0.1
        repository.commit(
            message.text, message.author, message.date, message.more, entries(random, repository) if is_odd else None
        )
        run.is_loud |= is_odd and way != "a pass"
        run.messages.append(f"{kind}: {message}"[:300])
    before, audit = repository.stamps(), (repository.root / "audit.jsonl").read_bytes()
    arguments = [each.format(git_dir=repository.git_dir, base=base) for each in WAYS[way][0]]
    ended = repository.run(*arguments)
    run.told = ended.told
    run.wrong = [*_wrong(repository, run, ended, before)]
    if not (repository.root / "audit.jsonl").read_bytes().startswith(audit):
        run.wrong.append("an earlier line of the audit log was changed")
    return run


def _want_the_batch(repository: HostileRepository, random: Random) -> str:
    """Request more cancels of the commons' jobs than the guard allows, without an approval."""
    for number in range(BATCH):
        repository.want_of_commons(number, "cancelled")
    return repository.commit(random.choice(HIDDEN))


def _wrong(repository: HostileRepository, run: HostileRun, ended: Ended, before: dict[str, FileStamp]) -> Iterator[str]:
    """Yield the problems of files and requests, and then those of the command."""
    provider = repository.provider
    if repository.canary.exists():
        keys = sorted(set(re.findall("[A-Z_]+_KEY", repository.canary.read_text())))
        yield f"a planted command ran, with the keys {keys}"
    after = repository.stamps()
    refs = "/.git/refs/heads/main" if run.way == "a pass that commits" else "\n"
    changed = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    for path in sorted(path for path in changed if not path.endswith(refs)):
        yield f"a protected file was changed: {path!r}"
    everything = (ended.told + repository.written()).lower()
    for secret in SECRETS:
        if secret.lower() in everything:
            yield f"a secret is in the output or in a written file: {secret}"
    if provider.was_elsewhere():
        yield f"the command connected to {provider.elsewhere}, to which no key is bound"
    asked = Counter(provider.cancels)
    if asked[RUNS]:
        yield f"a change of the victims' job {RUNS} was requested"
    if provider.strange:
        yield f"changes were requested with a key that has no such job: {provider.strange}"
    if sum(each in asked for each in COMMONS) > ALLOWED:
        yield f"more of the commons' jobs were cancelled than the guard allows, which is {ALLOWED}"
    # Cancels of the commons' jobs use up the change budget, so the cancel of the victims' job may be refused.
    run.is_loud |= any(each in asked for each in COMMONS)
    yield from _of_the_pass(run, ended, asked[STOPS])


def _of_the_pass(run: HostileRun, ended: Ended, stopped: int) -> Iterator[str]:
    is_pass = "pass" in run.way
    if stopped != is_pass and not (run.is_loud and stopped == 0 and ended.code != 0):
        yield f"the due cancel of {STOPS} was requested {stopped} times instead of {int(is_pass)}"
    if ended.code not in CODES or "Traceback" in ended.told or "a bug in" in ended.told:
        yield f"the command ended with {ended.code}" + (
            ", by a signal or at its time limit" if ended.is_cut_off else ""
        )
    if ended.memory > MEMORY_MAX:
        yield f"the command used {ended.memory // 1024**2} MiB of at most {MEMORY_MAX // 1024**2}"
    odd = sorted({each for each in ended.told if not each.isprintable() and each != "\n"})
    if odd and not ended.is_cut_off:
        yield f"the output has unprintable characters: {odd}"
