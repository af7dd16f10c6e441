"""A CI runner that is lost between its request and the publication of its statuses: a new machine continues.

The remote kills the runner during the push of the statuses. The runner's Git processes continue.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.formats.status_parser import parse_status
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.status import Outcome
from tests.support.cli import Checkout
from tests.support.repositories import a_clone, a_remote
from tests.support.sandbox_client import Sandbox

KILLED = -9
MODES = {
    "main": (("--once", "--wait", "--push"), "main:specs/status"),
    "a branch": (("--once", "--wait", "--push", "--status-branch", "statuses"), "statuses:"),
}
HOOK = """\
#!/bin/sh
echo push >> pushes
[ "$(wc -l < pushes)" -eq {push} ] || exit 0
kill -9 "$(cat victim)"
exit {refuses}
"""
DEATHS = {
    # By name: the hook that kills the runner, at which push, whether the hook refuses the push, the number of cancels
    # before the kill, and the number of cancels in all.
    "once its intent is there": ("post-receive", 1, 0, 0, 1),
    "once its request is answered": ("pre-receive", 2, 1, 1, 1),
    "while the answer is published": ("pre-receive", 2, 0, 1, 1),
    "once the answer is published": ("post-receive", 2, 0, 1, 1),
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("death", DEATHS)
def test_a_new_machine_takes_over_with_the_complete_receipt(
    mode: str, death: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    options, place = MODES[mode]
    hook, push, refuses, asked_before, asked_in_all = DEATHS[death]
    remote = a_remote(tmp_path / "remote.git")
    ada = a_clone(remote, tmp_path / "ada")
    (job_id,) = sandbox.create(1)
    dying = Checkout(ada.root, sandbox.environ)
    dying.name_provider()
    dying.want("runaway", job_id)
    commit = ada.commit("Stop the runaway")
    ada.push()
    path = remote / "hooks" / hook
    path.write_text(HOOK.format(push=push, refuses=refuses), encoding="utf-8")
    path.chmod(0o755)
    with dying.start(*options) as process:
        (remote / "victim").write_text(str(process.pid), encoding="utf-8")
        process.communicate()
    asked_by_then = sandbox.cancels(job_id)
    path.unlink()
    fresh = a_clone(remote, tmp_path / "fresh")
    ran = Checkout(fresh.root, sandbox.environ).run(*options)
    fresh.git("fetch", "--quiet")
    status = parse_status(fresh.git("show", f"origin/{place}{'' if place.endswith(':') else '/'}runaway.yaml") + "\n")
    (receipt,) = status.receipts

    assert process.returncode == KILLED
    assert len(asked_by_then) == asked_before
    assert ran.code == 0, ran.err
    assert len(sandbox.cancels(job_id)) == asked_in_all
    assert (status.phase, status.final, status.ready.reason) == (Phase.CANCELLED, True, Reason.CANCELLED)
    assert (receipt.outcome, receipt.confirmed_at is not None) == (Outcome.CANCELLED, True)
    assert receipt.origin is not None
    assert commit.startswith(receipt.origin.commit)
    assert receipt.attempts >= asked_in_all
