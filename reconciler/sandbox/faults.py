"""Declared faults: an ordered list of rules. The first rule that applies to a call determines its fault.

Nothing here is random. A rule only selects the calls that it applies to. `requests`, `responses` and `app` implement
the faults. A rule for an operation that does not support its fault, such as a lost cancel with `on: list`, is invalid,
because a test with such a mistake would pass without the fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from reconciler.model.spec import Document, Duration, Word


class Operation(StrEnum):
    """The operations of the sandbox's API, by which a fault rule selects requests."""

    LIST = "list"
    CREATE = "create"
    RETRIEVE = "retrieve"
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    EVENTS = "events"
    CHECKPOINTS = "checkpoints"


ALL = frozenset(Operation)
CANCEL_ONLY = frozenset({Operation.CANCEL})
LIST_ONLY = frozenset({Operation.LIST})
READS = frozenset({Operation.LIST, Operation.RETRIEVE})


@dataclass(frozen=True, slots=True)
class Call:
    """The properties of a request that rules are matched with.

    `job_id` is None if the request is not for one job. `page` is the page of a list, from 1; it is 1 for any other
    request.
    """

    operation: Operation
    job_id: str | None = None
    page: int = 1


class Rule(Document):
    """The calls that a fault applies to."""

    applies_to: ClassVar[frozenset[Operation]] = ALL

    on: Operation | Literal["any"] = Field(
        "any", description="Operation; any means every operation that the fault can apply to."
    )
    job: Word | None = Field(None, description="Only calls for this job.")
    after: int = Field(0, ge=0, description="Number of matching calls before the first one that the fault applies to.")
    times: int | None = Field(None, ge=1, description="Number of calls that the fault applies to; all by default.")

    @model_validator(mode="after")
    def _can_meet_something(self) -> Self:
        if self.on != "any" and self.on not in self.applies_to:
            msg = f"this fault never applies to {self.on!s}; use any or one of {', '.join(sorted(self.applies_to))}"
            raise ValueError(msg)
        return self

    def matches(self, call: Call) -> bool:
        """Return whether this rule matches a call, regardless of `after` and `times`."""
        return (
            call.operation in self.applies_to and self.on in ("any", call.operation) and self.job in (None, call.job_id)
        )


class Status(Rule):
    """A response with an error status in the API's error format; the call has no effect."""

    fault: Literal["status"]
    status: int = Field(ge=400, le=599, description="HTTP status of the response.")
    code: Word | None = Field(None, description="Error code, such as insufficient_quota.")
    retry_after: Duration | None = Field(None, description="Value of the Retry-After header.")


class PartialPage(Rule):
    """A list of which one page fails with HTTP 500. The other pages are served."""

    applies_to: ClassVar[frozenset[Operation]] = LIST_ONLY

    fault: Literal["partial-page"]
    page: int = Field(2, ge=1, description="Number of the page that fails, from 1.")

    def matches(self, call: Call) -> bool:
        """Return whether the call is for the page that fails."""
        return super().matches(call) and call.page == self.page


class Endless(Rule):
    """A list that never ends: every page is the first page, with `has_more`."""

    applies_to: ClassVar[frozenset[Operation]] = LIST_ONLY

    fault: Literal["endless"]


class StaleRead(Rule):
    """A response from a stale replica, which shows the state as of `for` ago."""

    applies_to: ClassVar[frozenset[Operation]] = READS

    fault: Literal["stale-read"]
    for_: Duration = Field(alias="for", description="Age of the state that the response shows.")


class LostCancel(Rule):
    """A cancel that has no effect, although the response is HTTP 200 with the unchanged job."""

    applies_to: ClassVar[frozenset[Operation]] = CANCEL_ONLY

    fault: Literal["lost-cancel"]


class LateCancel(Rule):
    """A cancel that is accepted, and takes effect only after `for`."""

    applies_to: ClassVar[frozenset[Operation]] = CANCEL_ONLY

    fault: Literal["late-cancel"]
    for_: Duration = Field(alias="for", description="Time until the cancel takes effect.")


class UnknownWord(Rule):
    """A status that is not documented. In a list, a rule with `job` changes only the row of that job."""

    applies_to: ClassVar[frozenset[Operation]] = ALL - {Operation.EVENTS, Operation.CHECKPOINTS}

    fault: Literal["unknown-word"]
    word: Word = Field("reticulating", description="The word that replaces the status.")

    def matches(self, call: Call) -> bool:
        """Return whether the response can contain a job whose status is replaced."""
        return super().matches(call) or (call.operation is Operation.LIST and self.on in ("any", Operation.LIST))


class Slow(Rule):
    """A call that takes effect at once. Its response is sent only after `for`."""

    fault: Literal["slow"]
    for_: Duration = Field(alias="for", description="Delay of the response.")


class SimpleFault(Rule):
    """The faults without parameters.

    With these faults the call has no effect: `hang` (no response), `reset-before-acting`, `html` (HTTP 200 with the
    page of a proxy) and `wrong-body-404` (HTTP 404 in a format other than the API's). With these faults the call takes
    effect: `reset-after-acting`, `garbage` (half of the JSON) and `empty` (HTTP 200 without a body).
    """

    fault: Literal[
        "hang", "reset-before-acting", "html", "wrong-body-404", "reset-after-acting", "garbage", "empty"
    ]  # fmt: skip


Fault = Annotated[
    Status | PartialPage | Endless | StaleRead | LostCancel | LateCancel | UnknownWord | Slow | SimpleFault,
    Field(discriminator="fault"),
]
FAULTS: TypeAdapter[tuple[Fault, ...]] = TypeAdapter(tuple[Fault, ...])


class RuleCount(Document):
    """The number of calls that a rule has matched, stored so that `after` and `times` continue after a restart."""

    rule: Fault
    matched: int


class Faults:
    """The current rules, and the number of calls that each rule has matched."""

    def __init__(self, rules: Iterable[Fault] = ()) -> None:
        self._rules = list(rules)
        self._matched = [0] * len(self._rules)

    @property
    def matched(self) -> int:
        """The sum of the numbers of calls that the current rules have matched."""
        return sum(self._matched)

    def add(self, rules: Iterable[Fault]) -> None:
        """Append rules. An earlier rule that applies to a call takes precedence."""
        for rule in rules:
            self._rules.append(rule)
            self._matched.append(0)

    def clear(self) -> None:
        """Remove all rules and their counts."""
        self._rules.clear()
        self._matched.clear()

    def pick(self, call: Call) -> Fault | None:
        """Return the first rule that applies to a call, or None. Every matching rule up to it counts the call."""
        for index, rule in enumerate(self._rules):
            if not rule.matches(call):
                continue
            self._matched[index] += 1
            number = self._matched[index] - rule.after
            if number > 0 and (rule.times is None or number <= rule.times):
                return rule
        return None

    def tallies(self) -> tuple[RuleCount, ...]:
        """Return the rules with their counts, to be restored after a restart."""
        return tuple(
            RuleCount(rule=rule, matched=matched) for rule, matched in zip(self._rules, self._matched, strict=True)
        )

    def restore(self, tallies: Iterable[RuleCount]) -> None:
        """Restore the counts of the rules that are unchanged and at the same position."""
        for index, (rule, tally) in enumerate(zip(self._rules, tallies, strict=False)):
            if rule == tally.rule:
                self._matched[index] = tally.matched
