"""What the options mean, in the loop's words."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from reconciler.cli.listen_address import split_address
from reconciler.controller.run_options import (
    GitRemote,
    Paths,
    Publishing,
    SafetyOptions,
    Selection,
    Timeouts,
    TrustSources,
)
from reconciler.git.discovery import led_out_of
from reconciler.git.remote_credentials import split_url
from reconciler.model.spec import parse_duration
from reconciler.views.renderers import formats
from reconciler.wiring.monitoring import Observing

SHORTEST = 7
_COMMIT = re.compile(rf"[0-9a-f]{{{SHORTEST},64}}")

OptionValues = Mapping[str, Any]
"""What click read, by parameter name."""


def output_of(given: OptionValues, what: str) -> str:
    """Return the format that `-o` names, or the only one that a result has."""
    return str(given.get("output", formats(what)[0]))


def place(given: OptionValues) -> Paths:
    """Return where things are. Raises click's usage error for a place that a commit can lead elsewhere."""
    remote = _remote(given) if given.get("git_url") else None
    for name in ("specs", "status_dir") if remote is None else ():
        if given[name] is not None and (top := led_out_of(given[name])) is not None:
            msg = f"{str(given[name])!r} leads out of the checkout {top} by a link: name the place where it leads"
            raise click.BadParameter(msg, param_hint=f"--{name.replace('_', '-')}")
    return Paths(
        specs=given["specs"] if remote is None else Path(remote.path),
        status_dir=given["status_dir"],
        state_dir=given["state_dir"],
        audit=given.get("audit"),
        operator=given.get("config"),
        remote=remote,
    )


def _remote(given: OptionValues) -> GitRemote:
    path = given["git_path"].strip("/")
    if ".." in path.split("/"):
        msg = "the specs directory cannot be above the top of the tree"
        raise click.BadParameter(msg, param_hint="--git-path")
    accepted = given["accept_revision"]
    if accepted is not None and not _COMMIT.fullmatch(accepted):
        msg = f"{accepted!r} is not a commit: write at least {SHORTEST} of its digits, as the warning shows them"
        raise click.BadParameter(msg, param_hint="--accept-revision")
    try:
        url, user, password = split_url(given["git_url"])
        if user is None and password is None:
            # Where it is the same, what opens it may stand in the variable, to be in no list of processes.
            other, *opening = split_url(os.environ.get("RECONCILE_GIT_URL", ""))
            user, password = opening if other == url else (None, None)
    except ValueError:
        msg = "this is not a URL: its host makes no sense"
        raise click.BadParameter(msg, param_hint="--git-url") from None
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


def selection(given: OptionValues, names: tuple[str, ...] = ()) -> Selection:
    """Return which jobs are meant. Raises click's usage error for a selector that is none."""
    return Selection(names=names, labels=_labels(given["selector"] or ""), provider=given["provider"])


def brakes(given: OptionValues) -> SafetyOptions:
    """Return the limits on changes, and what may pass them."""
    return SafetyOptions(
        allow_cancels=given["allow_cancels"],
        allow_names=frozenset(given["allow_cancel"]),
        max_cancels=given["max_cancels"],
        max_cancel_percent=given["max_cancel_percent"],
        max_cancels_absolute=given["max_cancels_absolute"],
        suspend=given["suspend"],
    )


def trust(given: OptionValues) -> TrustSources:
    """Return where the operator says which hosts and files are trusted."""
    return TrustSources(files=tuple(given["trust_files"]), secret_dirs=tuple(given["secrets_dir"]))


def seconds(given: OptionValues, name: str) -> float:
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


def patience(given: OptionValues) -> Timeouts:
    """Return how long a run goes on. Raises click's usage error for a duration that is none."""
    wait_s = None if given["wait"] is None else seconds(given, "wait")
    return Timeouts(timeout_s=seconds(given, "timeout"), wait_s=wait_s)


def observing(given: OptionValues) -> Observing:
    """Return how the watch is to be followed. Raises click's usage error for an address that is none."""
    listen = None if given["listen"] is None else split_address(given["listen"])
    names = tuple(name.strip() for name in (given["listen_names"] or "").split(",") if name.strip())
    return Observing(listen=listen, listen_names=names, heartbeat_url=given["heartbeat_url"])


def publishing(given: OptionValues) -> Publishing:
    """Return whether and where statuses become commits."""
    return Publishing(
        is_committed=given["commit"],
        is_pushed=given["push"],
        status_branch=given["status_branch"],
        remote=given["remote"],
        author=given["commit_author"],
        trailers=tuple(given["commit_trailer"]),
    )
