"""The specs directory is found from a subdirectory of its checkout, and nowhere else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from reconciler.git.discovery import nearest_above
from reconciler.model.exit_code import ExitCode
from tests.support.cli import WORLD, Checkout
from tests.support.repositories import Clone, a_clone, a_remote

RUNNING = "{id: ftjob-a, life: [{phase: running}]}"
NOT_THERE = "specs: there is no such directory"


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Return a checkout with the spec of a job that should be cancelled, and the directory `services/app`."""
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    top = Checkout(clone.root)
    top.write("world.yaml", WORLD.format(jobs=RUNNING))
    top.want("costly", "ftjob-a", provider="world")
    (clone.root / "services" / "app").mkdir(parents=True)
    clone.commit("Begin")
    return clone


def test_a_command_in_a_subdirectory_uses_the_specs_of_the_checkout_and_says_so(clone: Clone) -> None:
    ran = Checkout(clone.root / "services" / "app").run("get", "-o", "name")

    assert (ran.code, ran.out) == (ExitCode.OK, "finetuningjob/costly\n")
    assert ran.err.startswith(f"Using the specs in {clone.root / 'specs'}.\n")
    assert ran.err.count("Using the specs") == 1


def test_a_command_inside_the_specs_directory_uses_it(clone: Clone) -> None:
    ran = Checkout(clone.root / "specs").run("get", "-o", "name", "--log-format", "json")

    assert (ran.code, ran.out) == (ExitCode.OK, "finetuningjob/costly\n")
    assert json.loads(ran.err.splitlines()[0])["message"] == f"Using the specs in {clone.root / 'specs'}."


def test_a_pass_in_a_subdirectory_commits_the_statuses_beside_the_specs(clone: Clone) -> None:
    author = Checkout(clone.root / "services" / "app")
    ran = author.run("--once", "--wait", "--commit")

    assert ran.code == ExitCode.OK, ran.err
    assert "specs/status/costly.yaml" in clone.git("show", "--name-only", "--format=", "HEAD").splitlines()
    assert "Nothing to change." in Checkout(clone.root).run("plan").out


def test_a_directory_that_an_option_or_a_variable_names_is_not_searched_for(clone: Clone) -> None:
    author = Checkout(clone.root / "services" / "app")

    assert NOT_THERE in author.run("get", "--specs", "specs").err
    assert NOT_THERE in author.run("get", RECONCILE_SPECS="specs").err
    assert NOT_THERE in author.run("--specs", "specs", "get").err


def test_the_search_does_not_leave_the_checkout(clone: Clone) -> None:
    subprocess.run(["git", "init", "--quiet", str(clone.root / "services" / "app")], check=True)

    assert NOT_THERE in Checkout(clone.root / "services" / "app").run("get").err


def test_outside_a_checkout_there_is_no_search(tmp_path: Path) -> None:
    Checkout(tmp_path).write("world.yaml", WORLD.format(jobs=RUNNING))
    (tmp_path / "app").mkdir()

    assert NOT_THERE in Checkout(tmp_path / "app").run("get").err


def test_a_link_that_leads_out_of_the_checkout_is_refused(clone: Clone, tmp_path: Path) -> None:
    (clone.root / "specs").rename(tmp_path / "elsewhere")
    (clone.root / "specs").symlink_to(tmp_path / "elsewhere")

    ran = Checkout(clone.root / "services" / "app").run("get")

    assert ran.code == ExitCode.USAGE
    assert "leads out of the checkout" in ran.err


def test_the_nearest_directory_is_found(tmp_path: Path) -> None:
    for directory in (".git", "specs", "a/specs", "a/b/c"):
        (tmp_path / directory).mkdir(parents=True)

    assert nearest_above(tmp_path / "a/b/c", "specs") == tmp_path / "a/specs"
    assert nearest_above(tmp_path / "a", "specs") == tmp_path / "specs"
    assert nearest_above(tmp_path, "specs") is None
