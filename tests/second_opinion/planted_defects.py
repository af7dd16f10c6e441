"""Planted defects: each does what a faulty product would do, to prove that the judge detects it.

A defect acts between the product and the world, or edits the files of the product. It names the rule that it breaks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.second_opinion.faulty_responses import Answer, as_json
from tests.second_opinion.jobs import ENDED
from tests.second_opinion.session import Session
from tests.second_opinion.wire import Tamper
from tests.second_opinion.world import World

Headers = dict[str, str]


def doubles(world: World, method: str, target: str, headers: Headers) -> None:
    """Send each cancel of the product twice."""
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


def lifts(world: World, method: str, target: str, headers: Headers) -> None:
    """Resume each paused job that the product retrieves."""
    if method == "GET" and target.startswith("/v1/fine_tuning/jobs/") and target.count("/") == 4:
        job = next((job for (_, name), job in world.jobs.items() if name == target.rsplit("/", 1)[1]), None)
        if job is not None and job.word(world.clock.now()) == "paused":
            world.answer("POST", f"{target}/resume", headers)


def blinds(world: World, method: str, target: str, _headers: Headers) -> Answer | None:
    """Show every job to the product as running. The world does not receive these requests."""
    if method == "GET" and target.startswith("/v1/fine_tuning/jobs/") and target.count("/") == 4:
        job = next((job for (_, name), job in world.jobs.items() if name == target.rsplit("/", 1)[1]), None)
        if job is not None:
            return as_json({**job.row(world.clock.now()), "status": "running", "finished_at": None})
    return None


def lies(world: World, method: str, target: str, headers: Headers) -> Answer | None:
    """Show each job to the product as cancelled, whatever its status."""
    if method == "GET" and target.startswith("/v1/fine_tuning/jobs/") and target.count("/") == 4:
        answer, _ = world.answer(method, target, headers)
        if answer.status == 200 and answer.body.startswith(b"{"):
            return as_json({**json.loads(answer.body), "status": "cancelled", "finished_at": int(world.clock.now())})
        return answer
    return None


def swallows(world: World, method: str, target: str, _headers: Headers) -> Answer | None:
    """Accept each cancel without forwarding it to the world."""
    if method == "POST" and target.endswith("/cancel"):
        job = next((job for (_, name), job in world.jobs.items() if f"/{name}/" in target), None)
        return as_json(job.row(world.clock.now())) if job is not None else None
    return None


def tells(session: Session) -> None:
    """Write a key into a status file."""
    target = _one_status(session)
    if target is not None:
        target.write_text(target.read_text() + f"# {session.accounts[0].key}\n")


def claims(session: Session) -> None:
    """Replace the provider status `running` by `cancelled` in every status."""
    for target in (session.repository.specs / "status").rglob("*.yaml"):
        target.write_text(target.read_text().replace("providerStatus: running", "providerStatus: cancelled"))


def counts_wrongly(session: Session) -> None:
    """Replace one attempt by nine in every receipt."""
    for target in (session.repository.specs / "status").rglob("*.yaml"):
        target.write_text(target.read_text().replace("attempts: 1", "attempts: 9"))


def forgets(session: Session) -> None:
    """Replace one attempt by none in every receipt."""
    for target in (session.repository.specs / "status").rglob("*.yaml"):
        target.write_text(target.read_text().replace("attempts: 1", "attempts: 0"))


def misdates(session: Session) -> None:
    """Change the time of the request in every receipt to a distant year."""
    for target in (session.repository.specs / "status").rglob("*.yaml"):
        target.write_text(re.sub(r"requestedAt: '\d{4}", "requestedAt: '2099", target.read_text()))


def fidgets(session: Session) -> None:
    """Change a byte of a status after each pass."""
    target = _one_status(session)
    if target is not None:
        target.write_text(target.read_text() + f"# {len(session.runs)}\n")


def meddles(session: Session) -> None:
    """Cancel a job during a read-only command."""
    run = session.runs[-1]
    if run.verb in ("plan", "get", "drift", "validate") and session.world.jobs:
        (account, name), _ = next(iter(session.world.jobs.items()))
        owner = next(each for each in session.accounts if each.name == account)
        headers = {"authorization": f"Bearer {owner.key}", "openai-project": owner.project or ""}
        headers = {key: value for key, value in headers.items() if value}
        session.world.answer("POST", f"/v1/fine_tuning/jobs/{name}/cancel", headers)
        run.last = len(session.world.record.all())


def miscodes(session: Session) -> None:
    """Replace every exit code by 0."""
    session.runs[-1].code = 0


def crashes(session: Session) -> None:
    """Print a stack trace, and exit with 70."""
    session.runs[-1].err += "Traceback (most recent call last):\n"
    session.runs[-1].code = 70


def invents(session: Session) -> None:
    """Add a line to the audit log for a request that was never sent."""
    if session.runs[-1].option("--audit"):
        line = {"verb": "cancel", "jobId": "nobody", "outcome": "accepted"}
        with (session.root / "audit.jsonl").open("a", encoding="utf-8") as audit:
            audit.write(json.dumps(line) + "\n")


def miscounts(session: Session) -> None:
    """Print one cancel more than was requested."""
    run = session.runs[-1]
    counted = re.compile(r"(^Requested: |\"cancel\": )(\d+)", re.MULTILINE)
    run.out = counted.sub(lambda found: f"{found[1]}{int(found[2]) + 1}", run.out)


def boasts(session: Session) -> None:
    """Print a confirmation without an observation, and a request that was never sent."""
    session.runs[-1].err += "nobody: cancel confirmed: cancelled\nnobody: pause sent\n"


def flatters(session: Session) -> None:
    """Print every job as ready."""
    run = session.runs[-1]
    run.out = re.sub(r"\bFalse\b", "True", run.out)


def hurries(session: Session) -> None:
    """Replace the exit code of each `wait` by 0."""
    run = session.runs[-1]
    if run.verb == "wait":
        run.code = 0


def repeats(session: Session) -> None:
    """Log repeatedly that a warning has ended."""
    run = session.runs[-1]
    if run.verb == "watch":
        run.err += '{"message": "resolved: an outage"}\n' * 10_000


def _one_status(session: Session) -> Path | None:
    found = sorted(
        path for path in (session.repository.specs / "status").rglob("*.yaml") if not path.parent.name.startswith("_")
    )
    return found[0] if found else None


@dataclass(frozen=True)
class PlantedDefect:
    """A defect, where it acts, and the rules of which at least one must report it."""

    name: str
    rules: frozenset[str]
    tamper: Tamper | None = None
    after_run: Callable[[Session], None] | None = None


PLANTED_DEFECTS = (
    PlantedDefect("a cancel is sent twice", frozenset({"asked-again", "receipt-too-few"}), tamper=doubles),
    PlantedDefect("another job is cancelled along", frozenset({"unwanted-change"}), tamper=strays),
    PlantedDefect("all jobs are cancelled at once", frozenset({"guard"}), tamper=floods),
    PlantedDefect("a job that others paused is resumed", frozenset({"resume-against-others"}), tamper=lifts),
    PlantedDefect("jobs are changed unseen", frozenset({"blind-change"}), tamper=blinds),
    PlantedDefect(
        "a status says what was never shown",
        frozenset({"false-ready", "reason-never-shown", "word-never-shown"}),
        tamper=lies,
    ),
    PlantedDefect("a cancel never arrives", frozenset({"not-cancelled"}), tamper=swallows),
    PlantedDefect("a receipt is of a request that never arrived", frozenset({"receipt-accepted"}), tamper=swallows),
    PlantedDefect("a key is in a file", frozenset({"secret-written"}), after_run=tells),
    PlantedDefect("a status is edited unseen", frozenset({"word-never-shown"}), after_run=claims),
    PlantedDefect("a receipt counts too many", frozenset({"receipt-too-many"}), after_run=counts_wrongly),
    PlantedDefect("a receipt counts too few", frozenset({"receipt-too-few"}), after_run=forgets),
    PlantedDefect("a receipt is misdated", frozenset({"receipt-times"}), after_run=misdates),
    PlantedDefect("a pass without news writes", frozenset({"restless-bytes"}), after_run=fidgets),
    PlantedDefect("a command that reads cancels", frozenset({"change-by-reader"}), after_run=meddles),
    PlantedDefect(
        "an exit code hides a stalled job", frozenset({"exit-not-1", "exit-not-65", "exit-not-3"}), after_run=miscodes
    ),
    PlantedDefect(
        "an audit tells of a request that never left", frozenset({"audit", "audit-outcome"}), after_run=invents
    ),
    PlantedDefect("a sum tells of one cancel too many", frozenset({"told-sum", "told-changes"}), after_run=miscounts),
    PlantedDefect("a step is told that was not made", frozenset({"told-sent", "told-confirmed"}), after_run=boasts),
    PlantedDefect("every job is called ready", frozenset({"get", "describe", "told-row"}), after_run=flatters),
    PlantedDefect("a wait ends before its jobs get there", frozenset({"wait-there"}), after_run=hurries),
    PlantedDefect("a watch repeats itself", frozenset({"told-over"}), after_run=repeats),
    PlantedDefect("a command dies of a bug", frozenset({"exit-70"}), after_run=crashes),
)
