"""A checkout that another user owns, as in a CI container: every verb prints how to trust it.

Also a user without a home directory.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.cli import RECONCILE, Checkout
from tests.support.repositories import Clone
from tests.support.sandbox_client import Sandbox

VERBS = {
    "plan": ("plan",),
    "drift": ("drift",),
    "a dry run": ("--once", "--dry-run"),
    "a pass": ("--once",),
    "a retry": ("retry", "runaway"),
    "a pass that commits": ("--once", "--commit"),
    "a pass that pushes": ("--once", "--push"),
    "a pass with a branch of statuses": ("--once", "--push", "--status-branch", "statuses"),
    "validate": ("validate", "--since", "HEAD"),
}


@pytest.fixture
def checkout(clone: Clone, sandbox: Sandbox) -> Checkout:
    checkout = Checkout(clone.root, sandbox.environ)
    (job_id,) = sandbox.create(1)
    checkout.name_provider()
    checkout.want("runaway", job_id)
    clone.commit("Stop it")
    clone.push()
    return checkout


@pytest.mark.sampled(2)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a checkout to another user")
@pytest.mark.parametrize("verb", VERBS)
def test_every_command_that_needs_git_says_how_to_trust_the_checkout(
    checkout: Checkout, tmp_path: Path, verb: str
) -> None:
    for each in (checkout.root, *checkout.root.rglob("*")):
        os.chown(each, 65532, 65532, follow_symlinks=False)
    (tmp_path / "home").mkdir()
    options = (("HOME", "--global", str(tmp_path / "home")), ("XDG_CACHE_HOME", "--system", str(tmp_path / "cache")))
    for variable, scope, value in options:
        environ = {"HOME": "", "XDG_CACHE_HOME": str(tmp_path / "cache"), variable: value}
        ran = checkout.run(*VERBS[verb], **environ)

        assert (
            f"another user owns the repository; if you trust it, run git config {scope} --add safe.directory" in ran.err
        ), verb
        assert str(checkout.root) in ran.err
        assert ran.code != 0 or verb in {"plan", "drift", "a dry run"}, ran
    trusted = {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    (tmp_path / "home" / ".gitconfig").write_text(f"[safe]\n\tdirectory = {checkout.root}\n", encoding="utf-8")
    again = checkout.run(*VERBS[verb], **trusted)

    assert "another user owns the repository" not in again.err
    assert again.code in {0, 2}, again.err


@pytest.mark.sampled(1)
@pytest.mark.parametrize("verb", VERBS)
def test_git_works_for_a_user_without_a_home_directory(checkout: Checkout, tmp_path: Path, verb: str) -> None:
    environ = {"PATH": os.environ["PATH"], "RECONCILE_STATE_DIR": str(tmp_path / "state")}
    program = (
        "env",
        "-i",
        *(f"{name}={value}" for name, value in (environ | dict(checkout.environ)).items()),
        *RECONCILE,
    )
    ran = checkout.run(*VERBS[verb], program=program)

    assert ran.code in {0, 2}, ran.err
    assert "safe.directory" not in ran.err
