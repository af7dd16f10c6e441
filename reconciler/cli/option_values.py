"""What the options mean, in the loop's words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from reconciler.controller.run_options import Brakes, GitRemote, Patience, Place, Publishing, Selection, TrustSources
from reconciler.git.remote_credentials import split_url
from reconciler.model.spec import parse_duration
from reconciler.wiring.monitoring import Observing

PORT_MAX = 65_535
SHORTEST = 7
_COMMIT = re.compile(rf"[0-9a-f]{{{SHORTEST},64}}")

Given = Mapping[str, Any]
"""What click read, by parameter name."""


def place(given: Given) -> Place:
    """Return where things are."""
    remote = _remote(given) if given.get("git_url") else None
    return Place(
        specs=given["specs"] if remote is None else Path(remote.path),
        status_dir=given["status_dir"],
        state_dir=given["state_dir"],
        audit=given.get("audit"),
        remote=remote,
    )


def _remote(given: Given) -> GitRemote:
    path = given["git_path"].strip("/")
    if ".." in path.split("/"):
        msg = "the specs directory cannot be above the top of the tree"
        raise click.BadParameter(msg, param_hint="--git-path")
    accepted = given["accept_revision"]
    if accepted is not None and not _COMMIT.fullmatch(accepted):
        msg = f"{accepted!r} is not a commit: write at least {SHORTEST} of its digits, as the warning shows them"
        raise click.BadParameter(msg, param_hint="--accept-revision")
    url, user, password = split_url(given["git_url"])
    return GitRemote(
        url=url,
        user=user,
        password=password,
        ref=given["git_ref"],
        path="" if path == "." else path,
        poll_s=seconds(given, "git_poll"),
        token_file=given["git_token_file"],
        accepted=accepted,
    )


def selection(given: Given, names: tuple[str, ...] = ()) -> Selection:
    """Return which jobs are meant. Raises click's usage error for a selector that is none."""
    return Selection(names=names, labels=_labels(given["selector"] or ""), provider=given["provider"])


def brakes(given: Given) -> Brakes:
    """Return the limits on changes, and what may pass them."""
    return Brakes(
        allow_cancels=given["allow_cancels"],
        allow_names=frozenset(given["allow_cancel"]),
        max_cancels=given["max_cancels"],
        max_cancel_percent=given["max_cancel_percent"],
        max_cancels_absolute=given["max_cancels_absolute"],
        suspend=given["suspend"],
    )


def trust(given: Given) -> TrustSources:
    """Return where the operator says which hosts and files are trusted."""
    return TrustSources(files=tuple(given["trust_files"]), secret_dirs=tuple(given["secrets_dir"]))


def seconds(given: Given, name: str) -> float:
    """Return an option that is a duration. Raises click's usage error where it is none."""
    try:
        return parse_duration(given[name]).total_seconds()
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=f"--{name.replace('_', '-')}") from None


def _labels(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [part.strip().partition("=") for part in text.split(",")] if text else []
    for key, sign, value in pairs:
        if not (key and sign and value):
            msg = f"{text!r} is not a selector: write it as team=support, or team=support,env=prod"
            raise click.BadParameter(msg, param_hint="--selector")
    return tuple((key, value) for key, _, value in pairs)


def patience(given: Given) -> Patience:
    """Return how long a run goes on. Raises click's usage error for a duration that is none."""
    wait_s = None if given["wait"] is None else seconds(given, "wait")
    return Patience(timeout_s=seconds(given, "timeout"), wait_s=wait_s)


def observing(given: Given) -> Observing:
    """Return how the watch is to be followed. Raises click's usage error for an address that is none."""
    return Observing(listen=_address(given["listen"]), heartbeat_url=given["heartbeat_url"])


def _address(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > PORT_MAX:
        msg = f"{text!r} is not an address: write it as 127.0.0.1:8080"
        raise click.BadParameter(msg, param_hint="--listen")
    return host.strip("[]"), int(port)


def publishing(given: Given) -> Publishing:
    """Return whether and where statuses become commits."""
    return Publishing(
        is_committed=given["commit"],
        is_pushed=given["push"],
        status_branch=given["status_branch"],
        remote=given["remote"],
        author=given["commit_author"],
        trailers=tuple(given["commit_trailer"]),
    )
