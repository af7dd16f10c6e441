"""What is going on within a run, by the events of its passes: a line for each that is news, and one for the waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from reconciler.model.action import Action, Progress
from reconciler.model.action_record import (
    AccountAnswered,
    ObservationBegan,
    ObservationEnded,
    PassEvent,
    ReceiptClosed,
    ReceiptOpen,
    RequestEnded,
    RequestLeft,
)
from reconciler.model.job import Account
from reconciler.model.status import Receipt, Verb
from reconciler.views.result_text import FATES
from reconciler.views.text import clean, count, names, span_of_seconds


@dataclass(frozen=True, slots=True)
class News:
    """One line, and the same as fields for a log that machines read."""

    message: str
    fields: dict[str, str]
    is_trouble: bool = False


@dataclass(slots=True)
class Activity:
    """The state of a run. `doing` says what it is about while no event has told more."""

    doing: str
    sent: list[Action] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    """The names of the jobs of which a line has said how their change ended."""
    _observing: dict[Account, ObservationBegan] = field(default_factory=dict)
    _answers: Counter[Account] = field(default_factory=Counter)
    _unanswered: dict[str, Verb] = field(default_factory=dict)
    _unconfirmed: dict[str, Verb] = field(default_factory=dict)
    _confirmed: set[str] = field(default_factory=set)
    _away: dict[Account, str] = field(default_factory=dict)

    def take_in(self, event: PassEvent) -> News | None:
        """Take an event in. Returns what a person should be told of it, if anything."""
        match event:
            case ObservationBegan():
                self._observing[event.account] = event
                self._answers.pop(event.account, None)
            case AccountAnswered(account):
                self._answers[account] += 1
            case ObservationEnded():
                self._observing.pop(event.account, None)
                self.doing = "finishing the pass"
                return self._observed(event) if event.has_looked else None
            case RequestLeft(action):
                self.sent.append(action)
                self._unanswered[action.name] = action.verb
                return _news(action, f"{action.verb} sent")
            case RequestEnded(action, progress, message):
                self._unanswered.pop(action.name, None)
                return self._answered(action, progress, message)
            case ReceiptOpen(name, receipt):
                self._unconfirmed[name] = receipt.verb
            case ReceiptClosed(name, receipt):
                self._unconfirmed.pop(name, None)
                self._confirmed.add(name)
                self.told.add(name)
                return _closed(name, receipt)
        return None

    def waiting(self, elapsed_s: float) -> str:
        """Return how long it has taken, and what is being waited for."""
        return f"{span_of_seconds(int(elapsed_s))}: {'; '.join(self._waits()) or self.doing}"

    def interrupted(self, elapsed_s: float) -> str:
        """Return what a run that was broken off has done, and what it leaves open."""
        open_ = [*self._unanswered, *(name for name in self._unconfirmed if name not in self._unanswered)]
        parts = [
            f"{count(len(self.sent), 'request')} sent" + _named([each.name for each in self.sent]),
            *([f"{len(self._confirmed)} confirmed" + _named(sorted(self._confirmed))] if self._confirmed else []),
            *([f"{len(open_)} open" + _named(open_)] if open_ else []),
            *self._absences(),
        ]
        return f"Interrupted after {span_of_seconds(int(elapsed_s))}: {'; '.join(parts)}"

    def _observed(self, event: ObservationEnded) -> News | None:
        was_away, name = event.account in self._away, clean(event.name)
        fields = {"provider": event.name, "account": str(event.account)}
        if event.unseen is None:
            self._away.pop(event.account, None)
            return News(f"{name}: observed again", fields) if was_away else None
        self._away[event.account] = event.name
        message = f"{name}: cannot be observed: {clean(event.unseen.message)}"
        return None if was_away else News(message, {**fields, "reason": event.unseen.reason}, is_trouble=True)

    def _answered(self, action: Action, progress: Progress, message: str) -> News | None:
        if progress is Progress.ACCEPTED:
            self._unconfirmed[action.name] = action.verb
            return None
        if progress is Progress.UNANSWERED:
            self._unconfirmed[action.name] = action.verb
        self.told.add(action.name)
        if progress is Progress.ALREADY_OVER:
            self._unconfirmed.pop(action.name, None)
            return _news(action, f"{action.verb} {clean(message)}")
        why = f": {clean(message)}" if message else ""
        return _news(action, f"{action.verb} {FATES[progress]}{why}", is_trouble=True)

    def _waits(self) -> Iterable[str]:
        if self._observing:
            yield f"observing {', '.join(self._being_observed(each) for each in self._observing.values())}"
        if self._unanswered:
            yield f"sent, no answer yet: {_requests(self._unanswered)}"
        if self._unconfirmed:
            yield f"not confirmed yet: {_requests(self._unconfirmed)}"
        yield from self._absences()

    def _being_observed(self, begun: ObservationBegan) -> str:
        answers = self._answers[begun.account]
        return f"{clean(begun.name)} ({count(begun.jobs, 'job')}, {count(answers, 'answer')} so far)"

    def _absences(self) -> Iterable[str]:
        if self._away:
            yield f"not observed: {names(sorted(set(self._away.values())))}"


def _news(action: Action, what: str, *, is_trouble: bool = False) -> News:
    fields = {"name": action.name, "verb": str(action.verb), "account": str(action.ref.account)}
    return News(f"{clean(action.name)}: {what}", fields, is_trouble)


def _closed(name: str, receipt: Receipt) -> News:
    end = "ended unconfirmed" if receipt.confirmed_at is None else "confirmed"
    fields = {"name": name, "verb": str(receipt.verb), "outcome": str(receipt.outcome)}
    return News(f"{clean(name)}: {receipt.verb} {end}: {receipt.outcome}", fields)


def _requests(verbs: dict[str, Verb]) -> str:
    """Return `cancel of a, b`, for the verb that most are of."""
    by_verb = {verb: [name for name, each in verbs.items() if each is verb] for verb in Verb}
    return ", ".join(f"{verb} of {names(found)}" for verb, found in by_verb.items() if found)


def _named(all_names: list[str]) -> str:
    return f" ({names(all_names)})" if all_names else ""
