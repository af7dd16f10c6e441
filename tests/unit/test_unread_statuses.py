"""Statuses that could not be read: which jobs and budgets they affect, and what is reported."""

from __future__ import annotations

import pytest

from reconciler.controller.unread_statuses import complaints, doubts, hidden, most_attempts, unknown_statuses
from reconciler.core.change_budget import EVERYWHERE
from reconciler.core.claim import Claim
from reconciler.core.match import Hidden
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


def test_an_unread_file_hides_the_status_of_its_name_and_a_folder_those_of_its_specs() -> None:
    found = hidden(stored(FILE, FOLDER, PROVIDER, PROVIDERS))

    assert found == Hidden(frozenset({"a"}), ("team/",))
    assert found.may_hold(Claim(0, "b", "team/b.yaml", None))
    assert not found.may_hold(Claim(0, "b", "other/b.yaml", None))


def test_an_unread_status_directory_hides_every_status() -> None:
    assert hidden(stored(TREE)).may_hold(Claim(0, "b", "other/b.yaml", None))


@pytest.mark.parametrize(
    ("unread", "scope"),
    [((FILE,), str(ACCOUNT)), ((FOLDER,), EVERYWHERE), ((TREE,), EVERYWHERE)],
    ids=["a file, in its account", "a folder, everywhere", "the tree, everywhere"],
)
def test_an_unread_status_puts_the_change_budget_of_its_account_or_of_all_in_doubt(
    unread: tuple[Unread, ...], scope: str
) -> None:
    specs = resolved(a_named_spec("a")).candidates
    path = f"specs/status/{unread[0].path}"

    assert doubts(stored(*unread), specs, Operator()) == {scope: f"{path} cannot be read"}


def test_an_unread_file_whose_spec_has_no_account_puts_every_account_in_doubt() -> None:
    broken = BrokenJob(name="a", file="a.yaml", diagnostics=())

    assert list(doubts(stored(FILE), resolved(broken_jobs=(broken,)).candidates, Operator())) == [EVERYWHERE]
    assert list(doubts(stored(FILE), (), Operator())) == [EVERYWHERE]


def test_only_the_first_of_several_reasons_for_doubt_is_reported() -> None:
    found = doubts(stored(FOLDER, TREE, PROVIDER), (), Operator())

    assert found == {EVERYWHERE: "specs/status/team/ cannot be read"}


def test_each_unread_status_file_is_assumed_to_contain_the_maximum_of_receipts() -> None:
    other = Unread("b.yaml", "Permission denied", "")

    assert most_attempts(stored(FILE, other, FOLDER, PROVIDER)) == 2 * RECEIPTS_MAX
    assert most_attempts(stored(PROVIDER)) == 0


def test_an_unread_status_is_shown_as_unknown_with_its_error_and_not_as_stalled() -> None:
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
def test_the_message_for_an_unread_status_names_what_is_blocked_and_how_to_fix_it(unread: Unread, held: str) -> None:
    (said,) = complaints(stored(unread), Operator())

    assert said == (
        f"specs/status/{unread.path} cannot be read: {unread.why}; until it can be read, {held}. "
        f"To fix it, {unread.remedy}"
    )
