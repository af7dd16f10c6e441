"""How a decision is carried out: the intent on disk, then the request, then what came of it on disk.

Rules: no request without its intent written and synced; the spec is read once more when each request's turn has come,
and one that changed, or that Settings now forbid, is not acted on; an error with one job never keeps another from
being stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.controller.plan import Case
from reconciler.core.receipts import intend
from reconciler.core.schedule import next_look
from reconciler.core.settle import Answer, settle
from reconciler.core.subject import Subject
from reconciler.errors import Delivered, Kind, Overtaken, Permanent, PublishError, Transient, Unwanted
from reconciler.model.action_record import ActionRecord, Audit
from reconciler.model.report import Action, Progress
from reconciler.model.spec import spec_digest
from reconciler.model.status import JobStatus, Verb
from reconciler.ports import JobController, Publisher, SpecSource, StatusStore, SupportsPause
from reconciler.throttle import only_while


@dataclass(frozen=True, slots=True)
class Done:
    """One case, carried out: the status as it stands on disk now, and how the request went, if there was one."""

    case: Case
    status: JobStatus
    look_after: timedelta | None
    """When another look is worth while, by plan; None where only a change makes it so."""
    answer: Answer | None = None
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hands:
    """What carrying out needs."""

    specs: SpecSource
    statuses: StatusStore
    now: Callable[[], datetime]
    publisher: Publisher | None = None
    audit: Audit | None = None
    edition: int = 0
    """What the publisher's was when the statuses were read that was decided on."""
    holds: Callable[[Subject], bool] = lambda _: True
    """Whether a spec may still be acted on, as far as the newest pass knows."""


async def carry_out(cases: tuple[Case, ...], control: Callable[[], JobController], hands: Hands) -> list[Done]:
    """Write what was decided, and ask for what is due. All intents are on disk before the first request leaves."""
    async with hands.publisher.alone() if hands.publisher is not None else nullcontext():
        if hands.publisher is not None and hands.publisher.edition != hands.edition:
            return [_overtaken(case) for case in cases]
        done, intents = _write_all(cases, hands)
        if intents and hands.publisher is not None and hands.publisher.is_shared:
            try:
                await hands.publisher.publish(_intention(case for case, _ in intents))
            except (Overtaken, PublishError) as error:
                return done + [_not_recorded(case, error, hands) for case, _ in intents]
    return done + await asyncio.gather(*(_request(case, intent, control, hands) for case, intent in intents))


def _write_all(cases: Iterable[Case], hands: Hands) -> tuple[list[Done], list[tuple[Case, JobStatus]]]:
    """Return what is done with that, and the cases that have a request to come, each with its intent."""
    done: list[Done] = []
    intents: list[tuple[Case, JobStatus]] = []
    for case in cases:
        if case.decision.action is None or case.is_refused:
            done.append(write(case, case.decision.status, hands))
            continue
        origin = hands.specs.origin(case.subject.source)
        intent = intend(case.decision.status, case.decision.action, origin, case.approved_by, _moment(hands))
        try:
            hands.statuses.write(intent, durable=True)
        except OSError as error:
            answer = Answer(Progress.NOT_RECORDED, _disk(error))
            problem = f"{case.subject.name}: the intent could not be written, so nothing was asked: {_disk(error)}"
            done.append(Done(case, case.last or case.decision.status, case.subject.interval, answer, (problem,)))
        else:
            intents.append((case, intent))
    return done, intents


def _overtaken(case: Case) -> Done:
    """Leave a case to the next pass, for what it was decided on is no longer what is published."""
    answer = Answer(Progress.OVERTAKEN, "others were first")
    return Done(case, case.last or case.decision.status, case.subject.interval, answer)


def _intention(cases: Iterable[Case]) -> str:
    names = sorted(f"{case.decision.action.verb} {case.subject.name}" for case in cases if case.decision.action)
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"reconcile: about to {names[0]}{more}"


def _not_recorded(case: Case, error: Overtaken | PublishError, hands: Hands) -> Done:
    """Take an intent back that the others cannot see. Nothing was asked."""
    if isinstance(error, Overtaken):
        # As it was published, so that what the others published takes its place.
        hands.statuses.restore(case.decision.status)
        return _overtaken(case)
    done = write(case, case.decision.status, hands, Answer(Progress.NOT_RECORDED, str(error)))
    problem = f"{case.subject.name}: the intent could not be published, so nothing was asked: {error}"
    return replace(done, errors=(*done.errors, problem))


def write(case: Case, status: JobStatus, hands: Hands, answer: Answer | None = None) -> Done:
    """Write a status if it is news; durably if a request is open in it, or was."""
    look_after = next_look(case.subject, status, _moment(hands), case.finish_at)
    is_open = status.open_receipt is not None or (case.last is not None and case.last.open_receipt is not None)
    try:
        hands.statuses.write(status, durable=is_open or answer is not None)
    except OSError as error:
        return Done(
            case, status, look_after, answer, (f"{case.subject.name}: the status could not be written: {_disk(error)}",)
        )
    return Done(case, status, look_after, answer)


async def _request(case: Case, intent: JobStatus, control: Callable[[], JobController], hands: Hands) -> Done:
    action = case.decision.action
    assert action is not None  # noqa: S101  only cases with an action have an intent
    last_word = _LastWord(case, hands)
    problems: tuple[str, ...] = ()
    try:
        answer = await _send(action, control(), last_word)
    except asyncio.CancelledError:
        _record(case, intent, Answer(Progress.UNANSWERED, "abandoned, because the process had to end"), hands)
        raise
    except Exception as error:  # noqa: BLE001  a bug in an adapter: the request may have left, and others must go on
        answer = Answer(Progress.UNANSWERED, f"{type(error).__name__}: {error}")
        problems = (f"{case.subject.name}: {answer.message}",)
    if answer.progress is Progress.OVERTAKEN:
        return write(case, case.decision.status, hands, answer)
    problems += _record(case, intent, answer, hands)
    settled = settle(intent, case.decision.status, action, answer, case.decision.last, _moment(hands))
    done = write(case, settled, hands, answer)
    return replace(done, errors=(*done.errors, *problems))


def _record(case: Case, intent: JobStatus, answer: Answer, hands: Hands) -> tuple[str, ...]:
    """Tell the audit what became of a request. Returns what went wrong with that."""
    action, receipt = case.decision.action, intent.open_receipt
    if hands.audit is None or action is None:
        return ()
    origin = receipt.origin if receipt else None
    try:
        hands.audit(
            ActionRecord(
                at=hands.now(),
                action=action,
                file=case.subject.source,
                origin=origin,
                progress=answer.progress,
                message=answer.message,
            )
        )
    except OSError as error:
        return (f"{case.subject.name}: the audit could not be written: {_disk(error)}",)
    return ()


@dataclass(slots=True)
class _LastWord:
    """Whether a request is wanted at this moment. It is asked before each that an adapter makes for one action."""

    case: Case
    hands: Hands
    has_let_through: bool = False
    """Something has left already."""

    def __call__(self) -> bool:
        is_wanted = self.is_wanted()
        self.has_let_through |= is_wanted
        return is_wanted

    def is_wanted(self) -> bool:
        """Read the spec once more, and what Settings say."""
        subject, specs = self.case.subject, self.hands.specs
        document = specs.current(subject.source, subject.name)
        if document is None or not self.hands.holds(subject) or not specs.is_as_read():
            return False
        account = subject.ref.account
        return spec_digest(document.spec, account) == spec_digest(subject.spec, account)


async def _send(action: Action, controller: JobController, last_word: _LastWord) -> Answer:
    # Asked here too, for who is not wanted any more need not wait for a turn.
    if not last_word.is_wanted():
        return Answer(Progress.OVERTAKEN, "the spec changed meanwhile")
    try:
        with only_while(last_word):
            return await _ask(action, controller)
    except Unwanted as error:
        # What follows a first request only looks at what became of it, and a later look does that as well.
        return Answer(Progress.UNANSWERED if last_word.has_let_through else Progress.OVERTAKEN, str(error))


async def _ask(action: Action, controller: JobController) -> Answer:
    try:
        if action.verb is Verb.CANCEL:
            await controller.cancel_job(action.ref)
        elif isinstance(controller, SupportsPause):
            await (controller.pause_job if action.verb is Verb.PAUSE else controller.resume_job)(action.ref)
        else:
            return Answer(Progress.NOT_DELIVERED, f"this provider cannot {action.verb} a job")
    except Transient as error:
        progress = Progress.NOT_DELIVERED if error.delivered is Delivered.NO else Progress.UNANSWERED
        return Answer(progress, str(error), error.retry_after_s)
    except Permanent as error:
        return Answer(_PROGRESS[error.kind], str(error))
    return Answer(Progress.ACCEPTED)


_PROGRESS = {
    Kind.DENIED: Progress.FORBIDDEN,
    Kind.REFUSED: Progress.REJECTED,
    Kind.MISSING: Progress.NOT_DELIVERED,
    Kind.UNREACHABLE: Progress.NOT_DELIVERED,
    Kind.INVALID: Progress.UNANSWERED,
}


def _moment(hands: Hands) -> datetime:
    return hands.now().replace(microsecond=0)


def _disk(error: OSError) -> str:
    return f"{error.strerror}: {error.filename}" if error.filename is not None else error.strerror or str(error)
