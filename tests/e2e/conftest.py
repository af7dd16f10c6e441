from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Checkout, started_sandbox
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox

KEY = "sk-sandbox-only-this-one"


@pytest.fixture(scope="session")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Yield a sandbox in its own process, for all tests that create their own jobs in it."""
    with started_sandbox(tmp_path_factory.mktemp("sandbox"), "--port", "0", key=KEY) as url:
        yield Sandbox(url, KEY)


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Iterator[Sandbox]:
    """Yield the sandbox, and remove its faults after the test."""
    yield shared_sandbox
    shared_sandbox.heal()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Return a clone of an empty remote."""
    return a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")


@pytest.fixture
def checkout(tmp_path: Path, sandbox: Sandbox) -> Checkout:
    """Return a checkout whose provider `main` is the sandbox."""
    return a_checkout(tmp_path, sandbox)


def a_checkout(root: Path, sandbox: Sandbox) -> Checkout:
    checkout = Checkout(root, sandbox.environ)
    checkout.name_provider()
    return checkout
