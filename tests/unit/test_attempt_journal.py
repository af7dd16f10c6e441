from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.local.attempt_journal import REQUESTS, STATUSES, StateJournal
from reconciler.local.disk import LocalDisk
from reconciler.model.journal import KnownStatuses, LostStatus, Requested
from reconciler.model.money import Basis, RecordedAmount
from reconciler.model.status import Verb
from reconciler.ports import Disk
from tests.support.build import NOW
from tests.support.non_durable_disk import NonDurableDisk

ONE = Requested(
    name="support",
    account="openai https://api.openai.com/v1",
    job_id="ftjob-1",
    verb=Verb.CANCEL,
    at=NOW,
    receipt_at=NOW - timedelta(hours=3),
    approved_by="Approve-Cancels 0123456789ab",
)
COSTLY = replace(ONE, name="costly", sunk_cost=RecordedAmount("41.200000", "USD", Basis.AT_MOST))
TWO = Requested(name="é\n\\", account="x", job_id="y", verb=Verb.PAUSE, at=NOW, receipt_at=NOW)
KNOWN = KnownStatuses(
    marks={"a": "00000001", "b": "00000002"}, unfinished={"a": ("x", "y")}, lost={"c": LostStatus(NOW, "00000003")}
)


def journal(directory: Path, disk: Disk | None = None, tree: str = "specs/status") -> StateJournal:
    return StateJournal(directory, disk or LocalDisk(directory), tree, lambda: NOW)


def test_recorded_attempts_and_statuses_are_read_back_unchanged(tmp_path: Path) -> None:
    one = journal(tmp_path)
    one.record([ONE, TWO, COSTLY], [])
    one.keep(KNOWN)
    read = journal(tmp_path)

    assert (read.requested(), read.known(), read.since()) == ((ONE, TWO, COSTLY), KNOWN, NOW)


def test_a_journal_of_an_earlier_version_and_an_unknown_key_of_a_later_one_are_read(tmp_path: Path) -> None:
    one = journal(tmp_path)
    one.record([ONE, COSTLY], [])
    text = (tmp_path / REQUESTS).read_text(encoding="utf-8")
    (tmp_path / REQUESTS).write_text(text.replace('"sunkCost"', '"ofALaterVersion"'), encoding="utf-8")

    assert "sunkCost" not in text.splitlines()[2]
    assert journal(tmp_path).requested() == (ONE, replace(COSTLY, sunk_cost=None))


def test_an_empty_state_directory_is_not_an_error(tmp_path: Path) -> None:
    assert (journal(tmp_path).requested(), journal(tmp_path).known()) == ((), KnownStatuses())
    assert list(tmp_path.iterdir()) == []


def test_an_attempt_that_was_not_sent_is_removed_at_the_end_of_the_pass(tmp_path: Path) -> None:
    one = journal(tmp_path)
    one.record([ONE, TWO], [])
    one.forget([ONE])
    before = journal(tmp_path).requested()
    one.keep(KnownStatuses())

    assert one.requested() == (TWO,)
    assert before == (ONE, TWO)
    assert journal(tmp_path).requested() == (TWO,)


def test_the_next_record_removes_attempts_that_it_does_not_keep(tmp_path: Path) -> None:
    one = journal(tmp_path)
    one.record([ONE], [])
    one.record([TWO], [])

    assert journal(tmp_path).requested() == (TWO,)


def test_a_pass_without_changes_does_not_rewrite_the_journal(tmp_path: Path) -> None:
    journal(tmp_path).keep(KNOWN)
    before = {each.name: each.stat().st_mtime_ns for each in tmp_path.iterdir()}
    again = journal(tmp_path)
    again.requested()
    again.keep(again.known())

    assert {each.name: each.stat().st_mtime_ns for each in tmp_path.iterdir()} == before


def test_known_statuses_of_another_status_directory_are_ignored(tmp_path: Path) -> None:
    journal(tmp_path).keep(KNOWN)

    assert journal(tmp_path, tree="elsewhere").known() == KnownStatuses()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "something else\n",
        "reconcile 1\n{",
        'reconcile 1\n{"since":"x"}\n',
        'reconcile 1\n{"since":"2026-11-23T14:15:00Z"}{}\n',
        "\xff",
    ],
)
def test_a_journal_that_reconcile_did_not_write_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / REQUESTS).write_bytes(text.encode("latin-1"))

    with pytest.raises(OSError, match="another version of reconcile wrote it") as caught:
        journal(tmp_path).requested()
    assert caught.value.filename == str(tmp_path / REQUESTS)


@pytest.mark.parametrize("text", ["", "reconcile 1\n{", 'reconcile 1\n{"tree":"specs/status"}\n["known","a"]\n'])
def test_a_torn_record_of_known_statuses_is_read_as_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / STATUSES).write_text(text, encoding="utf-8")

    assert journal(tmp_path).known() == KnownStatuses()


@pytest.mark.parametrize("seed", range(20))
def test_recorded_attempts_survive_a_power_failure(seed: int) -> None:
    directory = Path("/state")
    disk = NonDurableDisk(directory)
    one = journal(directory, disk)
    one.record([ONE], [])
    one.record([TWO], one.requested())
    disk.crash(random.Random(seed))  # noqa: S311  reproducible, not secret

    assert journal(directory, disk).requested() == (ONE, TWO)
