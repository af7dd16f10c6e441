"""A batch that the guard refused, requested again in parts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from tests.support.cli import SPEC, Checkout
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.watch_process import watching

JOBS = 5


@pytest.fixture
def jobs(checkout: Checkout, sandbox: Sandbox) -> Iterator[list[str]]:
    """Yield the jobs of a batch of cancels that the guard has refused."""
    ids = sandbox.create(JOBS)
    for number, job_id in enumerate(ids):
        text = SPEC.format(name=f"job-{number}", provider="main", job_id=job_id, state="cancelled")
        checkout.write(f"job-{number}.yaml", text.replace("}\nspec", f", labels: {{number: '{number}'}}}}\nspec"))
    assert checkout.run("--once").code == 3
    yield ids
    assert sandbox.cancels(*ids[1:]) == []


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "arguments",
    [["retry", "job-{}"], ["--once", "--selector", "number={}"], ["retry", "job-{}", "--allow-cancels", "1"]],
    ids=["retry", "selector", "a number for one"],
)
def test_each_part_of_a_refused_batch_is_refused(
    checkout: Checkout, sandbox: Sandbox, jobs: list[str], arguments: list[str]
) -> None:
    ran = [checkout.run(*(each.format(number) for each in arguments)) for number in range(3)]

    assert [each.code for each in ran] == [3, 3, 3], [each.err for each in ran]
    assert all(f"{JOBS} changes wanted at once" in each.err for each in ran)
    assert all(f"--allow-cancels {JOBS}" in each.err for each in ran)
    assert sandbox.cancels(*jobs) == []


@pytest.mark.parametrize("approval", [["--allow-cancel", "job-0"], ["--allow-cancels", str(JOBS)]])
def test_a_job_of_a_refused_batch_is_cancelled_if_a_person_approves_it(
    checkout: Checkout, sandbox: Sandbox, jobs: list[str], approval: list[str]
) -> None:
    ran = checkout.run("retry", "job-0", *approval)

    assert ran.code == 0, ran.err
    assert sandbox.cancels(*jobs) == jobs[:1]


def test_a_job_of_a_refused_batch_is_cancelled_once_the_others_are_withdrawn(
    checkout: Checkout, sandbox: Sandbox, jobs: list[str]
) -> None:
    for number in range(1, JOBS):
        checkout.run("set", f"job-{number}", "observed")
    ran = checkout.run("retry", "job-0")

    assert ran.code == 0, ran.err
    assert sandbox.cancels(*jobs) == jobs[:1]


def test_an_edit_of_one_spec_in_a_watch_does_not_split_a_refused_batch(
    checkout: Checkout, sandbox: Sandbox, jobs: list[str]
) -> None:
    with watching(checkout) as watch:
        for number in range(3):
            before = checkout.status(f"job-{number}").observed_generation
            text = (checkout.specs / f"job-{number}.yaml").read_text()
            checkout.write(f"job-{number}.yaml", f"{text}  limits: {{maxAge: 400d}}\n")
            wait_for(partial(is_decided_anew, checkout, f"job-{number}", before), "the edited spec is decided again")
            assert checkout.status(f"job-{number}").ready.reason == "RefusedByGuard"
        watch.stop()

    assert sandbox.cancels(*jobs) == []


def is_decided_anew(checkout: Checkout, name: str, generation: int) -> bool:
    return checkout.status(name).observed_generation > generation
