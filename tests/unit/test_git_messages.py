"""The messages for failed Git commands."""

from __future__ import annotations

import pytest

from reconciler.git.git_messages import message_of

STALE_LOCK = b"""\
error: cannot lock ref 'refs/remotes/origin/main': Unable to create '/repository/.git/refs/remotes/origin/main.lock': \
File exists.

Another git process seems to be running in this repository, e.g.
an editor opened by 'git commit'. Please make sure all processes
are terminated then try again. If it still fails, a git process
may have crashed in this repository earlier:
remove the file manually to continue.
"""


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        (b"", "git fetch: it failed"),
        (b"fatal: not found\nhint: try again", "git fetch: fatal: not found"),
        (b"ssh: refused\nfatal: cannot read", "git fetch: ssh: refused fatal: cannot read"),
        (b"fatal: no access to https://me:secret@host/x", "git fetch: fatal: no access to https://host/x"),
        (
            STALE_LOCK,
            (
                "git fetch: /repository/.git/refs/remotes/origin/main.lock exists: another Git command is running, or "
                "one was killed; if none is running, remove the file"
            ),
        ),
    ],
    ids=["nothing", "a hint", "ssh", "a password", "a stale lock"],
)
def test_a_message_names_the_error_and_no_password(stderr: bytes, message: str) -> None:
    assert message_of("fetch", stderr) == message
