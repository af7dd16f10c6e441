"""Whether accounts can be used, as `validate --live` checks."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.controller.check_accounts import Checked, check
from reconciler.errors import Delivered, Kind, PermanentError, ProviderError, TransientError
from reconciler.model.batch_job import BatchJob
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import JobPage, ListQuery
from reconciler.model.reason import Reason
from reconciler.ports import JobReader, Snapshot
from tests.support.build import ACCOUNT, a_spec
from tests.support.documents import a_provider, located
from tests.support.in_memory import OpenAccounts, World
from tests.support.read_only_account import ReadOnlyAccount, account_of

DENIED = PermanentError("401: the key is not accepted", kind=Kind.DENIED)
MISSING = PermanentError("set OPENAI_API_KEY", kind=Kind.MISSING)
DOWN = TransientError("no answer", delivered=Delivered.UNKNOWN)
BOTH = Snapshot(jobs=(located(a_spec()),), providers=(located(a_provider("far", baseUrl="https://far.example")),))


class Sizes(ReadOnlyAccount):
    """An account that records how many rows were requested."""

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return a page."""
        self.ask(f"{query.page_size} rows")
        return await super().list_page(query, cursor)


def checked(
    reader: JobReader | Exception, snapshot: Snapshot = BOTH, *, is_asked: bool = True
) -> tuple[dict[str, Checked], OpenAccounts]:
    """Check the accounts of a revision, and return the results by name and the opened accounts."""
    accounts = OpenAccounts({ACCOUNT: reader})
    found = asyncio.run(check(snapshot, World(accounts=accounts).runtime(), is_asked=is_asked))
    return {each.name: each for each in found}, accounts


def test_an_account_is_usable_if_it_returns_one_row_of_its_list() -> None:
    reader = account_of(250, kind=Sizes)
    found, accounts = checked(reader)

    assert found["openai"].unobserved is None
    assert found["openai"].exit_code is ExitCode.OK
    assert found["openai"].target is not None
    assert found["openai"].target.account == ACCOUNT
    assert reader.asked == ["1 rows", "page 1"]
    assert accounts.opened == [ACCOUNT]


def test_an_untrusted_host_is_reported_and_receives_no_request() -> None:
    found, accounts = checked(account_of(1))
    far = found["far"]

    assert (far.target, far.exit_code) == (None, ExitCode.CONFIGURATION)
    assert far.unobserved is not None
    assert far.unobserved.reason is Reason.HOST_NOT_TRUSTED
    assert accounts.opened == [ACCOUNT]


def test_without_the_live_check_no_account_is_opened() -> None:
    found, accounts = checked(DENIED, is_asked=False)

    assert found["openai"].exit_code is ExitCode.OK
    assert found["far"].exit_code is ExitCode.CONFIGURATION
    assert accounts.opened == []


@pytest.mark.parametrize(
    ("error", "reason", "code"),
    [
        (DENIED, Reason.AUTHENTICATION_FAILED, ExitCode.PROVIDER_UNOBSERVED),
        (MISSING, Reason.AUTHENTICATION_FAILED, ExitCode.CONFIGURATION),
        (DOWN, Reason.CANNOT_OBSERVE_PROVIDER, ExitCode.PROVIDER_UNOBSERVED),
    ],
    ids=["the key is denied", "there is no key", "no answer"],
)
@pytest.mark.parametrize("is_at_opening", [True, False], ids=["when it is opened", "when it is asked"])
def test_a_failing_account_is_reported_with_its_reason_and_exit_code(
    error: ProviderError, reason: Reason, code: ExitCode, *, is_at_opening: bool
) -> None:
    reader = account_of(1)
    reader.broken["page 1"] = error
    found, _ = checked(error if is_at_opening else reader)

    assert found["openai"].target is not None
    assert found["openai"].unobserved is not None
    assert (found["openai"].unobserved.reason, found["openai"].unobserved.message) == (reason, str(error))
    assert found["openai"].exit_code is code


def test_an_invalid_provider_document_is_reported_under_its_name() -> None:
    found, _ = checked(account_of(1), Snapshot(broken_providers=frozenset({"spoilt"})))

    assert list(found) == ["spoilt"]
    assert found["spoilt"].exit_code is ExitCode.INVALID_DOCUMENT


def test_a_revision_without_accounts_has_no_check_results() -> None:
    assert checked(DENIED, Snapshot())[0] == {}


def test_an_account_with_specs_for_batches_only_is_tested_by_the_list_of_its_batches() -> None:
    batch = BatchJob.model_validate({**a_spec().model_dump(by_alias=True, mode="json"), "kind": "BatchJob"})
    reader, batches = account_of(1), ACCOUNT.of_kind("BatchJob")
    accounts = OpenAccounts({batches: reader, ACCOUNT: DENIED})
    runtime = World(accounts=accounts).runtime()
    only = Snapshot(jobs=(located(batch),))
    both = Snapshot(jobs=(located(batch, "a.yaml"), located(a_spec("other"), "b.yaml")))
    (alone,), (beside,) = (asyncio.run(check(each, runtime, is_asked=True)) for each in (only, both))

    assert (alone.unobserved, beside.unobserved is None) == (None, False)
    assert alone.target is not None
    assert alone.target.account == batches
