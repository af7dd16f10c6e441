"""Secrets: no output or file contains a key, and no key is sent to a host that it is not bound to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.second_opinion.session import Session


def judge(session: Session) -> None:
    """Report each output, file or foreign request that contains a key."""
    for account in session.accounts:
        secret = account.key.rpartition(":")[2]
        for run in session.runs:
            if secret in run.out + run.err:
                session.blame("secret-said", f"{run} printed the key of {account.name}")
        for path in session.root.parent.rglob("*"):
            if path.is_file() and ".git/" not in str(path) and secret.encode() in path.read_bytes():
                session.blame(
                    "secret-written", f"{path.relative_to(session.root.parent)} contains the key of {account.name}"
                )
    if session.wire.strangers:
        session.blame("stranger", f"a redirect was followed: {session.wire.strangers[0]}")
