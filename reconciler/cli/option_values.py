"""Conversion of option values into the records that `controller` and `wiring` accept."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from reconciler.cli.found_specs import specs_of
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
from reconciler.git.discovery import checkout_left_by
from reconciler.git.remote_credentials import split_url
from reconciler.local.installed_version import version_text
from reconciler.model.selector import Labels, parse_selector
from reconciler.model.shard import Shard
from reconciler.model.spec import parse_duration
from reconciler.telemetry.metrics_options import MetricsOptions, metric_labels
from reconciler.views.renderers import formats
from reconciler.wiring.monitoring_options import MonitoringOptions

OptionValues = Mapping[str, Any]
"""The values that click parsed, by parameter name."""
COMMIT_DIGITS_MIN = 7
_COMMIT = re.compile(rf"[0-9a-f]{{{COMMIT_DIGITS_MIN},64}}")


def output_format(values: OptionValues, what: str) -> str:
    """Return the format that `-o` selects. For a result without `-o`, return its only format."""
    return str(values.get("output", formats(what)[0]))


def paths(values: OptionValues) -> Paths:
    """Return the directories and files to work with.

    Raises `click.BadParameter` if an option of the Git remote is invalid, or if a directory leads out of the checkout
    through a link, because a commit could change where the link leads.
    """
    remote = _remote(values) if values.get("git_url") else None
    specs = specs_of(values) if remote is None else Path(remote.path)
    named = {"--specs": specs, "--status-dir": values["status_dir"]} if remote is None else {}
    for option, path in named.items():
        if path is not None and (top := checkout_left_by(path)) is not None:
            msg = f"{str(path)!r} leads out of the checkout {top} through a link: use the link's target instead"
            raise click.BadParameter(msg, param_hint=option)
    return Paths(
        specs=specs,
        status_dir=values["status_dir"],
        state_dir=values["state_dir"],
        audit=values.get("audit"),
        operator=values.get("config"),
        remote=remote,
    )


def _remote(values: OptionValues) -> GitRemote:
    parts = [part for part in values["git_path"].split("/") if part not in {"", "."}]
    if ".." in parts:
        msg = "the specs directory must be inside the repository: remove '..'"
        raise click.BadParameter(msg, param_hint="--git-path")
    accepted = values["accept_revision"]
    if accepted is not None and not _COMMIT.fullmatch(accepted):
        msg = f"{accepted!r} is not a commit ID: write at least {COMMIT_DIGITS_MIN} of its hexadecimal digits"
        raise click.BadParameter(msg, param_hint="--accept-revision")
    try:
        url, user, password = split_url(values["git_url"])
        if user is None and password is None:
            # `url_password` has moved the credentials of `--git-url` into this variable, because `ps` does not show it.
            variable_url, *credentials = split_url(os.environ.get("RECONCILE_GIT_URL", ""))
            user, password = credentials if variable_url == url else (None, None)
    except ValueError:
        msg = "the host of this URL is not valid"
        raise click.BadParameter(msg, param_hint="--git-url") from None
    return GitRemote(
        url=url,
        user=user,
        password=password,
        ref=values["git_ref"],
        path="/".join(parts),
        poll_s=seconds(values, "git_poll"),
        token_file=values["git_token_file"],
        accepted=accepted,
    )


def selection(values: OptionValues, names: tuple[str, ...] = ()) -> Selection:
    """Return the selection of jobs. Without `names`, it is not restricted to named jobs.

    Raises `click.BadParameter` if the selector or the shard is invalid.
    """
    return Selection(
        names=names,
        labels=_labels(values.get("selector") or ""),
        provider=values.get("provider"),
        kind=values.get("kind"),
        shard=_shard(values.get("shard")),
    )


def _shard(written: str | None) -> Shard | None:
    if written is None:
        return None
    try:
        return Shard.parse(written)
    except ValueError as error:
        msg = f"{written!r} is not a shard: {error}"
        raise click.BadParameter(msg, param_hint="--shard") from None


def safety_options(values: OptionValues) -> SafetyOptions:
    """Return the guard's limits, the changes that are allowed despite the guard, and what stops every change."""
    return SafetyOptions(
        allow_cancels=values["allow_cancels"],
        allow_names=frozenset(values["allow_cancel"]),
        max_cancels=values["max_cancels"],
        max_cancel_percent=values["max_cancel_percent"],
        max_cancels_absolute=values["max_cancels_absolute"],
        suspend=values["suspend"],
        shadow=values["shadow"],
    )


def trust_sources(values: OptionValues) -> TrustSources:
    """Return the files that bind credentials to hosts, and the directories that may contain credential files."""
    return TrustSources(files=tuple(values["trust_files"]), secret_dirs=tuple(values["secrets_dir"]))


def seconds(values: OptionValues, name: str) -> float:
    """Return the value of a duration option in seconds. Raises `click.BadParameter` if it is not a duration."""
    try:
        return parse_duration(values[name]).total_seconds()
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=f"--{name.replace('_', '-')}") from None


def _labels(text: str) -> Labels:
    try:
        return parse_selector(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--selector") from None


def timeouts(values: OptionValues) -> Timeouts:
    """Return the values of `--timeout` and `--wait`. Raises `click.BadParameter` if one is not a duration."""
    wait_s = None if values["wait"] is None else seconds(values, "wait")
    return Timeouts(timeout_s=seconds(values, "timeout"), wait_s=wait_s)


def monitoring_options(values: OptionValues) -> MonitoringOptions:
    """Return the monitoring options of a watch.

    Raises `click.BadParameter` if the address of `--listen` or a label of `--metrics-labels` is invalid.
    """
    listen = None if values["listen"] is None else split_address(values["listen"])
    return MonitoringOptions(
        listen=listen,
        listen_names=_words(values["listen_names"]),
        listen_token_file=values["listen_token_file"],
        heartbeat_url=values["heartbeat_url"],
        metrics=_metrics_options(values),
    )


def _metrics_options(values: OptionValues) -> MetricsOptions:
    try:
        labels = metric_labels(_words(values["metrics_labels"]))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--metrics-labels") from None
    has_jobs = values["metrics_jobs"] == "all"
    return MetricsOptions(version_text(), has_jobs=has_jobs, shard=_shard(values.get("shard")), labels=labels)


def _words(text: str | None) -> tuple[str, ...]:
    """Return the words of a list with commas; a missing list has none."""
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def publishing(values: OptionValues) -> Publishing:
    """Return how statuses are published: whether they are committed and pushed, where, and by which author."""
    return Publishing(
        is_committed=values["commit"],
        is_pushed=values["push"],
        status_branch=values["status_branch"],
        remote=values["remote"],
        author=values["commit_author"],
        trailers=tuple(values["commit_trailer"]),
    )
