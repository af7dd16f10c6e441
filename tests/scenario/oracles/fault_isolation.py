"""Whether a fault affects only its own job: a doubtful job, list row or absence must not change another job.

Rules: the oracle uses the specs, the requests and responses, and the true state of the jobs. It skips a pass in which
people, the disk or the whole account interfered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.scenario.batch_services import provider_of
from tests.scenario.history import ABSENT, ChangeSent, History, PassEnded, ProviderRequest
from tests.scenario.oracles.passes import PassRecord, casts_doubt, is_disruption, pass_records
from tests.scenario.oracles.requests import BURST, MAY
from tests.scenario.oracles.status_yaml import OVER, UNFINISHED, Tree, is_job, job_of, read
from tests.scenario.provider import ONE_JOB
from tests.scenario.repository import JobSpec

_ENOUGH = 12
"""The number of absent jobs that a pass may retrieve, including jobs that may need a change."""
_CROWD_PERCENT = 20
_OPEN = frozenset({None, "gone"})
"""The outcomes of a cancel that is not repeated yet: a job that was gone may come back."""
_OWN_WORDS = frozenset({"unknown-word", "stale-read", "switched account"})


def cancel_not_sent(history: History) -> Iterator[str]:
    """Yield the first cancels that a pass did not request, although their jobs were not doubtful."""
    if history.most_an_hour is not None:
        return
    for one_pass, end in pass_records(history):
        if one_pass.is_disrupted or _is_halted(one_pass):
            continue
        calls, known = one_pass.calls(), _known(history, one_pass.statuses)
        for job_spec in one_pass.revision.valid():
            key = (job_spec.account, job_spec.job_id)
            if (
                _is_first_cancel_due(history, one_pass, end, job_spec, known.get(key, []))
                and one_pass.is_clear(job_spec.account)
                and not one_pass.is_kept_waiting(job_spec.account)
                and not _is_doubtful(one_pass, job_spec)
                and (*key, "cancel") not in calls
            ):
                yield f"{end.at:%T} the cancel of {job_spec.job_id} was not sent in the pass of {one_pass.at:%T}"


def _is_halted(one_pass: PassRecord) -> bool:
    return one_pass.revision.is_settings_broken or one_pass.revision.is_suspended


def _is_first_cancel_due(
    history: History, one_pass: PassRecord, end: PassEnded, job_spec: JobSpec, statuses: list[Tree]
) -> bool:
    """Return whether a job can be cancelled, and has no open cancel.

    The cancel of a job that was `gone` and is present again is open again.
    """
    key = (job_spec.account, job_spec.job_id)
    truths = {history.truth(*key, one_pass.at), history.truth(*key, end.at)}
    is_suspended = job_spec.is_suspended(one_pass.at) or job_spec.is_suspended(end.at)
    if job_spec.desired != "cancelled" or is_suspended or not truths <= MAY["cancel"]:
        return False
    return not any(each["status"]["phase"] in OVER or _has_open_cancel(each) for each in statuses)


def _known(history: History, statuses: Mapping[str, bytes]) -> dict[tuple[str, str], list[Tree]]:
    """Return the statuses of each job, by the name of its account and its ID."""
    accounts = history.accounts()
    found: dict[tuple[str, str], list[Tree]] = {}
    for path, data in statuses.items():
        if is_job(path) and (tree := read(data)) and (job := job_of(tree)):
            found.setdefault((accounts[job[0]], job[1]), []).append(tree)
    return found


def _is_doubtful(one_pass: PassRecord, job_spec: JobSpec) -> bool:
    """Return whether a fault affected an observation of this job alone."""
    answers = [
        each for each in one_pass.served(job_spec.account) if each.job_id == job_spec.job_id and not each.is_change
    ]
    return any(each.fault in _OWN_WORDS or (each.fault or "").startswith(ONE_JOB) for each in answers)


def cancel_delayed(history: History) -> Iterator[str]:
    """Yield the first cancels that waited for observations of other jobs, although few jobs needed a change.

    The list of a throttled account is read first, if that takes fewer requests than retrieving the jobs that may need a
    change.
    """
    throttled = {
        provider_of(each.account) for each in history.events if isinstance(each, ProviderRequest) and each.status == 429
    }
    for one_pass, _ in pass_records(history):
        known = _known(history, one_pass.statuses)
        for account in history.worlds:
            ours = [each for each in one_pass.revision.valid() if each.account == account]
            open_ = [each for each in ours if not _is_known_to_be(OVER, known, each)]
            urgent = {each.job_id for each in open_ if _may_be_urgent(known, each)}
            expected = {each.job_id for each in ours if _is_expected(known, each)}
            if (
                one_pass.is_key_right
                and provider_of(account) not in one_pass.resting
                and len(urgent) <= BURST < len(open_)
            ):
                may_wait_for = len(urgent) if provider_of(account) in throttled else 0
                yield from _waits(one_pass, account, urgent, expected, may_wait_for)


def _waits(
    one_pass: PassRecord, account: str, urgent: set[str], expected: set[str], may_wait_for: int
) -> Iterator[str]:
    """Yield the expected cancels that waited for more than `may_wait_for` requests, until something else interfered."""
    asked = 0
    for event in one_pass.events:
        if is_disruption(event) or (
            isinstance(event, ProviderRequest) and event.account == account and casts_doubt(event)
        ):
            return
        if isinstance(event, ChangeSent) and (event.account, event.verb) == (account, "cancel"):
            if asked > may_wait_for and event.job_id in expected:
                yield f"{event.at:%T} the cancel of {event.job_id} waited for {asked} observations of other jobs"
        elif isinstance(event, ProviderRequest) and event.account == account and not event.is_change:
            asked += event.job_id not in urgent


def useless_retrieves(history: History) -> Iterator[str]:
    """Yield the first passes over vanished jobs that retrieved many of them, although a few retrieves are enough.

    Later passes are not judged, because they may confirm that doubted jobs are gone. Runs without a rate limit are not
    judged, because many of their retrieves may be in progress at once.
    """
    warned: set[str] = set()
    for one_pass, end in pass_records(history):
        known = _known(history, one_pass.statuses)
        for account in history.worlds:
            answers = [each for each in one_pass.served(account) if not each.is_change]
            words = {job_id: word for each in answers for job_id, word in each.words.items()}
            there = {job_id for (of, job_id), trees in known.items() if of == account and all(map(_is_there, trees))}
            observed = there & words.keys()
            gone = {job_id for job_id in observed if words[job_id] == ABSENT}
            is_news = account not in warned
            warned |= {account} if len(gone) > 1 else set()
            if (
                is_news
                and one_pass.revision.has_rate_limits
                and one_pass.is_clear(account)
                and len(gone) > _ENOUGH
                and len(gone) * 100 > _CROWD_PERCENT * len(there)
            ):
                yield f"{end.at:%T} {len(gone)} vanished jobs of {account} were retrieved one by one"


def _is_expected(known: Mapping[tuple[str, str], list[Tree]], job_spec: JobSpec) -> bool:
    return job_spec.desired == "cancelled" and _is_known_to_be(MAY["cancel"], known, job_spec)


def _is_there(tree: Tree) -> bool:
    return tree["status"]["phase"] in UNFINISHED and not _has_open_cancel(tree)


def _is_known_to_be(
    phases: set[str] | frozenset[str], known: Mapping[tuple[str, str], list[Tree]], job_spec: JobSpec
) -> bool:
    trees = known.get((job_spec.account, job_spec.job_id), [])
    return any(each["status"]["phase"] in phases and not _has_open_cancel(each) for each in trees)


def _has_open_cancel(tree: Tree) -> bool:
    """Return whether the cancel of a job is open, or is open again if the job is present.

    An open pause or resume does not count: it is withdrawn as soon as the cancel is wanted.
    """
    return any(each["verb"] == "cancel" and each["outcome"] in _OPEN for each in tree["status"]["receipts"])


def _may_be_urgent(known: Mapping[tuple[str, str], list[Tree]], job_spec: JobSpec) -> bool:
    """Return whether a job may need a change, as far as it is known before the job is observed."""
    return (
        job_spec.desired in {"cancelled", "paused"}
        or job_spec.has_limits
        or _is_known_to_be({"paused"}, known, job_spec)
    )
