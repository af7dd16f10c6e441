"""Make a message of one line from the standard error of a failed Git command."""

from __future__ import annotations

import re
from pathlib import Path

_MESSAGE_MAX = 1024
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_FORBIDDEN = "returned error: 403"
_MAY_NOT_PUSH = (
    "; the token probably has no permission to push: in GitHub Actions, give the job the permission `contents: write`; "
    "in GitLab CI, enable Settings > CI/CD > Job token permissions > Allow Git push requests to the repository; or set "
    "RECONCILE_GIT_TOKEN to a token that may push"
)
"""What to do if a push gets HTTP 403. The setting of GitLab is described at https://docs.gitlab.com/ci/jobs/ci_job_token/."""
_LOCKED = re.compile(r"Unable to create '([^'\n]{1,4096}\.lock)': File exists")


def message_of(verb: str, stderr: bytes) -> str:
    """Return the message for a failed Git command, as one line.

    Args:
        verb: the command, such as `fetch`.
        stderr: the standard error of the command.
    """
    text = stderr.decode("utf-8", "replace").strip()
    locked = _LOCKED.search(text)
    found = _lock_message(locked[1]) if locked else _last_error(text.splitlines() or ["failed without a message"])
    readable = "".join(each if each.isprintable() else " " for each in without_credentials(found))
    hint = _MAY_NOT_PUSH if verb == "push" and _FORBIDDEN in text else ""
    return f"git {verb}: {readable[:_MESSAGE_MAX]}{hint}"


def without_credentials(text: str) -> str:
    """Return a text without the user and password of any URL."""
    return _CREDENTIALS.sub("", text)


def with_relative_paths(text: str, top: Path, git_dir: Path, common_dir: Path) -> str:
    """Return a text in which the paths of a repository are relative to it, such as `.git/index.lock`.

    Args:
        text: a message.
        top: the top of the working tree.
        git_dir: the Git directory of the working tree.
        common_dir: the directory that contains the branches and objects.
    """
    # The Git directory of a linked working tree or a submodule is in the `.git` of another working tree.
    directories = (each for path in (git_dir, common_dir) for each in (path, path.resolve()))
    roots = {f"{each}/".partition("/.git/")[0].rstrip("/") for each in (*directories, top)} - {""}
    for root in sorted(roots, key=len, reverse=True):
        text = text.replace(f"{root}/", "")
    return text


def _lock_message(path: str) -> str:
    """Return a message with both the lock and the remedy. In Git's own message, they are on different lines."""
    return f"{path} exists: another Git command is running, or one was killed; if none is running, remove the file"


def _last_error(lines: list[str]) -> str:
    fatal = next((at for at, line in enumerate(lines) if line.startswith("fatal:")), len(lines) - 1)
    # The line before the error may be from ssh. The lines after the error are hints.
    return " ".join(lines[max(0, fatal - 1) : fatal + 1])
