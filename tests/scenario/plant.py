"""Deliberate bugs, planted one at a time, and what catches each: proof that the proofs bite.

Run it from the checkout: `python -m tests.scenario.plant [--seeds 60] [--only WORDS]`. Each bug is a small change of
one file in a copy of the package; the exhaustive walk and the simulator's tests are run against that copy, then seed
after seed. It ends with a table, and fails if any bug goes unnoticed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[2]
WALK = "tests/unit/test_walk.py"
STORIES = tuple(f"tests/scenario/test_{name}.py" for name in ("economy", "outages", "limits", "last_word"))
AT_ONCE = 10
"""So many seeds are played by one process, which takes a second to start."""


@dataclass(frozen=True, slots=True)
class Bug:
    """One change of one file. `old` stands there exactly once."""

    name: str
    file: str
    old: str
    new: str


BUGS = (
    Bug(
        "forget the intent",
        "loop/act.py",
        "            hands.statuses.write(intent, durable=True)\n",
        "            pass\n",
    ),
    Bug(
        "an intent that a crash may lose",
        "loop/act.py",
        "hands.statuses.write(intent, durable=True)",
        "hands.statuses.write(intent, durable=False)",
    ),
    Bug(
        "read a partial list as whole: what is not on it is gone",
        "loop/look.py",
        "            unseen = Unseen(Reason.OBSERVATION_INCOMPLETE, str(error))\n"
        "            return Looked(dict.fromkeys(wanted, unseen), unseen)\n",
        "            return Looked({ref: Seen(None) for ref in wanted})\n",
    ),
    Bug(
        "treat unknown as terminal",
        "model/job.py",
        "TERMINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED})",
        "TERMINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED, Phase.UNKNOWN})",
    ),
    Bug(
        "ask again at once",
        "core/backoff.py",
        "    return now >= next_attempt_at(receipt) or receipt.last_attempt_at - now > SKEW_MAX\n",
        "    return True\n",
    ),
    Bug(
        "drop Retry-After",
        "transport.py",
        "self._gate.close_for(response.retry_after_s)",
        "self._gate.close_for(0)",
    ),
    Bug(
        "take a failed look for absence",
        "loop/look.py",
        "        return unseen_by(error), error.delivered is Delivered.NO\n",
        "        return Seen(None), False\n",
    ),
    Bug(
        "take any 404 for absence",
        "providers/_openai.py",
        "        if says_there_is_no_job(response, ref):\n            return None\n",
        "        if response.status == 404:\n            return None\n",
    ),
    Bug(
        "absence is done",
        "core/table.py",
        "    Situation.VANISHED: (\n" + "        _give_up(Reason.JOB_VANISHED),\n" * 3,
        "    Situation.VANISHED: (\n"
        + "        _give_up(Reason.JOB_VANISHED),\n" * 2
        + "        _hold(Reason.JOB_GONE),\n",
    ),
    Bug(
        "limits on finished jobs",
        "core/decide.py",
        "    if phase in UNFINISHED and limits.is_believable(as_of, now):\n",
        "    if limits.is_believable(as_of, now):\n",
    ),
    Bug(
        "limits by a clock that is wrong",
        "core/limits.py",
        "    return as_of is not None and abs(now - as_of) <= SKEW_MAX\n",
        "    return as_of is not None\n",
    ),
    Bug(
        "trust a hand-edited status",
        "adapters/status_reading.py",
        "    if text != above + digest(above):\n",
        "    if not text:\n",
    ),
    Bug(
        "act on a spec that changed meanwhile",
        "loop/act.py",
        "        return spec_digest(document.spec, account) == spec_digest(subject.spec, account)\n",
        "        return True\n",
    ),
    Bug(
        "ask whether it is wanted before the wait for its turn, and not after",
        "gate.py",
        "    if is_wanted is not None and not is_wanted():\n",
        "    if is_wanted is not None and not is_wanted:\n",
    ),
    Bug(
        "act though Settings suspended everything meanwhile",
        "loop/act.py",
        " or not specs.is_as_read():\n",
        ":\n",
    ),
    Bug(
        "a guard that forgets the hour",
        "core/guard.py",
        "WINDOW = timedelta(hours=1)",
        "WINDOW = timedelta(seconds=1)",
    ),
    Bug(
        "never withdraw",
        "core/receipts.py",
        "replace(receipt, outcome=Outcome.WITHDRAWN) if receipt.is_open and receipt.verb is not wanted else receipt",
        "receipt",
    ),
    Bug(
        "remove statuses though a file cannot be read",
        "loop/sweep.py",
        "    if snapshot.broken_files or not gone:\n",
        "    if not gone:\n",
    ),
    Bug(
        "believe a suspect look",
        "loop/look.py",
        "    if not is_none_visible and not is_many:\n",
        "    if looks:\n",
    ),
    Bug(
        "act on both of two specs for one job",
        "core/match.py",
        "        elif claim.ref is not None and refs[claim.ref] > 1:\n",
        "        elif claim.ref is not None and refs[claim.ref] > 9:\n",
    ),
    Bug(
        "act though it is suspended",
        "core/decide.py",
        "    return suspension is not None and (suspension.until is None or now < suspension.until)\n",
        "    return suspension is not None and suspension.until is not None and now < suspension.until\n",
    ),
    Bug(
        "act though Settings are broken",
        "loop/once.py",
        "    may_ask = not snapshot.is_settings_broken and",
        "    may_ask =",
    ),
    Bug(
        "take Settings that cannot be read for none",
        "adapters/documents.py",
        '    if kinds["Settings"] > len(found.settings)',
        '    if kinds["Settings"] > 9',
    ),
    Bug(
        "final at the first sight of an end",
        "core/facts.py",
        "    if phase not in TERMINAL:\n        return False\n",
        "    if phase not in TERMINAL:\n        return phase is Phase.PAUSED\n",
    ),
    Bug(
        "a status with the time of the pass in it",
        "core/conditions.py",
        "now if before is None or has_moved else before.last_transition_time",
        "now",
    ),
    Bug(
        "an answer closes the receipt",
        "core/settle.py",
        "replace(each, accepted_at=now) if each.is_open",
        'replace(each, accepted_at=now, confirmed_at=now, outcome="cancelled") if each.is_open',
    ),
    Bug(
        "a key in a message",
        "providers/_answers.py",
        'redact(response.body.decode(errors="replace"), secrets)',
        'response.body.decode(errors="replace")',
    ),
)


@dataclass(frozen=True, slots=True)
class Caught:
    """What noticed a bug, and after how many seeds, where it was a seed."""

    by: str
    seeds: int | None = None


@click.command()
@click.option("--seeds", default=60, show_default=True, help="Give up on a bug after so many seeds.")
@click.option("--only", default="", help="Plant only the bugs whose name holds these words.")
def main(seeds: int, only: str) -> None:
    """Plant every bug, and tell what catches it."""
    missed = 0
    click.echo(f"{'BUG':56} {'CAUGHT BY THE WALK':20} {'BY A STORY':44} BY A SEED")
    for bug in (each for each in BUGS if only in each.name):
        with tempfile.TemporaryDirectory() as place:
            found = _plant(bug, Path(place), seeds)
        missed += not any(found)
        walk, story, seed = (each.by if each else "-" for each in found)
        after = f" (after {found[2].seeds})" if found[2] and found[2].seeds else ""
        click.echo(f"{bug.name:56} {walk:20} {story:44} {seed}{after}")
    sys.exit(f"{missed} bugs went unnoticed" if missed else 0)


def _plant(bug: Bug, place: Path, seeds: int) -> tuple[Caught | None, Caught | None, Caught | None]:
    for name in ("reconciler", "tests"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", place)
    file = place / "reconciler" / bug.file
    text = file.read_text()
    if text.count(bug.old) != 1:
        sys.exit(f"{bug.name}: its text stands {text.count(bug.old)} times in {bug.file}; mend the bug")
    file.write_text(text.replace(bug.old, bug.new))
    return _walk(place), _story(place), _seed(place, seeds)


def _walk(place: Path) -> Caught | None:
    return None if _pytest(place, WALK).returncode == 0 else Caught("yes")


def _story(place: Path) -> Caught | None:
    ended = _pytest(place, *STORIES)
    if ended.returncode == 0:
        return None
    failed = next((line for line in ended.stdout.splitlines() if line.startswith("FAILED")), "FAILED ::crash")
    return Caught(failed.split("::")[1].split(" ")[0].split("[")[0].removeprefix("test_")[:42])


def _pytest(place: Path, *files: str) -> subprocess.CompletedProcess[str]:
    return _python(place, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", *files)


def _seed(place: Path, seeds: int) -> Caught | None:
    for first in range(0, seeds, AT_ONCE):
        script = f"from tests.scenario.trial import judge; print(judge(range({first}, {first + AT_ONCE})).wrong)"
        ended = _python(place, "-c", script)
        told = ended.stdout.strip()
        if ended.returncode != 0:
            return Caught("crash", first + AT_ONCE)
        if told != "()":
            number, wrong = told[2:].split(", (", 1)
            return Caught(wrong[1:].split(":")[0], int(number) + 1)
    return None


def _python(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=place, env=environ, capture_output=True, text=True, check=False
    )


if __name__ == "__main__":
    main()
