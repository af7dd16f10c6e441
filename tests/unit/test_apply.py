"""What is carried out of what was decided."""

from __future__ import annotations

import asyncio
from pathlib import Path

from reconciler.controller.plan import Case
from reconciler.controller.send_request import Hands, carry_out
from reconciler.core.decide import decide
from reconciler.git.author import Signature
from reconciler.git.command import Git
from reconciler.git.publisher import GitPublisher
from reconciler.git.status_branch import StatusBranch
from reconciler.local.disk import LocalDisk
from reconciler.local.specs_dir import SpecsDir
from reconciler.local.status_store import StatusesDir
from reconciler.model.job import Phase
from reconciler.model.report import Progress
from reconciler.ports import JobController
from tests.support.build import NOW
from tests.support.subjects import a_look, a_subject


def nobody() -> JobController:
    message = "nothing may be asked"
    raise AssertionError(message)


def test_what_was_decided_before_others_published_is_left_to_the_next_pass(tmp_path: Path) -> None:
    """While a watch looks at a slow account, another account's pass may have fetched what a second machine asked."""
    subject = a_subject("cancelled")
    case = Case(subject, None, decide(subject, a_look(Phase.RUNNING), None, NOW))
    branch = StatusBranch(Git(tmp_path), "statuses", "", tmp_path, "origin", Signature("r", "r@example.org"), pulls=2)
    disk = LocalDisk(tmp_path)
    specs, statuses = SpecsDir(tmp_path, tmp_path, disk, "specs"), StatusesDir(tmp_path, disk)
    hands = Hands(specs, statuses, lambda: NOW, GitPublisher(branch), edition=1)
    (done,) = asyncio.run(carry_out((case,), nobody, hands))

    assert case.decision.action is not None
    assert done.answer is not None
    assert done.answer.progress is Progress.OVERTAKEN
    assert list(tmp_path.iterdir()) == []
