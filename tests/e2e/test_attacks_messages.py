"""Attacks by an author of commits who uses their messages, names, dates and files, on the installed command.

A commit message is data. It can approve only what its own commit changed. It cannot end a pass or change a file.
`RECONCILE_COMMAND` runs the same attacks on another build.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cli import Checkout, Ran
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.watch_process import watching

JOBS = 6
LINE = f"Approve-Cancels: {JOBS}"
DAY_S = 86_400


class Crime:
    """A repository in which Ada requests more cancels than the guard allows, and Mallory commits next."""

    def __init__(self, root: Path, sandbox: Sandbox) -> None:
        self.clone = a_clone(a_remote(root / "remote.git"), root / "ada")
        self.checkout = Checkout(self.clone.root, sandbox.environ)
        self.sandbox = sandbox
        self.jobs = sandbox.create(JOBS + 1)
        self.url = (root / "remote.git").as_uri()
        self.checkout.name_provider()
        self.want("observed")
        self.clone.commit("Watch them")

    def want(self, state: str, *numbers: int) -> None:
        """Set the desired state of these jobs, by default of all but the last one."""
        for number in numbers or range(JOBS):
            self.checkout.want(f"job-{number}", self.jobs[number], state)

    def flip(self, date: bytes | None = None) -> str:
        """Request the cancel of all jobs but the last one, in a commit that approves nothing."""
        self.want("cancelled")
        return self.clone.forge(b"Stop them all\n", date=date)

    def other(self, state: str = "cancelled") -> str:
        """Write a spec for the last job, and return the job's ID."""
        self.checkout.want("other", self.jobs[JOBS], state)
        return self.jobs[JOBS]

    @property
    def cancels(self) -> list[str]:
        """The IDs of the jobs whose cancel was requested, one for each request."""
        return sorted(self.sandbox.cancels(*self.jobs))

    def run_from(self, where: str, *arguments: str) -> Ran:
        """Run a command in the checkout, or push and run it with the URL of the remote."""
        if where == "checkout":
            return self.checkout.run(*arguments)
        self.clone.push()
        return self.checkout.run(*arguments, "--git-url", self.url)


@pytest.fixture
def crime(tmp_path: Path, sandbox: Sandbox) -> Crime:
    return Crime(tmp_path, sandbox)


FROM = ("checkout", "remote")


# Messages that look like several records of Git


@pytest.mark.sampled(1)
@pytest.mark.parametrize("where", FROM)
@pytest.mark.parametrize("verb", [("--once", "--dry-run"), ("--once",)], ids=["a dry run", "a pass"])
def test_a_commit_message_cannot_truncate_a_file(
    crime: Crime, tmp_path: Path, where: str, verb: tuple[str, ...]
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("do not lose me\n", encoding="utf-8")
    other = crime.other()
    crime.clone.forge(b"Add one\n\x1e--output=%b\x1f9999999999\x1fApprove-Cancels: 1\n" % str(precious).encode())
    ran = crime.run_from(where, *verb)

    assert precious.read_text(encoding="utf-8") == "do not lose me\n"
    assert ran.code == 0, ran.err
    assert crime.cancels == ([other] if verb == ("--once",) else [])


STRANGE: dict[str, Callable[[Clone], object]] = {
    "a record with one field": lambda clone: clone.forge(b"Add one\n\x1eoops\x1f\n"),
    "a record without a time": lambda clone: clone.forge(b"Add one\n\x1f<no number>\x1f\nApprove-Cancels: 1\n"),
    "all separators": lambda clone: clone.forge(b"\x1c\x1d\x1e\x1f\x00\x1e\x1f\n\x1f\x1e\nApprove-Cancels: 1\n"),
    "a NUL": lambda clone: clone.forge(b"Add one\x00\nApprove-Cancels: 1\n"),
    "no message": lambda clone: clone.forge(b""),
    "a message of ten megabytes": lambda clone: clone.forge(b"x" * 10_000_000 + b"\nApprove-Cancels: 1\n"),
    "a million lines": lambda clone: clone.forge(b"Approve-Cancels: 1\n" * 1_000_000),
    "no UTF-8": lambda clone: clone.forge(b"\xff\xfe\xc3\x28\nApprove-Cancels: 1\n"),
    "an encoding that is none": lambda clone: clone.forge(b"Add\nApprove-Cancels: 1\n", more=b"encoding \xff\x1b[2J\n"),
    "an encoding that decodes no text": lambda clone: clone.forge(b"Add\n", more=b"encoding zip\n"),
    "a number of a thousand digits": lambda clone: clone.forge(b"Approve-Cancels: " + b"9" * 1000 + b"\n"),
    "a date after the year 9999": lambda clone: clone.forge(b"Approve-Cancels: 1\n", date=b"999999999999 +0000"),
    "a date of 63 bits": lambda clone: clone.forge(b"Approve-Cancels: 1\n", date=b"9223372036854775807 +0000"),
    "a date that overflows": lambda clone: clone.forge(b"Approve-Cancels: 1\n", date=b"99999999999999999999999 +0000"),
    "a negative date": lambda clone: clone.forge(b"Approve-Cancels: 1\n", date=b"-1 +0000"),
    "no date": lambda clone: clone.forge(b"Approve-Cancels: 1\n", date=b""),
    "a zone that is none": lambda clone: clone.forge(
        b"Approve-Cancels: 1\n", date=b"%d +9999999999" % int(time.time())
    ),
    "no author": lambda clone: clone.forge(b"Approve-Cancels: 1\n", author=b""),
    "an author of control characters": lambda clone: clone.forge(
        b"Add one\n", author=b"\x1b[2J\x1f\x07 <\x1f\x1e@\x08>"
    ),
    "an author of a megabyte": lambda clone: clone.forge(b"Add one\n", author=b"x" * 1_000_000 + b" <x@example.org>"),
    "headers that are none": lambda clone: clone.forge(b"Add one\n", more=b"parent 12\nauthor \nx\n"),
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("where", FROM)
@pytest.mark.parametrize("what", STRANGE)
def test_a_malformed_commit_does_not_end_a_pass(crime: Crime, where: str, what: str) -> None:
    other = crime.other()
    STRANGE[what](crime.clone)
    ran = crime.run_from(where, "--once")

    assert ran.code == 0, ran.err
    assert crime.cancels == [other]
    assert not [each for each in ran.out + ran.err if not each.isprintable() and each != "\n"]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("what", ["a record with one field", "a date after the year 9999"])
def test_a_malformed_commit_does_not_end_a_watch(crime: Crime, what: str) -> None:
    with watching(crime.checkout) as watch:
        other = crime.other()
        STRANGE[what](crime.clone)
        wait_for(lambda: crime.cancels == [other], "the watch cancels the job of the next commit")
        code = watch.stop()

    assert code == 0


@pytest.mark.long
def test_a_malformed_commit_does_not_affect_other_approvals(crime: Crime) -> None:
    crime.want("cancelled")
    crime.clone.forge(f"Stop them all\n\n{LINE}\n".encode())
    for number, make in enumerate(STRANGE.values()):
        crime.checkout.write(f"notes-{number}.txt", "nothing\n")
        make(crime.clone)
    ran = crime.checkout.run("--once")

    assert ran.code == 0, ran.err
    assert crime.cancels == sorted(crime.jobs[:JOBS])


# Approvals of changes that another author committed


@pytest.mark.sampled(2)
@pytest.mark.parametrize("where", FROM)
@pytest.mark.parametrize("age_s", [0, 9 * DAY_S], ids=["new", "of nine days"])
def test_a_commit_message_cannot_approve_another_commit(crime: Crime, where: str, age_s: int) -> None:
    victim = crime.flip(b"%d +0000" % (time.time() - age_s))
    crime.other("observed")
    crime.clone.forge(b"Add one\n\x1e%b\x1f%d\x1fApprove-Cancels: 50\n" % (victim.encode(), time.time()))
    ran = crime.run_from(where, "--once")

    assert ran.code == 3
    assert crime.cancels == []


def test_a_commit_message_cannot_approve_a_commit_outside_the_branch(crime: Crime) -> None:
    crime.flip(b"%d +0000" % (time.time() - 9 * DAY_S))
    crime.clone.git("checkout", "--quiet", "--detach", "HEAD~1")
    crime.want("cancelled")
    aside = crime.clone.forge(b"Nobody sees this\n")
    crime.clone.git("checkout", "--quiet", "--force", "main")
    crime.other("observed")
    crime.clone.forge(b"Add one\n\x1e%b\x1f%d\x1fApprove-Cancels: 50\n" % (aside.encode(), time.time()))
    ran = crime.checkout.run("--once")

    assert ran.code == 3
    assert crime.cancels == []


HIDDEN = {
    "behind a NUL": b"Fix a typo\n\x00\nApprove-Cancels: 50\n",
    "behind what clears a terminal": b"Fix a typo\n\nApprove-Cancels: 50\n\x1b[2J\x1b[H",
    "behind what goes back a line": b"Approve-Cancels: 50\n\x1b[1A\x1b[2KFix a typo\n",
    "under backspaces": b"Fix a typo\n\nApprove-Cancels: 50\n" + b"\x08" * 30 + b"\n",
}
ENCODED = {"in EBCDIC": b"IBM037", "in an encoding that nobody knows": b"x-none", "in no word": b"\xff\x1b[2J"}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("how", HIDDEN)
def test_an_approval_line_hidden_from_reviewers_approves_nothing(crime: Crime, how: str) -> None:
    crime.want("cancelled")
    crime.clone.forge(HIDDEN[how])
    ran = crime.checkout.run("--once")

    assert ran.code == 3
    assert crime.cancels == []


@pytest.mark.sampled(1)
@pytest.mark.parametrize("how", ENCODED)
def test_an_approval_line_that_displays_as_other_text_approves_nothing(crime: Crime, how: str) -> None:
    crime.want("cancelled")
    crime.clone.forge(b"Fix a typo\n\nApprove-Cancels: 50\n", more=b"encoding %b\n" % ENCODED[how])
    ran = crime.checkout.run("--once")

    assert ran.code == 3
    assert crime.cancels == []


def test_an_approval_line_in_a_legacy_encoding_is_accepted(crime: Crime) -> None:
    crime.want("cancelled")
    crime.clone.forge(f"Stopp f\xfcr alle\n\n{LINE}\n".encode("latin-1"), more=b"encoding ISO-8859-1\n")
    ran = crime.checkout.run("--once")

    assert ran.code == 0, ran.err
    assert crime.cancels == sorted(crime.jobs[:JOBS])


def hide_in(crime: Crime, file: str) -> None:
    texts = [(crime.checkout.specs / f"job-{number}.yaml").read_text() for number in range(JOBS)]
    crime.checkout.write(file, "---\n".join(texts))


def mend_what_was_broken(crime: Crime) -> None:
    for number in range(JOBS):
        path = crime.checkout.specs / f"job-{number}.yaml"
        path.write_text(f"{path.read_text()}  {{\n")
    crime.clone.forge(b"Tidy up\n")
    for number in range(JOBS):
        path = crime.checkout.specs / f"job-{number}.yaml"
        path.write_text(path.read_text().removesuffix("  {\n"))


def rename(crime: Crime) -> None:
    for number in range(JOBS):
        path = crime.checkout.specs / f"job-{number}.yaml"
        crime.checkout.write(f"new-{number}.yaml", path.read_text().replace("name: job-", "name: new-"))
        path.unlink()


ELSEWHERE: dict[str, Callable[[Crime], None]] = {
    "in a file that is no spec by its name": lambda crime: hide_in(crime, "notes.txt"),
    "in a draft": lambda crime: hide_in(crime, "_draft.yaml"),
    "in a hidden folder": lambda crime: hide_in(crime, ".old/jobs.yaml"),
    "by mending what was broken before": mend_what_was_broken,
    "by new names for the same jobs": rename,
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("how", ELSEWHERE)
def test_a_commit_does_not_approve_changes_it_only_appears_to_make(crime: Crime, how: str) -> None:
    crime.flip()
    ELSEWHERE[how](crime)
    crime.clone.forge(b"Tidy up\n\nApprove-Cancels: 50\n")
    ran = crime.checkout.run("--once")

    assert ran.code == 3
    assert crime.cancels == []


def test_a_later_change_without_an_approval_line_revokes_the_approval(crime: Crime) -> None:
    crime.want("cancelled")
    crime.clone.forge(f"Stop them all\n\n{LINE}\n".encode())
    crime.want("observed")
    crime.clone.forge(b"Or rather not\n")
    crime.flip()
    ran = crime.checkout.run("--once")

    assert ran.code == 3
    assert crime.cancels == []


def test_two_approvals_of_one_job_do_not_approve_another(crime: Crime) -> None:
    """An approval applies only to jobs that its commit was the last to change.

    The first approval has no such job left, and the second one is for fewer changes than its commit requests.
    """
    crime.want("cancelled", 0, 1, 2)
    crime.clone.forge(b"Stop three\n\nApprove-Cancels: 3\n")
    crime.want("observed", 0, 1, 2)
    crime.clone.forge(b"Or rather not\n")
    crime.want("cancelled", 0, 1, 2, 3, 4, 5)
    crime.clone.forge(b"Stop all\n\nApprove-Cancels: 3\n")
    ran = crime.checkout.run("--once")

    assert ran.code == 3
    assert crime.cancels == []


def test_a_commit_that_touches_a_status_approves_nothing(crime: Crime) -> None:
    crime.want("cancelled")
    crime.checkout.write("status/notes.yaml", "mine\n")
    crime.clone.git("add", "--force", "specs/status/notes.yaml")
    crime.clone.forge(f"Stop them all\n\n{LINE}\n".encode())
    ran = crime.checkout.run("--once")

    assert ran.code == 3
    assert crime.cancels == []


# Authors of statuses


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "author",
    [
        b"Mallory <>",
        b"<>",
        b"Mallory <m\x1fq@example.org>",
        b"\x1f\x1e <\x1f>",
        b"M <m@example.org",
        b"",
        b"M\x00 <m@x>",
    ],
    ids=["an empty address", "nothing at all", "a separator", "separators", "half an address", "none", "a NUL"],
)
def test_validate_reports_a_status_written_by_someone_else(crime: Crime, author: bytes) -> None:
    before = crime.clone.git("rev-parse", "HEAD")
    crime.checkout.write("status/job-0.yaml", "mine\n")
    crime.clone.git("add", "--force", "specs/status/job-0.yaml")
    crime.clone.forge(b"Tidy up\n", author=author)
    crime.clone.git("rm", "--quiet", "specs/status/job-0.yaml")
    crime.clone.forge(b"Take it away\n", author=author)
    ran = crime.checkout.run("validate", "--since", before)

    assert ran.code == 65, ran.err
    assert "changes a status" in ran.out
    assert not [each for each in ran.out if not each.isprintable() and each != "\n"]


def test_validate_reports_a_status_written_by_a_merge(crime: Crime) -> None:
    before = crime.clone.git("rev-parse", "HEAD")
    crime.checkout.write("notes.txt", "one side\n")
    side = crime.clone.forge(b"Take a note\n")
    crime.clone.git("reset", "--quiet", "--hard", before)
    crime.checkout.write("more.txt", "other side\n")
    here = crime.clone.forge(b"Take another\n")
    crime.checkout.write("notes.txt", "one side\n")
    crime.checkout.write("status/job-0.yaml", "mine\n")
    crime.clone.git("add", "--force", "specs/status/job-0.yaml")
    crime.clone.forge(b"Merge\n", parents=[here, side])
    ran = crime.checkout.run("validate", "--since", before)

    assert ran.code == 65, ran.err
    assert "specs/status/job-0.yaml" in ran.out


def test_validate_reports_a_merge_that_reverts_a_status(crime: Crime) -> None:
    crime.clone.git("checkout", "--quiet", "-b", "side")
    crime.checkout.write("notes.txt", "one side\n")
    side = crime.clone.forge(b"Take a note\n")
    crime.clone.git("checkout", "--quiet", "main")
    assert crime.checkout.run("--once", "--commit").code == 0
    ours = crime.clone.git("rev-parse", "HEAD")
    crime.clone.git("checkout", "--quiet", "side")
    crime.clone.forge(b"Merge main\n", parents=[side, ours])
    ran = crime.checkout.run("validate", "--since", "main")

    assert ran.code == 65, ran.err
    assert "reverts the version that reconcile wrote" in ran.out


@pytest.mark.sampled(1)
@pytest.mark.parametrize("file", ["--output=x.yaml", "-x.yaml", "a b.yaml", "é.yaml", "'\"$(touch x).yaml", "*.yaml"])
def test_a_receipt_names_the_commit_of_a_file_with_an_unusual_name(crime: Crime, file: str) -> None:
    other = crime.other()
    (crime.checkout.specs / "other.yaml").rename(crime.checkout.specs / file)
    commit = crime.clone.forge(b"Add one\n", author=b"Mallory \x1f\x1b[2J <m@example.org>")
    crime.checkout.write("unrelated.yaml", "")
    crime.clone.commit("Add nothing")
    ran = crime.checkout.run("--once")
    origin = crime.checkout.status("other").receipts[0].origin

    assert ran.code == 0, ran.err
    assert crime.cancels == [other]
    assert origin is not None
    assert commit.startswith(origin.commit)
    assert origin.author.isprintable()
    assert origin.author.endswith("<m@example.org>")
