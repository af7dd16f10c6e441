"""The messages of the commands are true: a typo is not reported as success, and one cause has one exit code."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.cli import PROVIDER, Checkout
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.watch_process import watching

TIMED = "  suspend: {reason: incident 7, until: 2099-01-01T00:00:00Z}\n"


@pytest.fixture
def wanted(checkout: Checkout, sandbox: Sandbox) -> Checkout:
    """Return a checkout with the spec `one`, labelled `team=support`, whose job is to be cancelled."""
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id)
    spec = checkout.specs / "one.yaml"
    spec.write_text(spec.read_text().replace("{name: one}", "{name: one, labels: {team: support}}"), encoding="utf-8")
    return checkout


@pytest.mark.parametrize("verb", ["--once", "--once --dry-run", "plan", "get", "drift", "adopt"])
def test_an_unknown_provider_name_is_an_error_with_a_suggestion(wanted: Checkout, verb: str) -> None:
    ran = wanted.run(*verb.split(), "--provider", "mainx")

    assert ran.code == 64
    assert "no provider is called 'mainx'. Did you mean 'main'?" in ran.err


@pytest.mark.parametrize("verb", ["--once", "plan", "get", "drift"])
def test_a_selector_without_matches_is_a_warning_with_a_suggestion(wanted: Checkout, verb: str) -> None:
    ran = wanted.run(verb, "--selector", "team=suport")

    assert ran.code == 0
    assert "warning: nothing is selected: no spec has the label team=suport. Did you mean 'team=support'?\n" in ran.err


def test_a_watch_rejects_a_selection_of_an_unknown_provider(wanted: Checkout) -> None:
    ran = wanted.run("--provider", "mainx")

    assert ran.code == 64
    assert "no provider is called 'mainx'" in ran.err


def test_events_and_plan_exit_with_the_same_code_for_an_untrusted_host(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, {"OPENAI_API_KEY": "any"})
    checkout.write(
        "main.yaml", PROVIDER.format(name="main", more="baseUrl: https://elsewhere.example.org/v1", concurrency=1)
    )
    checkout.want("one", "ftjob-1", "observed")

    planned = checkout.run("plan")
    described = checkout.run("describe", "one", "--events")

    assert planned.code == described.code == 78
    assert "the log of one could not be read" in described.err


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        ([], "  suspend: {reason: incident 7}\n"),
        (["--until", "2098-01-01T00:00:00Z"], "until: 2098-01-01T00:00:00Z"),
        (["--reason", "incident 8"], "  suspend: {reason: incident 8}\n"),
    ],
)
def test_suspend_without_an_end_removes_the_end_of_a_timed_suspension(
    wanted: Checkout, arguments: list[str], left: str
) -> None:
    spec = wanted.specs / "one.yaml"
    spec.write_text(spec.read_text(encoding="utf-8") + TIMED, encoding="utf-8")

    ran = wanted.run("suspend", "one", *arguments)

    assert ran.code == 0
    assert "No change" not in ran.err
    assert left in spec.read_text(encoding="utf-8")


def test_get_shows_existing_jobs_and_reports_unknown_names(wanted: Checkout) -> None:
    ran = wanted.run("get", "one", "nosuch")

    assert ran.code == 64
    assert "\none " in ran.out
    assert "no job is called 'nosuch'" in ran.err


def test_the_error_for_an_unknown_job_name_suggests_the_nearest_numbered_names(wanted: Checkout) -> None:
    for number in (1, 4, 5, 15, 25):
        wanted.want(f"east-{number:02}", f"ftjob-none-{number}", "observed")

    ran = wanted.run("describe", "east-5")

    assert "Did you mean 'east-05', 'east-04' or 'east-01'?" in ran.err


def test_a_locked_state_directory_error_does_not_suggest_another_directory(wanted: Checkout) -> None:
    nowhere = subprocess.DEVNULL
    with wanted.start(stdin=None, stdout=nowhere, stderr=nowhere) as watch:
        try:
            while not (wanted.status_dir / "one.yaml").exists():
                assert watch.poll() is None
            ran = wanted.run("--once")
        finally:
            watch.terminate()

    assert ran.code == 75
    assert "Only one process at a time may change the jobs of these specs: wait until it ends, or stop it" in ran.err
    assert "--state-dir" not in ran.err


def test_plan_reports_that_the_job_of_a_deleted_spec_continues_unmanaged(wanted: Checkout, sandbox: Sandbox) -> None:
    running, ended = sandbox.create(2)
    wanted.want("running", running, "observed")
    wanted.want("ended", ended)
    wanted.run("--once", "--wait", "--allow-cancels", "5")
    for name in ("running", "ended"):
        (wanted.specs / f"{name}.yaml").unlink()

    text, markdown, lines = (wanted.run("plan", "-o", output).out for output in ("text", "markdown", "json"))
    records = [json.loads(line) for line in lines.splitlines()]
    acted = wanted.run("--once")
    after = wanted.run("plan")

    assert f"{running} at openai {sandbox.url}" in text
    assert ", and may still run" in text
    assert "has ended: cancelled" in text
    assert text.endswith("Plan: 1 as desired; 2 no longer managed.\n")
    assert markdown.startswith("### Plan: 2 no longer managed (1 may still run)\n")
    assert [each["resource"]["jobId"] for each in records if each["type"] == "no_longer_managed"] == [ended, running]
    assert records[-1]["removed"] == ["ended", "running"]
    assert f"{running} at openai {sandbox.url}" in acted.out
    assert after.out.endswith("Plan: 1 as desired.\n")


def test_plan_with_a_selection_does_not_report_deleted_specs(wanted: Checkout, sandbox: Sandbox) -> None:
    wanted.want("gone", sandbox.create(1)[0], "observed")
    wanted.run("--once", "--wait")
    (wanted.specs / "gone.yaml").unlink()

    assert "no longer managed" not in wanted.run("plan", "--selector", "team=support").out


@pytest.mark.parametrize("verb", ["", "--once", "plan", "get", "validate", "drift"])
def test_a_missing_specs_directory_is_an_error_in_every_command(tmp_path: Path, verb: str) -> None:
    ran = Checkout(tmp_path).run(*verb.split())

    assert ran.code == 65
    assert "specs: there is no such directory" in ran.out + ran.err


@pytest.mark.parametrize("verb", ["wait one", "describe one", "set one running", "retry one"])
def test_the_error_for_an_unknown_name_mentions_a_missing_specs_directory(tmp_path: Path, verb: str) -> None:
    ran = Checkout(tmp_path).run(*verb.split())

    assert ran.code == 64
    assert "no job is called 'one'. specs: there is no such directory" in ran.err


def test_retry_beside_a_watch_makes_the_watch_send_the_next_attempt(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    sandbox.break_with({"fault": "lost-cancel", "job": job_id, "times": 1})
    checkout.want("one", job_id)
    with watching(checkout) as watch:
        wait_for(lambda: sandbox.cancels(job_id), "the first cancel arrives")
        wait_for(lambda: checkout.status("one").receipts[0].accepted_at, "the receipt has the acceptance")
        refused = checkout.run("retry", "one", "--suspend", "--allow-cancel", "one")
        ran = checkout.run("retry", "one")
        wait_for(lambda: len(sandbox.cancels(job_id)) == 2, "the watch sends a second cancel")
        wait_for(lambda: checkout.status("one").final, "the second cancel is confirmed")
        code = watch.stop()

    assert refused.code == 64
    assert "it uses its own options: leave out --allow-cancel, --suspend." in refused.err
    assert (ran.code, ran.out) == (
        0,
        "A watch is running, and was asked to make the next attempt for one now.\n",
    )
    assert code == 0
