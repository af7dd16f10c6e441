"""The output of commands: each statement is compared with the status files and with the world.

A result states the number of requested changes and of jobs in each state. `get` states what the statuses contain,
`drift` what the world shows, and `wait` that its jobs have reached their state.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import yaml

from tests.second_opinion.command import Run
from tests.second_opinion.jobs import ENDED
from tests.second_opinion.judge import pass_output
from tests.second_opinion.statuses import Status, all_of

if TYPE_CHECKING:
    from tests.second_opinion.session import Session

CHANGES = ("cancel", "pause", "resume")


def judge(session: Session, run: Run) -> None:
    """Report each false statement of a command that ended by itself."""
    judges: dict[str, Callable[[Session, Run], None]] = {
        "once": _result,
        "plan": _result,
        "retry": _result,
        "get": _get,
        "describe": _describe,
        "wait": _wait,
        "drift": _drift,
    }
    if run.verb in judges and run.killed is None and run.code is not None and run.code not in (64, 70):
        judges[run.verb](session, run)


def _json(run: Run) -> bool:
    return run.option("-o") == ["json"]


def _result(session: Session, run: Run) -> None:
    """Report a summary with a wrong exit code, or with changes that differ from the received requests."""
    if run.disturbed or not run.out:
        return
    if not _json(run):
        pass_output.judge(session, run)
        return
    records = [json.loads(line) for line in run.out.splitlines()]
    summary = next((each for each in records if each["type"] == "change_summary"), None)
    if summary is None:
        return
    code = summary["exitCode"]
    session.check("told-code", code == run.code, f"{run}: the summary reports {code}")
    requests = [each for each in session.world.record.all()[run.first : run.last] if each.change]
    if any(each.fault is not None for each in requests):
        return
    sent = {verb: len({(each.account, each.job) for each in requests if each.verb == verb}) for verb in CHANGES}
    claimed = {verb: summary["changes"][verb] for verb in CHANGES}
    if summary["changes"]["operation"] == "apply" and "--dry-run" not in run.args:
        session.check("told-changes", claimed == sent, f"{run}: reported {claimed}, the world received {sent}")
    pending = sum(claimed.values())
    if "--detailed-exitcode" in run.args and run.code in (0, 2):
        session.check("detailed-exitcode", (run.code == 2) == (pending > 0), f"{run}: {claimed} are pending")


def _statuses(run: Run) -> dict[str, Status]:
    """Return the statuses before a command, by name. A name that occurs twice is left out."""
    try:
        found = all_of(run.before)
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        return {}
    names = [each.name for each in found]
    return {each.name: each for each in found if names.count(each.name) == 1}


def _get(session: Session, run: Run) -> None:
    """Report a row of `get` that differs from the status of its job."""
    if "--live" in run.args or not _json(run) or run.disturbed or not run.out:
        return
    statuses = _statuses(run)
    for each in json.loads(run.out):
        ready, reason, phase = _standing(each["status"])
        status = statuses.get(each["metadata"]["name"])
        known = status is not None and (status.ready, status.reason, status.phase) == (ready, reason, phase)
        doubted = ready != "True"
        session.check("get", known or doubted, f"{run}: {each}, the status file has {status}")


def _standing(status: dict[str, Any]) -> tuple[str, str, str]:
    ready = next(each for each in status["conditions"] if each["type"] == "Ready")
    return ready["status"], ready["reason"], status["phase"]


def _describe(session: Session, run: Run) -> None:
    """Report a `describe` that shows a job as ready although its status does not."""
    words = [line.split(None, 1) for line in run.out.splitlines() if line.startswith("  ")]
    said = {pair[0]: pair[1].strip() for pair in reversed(words) if len(pair) == 2}
    if "ready" not in said or run.disturbed:
        return
    status = _statuses(run).get(run.args[1])
    fits = said["ready"] != "True" or (status is not None and status.ready == "True")
    session.check("describe", fits, f"{run}: {said}, the status file has {status}")


def _wait(session: Session, run: Run) -> None:
    """Report a `wait` that succeeds although a status has not reached its state, or that times out too early."""
    final = (run.option("--for") or ["settled"])[0]
    statuses = _statuses(run) | {each.name: each for each in _after(run)}
    named = [statuses.get(name) for name in run.args[1:2]]
    if run.code == 0 and "--live" not in run.args:
        there = all(each is not None and _got_there(each, final) for each in named)
        session.check("wait-there", there, f"{run}: {named}")
    if run.code == 75:
        patience = float(run.option("--timeout")[0][:-1])
        session.check("wait-time", run.ended - run.began >= patience, f"{run} ended before its --timeout")


def _after(run: Run) -> list[Status]:
    try:
        return all_of(run.after)
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        return []


def _got_there(status: Status, final: str) -> bool:
    if final == "settled":
        return status.ready == "True" or status.reason == "Suspended"
    return status.phase == final


def _drift(session: Session, run: Run) -> None:
    """Report a `drift` that omits an unmanaged job or one that should be cancelled, although no request failed."""
    if not _json(run) or run.code not in (0, 2):
        return
    said = json.loads(run.out)
    pending, unmanaged = said["drifting"], next(value for name, value in said.items() if name != "drifting")
    session.check("drift-code", (run.code == 2) == bool(pending or unmanaged), f"{run}: {said}")
    snapshot = session.repository.at(run.began)
    requests = session.world.record.all()[run.first : run.last]
    if any(each.fault is not None for each in requests) or session.world.lag or not _sound(session, run):
        return
    drifting = {each["name"] for each in pending}
    for want in snapshot.wants():
        job = session.world.jobs.get((want.account, want.doc.job))
        if job is None or job.is_gone(run.began) or job.word(run.ended) in ENDED or job.odd_word:
            continue
        if want.sure and want.doc.desired == "cancelled" and not want.doc.suspended:
            session.check("drift-hides", want.doc.name in drifting, f"{run}: {want.doc} is not in {said}")
    named = {(want.account, want.doc.job) for want in snapshot.wants()}
    seen = {(each.account, job) for each in requests for job in each.shown}
    strangers = {each["jobId"] if "jobId" in each else each["id"] for each in unmanaged}
    expected = {job for account, job in seen - named}
    if "--unfinished" not in run.args:
        session.check("drift-unmanaged", expected == strangers, f"{run}: expected {expected}, reported {strangers}")


def _sound(session: Session, run: Run) -> bool:
    snapshot = session.repository.at(run.began)
    return not snapshot.wrong() and len(snapshot.wants()) == len(snapshot.jobs())
