"""Batches, by the command: a declared cancel is proven, and no batch is mistaken for a fine-tuning job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.model.job import JobCounts, Phase
from reconciler.model.kind import BATCH, FINE_TUNING
from reconciler.model.status import Outcome
from tests.support.both_kinds import BATCH as SPEC
from tests.support.both_kinds import BothKinds, a_batch
from tests.support.cli import Checkout
from tests.support.jobs_api import a_row

SANDBOX = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {name: world}
spec:
  type: sandbox
  options:
    batches:
    - {id: batch_runaway, age: 1h, cancelTakes: 1s}
    - {id: batch_done, age: 1d}
    - {id: batch_late, age: 1d, life: [{phase: queued, for: 1h}, {phase: failed}], error: {code: expired}}
    - {id: batch_waits, age: 40m, life: [{phase: validating_files, for: 5h}, {phase: succeeded}]}
"""


def wants(checkout: Checkout, name: str, job_id: str, state: str, provider: str = "main", more: str = "") -> None:
    checkout.write(f"{name}.yaml", SPEC.format(name=name, job_id=job_id, state=state, provider=provider) + more)


@pytest.fixture
def api() -> Iterator[tuple[BothKinds, dict[str, str]]]:
    """Yield an API in which a fine-tuning job and a batch have one id, and the environment that leads to it."""
    app = BothKinds({"same-1": a_row("same-1")}, {"same-1": a_batch("same-1")})
    with app.served() as url:
        yield app, {"OPENAI_API_KEY": "k-of-the-test", "OPENAI_BASE_URL": url}


def test_a_batch_that_should_not_run_is_cancelled_and_the_cancel_is_proven(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    checkout.write("world.yaml", SANDBOX)
    for name, state in (("runaway", "cancelled"), ("done", "cancelled"), ("late", "running")):
        wants(checkout, name, f"batch_{name}", state, "world")
    wants(checkout, "waits", "batch_waits", "running", "world", "  limits: {maxQueued: 30m}\n")

    plan = checkout.run("plan")
    ran = checkout.run("--once", "--wait=20s")
    again = checkout.run("--once")
    runaway, done, late, waits = (checkout.status(name) for name in ("runaway", "done", "late", "waits"))

    assert "keeps    the results of the finished requests, in the output file" in plan.out
    assert ran.code == 1, ran.err  # because the expired batch should run
    assert (runaway.kind, runaway.phase, runaway.ready.reason) == (BATCH, Phase.CANCELLED, "Cancelled")
    assert runaway.receipts[0].outcome is Outcome.CANCELLED
    assert runaway.receipts[0].confirmed_at is not None
    assert runaway.job is not None
    assert runaway.job.counts is not None
    assert runaway.ready.message == f"cancelled at the provider; {runaway.job.counts}"
    assert (done.ready.reason, done.receipts) == ("FinishedBeforeCancel", ())
    assert done.ready.message == "succeeded at the provider; 100 of 100 done"
    assert late.ready.reason == "JobFailed"
    assert late.ready.message == "failed at the provider: expired: 0 of 100 done"
    assert (waits.phase, waits.ready.reason) == (Phase.CANCELLED, "LimitReached")
    assert "Requested: nothing" in again.out


def test_a_batch_and_a_fine_tuning_job_with_one_id_are_two_jobs(
    tmp_path: Path, api: tuple[BothKinds, dict[str, str]]
) -> None:
    app, environ = api
    checkout = Checkout(tmp_path, environ)
    checkout.want("trained", "same-1", "running", "openai")
    wants(checkout, "batch", "same-1", "cancelled", "openai")

    ran = checkout.run("--once", "--wait=20s")
    trained, batch = checkout.status("trained"), checkout.status("batch")

    assert ran.code == 0, ran.out + ran.err
    assert app.changes == ["/v1/batches/same-1/cancel"]
    assert (trained.kind, trained.phase, trained.receipts) == (FINE_TUNING, Phase.RUNNING, ())
    assert (batch.kind, batch.phase, len(batch.receipts)) == (BATCH, Phase.CANCELLED, 1)
    assert batch.job is not None
    assert (batch.job.counts, batch.job.tokens, batch.job.output_file) == (JobCounts(100, 23, 1), 48211, "file-9a")


def test_many_cancels_of_both_kinds_are_each_requested_once(tmp_path: Path) -> None:
    ids = [f"same-{number}" for number in range(10)]
    app = BothKinds({each: a_row(each) for each in ids}, {each: a_batch(each) for each in ids})
    with app.served() as url:
        checkout = Checkout(tmp_path, {"OPENAI_API_KEY": "k-of-the-test", "OPENAI_BASE_URL": url})
        for each in ids:
            checkout.want(f"trained-{each}", each, "cancelled", "openai")
            wants(checkout, f"batch-{each}", each, "cancelled", "openai")
        ran = checkout.run("--once", "--wait=20s", "--allow-cancels", "20")

    assert ran.code == 0, ran.out + ran.err
    paths = [f"/v1/{jobs}/{each}/cancel" for jobs in ("batches", "fine_tuning/jobs") for each in ids]
    assert sorted(app.changes) == sorted(paths)


def test_a_spec_that_becomes_a_batch_cancels_no_fine_tuning_job(
    tmp_path: Path, api: tuple[BothKinds, dict[str, str]]
) -> None:
    app, environ = api
    checkout = Checkout(tmp_path, environ)
    checkout.want("one", "same-1", "cancelled", "openai")
    checkout.run("--once", "--dry-run")
    assert checkout.run("--once", "--wait=20s").code == 0
    wants(checkout, "one", "same-1", "observed", "openai")
    assert checkout.run("--once").code == 0
    status = checkout.status("one")

    assert app.changes == ["/v1/fine_tuning/jobs/same-1/cancel"]
    assert (status.kind, status.phase, status.receipts, status.final) == (BATCH, Phase.RUNNING, (), False)
    assert "JobChanged" in [each.reason for each in status.history]


PROVIDER = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {{name: main}}
spec: {{type: openai, options: {{project: {project}}}}}
"""


@pytest.mark.parametrize("project", ["old", "new"])
def test_a_cancel_is_sent_to_the_account_that_the_provider_document_names_right_before(
    tmp_path: Path, api: tuple[BothKinds, dict[str, str]], project: str
) -> None:
    app, environ = api
    checkout = Checkout(tmp_path, environ)
    checkout.write("main.yaml", PROVIDER.format(project="old"))
    wants(checkout, "batch", "same-1", "cancelled")
    app.on_retrieve = lambda: checkout.write("main.yaml", PROVIDER.format(project=project))
    checkout.run("--once")
    job = checkout.status("batch").job

    assert len(app.changes) == 1
    assert job is not None
    assert job.account == f"openai {environ['OPENAI_BASE_URL']} project={project} kind=BatchJob"


def test_a_batch_that_ends_during_its_cancel_is_not_reported_as_cancelled(
    tmp_path: Path, api: tuple[BothKinds, dict[str, str]]
) -> None:
    app, environ = api
    checkout = Checkout(tmp_path, environ)
    wants(checkout, "batch", "same-1", "cancelled", "openai")
    checkout.run("plan")
    app.batches["same-1"] = a_batch("same-1", "completed")
    ran = checkout.run("--once", "--wait=20s")
    status = checkout.status("batch")

    assert ran.code == 0
    assert app.changes == []
    assert (status.phase, status.ready.reason) == (Phase.SUCCEEDED, "FinishedBeforeCancel")


def test_the_guard_counts_batches_and_fine_tuning_jobs_apart(
    tmp_path: Path, api: tuple[BothKinds, dict[str, str]]
) -> None:
    app, environ = api
    app.jobs = {f"ftjob-{number}": a_row(f"ftjob-{number}") for number in range(10)}
    app.batches = {f"batch_{number}": a_batch(f"batch_{number}") for number in range(60)}
    checkout = Checkout(tmp_path, environ)
    for number in range(10):
        checkout.want(f"f{number}", f"ftjob-{number}", "running", "openai")
    for number in range(60):
        wants(checkout, f"b{number}", f"batch_{number}", "running", "openai")
    assert checkout.run("--once").code == 0
    for number in range(10):
        checkout.want(f"f{number}", f"ftjob-{number}", "cancelled", "openai")
    refused = checkout.run("--once")

    assert app.changes == []
    assert refused.code == 3
    assert "100 % of 10 unfinished jobs" in refused.out + refused.err


def test_every_record_of_a_batch_names_its_kind(tmp_path: Path, api: tuple[BothKinds, dict[str, str]]) -> None:
    _, environ = api
    checkout = Checkout(tmp_path, environ)
    wants(checkout, "batch", "same-1", "cancelled", "openai")
    checkout.run("plan", "--out", "plan.json")
    checkout.run("--once", "--wait=20s", "--audit", "audit.log")
    line = f"openai {environ['OPENAI_BASE_URL']} kind=BatchJob"
    (shown,) = json.loads(checkout.run("get", "-o", "json").out)

    assert json.loads((tmp_path / "plan.json").read_text())["changes"][0]["account"] == line
    assert json.loads((tmp_path / "audit.log").read_text())["account"] == line
    assert (shown["kind"], shown["status"]["job"]["account"]) == ("BatchJob", line)
    assert "fineTunedModel" not in shown["status"]["job"]


def test_a_batch_cannot_be_wanted_paused(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    wants(checkout, "batch", "batch_1", "paused", "sandbox")
    ran = checkout.run("validate")

    assert ran.code == 65
    assert "spec.desiredState: no provider can pause a batch: use running, cancelled or observed" in ran.out + ran.err


def test_a_batch_of_a_type_without_batches_is_reported_at_its_kind(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    checkout.write(
        "aws.yaml",
        "apiVersion: jobs.reconciler/v1\nkind: Provider\nmetadata: {name: aws}\n"
        "spec: {type: sagemaker, options: {region: us-east-1}}\n",
    )
    wants(checkout, "batch", "batch-1", "cancelled", "aws")
    ran = checkout.run("validate")

    assert ran.code == 65
    assert "batch.yaml:2: kind: sagemaker has no jobs of this kind" in ran.out + ran.err


@pytest.mark.parametrize(("kind", "job_id"), [("BatchJob", "ftjob-1"), ("FineTuningJob", "batch_1")])
def test_an_id_of_the_other_kind_at_openai_is_not_valid(tmp_path: Path, kind: str, job_id: str) -> None:
    checkout = Checkout(tmp_path)
    wants(checkout, "job", job_id, "observed", "openai")
    text = (checkout.specs / "job.yaml").read_text(encoding="utf-8")
    checkout.write("job.yaml", text.replace("BatchJob", kind))
    ran = checkout.run("validate")

    assert ran.code == 65
    assert f"job.yaml:6: spec.jobId: '{job_id}'" in ran.out + ran.err


def test_describe_says_that_batches_have_no_log(tmp_path: Path, api: tuple[BothKinds, dict[str, str]]) -> None:
    _, environ = api
    checkout = Checkout(tmp_path, environ)
    wants(checkout, "job", "same-1", "observed", "openai")
    checkout.run("--once")
    ran = checkout.run("describe", "job", "--events")

    assert ran.code == 64
    assert "the type openai offers no log of jobs of kind BatchJob: omit --events" in ran.err


def test_adopt_writes_specs_for_unfinished_batches_only_if_requested(
    tmp_path: Path, api: tuple[BothKinds, dict[str, str]]
) -> None:
    app, environ = api
    app.batches["batch_old"] = a_batch("batch_old", "completed")
    checkout = Checkout(tmp_path, environ)
    usual = checkout.run("adopt", "--provider", "openai", "--dry-run")
    asked = checkout.run("adopt", "--provider", "openai", "--kind", "BatchJob")
    (file,) = (tmp_path / "specs/adopted/openai").iterdir()
    drift = checkout.run("drift", "-o", "json")

    assert usual.out.count("adopted/openai") == 1
    assert asked.code == 0, asked.err
    assert "Only unfinished jobs of kind BatchJob are shown. The list of " in asked.out
    assert "\nkind: BatchJob\n" in file.read_text()
    assert "jobId: same-1" in file.read_text()
    assert [each["kind"] for each in json.loads(drift.out)["strangers"]] == ["FineTuningJob"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "no document names an account with jobs of kind BatchJob: select one with an option such as"),
        (["--provider", "aws"], "aws has no jobs of kind BatchJob"),
    ],
)
def test_adopt_says_why_there_is_no_list_of_batches_to_read(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    checkout = Checkout(tmp_path)
    checkout.write(
        "aws.yaml",
        "apiVersion: jobs.reconciler/v1\nkind: Provider\nmetadata: {name: aws}\n"
        "spec: {type: sagemaker, options: {region: us-east-1}}\n",
    )
    ran = checkout.run("adopt", "--kind", "BatchJob", *arguments)

    assert ran.code == 64
    assert sentence in " ".join(ran.err.split())


def test_a_fine_tuning_job_at_a_type_that_has_only_batches_is_reported_at_its_kind(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    checkout.want("trained", "msgbatch_1", "running", "anthropic")
    wants(checkout, "batch", "msgbatch_2", "cancelled", "anthropic")
    ran = checkout.run("validate")

    assert ran.code == 65
    assert "trained.yaml:2: kind: anthropic has no jobs of this kind" in ran.out + ran.err
    assert "batch.yaml" not in ran.err


def test_the_outage_of_an_account_is_recorded_for_each_kind_of_its_jobs(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, {"OPENAI_API_KEY": "k-of-the-test", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
    checkout.want("trained", "same-1", "running", "openai")
    wants(checkout, "batch", "same-1", "running", "openai")
    ran = checkout.run("--once", "--timeout=3s")
    files = {each.name: each.read_text() for each in (checkout.status_dir / "_providers").iterdir()}

    assert ran.code == 69
    assert files.keys() == {"openai.yaml", "openai--batchjob.yaml"}
    assert "account: 'openai http://127.0.0.1:9/v1 kind=BatchJob'" in files["openai--batchjob.yaml"]
    assert "kind=BatchJob" not in files["openai.yaml"]


def test_a_provider_name_that_a_batch_status_could_have_is_rejected(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    checkout.name_provider("main--batchjob")
    ran = checkout.run("validate")

    assert ran.code == 65
    assert "metadata.name: a name must not end in --batchjob" in ran.out + ran.err


def test_accounts_with_long_names_have_provider_statuses_of_their_own(tmp_path: Path) -> None:
    long = "a" * 53
    checkout = Checkout(tmp_path, {"OPENAI_API_KEY": "k-of-the-test", "RECONCILE_TRUST": "OPENAI_API_KEY=127.0.0.1:9"})
    for number, name in enumerate((f"{long}0123456789", f"{long}9876543210")):
        checkout.name_provider(name, f"baseUrl: http://127.0.0.1:9/{number}/v1")
        wants(checkout, f"batch-{number}", f"batch_{number}", "running", name)
    checkout.run("--once", "--timeout=3s")
    files = [each.name for each in (checkout.status_dir / "_providers").iterdir()]

    assert len(files) == 2
    assert all(each.endswith("--batchjob.yaml") and len(each) == 63 + len(".yaml") for each in files)
