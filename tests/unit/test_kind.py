from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import get_args

import pytest

import reconciler
from reconciler.formats.spec_parser import read_documents
from reconciler.formats.status_parser import StatusTooNewError, StatusUnreadableError, parse_status
from reconciler.formats.status_writer import digest, render_status
from reconciler.formats.yaml_edit import Edit, set_value
from reconciler.model.account_line import KIND_NAMES, KindName
from reconciler.model.job import ObservedJob
from reconciler.model.kind import DOCUMENTS, FINE_TUNING, KINDS, JobKind
from reconciler.model.status import JobFacts
from tests.support.build import ACCOUNT
from tests.support.reports import a_row
from tests.unit.test_status_writer import the_golden_status

HOUSE = Path(reconciler.__file__).parent
NAMERS = {
    "model/account_line.py",
    "model/batch_job.py",
    "model/spec.py",
    "cli/explain_command.py",
    "views/explain_text.py",
}
"""The modules that may name a kind: its models, their names, and examples for users."""
BY_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
SPEC = """\
apiVersion: jobs.reconciler/v1
kind: {kind}
metadata:
  name: a
spec:
  provider: demo
  jobId: b
  desiredState: running
"""


@BY_KIND
def test_a_kind_names_only_attributes_that_observed_jobs_and_statuses_have(kind: JobKind) -> None:
    for model in (ObservedJob, JobFacts):
        assert {kind.result, kind.counted, *kind.counters, *kind.facts} <= {each.name for each in fields(model)}
    assert {kind.result, kind.counted, *kind.counters} <= set(kind.facts)


@BY_KIND
def test_a_spec_of_each_kind_can_be_read_and_edited(kind: JobKind) -> None:
    text = SPEC.format(kind=kind.name)
    (located,) = read_documents(text.encode(), file="a.yaml", shown="specs/a.yaml").jobs

    assert type(located.document) is kind.document is DOCUMENTS[kind.name]
    assert "cancelled" in set_value(text.encode(), Edit("a", ("desiredState",), "cancelled")).decode()


@BY_KIND
def test_a_status_of_each_kind_is_read_back_with_its_kind(kind: JobKind) -> None:
    golden = the_golden_status()
    assert golden.job is not None
    job = replace(golden.job, account=str(ACCOUNT.of_kind(kind.name)), trained_tokens=None)
    text = render_status(replace(golden, kind=kind, job=job))

    assert f"\nkind: {kind.name}\n" in text
    assert parse_status(text).kind is kind


@BY_KIND
def test_a_status_of_each_kind_is_unreadable_if_its_account_has_jobs_of_another_kind(kind: JobKind) -> None:
    golden = the_golden_status()
    assert golden.job is not None
    others = [replace(golden.job, account=str(ACCOUNT.of_kind(other))) for other in KINDS if other != kind.name]

    for job in others:
        with pytest.raises(StatusUnreadableError, match="not an account with jobs of kind"):
            parse_status(render_status(replace(golden, kind=kind, job=job)))


def test_a_status_of_an_unknown_kind_is_from_a_later_version() -> None:
    body = (
        render_status(the_golden_status()).replace("kind: FineTuningJob", "kind: Sourdough").rpartition("digest: ")[0]
    )

    with pytest.raises(StatusTooNewError, match="Sourdough"):
        parse_status(body + digest(body))


def test_the_schema_lists_every_kind() -> None:
    assert get_args(KindName) == KIND_NAMES == tuple(KINDS)


def test_a_kind_defines_the_result_and_the_count_of_a_job() -> None:
    job = a_row().status.job

    assert job is not None
    done = replace(job, fine_tuned_model="ft:x", trained_tokens=7)
    assert (FINE_TUNING.result_of(done), FINE_TUNING.count_of(done)) == ("ft:x", 7)
    assert FINE_TUNING.with_counters_of(job, done) == replace(job, fine_tuned_model="ft:x")


def test_only_the_listed_modules_name_a_kind() -> None:
    found = {
        str(path.relative_to(HOUSE))
        for path in HOUSE.rglob("*.py")
        if any(f'"{name}' in path.read_text(encoding="utf-8") for name in KINDS)
    }

    assert found == NAMERS - {"views/explain_text.py", "cli/explain_command.py"}
