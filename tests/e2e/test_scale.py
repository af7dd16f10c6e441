"""A thousand jobs, of which twenty are unfinished: finished jobs cause no requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from reconciler.model.job import Phase
from tests.e2e.conftest import a_checkout
from tests.support.cli import SPEC, WORLD, Checkout, Ran, started_sandbox
from tests.support.sandbox_client import Sandbox

JOBS = 1_000
UNFINISHED = 20


@dataclass(frozen=True, slots=True)
class Pass:
    """A pass, and the requests that the provider received from it."""

    ran: Ran
    asked: list[str]


@dataclass(frozen=True, slots=True)
class Fleet:
    """A checkout with a spec for every unfinished job, and its sandbox."""

    checkout: Checkout
    sandbox: Sandbox

    def reconcile(self) -> Pass:
        """Make a pass."""
        earlier = len(self.sandbox.requests())
        ran = self.checkout.run("--once", "-o", "json")
        return Pass(ran, [f"{each['verb']} {each['job_id']}" for each in self.sandbox.requests()[earlier:]])


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Yield a thousand jobs, with a spec for each of the unfinished ones."""
    root = tmp_path_factory.mktemp("fleet")
    lives = ["{phase: running}" if number < UNFINISHED else "{phase: succeeded}" for number in range(JOBS)]
    jobs = ", ".join(f"{{id: ftjob-{number}, age: 1h, life: [{life}]}}" for number, life in enumerate(lives))
    (root / "world.yaml").write_text(WORLD.format(jobs=jobs), encoding="utf-8")
    with started_sandbox(root, "--port", "0", "--jobs", "world.yaml") as url:
        fleet = Fleet(a_checkout(root, Sandbox(url)), Sandbox(url))
        fleet.checkout.write("unfinished.yaml", _specs(0, UNFINISHED))
        yield fleet


def test_twenty_managed_jobs_among_a_thousand_need_twenty_requests(fleet: Fleet) -> None:
    seen = fleet.reconcile()

    assert seen.ran.code == 0
    assert sorted(seen.asked) == sorted(f"retrieve ftjob-{number}" for number in range(UNFINISHED))


def test_finished_jobs_among_a_thousand_specs_need_no_request(fleet: Fleet) -> None:
    fleet.checkout.write("finished.yaml", _specs(UNFINISHED, JOBS))
    first = fleet.reconcile()
    before = fleet.checkout.traces()

    second = fleet.reconcile()

    assert (first.ran.code, second.ran.code) == (0, 0)
    assert fleet.checkout.status(f"job-{JOBS - 1}").phase is Phase.SUCCEEDED
    assert fleet.checkout.status(f"job-{JOBS - 1}").final
    assert len(first.asked) <= JOBS // 100
    assert sorted(second.asked) == sorted(f"retrieve ftjob-{number}" for number in range(UNFINISHED))
    assert fleet.checkout.traces() == before


def _specs(first: int, end: int) -> str:
    documents = (
        SPEC.format(name=f"job-{number}", job_id=f"ftjob-{number}", state="observed", provider="main")
        for number in range(first, end)
    )
    return "---\n".join(documents)
