"""Statuses that could not be read this time: whom that concerns, and what a person is told."""

from __future__ import annotations

import pytest

from reconciler.controller.unread_statuses import complaints, doubts, hidden, most_attempts, unknown_statuses
from reconciler.core.change_budget import EVERYWHERE
from reconciler.core.match import Claim, Hidden
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.status import RECEIPTS_MAX, ConditionStatus, ConditionType
from reconciler.ports import BrokenJob, StoredStatuses, Unread
from tests.support.build import ACCOUNT, NOW
from tests.support.conditions_oracle import violations
from tests.support.in_memory_operator import Operator
from tests.support.named_specs import a_named_spec
from tests.support.spec_revisions import resolved

FILE = Unread("team/a.yaml", "Permission denied", "allow it to be read")
FOLDER = Unread("team/", "Input/output error", "check the disk")
TREE = Unread("", "Input/output error", "check the disk")
PROVIDER = Unread("_providers/openai.yaml", "Permission denied", "allow it to be read")
PROVIDERS = Unread("_providers/", "Permission denied", "allow it to be read")


def stored(*unread: Unread) -> StoredStatuses:
    return StoredStatuses(unread=unread)


def test_a_file_hides_the_status_of_its_name_and_a_folder_those_of_the_specs_in_it() -> None:
    found = hidden(stored(FILE, FOLDER, PROVIDER, PROVIDERS))

    assert found == Hidden(frozenset({"a"}), ("team/",))
    assert found.may_hold(Claim(0, "b", "team/b.yaml", None))
    assert not found.may_hold(Claim(0, "b", "other/b.yaml", None))


def test_a_tree_that_cannot_be_read_hides_every_status() -> None:
    assert hidden(stored(TREE)).may_hold(Claim(0, "b", "other/b.yaml", None))


@pytest.mark.parametrize(
    ("unread", "scope"),
    [((FILE,), str(ACCOUNT)), ((FOLDER,), EVERYWHERE), ((TREE,), EVERYWHERE)],
    ids=["a file, in its account", "a folder, everywhere", "the tree, everywhere"],
)
def test_the_guard_cannot_count_where_an_unread_status_may_tell_of_attempts(
    unread: tuple[Unread, ...], scope: str
) -> None:
    specs = resolved(a_named_spec("a")).candidates
    path = f"specs/status/{unread[0].path}"

    assert doubts(stored(*unread), specs, Operator()) == {scope: f"{path} cannot be read"}


def test_a_file_whose_spec_names_no_account_puts_every_account_in_doubt() -> None:
    broken = BrokenJob(name="a", file="a.yaml", diagnostics=())

    assert list(doubts(stored(FILE), resolved(broken_jobs=(broken,)).candidates, Operator())) == [EVERYWHERE]
    assert list(doubts(stored(FILE), (), Operator())) == [EVERYWHERE]


def test_of_several_reasons_for_one_doubt_the_first_is_told() -> None:
    found = doubts(stored(FOLDER, TREE, PROVIDER), (), Operator())

    assert found == {EVERYWHERE: "specs/status/team/ cannot be read"}


def test_each_unread_file_may_tell_of_as_many_attempts_as_a_status_holds() -> None:
    other = Unread("b.yaml", "Permission denied", "")

    assert most_attempts(stored(FILE, other, FOLDER, PROVIDER)) == 2 * RECEIPTS_MAX
    assert most_attempts(stored(PROVIDER)) == 0


def test_a_spec_whose_status_is_unknown_is_shown_with_what_the_system_said_and_asks_for_nobody() -> None:
    specs = resolved(a_named_spec("a"), a_named_spec("b")).candidates
    found = unknown_statuses(specs, [1], stored(FILE, FOLDER, FILE, PROVIDER), NOW)
    status = found[1]

    assert list(found) == [1]
    assert (status.name, status.source, status.phase, status.job) == ("b", "b.yaml", Phase.UNKNOWN, None)
    assert (status.ready.status, status.ready.reason) == (ConditionStatus.UNKNOWN, Reason.STATUS_UNKNOWN)
    assert status.ready.message == "its status cannot be read: Permission denied; Input/output error"
    assert status.condition(ConditionType.STALLED) is None
    assert violations(status) == []


@pytest.mark.parametrize(
    ("unread", "held"),
    [
        (FILE, "no change is requested for the job of a, and the file is not overwritten"),
        (FOLDER, "no first request is sent for any job, and nothing there is overwritten"),
        (PROVIDER, "the statuses of providers there are not overwritten"),
    ],
    ids=["a file", "a folder", "a provider's"],
)
def test_a_complaint_says_what_is_held_back_and_what_to_do(unread: Unread, held: str) -> None:
    (said,) = complaints(stored(unread), Operator())

    assert said == (
        f"specs/status/{unread.path} cannot be read: {unread.why}; until it can be, {held}. To fix it, {unread.remedy}"
    )
