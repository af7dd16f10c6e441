"""How Git converts a file when it checks it out, and how reconcile reads the converted file."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.formats.checkout_conversion import as_committed
from reconciler.formats.spec_parser import read_documents
from reconciler.formats.status_parser import as_written, is_status_file
from reconciler.formats.status_writer import render_status
from reconciler.model.job import JobError
from reconciler.model.spec import spec_digest
from reconciler.model.status import JobFacts
from tests.support.build import ACCOUNT, a_status

IDENT = f"$Id: {'a' * 40} $"
CONVERTED: dict[str, Callable[[str], bytes]] = {
    "line ends": lambda text: text.replace("\n", "\r\n").encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16 and line ends": lambda text: text.replace("\n", "\r\n").encode("utf-16"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "an ident": lambda text: text.replace("$Id$", IDENT).encode(),
}


def a_text(message: str) -> str:
    """Return the text of a status whose job has this error message."""
    facts = JobFacts(account=str(ACCOUNT), id="ftjob-a", provider_status="running", error=JobError(message=message))
    return render_status(a_status(job=facts))


@pytest.mark.parametrize("how", CONVERTED)
def test_a_status_that_a_checkout_converted_is_read_as_it_was_written(how: str) -> None:
    written = a_text("the file was $Id$")
    data = CONVERTED[how](written)

    assert data != written.encode()
    assert as_written(data) == written.encode()
    assert is_status_file(as_written(data))


def test_a_status_that_contains_an_expanded_ident_is_not_converted() -> None:
    written = a_text(f"the file was {IDENT}").encode()

    assert as_written(written) == written


def test_a_converted_status_that_was_edited_is_not_converted_back() -> None:
    written = a_text("nothing").replace("phase: cancelled", "phase: running")
    data = written.replace("\n", "\r\n").encode()

    assert as_written(data) == data


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"\xff\xfea", b"\xfe\xff\xd8\x00", b"\r", b"\xff\xfe\x00\x00\x00"])
def test_bytes_that_are_not_valid_text_are_not_converted(data: bytes) -> None:
    assert as_written(data) == data
    as_committed(data)


def test_the_digest_of_a_spec_does_not_depend_on_its_line_endings() -> None:
    text = """\
apiVersion: jobs.reconciler/v1
kind: FineTuningJob
metadata:
  name: a
spec:
  provider: openai
  jobId: ftjob-a
  desiredState: cancelled
  reason: |
    one
    two
  suspend:
    reason: >-
      folded
      text

      and more
"""
    digests = set()
    for lines in (text, text.replace("\n", "\r\n")):
        (job,) = read_documents(lines.encode(), file="a.yaml", shown="a.yaml").jobs
        digests.add((spec_digest(job.document.spec, ACCOUNT), str(job.document.spec)))

    assert len(digests) == 1
