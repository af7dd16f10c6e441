"""Removal of a password from the command line, because every user of a machine can read all command lines.

The process executes itself again without the password in the URL, and passes the full URL in the environment, which
only the same user can read. The password is still visible for a moment at the start, and it stays in the shell's
history; a token file or a variable is safer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from reconciler.git.remote_credentials import split_url

OPTION, VARIABLE = "--git-url", "RECONCILE_GIT_URL"


def hide_password() -> None:
    """Execute the process again without the credentials in `--git-url`.

    Return if `--git-url` contains none, or if the path of the interpreter is unknown.
    """
    command, url = without_password(sys.orig_argv)
    if url is None or not sys.executable:
        return
    os.environ[VARIABLE] = url
    os.execv(sys.executable, command)  # noqa: S606  this program, with its own arguments


def without_password(command: Sequence[str]) -> tuple[list[str], str | None]:
    """Return a command without the credentials in its Git URLs, and the last URL that contained any, or None."""
    shown, hidden = [], None
    for before, word in zip(("", *command), command, strict=False):
        head = f"{OPTION}=" if word.startswith(f"{OPTION}=") else ""
        url = word.removeprefix(head)
        if (head or before == OPTION) and has_credentials(url):
            hidden, url = url, split_url(url)[0]
        shown.append(head + url)
    return shown, hidden


def has_credentials(url: str) -> bool:
    """Return whether an HTTP URL contains a user name or a password."""
    try:
        return urlsplit(url).scheme in {"http", "https"} and "@" in urlsplit(url).netloc
    except ValueError:
        return False
