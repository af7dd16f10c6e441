"""Planted defects: what a faulty product would do to the world, done between the two, to prove that the judge bites.

Each sits on the server's side of the fence, or edits what the product wrote, and names the rule that must be blamed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.second_opinion.faulty_responses import Answer, as_json
from tests.second_opinion.jobs import ENDED
from tests.second_opinion.session import Story
from tests.second_opinion.wire import Tamper
from tests.second_opinion.world import World

Headers = dict[str, str]


def doubles(world: World, method: str, target: str, headers: Headers) -> None:
    """Send each cancel twice."""
    if method == "POST" and target.endswith("/cancel"):
        world.answer(method, target, headers)


def strays(world: World, method: str, target: str, headers: Headers) -> None:
    """Cancel another job along with each that is cancelled."""
    if method == "POST" and target.endswith("/cancel"):
        account = next(each.name for each in world.accounts if f"Bearer {each.key}" == headers["authorization"])
        now = world.clock.now()
        other = [
            job.id for job in world.here(account, now) if job.word(now) not in ENDED and f"/{job.id}/" not in target
        ]
        for name in other[:1]:
            world.answer("POST", f"/v1/fine_tuning/jobs/{name}/cancel", headers)


def floods(world: World, method: str, target: str, headers: Headers) -> None:
    """Cancel every job along with the first that is cancelled."""
    if method == "POST" and target.endswith("/cancel"):
        for account, name in list(world.jobs):
            if (
                f"Bearer {next(each.key for each in world.accounts if each.name == account)}"
                == headers["authorization"]
            ):
                world.answer("POST", f"/v1/fine_tuning/jobs/{name}/cancel", headers)


def blinds(world: World, method: str, target: str, _headers: Headers) -> Answer | None:
    """Show every job to the product as running, whatever the world shows; the world never hears of the look."""
    if method == "GET" and target.startswith("/v1/fine_tuning/jobs/") and target.count("/") == 4:
        job = next((job for (_, name), job in world.jobs.items() if name == target.rsplit("/", 1)[1]), None)
        if job is not None:
            return as_json({**job.row(world.clock.now()), "status": "running", "finished_at": None})
    return None


def lies(world: World, method: str, target: str, headers: Headers) -> Answer | None:
    """Show each job as cancelled to the product, though the world shows it otherwise."""
    if method == "GET" and target.startswith("/v1/fine_tuning/jobs/") and target.count("/") == 4:
        answer, _ = world.answer(method, target, headers)
        if answer.status == 200 and answer.body.startswith(b"{"):
            return as_json({**json.loads(answer.body), "status": "cancelled", "finished_at": int(world.clock.now())})
        return answer
    return None


def swallows(world: World, method: str, target: str, _headers: Headers) -> Answer | None:
    """Accept each cancel and never let it reach the world."""
    if method == "POST" and target.endswith("/cancel"):
        job = next((job for (_, name), job in world.jobs.items() if f"/{name}/" in target), None)
        return as_json(job.row(world.clock.now())) if job is not None else None
    return None


def tells(story: Story) -> None:
    """Write a key into a status file."""
    target = _one_status(story)
    if target is not None:
        target.write_text(target.read_text() + f"# {story.accounts[0].key}\n")


def claims(story: Story) -> None:
    """Write into every status that its job is cancelled, and let nobody know."""
    for target in (story.repository.specs / "status").rglob("*.yaml"):
        target.write_text(target.read_text().replace("providerStatus: running", "providerStatus: cancelled"))


def counts_wrongly(story: Story) -> None:
    """Write into every receipt that it took nine attempts."""
    for target in (story.repository.specs / "status").rglob("*.yaml"):
        target.write_text(target.read_text().replace("attempts: 1", "attempts: 9"))


def forgets(story: Story) -> None:
    """Write into every receipt that there was no attempt."""
    for target in (story.repository.specs / "status").rglob("*.yaml"):
        target.write_text(target.read_text().replace("attempts: 1", "attempts: 0"))


def misdates(story: Story) -> None:
    """Write into every receipt that it was requested in a far year."""
    for target in (story.repository.specs / "status").rglob("*.yaml"):
        target.write_text(re.sub(r"requestedAt: '\d{4}", "requestedAt: '2099", target.read_text()))


def fidgets(story: Story) -> None:
    """Touch a byte of a status after each pass."""
    target = _one_status(story)
    if target is not None:
        target.write_text(target.read_text() + f"# {len(story.runs)}\n")


def meddles(story: Story) -> None:
    """Cancel a job while a command runs that only reads."""
    run = story.runs[-1]
    if run.verb in ("plan", "get", "drift", "validate") and story.world.jobs:
        (account, name), _ = next(iter(story.world.jobs.items()))
        owner = next(each for each in story.accounts if each.name == account)
        headers = {"authorization": f"Bearer {owner.key}", "openai-project": owner.project or ""}
        headers = {key: value for key, value in headers.items() if value}
        story.world.answer("POST", f"/v1/fine_tuning/jobs/{name}/cancel", headers)
        run.last = len(story.world.record.all())


def miscodes(story: Story) -> None:
    """Exit with 0 whatever happened."""
    story.runs[-1].code = 0


def crashes(story: Story) -> None:
    """Print a stack trace, and exit with 70."""
    story.runs[-1].err += "Traceback (most recent call last):\n"
    story.runs[-1].code = 70


def invents(story: Story) -> None:
    """Write a line into the audit for a request that never left."""
    if story.runs[-1].option("--audit"):
        line = {"verb": "cancel", "jobId": "nobody", "outcome": "accepted"}
        with (story.root / "audit.jsonl").open("a", encoding="utf-8") as audit:
            audit.write(json.dumps(line) + "\n")


def miscounts(story: Story) -> None:
    """Tell of one cancel more than was asked for."""
    run = story.runs[-1]
    counted = re.compile(r"(^Requested: |\"cancel\": )(\d+)", re.MULTILINE)
    run.out = counted.sub(lambda found: f"{found[1]}{int(found[2]) + 1}", run.out)


def boasts(story: Story) -> None:
    """Tell of a proof that no look gave, and of a request that never left."""
    story.runs[-1].err += "nobody: cancel confirmed: cancelled\nnobody: pause sent\n"


def flatters(story: Story) -> None:
    """Call every job ready."""
    run = story.runs[-1]
    run.out = re.sub(r"\bFalse\b", "True", run.out)


def hurries(story: Story) -> None:
    """End each wait as if its jobs had got there."""
    run = story.runs[-1]
    if run.verb == "wait":
        run.code = 0


def repeats(story: Story) -> None:
    """Log again and again that something is over."""
    run = story.runs[-1]
    if run.verb == "watch":
        run.err += '{"message": "resolved: an outage"}\n' * 10_000


def _one_status(story: Story) -> Path | None:
    found = sorted(
        path for path in (story.repository.specs / "status").rglob("*.yaml") if not path.parent.name.startswith("_")
    )
    return found[0] if found else None


@dataclass(frozen=True)
class Plant:
    """A defect, where it sits, and the rules of which one must be blamed for it."""

    name: str
    rules: frozenset[str]
    tamper: Tamper | None = None
    after_run: Callable[[Story], None] | None = None


PLANTS = (
    Plant("a cancel is sent twice", frozenset({"asked-again", "receipt-too-few"}), tamper=doubles),
    Plant("another job is cancelled along", frozenset({"unwanted-change"}), tamper=strays),
    Plant("all jobs are cancelled at once", frozenset({"guard"}), tamper=floods),
    Plant("jobs are changed unseen", frozenset({"blind-change"}), tamper=blinds),
    Plant(
        "a status says what was never shown",
        frozenset({"false-ready", "reason-never-shown", "word-never-shown"}),
        tamper=lies,
    ),
    Plant("a cancel never arrives", frozenset({"not-cancelled"}), tamper=swallows),
    Plant("a receipt is of a request that never arrived", frozenset({"receipt-accepted"}), tamper=swallows),
    Plant("a key is in a file", frozenset({"secret-written"}), after_run=tells),
    Plant("a status is edited unseen", frozenset({"word-never-shown"}), after_run=claims),
    Plant("a receipt counts too many", frozenset({"receipt-too-many"}), after_run=counts_wrongly),
    Plant("a receipt counts too few", frozenset({"receipt-too-few"}), after_run=forgets),
    Plant("a receipt is misdated", frozenset({"receipt-times"}), after_run=misdates),
    Plant("a pass without news writes", frozenset({"restless-bytes"}), after_run=fidgets),
    Plant("a command that reads cancels", frozenset({"change-by-reader"}), after_run=meddles),
    Plant(
        "an exit code hides a stalled job", frozenset({"exit-not-1", "exit-not-65", "exit-not-3"}), after_run=miscodes
    ),
    Plant("an audit tells of a request that never left", frozenset({"audit", "audit-outcome"}), after_run=invents),
    Plant("a sum tells of one cancel too many", frozenset({"told-sum", "told-changes"}), after_run=miscounts),
    Plant("a step is told that was not made", frozenset({"told-sent", "told-confirmed"}), after_run=boasts),
    Plant("every job is called ready", frozenset({"get", "describe", "told-row"}), after_run=flatters),
    Plant("a wait ends before its jobs get there", frozenset({"wait-there"}), after_run=hurries),
    Plant("a watch repeats itself", frozenset({"told-over"}), after_run=repeats),
    Plant("a command dies of a bug", frozenset({"exit-70"}), after_run=crashes),
)
