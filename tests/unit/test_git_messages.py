"""The messages for failed Git commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.git.git_messages import message_of, with_relative_paths

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
        (b"", "git fetch: failed without a message"),
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


@pytest.mark.parametrize(("verb", "is_told"), [("push", True), ("fetch", False)])
def test_a_push_that_the_host_forbids_says_what_to_allow(verb: str, *, is_told: bool) -> None:
    stderr = b"remote: You are not allowed.\nfatal: unable to access 'http://h/': The requested URL returned error: 403"
    message = message_of(verb, stderr)

    assert message.startswith(f"git {verb}: remote: You are not allowed. fatal: unable to access 'http://h/'")
    assert ("; in GitLab CI, enable" in message) is is_told


@pytest.mark.parametrize(
    ("top", "git_dir", "common_dir", "text", "relative"),
    [
        ("/w", "/w/.git", "/w/.git", "/w/.git/index.lock exists", ".git/index.lock exists"),
        ("/w", "/m/.git/worktrees/w", "/m/.git/worktrees/w/../..", "/m/.git/shallow: denied", ".git/shallow: denied"),
        ("/w/sub", "/w/sub/../.git/modules/sub", "/w/.git/modules/sub", "/w/sub/a of /w/.git/x", "a of .git/x"),
        ("/w", "/elsewhere/repo", "/elsewhere/repo", "remove /elsewhere/repo/index.lock", "remove index.lock"),
        ("/", "/.git", "/.git", "/.git/index.lock exists", "/.git/index.lock exists"),
    ],
    ids=["a repository", "a linked working tree", "a submodule", "a separate Git directory", "the root directory"],
)
def test_a_message_shows_the_paths_of_a_repository_relative_to_it(
    top: str, git_dir: str, common_dir: str, text: str, relative: str
) -> None:
    assert with_relative_paths(text, Path(top), Path(git_dir), Path(common_dir)) == relative
