"""One command over a repository with a job of each kind at each built-in provider type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Phase
from reconciler.model.status import JobStatus, Outcome
from tests.support.cli import Checkout
from tests.support.every_service import (
    EMBEDDED,
    KindEndpoint,
    embedded_document,
    embedded_specs,
    serve_every_service,
)
from tests.support.processes import a_free_port

pytest.importorskip("botocore", reason="pip install 'llm-job-reconciler[aws]'")

AWAY = "bedrock"
"""The type that is away in one test. It has jobs of two kinds."""


@pytest.fixture
def endpoints() -> Iterator[Mapping[str, KindEndpoint]]:
    """Yield every service, each with one running job."""
    with serve_every_service() as endpoints:
        yield endpoints


def wanted(endpoint: KindEndpoint) -> str:
    """Return the desired state: paused where a job can be paused and a cancel takes a while, otherwise cancelled.

    A service with an option of the test is a variant, such as Azure's old API, which cannot pause.
    """
    can = endpoint.jobs.capabilities
    is_pausable = can.can_pause and not can.cancel_is_immediate and not endpoint.service.options
    return "paused" if is_pausable else "cancelled"


def a_checkout(root: Path, endpoints: Mapping[str, KindEndpoint]) -> Checkout:
    bindings = ",".join(each.binding for each in endpoints.values())
    environ = {"RECONCILE_MAX_CANCELS": "100", "RECONCILE_MAX_CANCELS_ABSOLUTE": "100", "RECONCILE_TRUST": bindings}
    for endpoint in endpoints.values():
        environ |= endpoint.environ
    checkout = Checkout(root, environ)
    checkout.write(f"providers/{EMBEDDED}.yaml", embedded_document())
    for name, text in embedded_specs():
        checkout.write(f"{name}.yaml", text)
    for name, endpoint in endpoints.items():
        checkout.write(f"providers/{name}.yaml", endpoint.document)
        checkout.write(f"{name}.yaml", endpoint.spec(wanted(endpoint)))
    return checkout


def is_as_wanted(status: JobStatus, state: str) -> bool:
    """Return whether a change was requested once, and a later observation proved it."""
    (receipt,) = status.receipts
    is_proven = receipt.confirmed_at is not None and receipt.outcome is Outcome(state) and receipt.attempts == 1
    return is_proven and status.phase is Phase(state) and status.ready.status == "True"


def test_once_brings_a_job_of_each_kind_at_each_type_to_its_desired_state(
    tmp_path: Path, endpoints: Mapping[str, KindEndpoint]
) -> None:
    checkout = a_checkout(tmp_path, endpoints)
    states = {name: wanted(each) for name, each in endpoints.items()} | {n: "cancelled" for n, _ in embedded_specs()}
    ran = checkout.run("--once", "--wait=28s")
    again = checkout.run("--once")
    table = checkout.run("get", "-o", "wide")
    head, *rows = [line.split() for line in table.out.splitlines()]

    assert ran.code == ExitCode.OK, ran.out + ran.err
    assert {name for name, state in states.items() if not is_as_wanted(checkout.status(name), state)} == set()
    assert set(states.values()) == {"paused", "cancelled"}
    assert {name: each.changes() for name, each in endpoints.items()} == dict.fromkeys(endpoints, 1)
    assert "Requested: nothing" in again.out
    assert table.code == ExitCode.OK
    assert {row[0]: row[head.index("KIND")] for row in rows} == {
        name: checkout.status(name).kind.name for name in states
    }
    assert {row[head.index("READY")] for row in rows} == {"True"}


def test_a_type_that_is_away_affects_only_its_own_jobs_and_the_exit_code(
    tmp_path: Path, endpoints: Mapping[str, KindEndpoint]
) -> None:
    others = {name: each for name, each in endpoints.items() if each.service.type != AWAY}
    closed = f"http://127.0.0.1:{a_free_port()}"
    away = {name: replace(each, url=closed) for name, each in endpoints.items() if name not in others}
    checkout = a_checkout(tmp_path, {**others, **away})
    ran = checkout.run("--once", "--wait=25s", "--timeout=3s")

    assert ran.code == ExitCode.PROVIDER_UNOBSERVED, ran.out + ran.err
    assert {each.kind.name for each in away.values()} == {"FineTuningJob", "BatchJob"}
    assert all(name in ran.out for name in away)
    assert "cannot connect to 127.0.0.1" in ran.out + ran.err
    assert {name for name, each in others.items() if not is_as_wanted(checkout.status(name), wanted(each))} == set()
    assert not any(each.world.requests for each in away.values())
