"""Which changes of one file are edits of its jobs, and which are more than that."""

from __future__ import annotations

import pytest

from reconciler.formats.job_edits import job_edits
from reconciler.formats.spec_parser import read_documents
from reconciler.ports import Snapshot

BEFORE = """\
apiVersion: jobs.reconciler/v1
kind: FineTuningJob
metadata: {name: chat, labels: {team: a}}
spec: {provider: main, jobId: ftjob-1, desiredState: observed}
---
apiVersion: jobs.reconciler/v1
kind: BatchJob
metadata: {name: code}
spec: {provider: main, jobId: batch_1, desiredState: observed}
"""


def contents(text: str) -> Snapshot:
    return read_documents(text.encode(), file="bots.yaml", shown="specs/bots.yaml")


def test_an_edit_has_the_document_before_and_after() -> None:
    after = "# a comment\n" + BEFORE.replace("ftjob-1, desiredState: observed", "ftjob-1, desiredState: cancelled")

    (edit,) = job_edits(contents(BEFORE), contents(after)) or ()

    assert edit.before.document.metadata.name == edit.after.document.metadata.name == "chat"
    assert (edit.before.document.spec.desired_state, edit.after.document.spec.desired_state) == (
        "observed",
        "cancelled",
    )
    assert (edit.before.line, edit.after.line) == (1, 2)


def test_a_file_whose_documents_are_equal_has_no_edit() -> None:
    assert job_edits(contents(BEFORE), contents(f"# a comment\n{BEFORE}")) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: chat", "name: talk"),
        ("team: a", "team: b"),
        ("provider: main, jobId: ftjob-1", "provider: other, jobId: ftjob-1"),
        ("ftjob-1", "ftjob-2"),
        ("kind: BatchJob", "kind: FineTuningJob"),
        ("desiredState: observed", "desiredState: obsrved"),
        ("---", "---\napiVersion: jobs.reconciler/v1\nkind: Settings\nmetadata: {name: s}\nspec: {}\n---"),
        ("---", "---\n{"),
        (BEFORE[BEFORE.index("---") :], ""),
    ],
)
def test_a_file_that_changed_in_another_way_has_no_known_edits(old: str, new: str) -> None:
    changed = contents(BEFORE.replace(old, new, 1))

    assert job_edits(contents(BEFORE), changed) is None
    assert job_edits(changed, contents(BEFORE)) is None
