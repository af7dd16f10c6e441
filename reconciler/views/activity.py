"""The progress of a run, from the events of its passes: a line for each notable event, and a line while it waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from reconciler.model.action import Action, Progress
from reconciler.model.action_record import (
    AccountAnswered,
    ObservationEnded,
    ObservationStarted,
    PassEvent,
    ReceiptClosed,
    ReceiptOpen,
    RequestEnded,
    RequestStarted,
)
from reconciler.model.job import Account
from reconciler.model.status import Receipt, Verb
from reconciler.views.result_text import PROGRESS_TEXT
from reconciler.views.text import clean, count, names, span_of_seconds


@dataclass(frozen=True, slots=True)
class ActivityLine:
    """One line of progress: its message, its level, and the fields that a JSON log shows in addition."""

    message: str
    fields: dict[str, str]
    is_warning: bool = False


@dataclass(slots=True)
class Activity:
    """The state of a run, as its events report it."""

    current_step: str
    """The text to show while nothing else is pending, which says what the run is doing."""
    sent: list[Action] = field(default_factory=list)
    reported: set[str] = field(default_factory=set)
    """The names of the jobs whose change has an outcome that a line has reported."""
    _observing: dict[Account, ObservationStarted] = field(default_factory=dict)
    _responses: Counter[Account] = field(default_factory=Counter)
    _unanswered: dict[str, Verb] = field(default_factory=dict)
    _unconfirmed: dict[str, Verb] = field(default_factory=dict)
    _confirmed: set[str] = field(default_factory=set)
    _unobserved: dict[Account, str] = field(default_factory=dict)

    def record(self, event: PassEvent) -> ActivityLine | None:
        """Record an event, and return the line to print for it, or None if it needs no line."""
        match event:
            case ObservationStarted():
                self._observing[event.account] = event
                self._responses.pop(event.account, None)
            case AccountAnswered(account):
                self._responses[account] += 1
            case ObservationEnded():
                self._observing.pop(event.account, None)
                self.current_step = "finishing the pass"
                return self._observation_line(event) if event.has_observed else None
            case RequestStarted(action):
                self.sent.append(action)
                self._unanswered[action.name] = action.verb
                return _action_line(action, f"{action.verb} sent")
            case RequestEnded(action, progress, message):
                self._unanswered.pop(action.name, None)
                return self._response_line(action, progress, message)
            case ReceiptOpen(name, receipt):
                self._unconfirmed[name] = receipt.verb
            case ReceiptClosed(name, receipt):
                self._unconfirmed.pop(name, None)
                if receipt.confirmed_at is not None:
                    self._confirmed.add(name)
                self.reported.add(name)
                return _closed_line(name, receipt)
        return None

    def waiting_text(self, elapsed_s: float) -> str:
        """Return the elapsed time and what the run waits for, or what it does while it waits for nothing."""
        return f"{span_of_seconds(int(elapsed_s))}: {'; '.join(self._pending()) or self.current_step}"

    def interrupted_text(self, elapsed_s: float) -> str:
        """Return which requests an interrupted run has sent, which are confirmed or open, and the unobserved accounts.

        Confirmed and open requests may be from earlier runs.
        """
        confirmed = sorted(self._confirmed)
        open_ = [*self._unanswered, *(name for name in self._unconfirmed if name not in self._unanswered)]
        parts = [
            f"{count(len(self.sent), 'request')} sent" + _in_parentheses([action.name for action in self.sent]),
            *([f"{len(confirmed)} confirmed" + _in_parentheses(confirmed)] if confirmed else []),
            *([f"{len(open_)} open" + _in_parentheses(open_)] if open_ else []),
            *self._unobserved_accounts(),
        ]
        return f"Interrupted after {span_of_seconds(int(elapsed_s))}: {'; '.join(parts)}"

    def _observation_line(self, event: ObservationEnded) -> ActivityLine | None:
        """Return a line if an outage of the account begins or ends with this observation, otherwise None."""
        was_unobserved, name = event.account in self._unobserved, clean(event.name)
        fields = {"provider": event.name, "account": str(event.account)}
        if event.unobserved is None:
            self._unobserved.pop(event.account, None)
            return ActivityLine(f"{name}: observed again", fields) if was_unobserved else None
        self._unobserved[event.account] = event.name
        if was_unobserved:
            return None
        message = f"{name}: cannot be observed: {clean(event.unobserved.message)}"
        return ActivityLine(message, {**fields, "reason": event.unobserved.reason}, is_warning=True)

    def _response_line(self, action: Action, progress: Progress, message: str) -> ActivityLine | None:
        if progress is Progress.ACCEPTED:
            # There is no line yet, because the confirmation or the result of the run reports the request.
            self._unconfirmed[action.name] = action.verb
            return None
        if progress is Progress.UNANSWERED:
            self._unconfirmed[action.name] = action.verb
        self.reported.add(action.name)
        if progress is Progress.ALREADY_OVER:
            self._unconfirmed.pop(action.name, None)
            return _action_line(action, f"{action.verb} {clean(message)}")
        detail = f": {clean(message)}" if message else ""
        return _action_line(action, f"{action.verb} {PROGRESS_TEXT[progress]}{detail}", is_warning=True)

    def _pending(self) -> Iterable[str]:
        if self._observing:
            yield f"observing {', '.join(self._observation_text(begun) for begun in self._observing.values())}"
        if self._unanswered:
            yield f"sent, no response yet: {_requests_text(self._unanswered)}"
        if self._unconfirmed:
            yield f"not confirmed yet: {_requests_text(self._unconfirmed)}"
        yield from self._unobserved_accounts()

    def _observation_text(self, begun: ObservationStarted) -> str:
        responses = self._responses[begun.account]
        return f"{clean(begun.name)} ({count(begun.jobs, 'job')}, {count(responses, 'response')} so far)"

    def _unobserved_accounts(self) -> Iterable[str]:
        if self._unobserved:
            yield f"not observed: {names(sorted(set(self._unobserved.values())))}"


def _action_line(action: Action, text: str, *, is_warning: bool = False) -> ActivityLine:
    fields = {"name": action.name, "verb": str(action.verb), "account": str(action.ref.account)}
    return ActivityLine(f"{clean(action.name)}: {text}", fields, is_warning)


def _closed_line(name: str, receipt: Receipt) -> ActivityLine:
    end = "ended unconfirmed" if receipt.confirmed_at is None else "confirmed"
    fields = {"name": name, "verb": str(receipt.verb), "outcome": str(receipt.outcome)}
    return ActivityLine(f"{clean(name)}: {receipt.verb} {end}: {receipt.outcome}", fields)


def _requests_text(verbs: dict[str, Verb]) -> str:
    """Return text such as `cancel of a, b, pause of c`. `verbs` maps the names of jobs to their verbs."""
    by_verb = {verb: [name for name, each in verbs.items() if each is verb] for verb in Verb}
    return ", ".join(f"{verb} of {names(found)}" for verb, found in by_verb.items() if found)


def _in_parentheses(all_names: list[str]) -> str:
    return f" ({names(all_names)})" if all_names else ""
