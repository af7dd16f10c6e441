"""Secrets: no key in any output or file, and none sent to a host that it is not bound to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.second_opinion.session import Story


def judge(story: Story) -> None:
    """Blame each place where a key can be read."""
    for account in story.accounts:
        secret = account.key.rpartition(":")[2]
        for run in story.runs:
            if secret in run.out + run.err:
                story.blame("secret-said", f"{run} printed the key of {account.name}")
        for path in story.root.parent.rglob("*"):
            if path.is_file() and ".git/" not in str(path) and secret.encode() in path.read_bytes():
                story.blame("secret-written", f"{path.relative_to(story.root.parent)} holds the key of {account.name}")
    if story.wire.strangers:
        story.blame("stranger", f"a redirect was followed: {story.wire.strangers[0]}")
