"""Whether an observation in which all jobs vanished at once was trusted. A wrong key or project is more likely.

Jobs whose cancel was accepted are not counted, because the cancel may have removed them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from tests.scenario.batch_services import account_of
from tests.scenario.history import (
    ABSENT,
    Crashed,
    Edited,
    FileRemoved,
    FileWritten,
    History,
    PassEnded,
    PassStarted,
    ProviderRequest,
    Tampered,
)
from tests.scenario.oracles.status_yaml import UNFINISHED, Tree, is_job, job_of, read, ready

MANY = 2
_LASTS = timedelta(minutes=59)


def mass_disappearance_believed(history: History) -> Iterator[str]:
    """Yield the changes and absences after an observation in which all unfinished jobs of an account were gone.

    The statuses at the start of the pass define the known jobs. An hour after such an observation, or after the status
    of the account first reported a doubt, the jobs may be reported gone, if the account shows any other job.
    """
    since: dict[str, datetime] = {}
    urls: Mapping[str, str] = {}
    statuses: dict[str, bytes] = {}
    words: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for event in history.events:
        match event:
            case Edited(revision=revision):
                urls = revision.lines()
            case PassEnded(statuses=left) | Crashed(statuses=left):
                statuses = dict(left)
                words.clear()
            case Tampered(path=path):
                statuses.pop(path, None)
            case PassStarted():
                words.clear()
            case ProviderRequest(is_change=True) if _is_rash(event, words, _suspects(urls, statuses, words)):
                yield f"{event.at:%T} {event.verb} of {event.job_id}, although all jobs of its account were gone"
            case ProviderRequest():
                words[event.account].update(event.words)
                since = {**dict.fromkeys(_suspects(urls, statuses, words), event.at), **since}
            case FileWritten() | FileRemoved() if not is_job(event.path):
                _note_doubt(event, since)
            case FileWritten(path=path) if (account := _newly_absent(event, urls, statuses)) in _suspects(
                urls, statuses, words, event.at - since.get(account, event.at)
            ):
                yield f"{event.at:%T} {path} reports absent, although all jobs of its account were gone"


def _newly_absent(event: FileWritten, urls: Mapping[str, str], statuses: Mapping[str, bytes]) -> str:
    """Return the account of a job that a status first reports as absent, or an empty text if it reports none."""
    tree = read(event.data)
    job = job_of(tree) if tree is not None else None
    if tree is None or job is None or tree["status"]["phase"] != ABSENT:
        return ""
    account = urls[job[0]]
    return account if job[1] in _known(account, urls, statuses) else ""


def _note_doubt(event: FileWritten | FileRemoved, since: dict[str, datetime]) -> None:
    """Record when an account's status began to report a suspect observation. Forget the time if it reports none."""
    account = account_of(event.path)
    tree = read(event.data) if isinstance(event, FileWritten) else None
    if tree is not None and ready(tree)["reason"] == "ObservationSuspect":
        since.setdefault(account, event.at)
    else:
        since.pop(account, None)


def _is_rash(request: ProviderRequest, words: Mapping[str, Mapping[str, str]], suspects: set[str]) -> bool:
    """Return whether the account of a change is suspect and did not show the job in this pass."""
    word = words[request.account].get(request.job_id or "", ABSENT)
    return request.account in suspects and word == ABSENT


def _suspects(
    urls: Mapping[str, str],
    statuses: Mapping[str, bytes],
    words: Mapping[str, Mapping[str, str]],
    lasted: timedelta = timedelta(0),
) -> set[str]:
    """Return the accounts that showed none of at least two known jobs in this pass, while the doubt lasts."""
    found = set()
    for account, seen in words.items():
        if sum(word == ABSENT for word in seen.values()) < MANY:
            continue
        known = [job for job in _known(account, urls, statuses) if job in seen]
        may_be_believed = lasted >= _LASTS and any(word != ABSENT for word in seen.values())
        if len(known) >= MANY and all(seen[job] == ABSENT for job in known) and not may_be_believed:
            found.add(account)
    return found


def _known(account: str, urls: Mapping[str, str], statuses: Mapping[str, bytes]) -> set[str]:
    """Return the unfinished jobs of an account without a requested cancel, according to the statuses, by ID."""
    trees = [tree for path, data in statuses.items() if is_job(path) and (tree := read(data))]
    jobs = [(job_of(tree), tree) for tree in trees if not _may_vanish(tree)]
    return {
        job[1] for job, tree in jobs if job and urls.get(job[0]) == account and tree["status"]["phase"] in UNFINISHED
    }


def _may_vanish(tree: Tree) -> bool:
    return any(
        each["verb"] == "cancel" and each["acceptedAt"] and not each["outcome"] for each in tree["status"]["receipts"]
    )
