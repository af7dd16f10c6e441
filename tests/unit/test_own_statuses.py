"""The usual case of a match, remembered from pass to pass: the result is that of a new computation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.claim import Claim
from reconciler.core.match import match
from reconciler.core.own_statuses import OwnStatuses
from reconciler.model.job import JobRef
from reconciler.model.status import JobFacts, JobStatus
from tests.support.build import ACCOUNT, NOW, a_status

NAMES = ("a", "b", "c")
CLAIMS = [
    [Claim(key, name, f"{name}.yaml", JobRef(ACCOUNT, f"ftjob-{job}")) for key, (name, job) in enumerate(pairs)]
    for pairs in (
        [("a", "a"), ("b", "b"), ("c", "c")],
        [("a", "a"), ("b", "b"), ("c", "d")],
        [("c", "c"), ("a", "a"), ("b", "b")],
        [("a", "a"), ("a", "b"), ("c", "c")],
        [("a", "a"), ("b", "b")],
    )
]
"""The specs of several revisions: as usual, with another job, in another order, with a name twice, with one fewer."""


def told(name: str, job: str, generation: int) -> JobStatus:
    facts = JobFacts(account=str(ACCOUNT), id=f"ftjob-{job}", provider_status="running")
    return a_status(name, job=facts, observed_generation=generation)


STATUSES = {(name, job, number): told(name, job, number) for name in NAMES for job in NAMES for number in (1, 2)}
USUAL = [(name, name, number) for name in NAMES for number in (1, 2)]
PASSES = st.tuples(
    st.sampled_from(CLAIMS),
    st.lists(st.sampled_from([*USUAL, *USUAL, *STATUSES]), max_size=4, unique_by=lambda k: k[0]),
)


@given(st.lists(PASSES, max_size=6))
def test_a_match_that_remembers_earlier_passes_equals_one_that_does_not(
    passes: list[tuple[list[Claim], list[tuple[str, str, int]]]],
) -> None:
    usual = OwnStatuses()
    for claims, keys in passes:
        statuses = [STATUSES[key] for key in keys]

        assert match(claims, statuses, NOW, usual=usual) == match(claims, statuses, NOW)


def test_the_usual_case_gives_each_spec_the_status_of_its_job() -> None:
    statuses = [STATUSES[name, name, 1] for name in ("c", "a", "b")]

    assert OwnStatuses().of(CLAIMS[0], statuses) == {0: statuses[1], 1: statuses[2], 2: statuses[0]}
    assert OwnStatuses().of(CLAIMS[1], statuses) is None
    assert OwnStatuses().of(CLAIMS[3], statuses) is None
    assert OwnStatuses().of(CLAIMS[4], statuses) is None
