"""Whether each status was true when it was written, and whether no status was lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from tests.scenario.history import (
    ABSENT,
    ChangeSent,
    Crashed,
    Edited,
    ExternalEvent,
    FileRemoved,
    FileWritten,
    History,
    Logged,
    PassEnded,
    PassStarted,
    ProviderRequest,
    Reported,
    Tampered,
)
from tests.scenario.oracles.absences import is_told_gone
from tests.scenario.oracles.conditions import violations
from tests.scenario.oracles.status_yaml import OVER, UNFINISHED, Tree, is_job, job_of, read, ready
from tests.scenario.provider import KEY
from tests.scenario.repository import JobSpec, Revision

RECEIPTS_MAX = 5
"""The maximum number of receipts in a status. If there are more, the oldest receipt is dropped."""


def malformed_status(history: History) -> Iterator[str]:
    """Yield the statuses that cannot be read, or break a condition rule."""
    for event in history.events:
        if isinstance(event, FileWritten) and is_job(event.path):
            tree = read(event.data)
            found = violations(tree) if tree else ["cannot be read"]
            yield from (f"{event.at:%T} {event.path}: {each}" for each in found)


def unobserved_phase(history: History) -> Iterator[str]:
    """Yield the statuses with a phase that no response of this pass, and no earlier status, has shown.

    After a crash, any earlier status may remain. An intent whose request was not sent is removed again.
    """
    ever: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    known: dict[tuple[str, str], set[str]] = {}
    before: dict[tuple[str, str], set[str]] = {}
    stood: dict[str, tuple[tuple[str, str], str]] = {}
    stood_before: dict[str, tuple[tuple[str, str], str]] = {}
    seen: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    accounts = history.accounts()
    for event in history.events:
        match event:
            case PassEnded():
                seen.clear()
            case PassStarted():
                before, stood_before = dict(known), dict(stood)
            case Crashed():
                seen.clear()
                known = {job: set(phases) for job, phases in ever.items()}
            case ProviderRequest():
                for job_id, word in event.words.items():
                    seen[event.account, job_id].add(word if word in {*OVER, *UNFINISHED, ABSENT} else "unknown")
            case FileWritten(path=path, data=data) if is_job(path) and (tree := read(data)) and (job := job_of(tree)):
                phase = tree["status"]["phase"]
                never_looked = phase == "unknown" and tree["status"]["job"]["providerStatus"] is None
                told = seen[accounts[job[0]], job[1]]
                # A spec may take over a status that another spec of the job has left.
                all_left = (*stood_before.items(), *stood.items())
                left = {each for at, (of, each) in all_left if of == job or at == path}
                grounds = told | known.get(job, set()) | before.get(job, set()) | left
                if phase not in grounds and not never_looked:
                    yield f"{event.at:%T} {path} reports {phase}; the provider reported {sorted(told)}"
                known[job], stood[path] = {phase}, (job, phase)
                ever[job].add(phase)


def false_end(history: History) -> Iterator[str]:
    """Yield the statuses that report an end that their job did not have."""
    accounts = history.accounts()
    for event in history.events:
        if not (isinstance(event, FileWritten) and is_job(event.path) and (tree := read(event.data))):
            continue
        job = job_of(tree)
        phase = tree["status"]["phase"]
        if job is None or phase not in OVER:
            continue
        truths = history.was(accounts[job[0]], job[1], event.at)
        if truths.isdisjoint({phase, ABSENT}):
            yield f"{event.at:%T} {event.path} reports {phase}, and its job is {truths}"


def false_ready(history: History) -> Iterator[str]:
    """Yield the requested cancels that a pass reported as Ready before the job had ended.

    A spec that changed during the pass, or that could not be read, applies from the next pass. A full disk keeps the
    earlier status. A job may be reported gone if the provider accepted its cancel and then reported it absent twice, a
    minute apart, even with a wrong key.
    """
    at_begin: Revision | None = None
    revision: Revision | None = None
    is_disrupted = False
    for event in history.events:
        match event:
            case Edited(revision=new):
                revision = new
            case PassStarted():
                at_begin, is_disrupted = revision, False
            case ExternalEvent(kind="disk refuses"):
                is_disrupted = True
            case PassEnded() if revision is not None and at_begin is not None and not (is_disrupted or event.errors):
                for job_spec in set(revision.valid()) & set(at_begin.valid()):
                    if job_spec.desired == "cancelled" and _is_said_ready(event, job_spec):
                        truths = history.was(job_spec.account, job_spec.job_id, event.at)
                        if truths.isdisjoint({*OVER, ABSENT}) and not is_told_gone(
                            history, job_spec.account, job_spec.job_id, event.at
                        ):
                            yield f"{event.at:%T} {job_spec.name} is Ready, and its job is {truths}"


def path_of(job_spec: JobSpec) -> str:
    """Return the path of a document's status."""
    return str(PurePosixPath(job_spec.file).parent / f"{job_spec.name}.yaml")


def status_of(job_spec: JobSpec, statuses: Mapping[str, bytes]) -> Tree | None:
    """Return a document's status, or None. Documents with the same name share a status in the folder of one of them."""
    here = read(statuses.get(path_of(job_spec), b""))
    if here is not None:
        return here
    named = (data for path, data in statuses.items() if is_job(path) and PurePosixPath(path).stem == job_spec.name)
    return next((tree for tree in map(read, named) if tree), None)


def _is_said_ready(event: PassEnded, job_spec: JobSpec) -> bool:
    tree = read(event.statuses.get(path_of(job_spec), b""))
    return tree is not None and ready(tree)["status"] == "True"


def missing_status(history: History) -> Iterator[str]:
    """Yield the specs without a readable status after one or several passes that could write the status.

    The observation of a job is discarded if its spec changes meanwhile, and a run may end before the next observation.
    """
    at_begin: Revision | None = None
    revision: Revision | None = None
    is_disrupted = False
    for event in history.events:
        match event:
            case Edited(revision=new):
                revision = new
            case PassStarted() if at_begin is None:
                at_begin, is_disrupted = revision, False
            case Crashed():
                at_begin = None
            case ExternalEvent(kind="disk full" | "disk refuses") | Tampered():
                is_disrupted = True
            case PassEnded():
                if revision is not None and at_begin is not None and not (is_disrupted or event.errors):
                    yield from _without_status(event, set(revision.readable()) & set(at_begin.readable()))
                at_begin = None


def _without_status(end: PassEnded, job_specs: Iterable[JobSpec]) -> Iterator[str]:
    names = {PurePosixPath(path).stem for path, data in end.statuses.items() if read(data)}
    yield from (f"{end.at:%T} {each.name} has no readable status" for each in job_specs if each.name not in names)


def unrecorded_request(history: History) -> Iterator[str]:
    """Yield the requests without a receipt after a crash. A receipt must be durable before its request is sent."""
    sent: dict[tuple[str, str, str], ChangeSent] = {}
    accounts = history.accounts()
    for event in history.events:
        match event:
            case PassStarted():
                sent.clear()
            case ChangeSent():
                sent[event.account, event.job_id, event.verb] = event
            case ProviderRequest(status=429, account=account, job_id=str(job_id), verb=verb):
                # A throttled request has no effect, so it needs no receipt.
                sent.pop((account, job_id, verb), None)
            case Crashed(statuses=statuses):
                trees = [tree for path, data in statuses.items() if is_job(path) and (tree := read(data))]
                kept = {
                    (accounts[job[0]], job[1], receipt["verb"])
                    for each in trees
                    for receipt in _receipts(each)
                    if (job := job_of(each)) is not None
                }
                yield from (
                    f"{event.at:%T} the {verb} of {job_id} has no receipt after the crash"
                    for _, job_id, verb in sent.keys() - kept
                )
                sent.clear()


def _receipts(tree: Tree) -> list[Tree]:
    found: list[Tree] = tree["status"]["receipts"]
    return found


def lost_receipt(history: History) -> Iterator[str]:
    """Yield the receipts that a status lost from one pass to the next, without damage or a crash.

    A status that was written for another job starts again, even if a later edit restores its first job.
    """
    before: dict[tuple[str, str], set[tuple[str, str]]] = {}
    shown: dict[str, tuple[str, str]] = {}
    for event in history.events:
        match event:
            case Crashed() | Tampered():
                before = {}
            case FileWritten(path=path, data=data) if is_job(path) and (tree := read(data)) and (job := job_of(tree)):
                if (earlier := shown.get(path, job)) != job:
                    before.pop(earlier, None)
                shown[path] = job
            case PassEnded(statuses=statuses):
                trees = [tree for path, data in statuses.items() if is_job(path) and (tree := read(data))]
                now: dict[tuple[str, str], set[tuple[str, str]]] = {}
                for tree in trees:
                    if (job := job_of(tree)) is not None:
                        now.setdefault(job, set()).update(
                            (each["verb"], each["requestedAt"]) for each in _receipts(tree)
                        )
                for job in now.keys() & before.keys():
                    if len(now[job]) < RECEIPTS_MAX and (gone := before[job] - now[job]):
                        yield f"{event.at:%T} {job[1]} lost its receipts {sorted(gone)}"
                before = now


def wrongly_pruned(history: History) -> Iterator[str]:
    """Yield the statuses that a pass removed although an unreadable file may have contained their specs.

    A status may be removed if a readable spec elsewhere has its name or job, because the spec was moved. Of two
    statuses with the same name, which a crash may leave, the older status is removed.
    """
    revision: Revision | None = None
    at_begin: Revision | None = None
    told: dict[str, bytes] = {}
    here: set[str] = set()
    for event in history.events:
        match event:
            case Edited(revision=new):
                revision = new
            case PassStarted():
                at_begin = revision
            case PassEnded(statuses=statuses) | Crashed(statuses=statuses):
                told.update(statuses)
                here = set(statuses)
            case FileWritten(path=path, data=data):
                told[path] = data
                here.add(path)
            case FileRemoved(path=path) if at_begin is not None and at_begin.unreadable_files() and is_job(path):
                here.discard(path)
                tree = read(told.get(path, b""))
                job = job_of(tree) if tree else None
                claimed = {each.name for each in at_begin.readable()} | {each.job_id for each in at_begin.readable()}
                claimed |= {PurePosixPath(each).stem for each in here}
                if claimed.isdisjoint({PurePosixPath(path).stem, job[1] if job else ""}):
                    unreadable = sorted(at_begin.unreadable_files())
                    yield f"{event.at:%T} {path} was removed while {unreadable} could not be read"


def leaked_secret(history: History) -> Iterator[str]:
    """Yield each status, report and line of the log that contains the provider's key."""
    for event in history.events:
        match event:
            case FileWritten(path=path, data=data) if KEY.encode() in data:
                yield f"{event.at:%T} {path} contains the key"
            case PassEnded(report=told) | Reported(report=told) | Logged(message=told) if KEY in told:
                yield f"{event.at:%T} the key is in an event {type(event).__name__}"


def internal_error(history: History) -> Iterator[str]:
    """Yield the internal errors that neither the disk nor the remote caused."""
    for event in history.events:
        if isinstance(event, PassEnded | Reported):
            yield from (
                f"{event.at:%T} {each}" for each in event.errors if not any(words in each for words in _DISKS_WORDS)
            )


_DISKS_WORDS = (
    "No space left",
    "cannot be read: ",
    "could not be read, so it is not overwritten",
    "the remote cannot be reached",
    "ValueError in process.py",
)
