"""Attacks on the reader of a GitHub comment or summary: text that an author of specs wrote is shown as plain text."""

from __future__ import annotations

import json

import pytest

from tests.support.cli import Checkout
from tests.support.references import BREAK, REFERENCES
from tests.support.sandbox_client import Sandbox

REASONS = {
    "an issue": "see #1",
    "another repository's issue": "fixes acme/web#7",
    "an issue by GH": "closes GH-3",
    "a commit": "as 0123456789abcdef0123456789abcdef01234567",
    "a short commit": "as 0123abc",
    "another repository's commit": "as acme/web@0123abcd",
    "a person": "ask @ada",
    "a team": "ask @acme/web",
    "an e-mail address": "ask ada@x.example",
    "an issue's address": "see https://github.com/acme/web/issues/1",
    "a bare address": "see www.x.example",
    "a picture": "done :tada:",
    "a formula": "costs $5 or $6",
    "another tracker's key": "see TICKET-412",
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("what", REASONS)
def test_a_reason_creates_no_link_and_no_mention_on_github(checkout: Checkout, sandbox: Sandbox, what: str) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    spec = (checkout.specs / "runaway.yaml").read_text(encoding="utf-8")
    checkout.write("runaway.yaml", f"{spec}  reason: {json.dumps(REASONS[what])}\n")
    ran = checkout.run("plan", "-o", "markdown")
    (row,) = [line for line in ran.out.splitlines() if "**runaway**" in line]
    pieces = row.replace("\\$", "$").split(BREAK)

    assert ran.code == 0
    assert REASONS[what] in "".join(pieces)
    assert [piece for piece in pieces if REFERENCES.search(piece)] == []
