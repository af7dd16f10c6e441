"""Whether doubt stayed where it arose: what one job, one row of a list or one absence is like is nothing to the others.

Rules: judged from what the specs said, what the provider was asked and answered, and what its jobs truly were. A pass
in which people, our disk or the whole account came between is not judged here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.scenario.history import ABSENT, Called, History, PassEnded, Served
from tests.scenario.oracles.passes import Chapter, casts_doubt, chapters, is_hindrance
from tests.scenario.oracles.requests import BURST, MAY
from tests.scenario.oracles.status_yaml import OVER, UNFINISHED, Tree, is_job, job_of, read
from tests.scenario.provider import ONE_JOB
from tests.scenario.repository import Wish

_ENOUGH = 12
"""So many absences are known once it is clear that a crowd has vanished: a few, and what was asked for beside them."""
_CROWD_PERCENT = 20
_OWN_WORDS = frozenset({"unknown-word", "stale-read", "switched account"})


def withheld(history: History) -> Iterator[str]:
    """Tell the first cancels that a pass did not ask for, though nothing cast doubt on their jobs."""
    if history.most_an_hour is not None:
        return
    for chapter, end in chapters(history):
        if chapter.is_hindered or _is_halted(chapter):
            continue
        calls, known = chapter.calls(), _known(history, chapter.statuses)
        for wish in chapter.revision.valid():
            key = (wish.account, wish.job_id)
            if (
                _is_first_cancel_due(history, chapter, end, wish, known.get(key, []))
                and chapter.is_clear(wish.account)
                and not _is_doubtful(chapter, wish)
                and (*key, "cancel") not in calls
            ):
                yield f"{end.at:%T} the cancel of {wish.job_id} was not asked for in the pass of {chapter.at:%T}"


def _is_halted(chapter: Chapter) -> bool:
    return chapter.revision.is_settings_broken or chapter.revision.is_suspended


def _is_first_cancel_due(history: History, chapter: Chapter, end: PassEnded, wish: Wish, statuses: list[Tree]) -> bool:
    """Whether a job is truly there to be stopped, and nothing was asked for it that is not over."""
    key = (wish.account, wish.job_id)
    truths = {history.truth(*key, chapter.at), history.truth(*key, end.at)}
    is_suspended = wish.is_suspended(chapter.at) or wish.is_suspended(end.at)
    if wish.desired != "cancelled" or is_suspended or not truths <= MAY["cancel"]:
        return False
    return not any(
        each["status"]["phase"] in OVER or any(not receipt["outcome"] for receipt in each["status"]["receipts"])
        for each in statuses
    )


def _known(history: History, statuses: Mapping[str, bytes]) -> dict[tuple[str, str], list[Tree]]:
    """Return the statuses of each job, by its account's name and its id."""
    accounts = history.accounts()
    found: dict[tuple[str, str], list[Tree]] = {}
    for path, data in statuses.items():
        if is_job(path) and (tree := read(data)) and (job := job_of(tree)):
            found.setdefault((accounts[job[0]], job[1]), []).append(tree)
    return found


def _is_doubtful(chapter: Chapter, wish: Wish) -> bool:
    """Whether an answer about this very job was none, or not what is."""
    answers = [each for each in chapter.served(wish.account) if each.job_id == wish.job_id and not each.is_change]
    return any(each.fault in _OWN_WORDS or (each.fault or "").startswith(ONE_JOB) for each in answers)


def kept_waiting(history: History) -> Iterator[str]:
    """Tell the first cancels that waited for looks at other jobs, where they were few enough to go first."""
    for chapter, _ in chapters(history):
        known = _known(history, chapter.statuses)
        for account in history.worlds:
            ours = [each for each in chapter.revision.valid() if each.account == account]
            open_ = [each for each in ours if not _is_known_to_be(OVER, known, each)]
            urgent = {each.job_id for each in open_ if _may_be_urgent(known, each)}
            expected = {each.job_id for each in ours if _is_expected(known, each)}
            if chapter.is_key_right and account not in chapter.resting and len(urgent) <= BURST < len(open_):
                yield from _waits(chapter, account, urgent, expected)


def _waits(chapter: Chapter, account: str, urgent: set[str], expected: set[str]) -> Iterator[str]:
    """Tell the expected cancels before which others were looked at, until something else came between."""
    asked = 0
    for event in chapter.events:
        if is_hindrance(event) or (isinstance(event, Served) and event.account == account and casts_doubt(event)):
            return
        if isinstance(event, Called) and (event.account, event.verb) == (account, "cancel"):
            if asked and event.job_id in expected:
                yield f"{event.at:%T} the cancel of {event.job_id} waited for {asked} looks at others"
        elif isinstance(event, Served) and event.account == account and not event.is_change:
            asked += event.job_id not in urgent


def asked_in_vain(history: History) -> Iterator[str]:
    """Tell where job after job of a crowd that had just vanished was asked for, though the first few said as much.

    A crowd that has been doubted for an hour may be asked for, to be believed gone; so the first of an account counts.
    One job that is gone is no crowd.
    """
    warned: set[str] = set()
    for chapter, end in chapters(history):
        known = _known(history, chapter.statuses)
        for account in history.worlds:
            answers = [each for each in chapter.served(account) if not each.is_change]
            words = {job_id: word for each in answers for job_id, word in each.words.items()}
            there = {job_id for (of, job_id), trees in known.items() if of == account and all(map(_is_there, trees))}
            observed = there & words.keys()
            gone = {job_id for job_id in observed if words[job_id] == ABSENT}
            is_news = account not in warned
            warned |= {account} if len(gone) > 1 else set()
            if (
                is_news
                and chapter.is_clear(account)
                and len(gone) > _ENOUGH
                and len(gone) * 100 > _CROWD_PERCENT * len(there)
            ):
                yield f"{end.at:%T} {len(gone)} jobs of {account} that had vanished were asked for, one by one"


def _is_expected(known: Mapping[tuple[str, str], list[Tree]], wish: Wish) -> bool:
    return wish.desired == "cancelled" and _is_known_to_be(MAY["cancel"], known, wish)


def _is_there(tree: Tree) -> bool:
    return tree["status"]["phase"] in UNFINISHED and not _has_open(tree)


def _is_known_to_be(phases: set[str] | frozenset[str], known: Mapping[tuple[str, str], list[Tree]], wish: Wish) -> bool:
    trees = known.get((wish.account, wish.job_id), [])
    return any(each["status"]["phase"] in phases and not _has_open(each) for each in trees)


def _has_open(tree: Tree) -> bool:
    return any(not each["outcome"] for each in tree["status"]["receipts"])


def _may_be_urgent(known: Mapping[tuple[str, str], list[Tree]], wish: Wish) -> bool:
    """Whether a change may be wanted of a job, as far as can be told before it is looked at."""
    return wish.desired in {"cancelled", "paused"} or wish.has_limits or _is_known_to_be({"paused"}, known, wish)
