"""How limits are reported: a limit that cannot be evaluated is shown, and a limit that was exceeded is not drift."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import pytest

from reconciler.model.reason import Reason
from tests.support.cli import SPEC, Checkout
from tests.support.jobs_api import JobsApi, Row, a_row

TWO_HOURS = 7200
LIMIT = "  limits: {maxAge: 1h}\n"


@contextmanager
def a_place(root: Path, row: Row, headers: Mapping[str, str]) -> Iterator[tuple[Checkout, JobsApi]]:
    """Yield a checkout with one job that may run for at most an hour, and the account of the job."""
    api = JobsApi({"ftjob-a": row}, headers=headers)
    with api.served() as url:
        checkout = Checkout(root, {"OPENAI_API_KEY": "sk-for-a-loopback-server", "OPENAI_BASE_URL": url})
        spec = SPEC.format(name="a", provider="openai", job_id="ftjob-a", state="running")
        checkout.write("a.yaml", spec + LIMIT)
        yield checkout, api


def dated(ahead_s: int = 0) -> Callable[[], Mapping[str, str]]:
    """Return a function for the headers of a response, whose clock is ahead by this much."""
    return lambda: {"Date": formatdate(time.time() + ahead_s, usegmt=True)}


def ago(span_s: int, per_second: int = 1) -> Callable[[], int]:
    """Return a function for a creation time, which is this long before the start of the test."""
    return lambda: (int(time.time()) - span_s) * per_second


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("created_at", "headers", "why"),
    [
        (ago(TWO_HOURS), dict, "the response of the provider contains no time"),
        (ago(TWO_HOURS), lambda: {"Date": "Wed, 01 Jan 2025 00:00:00 GMT"}, "by more than 5 minutes"),
        (ago(TWO_HOURS), dated(600), "by more than 5 minutes"),
        (lambda: None, dated(), "no creation time that can be read"),
        (lambda: 0, dated(), "no creation time that can be read"),
        (ago(TWO_HOURS, per_second=1000), dated(), "no creation time that can be read"),
        (lambda: "2026-01-01T00:00:00Z", dated(), "no creation time that can be read"),
        (ago(-TWO_HOURS), dated(), "a creation time in the future"),
    ],
    ids=["no date", "an old date", "a date ahead", "null", "zero", "milliseconds", "text", "future"],
)
def test_a_limit_that_cannot_be_judged_cancels_nothing_and_is_reported_everywhere(
    tmp_path: Path, created_at: Callable[[], object], headers: Callable[[], Mapping[str, str]], why: str
) -> None:
    with a_place(tmp_path, a_row("ftjob-a", created_at=created_at()), headers()) as (checkout, api):
        once, plan = checkout.run("--once"), checkout.run("plan")
        before = checkout.traces()
        again = checkout.run("--once")
        described, wide = checkout.run("describe", "a"), checkout.run("get", "-o", "wide")
        markdown, lines = checkout.run("plan", "-o", "markdown"), checkout.run("plan", "-o", "json")
    ready = checkout.status("a").ready

    assert api.changes() == []
    assert (once.code, again.code, ready.reason) == (0, 0, Reason.AS_DESIRED)
    assert ready.message.startswith("running at the provider; its limit maxAge cannot be judged: ")
    assert why in ready.message
    assert all(why in " ".join(ran.out.split()) for ran in (once, plan, described, wide, markdown, lines))
    assert checkout.traces() == before


def test_a_job_cancelled_by_a_limit_is_ready_and_not_drift(tmp_path: Path) -> None:
    with a_place(tmp_path, a_row("ftjob-a", created_at=ago(TWO_HOURS)()), dated()()) as (checkout, api):
        once = checkout.run("--once", "--wait")
        plan, drift, get = checkout.run("plan", "--detailed-exitcode"), checkout.run("drift"), checkout.run("get")

    assert api.changes() == ["ftjob-a"]
    assert (once.code, plan.code, drift.code) == (0, 0, 0)
    assert checkout.status("a").ready.reason is Reason.LIMIT_REACHED
    assert "True" in get.out
    assert "No drift." in drift.out
