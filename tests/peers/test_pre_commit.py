"""The `pre-commit` hook, as `pre-commit` installs and runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.cli import Checkout
from tests.support.repositories import Clone
from tests.support.workflows import ship_to

PRE_COMMIT = shutil.which("pre-commit")
pytestmark = pytest.mark.skipif(PRE_COMMIT is None, reason="no pre-commit: pip install pre-commit")
CONFIG = """\
repos:
  - repo: {repository}
    rev: {commit}
    hooks:
      - id: reconcile-validate
"""


def a_repository(root: Path) -> Clone:
    root.mkdir(exist_ok=True)
    clone = Clone(root)
    clone.git("init", "--quiet", "--initial-branch=main")
    return clone


def test_a_wrong_spec_and_an_edited_status_are_not_committed(tmp_path: Path) -> None:
    ship_to(tmp_path / "hook")
    hook = a_repository(tmp_path / "hook")
    commit = hook.commit("Ship")
    mine = a_repository(tmp_path / "mine")
    config = CONFIG.format(repository=hook.root.as_uri(), commit=commit)
    (mine.root / ".pre-commit-config.yaml").write_text(config, encoding="utf-8")
    checkout = Checkout(mine.root)

    def hooked() -> tuple[int, str]:
        mine.git("add", "--all")
        environ = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "cache")}
        command = [str(PRE_COMMIT), "run", "--color", "never"]
        ran = subprocess.run(command, cwd=mine.root, env=environ, capture_output=True, text=True, check=False)
        return ran.returncode, ran.stdout + ran.stderr

    checkout.want("runaway", "ftjob-abc123", provider="openai")
    right, told = hooked()
    checkout.want("runaway", "ftjob-abc123", "cancelledd", provider="openai")
    wrong, why = hooked()
    checkout.want("runaway", "ftjob-abc123", provider="openai")
    checkout.status_dir.mkdir()
    (checkout.status_dir / "runaway.yaml").write_text("apiVersion: jobs.reconciler/v1\nphase: mine\n", encoding="utf-8")
    edited, what = hooked()

    assert right == 0, told
    assert wrong == 1
    assert "did you mean 'cancelled'?" in why
    assert edited == 1
    assert "specs/status/runaway.yaml: the status is damaged or was edited by hand" in what
