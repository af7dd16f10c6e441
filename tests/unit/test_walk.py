from collections.abc import Callable
from time import perf_counter

import pytest

from reconciler.core.guard import ChangeLimits
from reconciler.core.scope import ScopedLimits
from reconciler.model.account_line import BATCH_JOB, FINE_TUNING_JOB
from reconciler.model.kind import BATCH
from reconciler.model.reason import Reason
from tests.support.guard_walk import GUARD_LAWS, LIMITS, GuardCase, OfKind, guard_cases
from tests.support.laws import LAWS, LAWS_OF_LATER_DECISIONS
from tests.support.subjects import CAN_PAUSE, CANCELS_SLOWLY, CANNOT_PAUSE, HIDES_CANCELLING, a_subject
from tests.support.walk import SUSPENDED, WARNED, Walked, World, every_spec, priced_specs, specs, walk, warned_specs

WORLDS = (
    World(
        "every spec, a provider that cannot pause",
        tuple(every_spec(CANNOT_PAUSE).values()),
        frozenset({Reason.NOT_SUPPORTED, Reason.JOB_NOT_FOUND}),
        depth=1,
    ),
    World(
        "every spec, a provider that hides cancelling",
        tuple(every_spec(HIDES_CANCELLING).values()),
        frozenset({Reason.CANCELLING_ELSEWHERE, Reason.PHASE_NOT_UNDERSTOOD}),
        depth=1,
    ),
    World(
        "every spec of a batch, a provider that pauses other jobs",
        tuple(every_spec(CAN_PAUSE, BATCH).values()),
        frozenset({Reason.NOT_SUPPORTED, Reason.JOB_FAILED}),
        depth=1,
    ),
    World(
        "a cancel of a batch, wanted or not, to its end",
        specs(CANNOT_PAUSE, "cancelled", "running", kind=BATCH),
        frozenset(
            {
                Reason.CANCEL_NOT_HONOURED,
                Reason.CANCEL_STUCK,
                Reason.JOB_GONE,
                Reason.FINISHED_DESPITE_CANCEL,
                Reason.PHASE_WENT_BACK,
            }
        ),
    ),
    World(
        "a cancel where cancelling is hidden",
        specs(HIDES_CANCELLING, "cancelled"),
        frozenset({Reason.CANCEL_STUCK, Reason.CANCELLED, Reason.JOB_VANISHED}),
        depth=4,
    ),
    World(
        "a pause, eight decisions deep",
        specs(CAN_PAUSE, "paused"),
        frozenset({Reason.CONTESTED, Reason.CANCEL_NOT_HONOURED, Reason.PAUSE_PENDING}),
        depth=8,
    ),
    World(
        "a pause that is wanted or not, by reconcile or by others, four decisions deep",
        specs(CAN_PAUSE, "running", "paused"),
        frozenset({Reason.RESUME_PENDING, Reason.PAUSE_PENDING, Reason.PAUSED_ELSEWHERE}),
        depth=4,
    ),
    World(
        "a cancel, wanted or not, to its end",
        specs(CANNOT_PAUSE, "cancelled", "running"),
        frozenset(
            {
                Reason.CANCEL_NOT_HONOURED,
                Reason.CANCEL_STUCK,
                Reason.JOB_GONE,
                Reason.FINISHED_DESPITE_CANCEL,
                Reason.PHASE_WENT_BACK,
            }
        ),
    ),
    World(
        "a resume, five decisions deep",
        specs(CAN_PAUSE, "running"),
        frozenset({Reason.RESUME_PENDING, Reason.ACTION_FORBIDDEN, Reason.PAUSED_ELSEWHERE}),
        depth=5,
    ),
    World(
        "a cancel of a batch that takes half an hour, to its end",
        specs(CANCELS_SLOWLY, "cancelled", kind=BATCH),
        frozenset({Reason.CANCEL_NOT_HONOURED, Reason.CANCELLED, Reason.FINISHED_DESPITE_CANCEL}),
    ),
    World(
        "a limit, to its end",
        specs(CANNOT_PAUSE, "running over"),
        frozenset({Reason.LIMIT_REACHED, Reason.CANCEL_NOT_HONOURED, Reason.JOB_GONE}),
    ),
    World(
        "a limit that is warned of, three decisions deep",
        warned_specs(CANNOT_PAUSE, "running"),
        frozenset({Reason.LIMIT_NEAR, Reason.CANCEL_PENDING, Reason.LIMIT_REACHED}),
        depth=3,
    ),
    World(
        "a limit of the cost, three decisions deep",
        priced_specs(CANNOT_PAUSE),
        frozenset({Reason.LIMIT_NEAR, Reason.CANCEL_PENDING, Reason.LIMIT_REACHED}),
        depth=3,
    ),
    World(
        "limits that are warned of, or moot, two decisions deep",
        (
            *warned_specs(CAN_PAUSE, "paused")[:1],
            *warned_specs(CAN_PAUSE, "observed", "cancelled")[::3],
            a_subject("running", CAN_PAUSE, **WARNED["over, after a warning"], **SUSPENDED["now"]),
        ),
        frozenset({Reason.LIMIT_NEAR, Reason.SUSPENDED, Reason.CANCEL_PENDING, Reason.PAUSE_PENDING}),
        depth=2,
    ),
    World(
        "every spec, two decisions deep",
        tuple(each for word, each in every_spec(CAN_PAUSE).items() if "no more" not in word),
        frozenset({Reason.SUSPENDED, Reason.LIMIT_REACHED, Reason.CANCELLED_BY_US, Reason.ACTION_FORBIDDEN}),
        depth=2,
    ),
    World(
        "every spec of a batch, two decisions deep",
        tuple(each for word, each in every_spec(CANNOT_PAUSE, BATCH).items() if "no more" not in word),
        frozenset({Reason.SUSPENDED, Reason.LIMIT_REACHED, Reason.CANCELLED_BY_US, Reason.NOT_SUPPORTED}),
        depth=2,
    ),
)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_every_reachable_case_satisfies_every_law(world: World, record_property: Callable[[str, object], None]) -> None:
    began = perf_counter()
    walked = walk(world)
    took_s = perf_counter() - began
    laws = len(LAWS) + len(LAWS_OF_LATER_DECISIONS)
    record_property(
        "walk",
        f"{world.name}: {walked.cases:,} cases over {walked.statuses:,} statuses, {walked.depth} decisions deep, "
        f"{laws} laws, {took_s:.1f} s",
    )

    assert {law: len(cases) for law, cases in walked.broken.items()} == {}, _first(walked)
    assert world.targets <= walked.reasons


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", LIMITS)
def test_every_case_of_the_guard_with_two_kinds_satisfies_every_law(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    cases = list(guard_cases(LIMITS[name]))
    broken = [
        (law.__name__, case)
        for case in cases
        for allowed in [case.allowed()]
        for law in GUARD_LAWS
        if not law(case, allowed)
    ]
    record_property("walk", f"the guard, {name}: {len(cases):,} cases with jobs of two kinds, {len(GUARD_LAWS)} laws")

    assert broken == []


def test_five_hundred_batches_do_not_let_the_guard_cancel_all_ten_fine_tuning_jobs() -> None:
    ten, many = OfKind(due=10), OfKind(running=500)
    case = GuardCase(((FINE_TUNING_JOB, ten), (BATCH_JOB, many)), LIMITS["the default limits"])

    assert case.allowed() == {FINE_TUNING_JOB: False, BATCH_JOB: True}


def test_a_hundred_cancels_of_batches_leave_the_hour_of_fine_tuning_jobs_alone() -> None:
    limits = ScopedLimits(ChangeLimits(3, 30, 1000))
    flood = OfKind(running=400, past=100)
    case = GuardCase(((BATCH_JOB, flood), (FINE_TUNING_JOB, OfKind(running=10, due=3))), limits)

    assert case.allowed()[FINE_TUNING_JOB]


def _first(walked: Walked) -> str:
    """Return the first case of each broken law."""
    return "\n\n".join(f"{law}\n{cases[0]}" for law, cases in walked.broken.items())
