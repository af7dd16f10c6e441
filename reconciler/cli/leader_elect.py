"""The options of an election, and their conversion into the record that `wiring` accepts.

This module must not import anything slow: see `group`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.options import Decorator, file_option, text_option, token_file_option

if TYPE_CHECKING:
    from reconciler.cli.option_values import OptionValues
    from reconciler.wiring.election_options import ElectionOptions

ELECTION: tuple[Decorator[Any], ...] = (
    text_option(
        "--leader-elect",
        "LEASE",
        "Without --once: act only while this replica holds a lease, which replicas contend for: "
        "lease:NAMESPACE/NAME in Kubernetes, or etcd:https://HOST:PORT/KEY; commas separate further hosts of etcd.",
    ),
    text_option(
        "--leader-elect-lease-duration",
        "DURATION",
        "With --leader-elect: how long other replicas wait after the last renewal of the lease.",
        default="15s",
    ),
    text_option(
        "--leader-elect-renew-deadline",
        "DURATION",
        "With --leader-elect: how long the leader acts after its last renewal of the lease.",
        default="10s",
    ),
    text_option(
        "--leader-elect-retry-period",
        "DURATION",
        "With --leader-elect: time between two attempts to acquire or renew the lease.",
        default="2s",
    ),
    file_option(
        "--etcd-cafile", "With --leader-elect: file with the certificates that etcd's certificate is checked with."
    ),
    file_option("--etcd-certfile", "With --leader-elect: file with the client certificate for etcd."),
    file_option("--etcd-keyfile", "With --leader-elect: file with the key of the client certificate for etcd."),
    token_file_option(
        "--etcd-user-file",
        "With --leader-elect: file with NAME:PASSWORD of a user of etcd. Default: RECONCILE_ETCD_USER.",
    ),
)


def election_options(values: OptionValues) -> ElectionOptions | None:
    """Return the options of the election, or None if the watch takes part in none.

    Raises `click.BadParameter` if the place of the lease is invalid, or if the times do not fit together.
    """
    from reconciler.cli.option_values import seconds  # noqa: PLC0415  slow to import
    from reconciler.model.election import ElectionTiming, parse_address  # noqa: PLC0415
    from reconciler.wiring.election_options import ElectionOptions  # noqa: PLC0415

    written = values["leader_elect"]
    if written is None:
        return None
    try:
        address = parse_address(written)
    except ValueError as error:
        msg = f"{written!r} is not a lease: {error}"
        raise click.BadParameter(msg, param_hint="--leader-elect") from None
    timing = ElectionTiming(
        lease_s=seconds(values, "leader_elect_lease_duration"),
        renew_s=seconds(values, "leader_elect_renew_deadline"),
        retry_s=seconds(values, "leader_elect_retry_period"),
    )
    if (problem := timing.problem()) is not None:
        raise click.BadParameter(problem, param_hint="--leader-elect-lease-duration")
    return ElectionOptions(
        address=address,
        timing=timing,
        cafile=values["etcd_cafile"],
        certfile=values["etcd_certfile"],
        keyfile=values["etcd_keyfile"],
        user_file=values["etcd_user_file"],
    )
