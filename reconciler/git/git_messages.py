"""The message for a failed Git command, made from its standard error."""

from __future__ import annotations

import re

_MESSAGE_MAX = 1024
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_LOCKED = re.compile(r"Unable to create '([^'\n]{1,4096}\.lock)': File exists")


def message_of(verb: str, stderr: bytes) -> str:
    """Return the message for a failed Git command, as one line.

    Args:
        verb: the command, such as `fetch`.
        stderr: the standard error of the command.
    """
    text = stderr.decode("utf-8", "replace").strip()
    locked = _LOCKED.search(text)
    found = _lock_message(locked[1]) if locked else _last_error(text.splitlines() or ["it failed"])
    readable = "".join(each if each.isprintable() else " " for each in without_credentials(found))
    return f"git {verb}: {readable[:_MESSAGE_MAX]}"


def without_credentials(text: str) -> str:
    """Return a text without the user and password of any URL."""
    return _CREDENTIALS.sub("", text)


def _lock_message(path: str) -> str:
    """Return a message that names the lock. Git's own message names it in another line than the remedy."""
    return f"{path} exists: another Git command is running, or one was killed; if none is running, remove the file"


def _last_error(lines: list[str]) -> str:
    fatal = next((at for at, line in enumerate(lines) if line.startswith("fatal:")), len(lines) - 1)
    # The line before the error may be from ssh. The lines after the error are hints.
    return " ".join(lines[max(0, fatal - 1) : fatal + 1])
