"""Request the changes of edited specs at once, before the pass that reads all specs.

Theory: a pass takes time in proportion to the number of specs, and most edits change the desired state of one job. Such
an edit affects no other spec: its spec keeps its name, its file, its account and its job. Therefore the last pass is
still valid for everything else.

Rules:

- An account worker is started for each account with edited specs, with the same steps as in a pass: the job is
  retrieved, the change budget judges the change, the intent is written, and the spec is read again before the request.
- The change budget is that of the last pass. It has counted every change that was allowed since, and nothing that it
  refuses here is recorded, because the next pass judges the change again.
- Everything else is left to the next pass, which always follows: other changes of files, jobs without a status, jobs
  that the provider does not show, and accounts with a running worker.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from functools import partial

from reconciler.controller.account_worker import run_edited
from reconciler.controller.assign_work import Work
from reconciler.controller.observation_order import is_change_expected
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.plan import TrackedJob
from reconciler.controller.request_costs import RequestCosts
from reconciler.controller.runtime import Runtime
from reconciler.controller.spans import in_account_span
from reconciler.controller.spec_resolver import edited
from reconciler.core.subject import Subject
from reconciler.model.job import Account
from reconciler.model.job_identity import job_identity
from reconciler.model.status import JobStatus
from reconciler.ports import JobEdit, SupportsReread


def start_edited(paths: Collection[str], runtime: Runtime, memory: PassMemory, retry: Collection[str] = ()) -> None:
    """Start a worker for each account with edited specs that need a change.

    Args:
        paths: the paths that have changed since the last pass, relative to the specs directory.
        runtime: the ports, the clock and the accounts.
        memory: the state that this process keeps between passes. `current` gets the edited specs.
        retry: the names of the specs for which a user requested a retry. They are left to the next pass.
    """
    if not (paths and memory.current.may_ask and isinstance(runtime.specs, SupportsReread)) or runtime.is_stopping():
        return
    edits = runtime.specs.reread(paths) or ()
    subjects = [each for each in _subjects(edits, memory) if each.name not in retry]
    for account, work in _work(_with_last(subjects, runtime), runtime, memory).items():
        fresh = {subject.name: subject for subject, _ in work.pairs}
        memory.current = replace(memory.current, subjects={**memory.current.subjects, **fresh})
        run = partial(run_edited, work, lambda: memory.current, runtime, memory.current.edition)
        running = in_account_span(runtime, account, len(work.pairs), run)
        memory.workers.begin(account, work.names, running, runtime.clock.monotonic())


def _subjects(edits: Iterable[JobEdit], memory: PassMemory) -> Iterator[Subject]:
    """Yield the subject of each edited spec on which the last pass could act."""
    current = memory.current
    for edit in edits:
        before = current.subjects.get(edit.before.document.metadata.name)
        if before is not None and before.source == edit.before.file and before.spec == edit.before.document.spec:
            yield edited(before, edit, current.suspension)


def _with_last(subjects: Collection[Subject], runtime: Runtime) -> Iterator[TrackedJob]:
    """Yield each subject with its last status, if that status describes the same job."""
    names = {each.name for each in subjects}
    last = {each.name: each for each in runtime.statuses.known().jobs if each.name in names} if names else {}
    for subject in subjects:
        status = last.get(subject.name)
        if status is not None and _describes(status, subject):
            yield subject, status


def _describes(status: JobStatus, subject: Subject) -> bool:
    is_job = status.job is not None and job_identity(status.job) == job_identity(subject.ref)
    return is_job and status.source == subject.source


def _work(pairs: Iterable[TrackedJob], runtime: Runtime, memory: PassMemory) -> dict[Account, Work]:
    """Return the jobs that need a change, by account. Accounts that must be handled as a whole are left out."""
    work: dict[Account, Work] = {}
    now, targets, busy = runtime.clock.now(), memory.current.targets, memory.workers
    for subject, last in pairs:
        account, target = subject.ref.account, targets.get(str(subject.ref.account))
        is_free = account not in busy and subject.name not in busy.names
        if target is not None and is_free and is_change_expected(subject, last, now):
            work.setdefault(account, Work(target, is_part=True)).pairs.append((subject, last))
    return {account: each for account, each in work.items() if not _prefers_list(each, runtime, memory)}


def _prefers_list(work: Work, runtime: Runtime, memory: PassMemory) -> bool:
    pages = memory.list_pages.get(work.target.account, 1)
    return RequestCosts(partial(runtime.accounts.rate, work.target), pages).prefers_list(len(work.pairs))
