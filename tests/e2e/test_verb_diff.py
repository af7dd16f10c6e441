"""`reconcile diff`: jobs beside their specs and their recorded statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.model.exit_code import ExitCode
from tests.support.cli import Checkout, two_running_jobs


@pytest.fixture
def author(tmp_path: Path) -> Checkout:
    """Return a checkout with the running jobs `costly`, which should be cancelled, and `kept`."""
    return two_running_jobs(tmp_path)


def test_diff_shows_only_the_jobs_that_differ_and_exits_with_2(author: Checkout) -> None:
    ran = author.run("diff")

    assert ran.code == ExitCode.CHANGES_PENDING
    assert "Different: the next pass requests a cancel." in ran.out
    assert "kept" not in ran.out
    assert not author.status_dir.exists()


def test_diff_of_a_job_without_a_difference_shows_it_and_exits_with_0(author: Checkout) -> None:
    ran = author.run("diff", "kept")

    assert ran.code == ExitCode.OK
    assert ran.out.startswith("kept (kept.yaml)")
    assert ran.out.endswith("No difference.\n")


def test_after_a_pass_the_recorded_and_the_live_state_agree_with_the_spec(author: Checkout) -> None:
    author.run("--once", "--wait")
    ran = author.run("diff", "costly", "-o", "json")
    (found,) = json.loads(ran.out)
    facts = {each.pop("fact"): list(each.values()) for each in found["facts"]}

    assert (ran.code, found["isDifferent"]) == (ExitCode.OK, False)
    assert facts["phase"] == ["cancelled", "cancelled, final", "cancelled, final"]
    assert author.run("diff").out == "No differences.\n"


def test_diff_reports_an_account_that_cannot_be_observed(author: Checkout) -> None:
    author.write("far.yaml", "apiVersion: jobs.reconciler/v1\nkind: Provider\nmetadata: {name: far}\n" + FAR)
    author.want("away", "ftjob-c", provider="far")
    (author.root / "trust").write_text("OPENAI_API_KEY=http://127.0.0.1:9\n", encoding="utf-8")

    ran = author.run("diff", "away", "--trust", "trust", OPENAI_API_KEY="any")

    assert ran.code == ExitCode.PROVIDER_UNOBSERVED
    assert "Unknown: the job could not be observed" in ran.out


def test_diff_of_an_unknown_job_suggests_similar_names(author: Checkout) -> None:
    ran = author.run("diff", "costy")

    assert ran.code == ExitCode.USAGE
    assert "Did you mean 'costly'?" in ran.err


FAR = "spec: {type: openai, baseUrl: 'http://127.0.0.1:9/v1'}\n"
