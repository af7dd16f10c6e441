"""What can go wrong, declared: rules in order, of which the first that matches a call acts.

Nothing here is random and nothing here does anything: a rule says which calls it meets, and `app` does what its words
promise. A rule that could never meet a call (`on: list` for a cancel that is lost) is refused, because a typo would
look like health.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from reconciler.model.spec import Document, Duration, Word


class Operation(StrEnum):
    """What can be asked of the sandbox."""

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
    """One request, as far as a rule can tell requests apart. `page` counts from 1, and is always 1 but for a list."""

    operation: Operation
    job_id: str | None = None
    page: int = 1


class Rule(Document):
    """Which calls a fault meets."""

    meets: ClassVar[frozenset[Operation]] = ALL

    on: Operation | Literal["any"] = Field("any", description="Which calls; any: all that the fault can meet.")
    job: Word | None = Field(None, description="Only calls for this job.")
    after: int = Field(0, ge=0, description="Let so many matching calls pass first.")
    times: int | None = Field(None, ge=1, description="Act so many times; for ever if left out.")

    @model_validator(mode="after")
    def _can_meet_something(self) -> Self:
        if self.on != "any" and self.on not in self.meets:
            msg = f"this fault never meets {self.on!s}; use any or one of {', '.join(sorted(self.meets))}"
            raise ValueError(msg)
        return self

    def matches(self, call: Call) -> bool:
        """Return whether this rule is about such a call, leaving `after` and `times` aside."""
        return call.operation in self.meets and self.on in ("any", call.operation) and self.job in (None, call.job_id)


class Status(Rule):
    """An error status in the API's own envelope; the call does nothing."""

    fault: Literal["status"]
    status: int = Field(ge=400, le=599)
    code: Word | None = Field(None, description="The envelope's code, such as insufficient_quota.")
    retry_after: Duration | None = Field(None, description="The Retry-After header.")


class PartialPage(Rule):
    """A list that breaks off: this page, and no other, is a 500."""

    meets: ClassVar[frozenset[Operation]] = LIST_ONLY

    fault: Literal["partial-page"]
    page: int = Field(2, ge=1)

    def matches(self, call: Call) -> bool:
        """Return whether it is a list's broken page."""
        return super().matches(call) and call.page == self.page


class Endless(Rule):
    """A list that goes round: whatever comes after, it is the first page, and there is more."""

    meets: ClassVar[frozenset[Operation]] = LIST_ONLY

    fault: Literal["endless"]


class StaleRead(Rule):
    """An answer from a replica that lags: the world as it was `for` ago."""

    meets: ClassVar[frozenset[Operation]] = READS

    fault: Literal["stale-read"]
    for_: Duration = Field(alias="for")


class LostCancel(Rule):
    """A cancel that is answered with 200 and the unchanged job, and forgotten."""

    meets: ClassVar[frozenset[Operation]] = CANCEL_ONLY

    fault: Literal["lost-cancel"]


class LateCancel(Rule):
    """A cancel that is taken, and through only after `for`."""

    meets: ClassVar[frozenset[Operation]] = CANCEL_ONLY

    fault: Literal["late-cancel"]
    for_: Duration = Field(alias="for")


class UnknownWord(Rule):
    """A status word that nobody has heard of. In a list, a rule with `job` rewords only that row."""

    meets: ClassVar[frozenset[Operation]] = ALL - {Operation.EVENTS, Operation.CHECKPOINTS}

    fault: Literal["unknown-word"]
    word: Word = "reticulating"

    def matches(self, call: Call) -> bool:
        """Return whether the answer shows a job that it rewords."""
        return super().matches(call) or (call.operation is Operation.LIST and self.on in ("any", Operation.LIST))


class Slow(Rule):
    """The call does what it should at once, and is answered only after `for`."""

    fault: Literal["slow"]
    for_: Duration = Field(alias="for")


class Plain(Rule):
    """The faults that need no more words.

    The call does nothing: `hang` (no answer, ever), `reset-before-acting`, `html` (a proxy's page with a 200) and
    `wrong-body-404` (a 404 that is not the API's own). The call is done: `reset-after-acting`, `garbage` (JSON cut in
    the middle) and `empty` (a 200 without a body).
    """

    fault: Literal[
        "hang", "reset-before-acting", "html", "wrong-body-404", "reset-after-acting", "garbage", "empty"
    ]  # fmt: skip


Fault = Annotated[
    Status | PartialPage | Endless | StaleRead | LostCancel | LateCancel | UnknownWord | Slow | Plain,
    Field(discriminator="fault"),
]
FAULTS: TypeAdapter[tuple[Fault, ...]] = TypeAdapter(tuple[Fault, ...])


class Tally(Document):
    """How many calls a rule has matched so far, so that `times` outlives a restart."""

    rule: Fault
    matched: int


class Faults:
    """The rules in force, and how often each has been met."""

    def __init__(self, rules: Iterable[Fault] = ()) -> None:
        self._rules = list(rules)
        self._matched = [0] * len(self._rules)

    def add(self, rules: Iterable[Fault]) -> None:
        """Put rules behind those that are there."""
        for rule in rules:
            self._rules.append(rule)
            self._matched.append(0)

    def clear(self) -> None:
        """Heal everything, declared faults included."""
        self._rules.clear()
        self._matched.clear()

    def pick(self, call: Call) -> Fault | None:
        """Count this call, and return the fault that it meets, if any."""
        for index, rule in enumerate(self._rules):
            if not rule.matches(call):
                continue
            self._matched[index] += 1
            met = self._matched[index] - rule.after
            if met > 0 and (rule.times is None or met <= rule.times):
                return rule
        return None

    def tallies(self) -> tuple[Tally, ...]:
        """Return the counts, for a restart."""
        return tuple(
            Tally(rule=rule, matched=matched) for rule, matched in zip(self._rules, self._matched, strict=True)
        )

    def restore(self, tallies: Iterable[Tally]) -> None:
        """Take up the counts of those rules that still stand where they stood."""
        for index, (rule, tally) in enumerate(zip(self._rules, tallies, strict=False)):
            if rule == tally.rule:
                self._matched[index] = tally.matched
