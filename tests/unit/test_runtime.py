"""An account as a pass sees it: read-only, open or unavailable, and raising only a `ProviderError`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from reconciler.controller.runtime import open_or_unavailable, read_only
from reconciler.errors import DefectError, Delivered, Kind, PermanentError, TransientError
from reconciler.model.job import JobRef, ListQuery
from reconciler.model.job_log import JobCheckpoint, JobEvent
from reconciler.ports import JobReader, SupportsCheckpoints, SupportsEvents, SupportsPause
from tests.support.build import ACCOUNT, a_job
from tests.support.in_memory import OpenAccounts
from tests.support.in_memory_accounts import InMemoryAccount, PausableAccount, a_target, an_account
from tests.support.subjects import REF

EVENT = JobEvent(None, "info", "step 10")
CHECKPOINT = JobCheckpoint(None, 10, "ft:triage:10")
MISSING = PermanentError("no key is set", kind=Kind.MISSING)


class Chatty(InMemoryAccount):
    """An account that supports events."""

    async def list_events(self, ref: JobRef, limit: int) -> tuple[JobEvent, ...]:
        """Return `limit` events."""
        self.ask(f"events {ref.id}")
        return (EVENT,) * limit


class Thorough(Chatty):
    """An account that supports events and checkpoints."""

    async def list_checkpoints(self, ref: JobRef, limit: int) -> tuple[JobCheckpoint, ...]:
        """Return `limit` checkpoints."""
        self.ask(f"checkpoints {ref.id}")
        return (CHECKPOINT,) * limit


def opened(reader: JobReader | Exception) -> JobReader:
    return asyncio.run(open_or_unavailable(OpenAccounts({ACCOUNT: reader}), a_target()))


def answer(reader: Any, question: str) -> Any:
    """Call one method of a reader, and return the result."""
    match question:
        case "get":
            return asyncio.run(reader.get_job(REF))
        case "list":
            return asyncio.run(reader.list_page(ListQuery(20), None))
        case _:
            return asyncio.run(getattr(reader, f"list_{question}")(REF, 2))


def test_an_open_account_can_be_read_and_has_no_method_to_change_a_job() -> None:
    reader = opened(PausableAccount(an_account().jobs))

    assert answer(reader, "get") == a_job()
    assert answer(reader, "list").jobs == (a_job(),)
    assert not hasattr(reader, "cancel_job")
    assert not isinstance(reader, SupportsPause)


def test_a_read_only_account_supports_events_only_if_the_account_does() -> None:
    plain, chatty, thorough = (read_only(kind({})) for kind in (InMemoryAccount, Chatty, Thorough))

    assert not isinstance(plain, SupportsEvents | SupportsCheckpoints)
    assert (answer(chatty, "events"), answer(chatty, "checkpoints")) == ((EVENT, EVENT), ())
    assert (answer(thorough, "events"), answer(thorough, "checkpoints")) == ((EVENT, EVENT), (CHECKPOINT, CHECKPOINT))


@dataclass
class OnlyCheckpoints(InMemoryAccount):
    """An account that supports checkpoints but not events."""

    async def list_checkpoints(self, ref: JobRef, limit: int) -> tuple[JobCheckpoint, ...]:
        """Return no checkpoints."""
        del ref, limit
        return ()


def test_an_account_with_checkpoints_but_without_events_returns_no_events() -> None:
    assert answer(read_only(OnlyCheckpoints({})), "events") == ()


QUESTIONS = {
    "get": "ftjob-abc123",
    "list": "page 1",
    "events": "events ftjob-abc123",
    "checkpoints": "checkpoints ftjob-abc123",
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_read_only_account_raises_a_provider_error_unchanged(question: str) -> None:
    account, error = Thorough(an_account().jobs), TransientError("no answer", delivered=Delivered.UNKNOWN)
    account.broken[QUESTIONS[question]] = error

    with pytest.raises(TransientError) as raised:
        answer(read_only(account), question)
    assert raised.value is error


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_bug_in_an_adapter_is_a_defect_error_without_its_message(question: str) -> None:
    account = Thorough(an_account().jobs)
    account.broken[QUESTIONS[question]] = KeyError("a secret")

    with pytest.raises(DefectError, match=r"^a bug in the provider type: KeyError in read_only_account\.py") as raised:
        answer(read_only(account), question)
    assert "a secret" not in str(raised.value)


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_account_that_cannot_be_opened_raises_its_reason_for_every_request(question: str) -> None:
    with pytest.raises(PermanentError) as raised:
        answer(opened(MISSING), question)
    assert raised.value is MISSING


def test_a_bug_while_an_account_is_opened_is_a_defect_error() -> None:
    with pytest.raises(DefectError, match=r"^a bug in the provider type: ZeroDivisionError"):
        answer(opened(ZeroDivisionError()), "get")
