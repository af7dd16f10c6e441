"""The output of a pass: the number of requested changes, the table of job states, and each step."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from tests.second_opinion.statuses import Status, all_of

if TYPE_CHECKING:
    from tests.second_opinion.command import Run
    from tests.second_opinion.session import Session

SUM = re.compile(r"^Requested: (?P<asked>[^.]*)\. ", re.MULTILINE)
NOT_FOUND = 404
PART = re.compile(r"(\d+) (cancel|pause|resume)")
STEP = re.compile(
    r"^(?P<name>\S+): (?P<verb>cancel|pause|resume) (?P<what>sent|confirmed: (?P<word>\w+))$", re.MULTILINE
)


def judge(session: Session, run: Run) -> None:
    """Report a wrong number, row or step."""
    if run.verb == "plan" or "--dry-run" in run.args:
        return
    requests = [each for each in session.world.record.all()[run.first : run.last] if each.change]
    found = SUM.search(run.out)
    if found is not None and all(each.fault is None for each in requests):
        said = {verb: int(number) for number, verb in PART.findall(found["asked"])}
        sent = {verb: len({each.job for each in requests if each.verb == verb}) for _, verb in PART.findall(found[0])}
        sent |= {each.verb: len({r.job for r in requests if r.verb == each.verb}) for each in requests}
        session.check("told-sum", said == sent, f"{run}: reported {said}, the world received {sent}")
    _table(session, run)
    _steps(session, run)


def _table(session: Session, run: Run) -> None:
    """Report a row of the table that differs from the status that this pass wrote."""
    try:
        statuses = all_of(run.after)
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        return
    for cells in rows(run.out):
        mine = [each for each in statuses if each.name == cells["NAME"]]
        if len(mine) == 1 and run.code in (0, 1):
            session.check("told-row", _fits(cells, mine[0]), f"{run}: {cells}, the status file has {mine[0]}")


def _fits(cells: dict[str, str], status: Status) -> bool:
    """Return whether a row matches the status, or shows the job as unobserved."""
    return (cells["READY"], cells["REASON"]) == (status.ready, status.reason) or cells["READY"] == "Unknown"


def rows(text: str) -> list[dict[str, str]]:
    """Return the rows of the first table in a text. Each row maps headings to cells."""
    lines = text.splitlines()
    head = next((number for number, line in enumerate(lines) if line.startswith("NAME ") and "REASON" in line), None)
    if head is None:
        return []
    found = []
    for line in lines[head + 1 :]:
        cells = re.split(r" {2,}", line.strip())
        names = lines[head].split()
        if len(cells) != len(names):
            break
        found.append(dict(zip(names, cells, strict=True)))
    return found


def _steps(session: Session, run: Run) -> None:
    """Report a printed step that did not happen."""
    docs = [doc for snapshot in session.repository.during(run.began, run.ended) for _, doc in snapshot.jobs()]
    exchanges = session.world.record.all()[run.first : run.last]
    for step in STEP.finditer(run.err):
        jobs = {doc.job for doc in docs if doc.name == step["name"]}
        if step["word"] is None:
            made = any(each.verb == step["verb"] and each.job in jobs for each in exchanges)
            lost = any(each.fault == "silent-close" for each in exchanges)
            session.check("told-sent", made or lost, f"{run}: {step[0]}, but the world received no such request")
        else:
            looks = [each for each in exchanges if not each.change]
            shown = any(each.shown.get(job) == step["word"] for each in looks for job in jobs)
            if step["word"] == "gone":
                shown = any(each.verb == "retrieve" and each.job in jobs and each.status == NOT_FOUND for each in looks)
            session.check("told-confirmed", shown, f"{run}: {step[0]}, but no observation showed it")
