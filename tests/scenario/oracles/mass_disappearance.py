"""Whether an observation in which all jobs vanished at once was trusted. A wrong key or project is more likely.

Jobs whose cancel was accepted are not counted, because the cancel may have removed them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from tests.scenario.history import (
    ABSENT,
    Crashed,
    Edited,
    FileWritten,
    History,
    PassEnded,
    PassStarted,
    ProviderRequest,
    Tampered,
)
from tests.scenario.oracles.status_yaml import UNFINISHED, Tree, is_job, job_of, read

MANY = 2
_LASTS = timedelta(minutes=59)


def mass_disappearance_believed(history: History) -> Iterator[str]:
    """Yield the changes and absences after an observation in which all unfinished jobs of an account were gone.

    The statuses at the start of the pass define the known jobs. After an hour the jobs may be reported gone, if the
    account shows any other job.
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
            case FileWritten(path=path, data=data) if is_job(path) and (tree := read(data)) and (job := job_of(tree)):
                account = urls[job[0]]
                is_news = tree["status"]["phase"] == ABSENT and job[1] in _known(account, urls, statuses)
                lasted = event.at - since.get(account, event.at)
                if is_news and account in _suspects(urls, statuses, words, lasted):
                    yield f"{event.at:%T} {path} reports absent, although all jobs of its account were gone"


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
