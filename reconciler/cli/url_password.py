"""A password on the command line, taken out of it: every user of a machine can read the command lines of all others.

The process becomes itself again, with the same URL without the password, and the whole one in its environment, which
only the same user can read. Until then it stands there for a moment, and it stays in the history of a shell: a token
file or a variable is better.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from reconciler.git.remote_credentials import split_url

OPTION, VARIABLE = "--git-url", "RECONCILE_GIT_URL"


def hide_password() -> None:
    """Begin anew without the password in `--git-url`, if there is one; returns only where there is none."""
    command, url = without_password(sys.orig_argv)
    if url is None or not sys.executable:
        return
    os.environ[VARIABLE] = url
    os.execv(sys.executable, command)  # noqa: S606  this very program, with the arguments that it was given


def without_password(command: Sequence[str]) -> tuple[list[str], str | None]:
    """Return a command without what opens the remote in its URL, and the last URL that had that, or None."""
    shown, hidden = [], None
    for before, word in zip(("", *command), command, strict=False):
        head = f"{OPTION}=" if word.startswith(f"{OPTION}=") else ""
        url = word.removeprefix(head)
        if (head or before == OPTION) and is_opening(url):
            hidden, url = url, split_url(url)[0]
        shown.append(head + url)
    return shown, hidden


def is_opening(url: str) -> bool:
    """Return whether a URL over HTTP holds a user or a password."""
    try:
        return urlsplit(url).scheme in {"http", "https"} and "@" in urlsplit(url).netloc
    except ValueError:
        return False
