"""Where the health port is: one text for the watch that listens there and for the verb that asks it."""

from __future__ import annotations

import click

PORT_MAX = 65_535
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  what is listened to, and where it is asked


def split_address(text: str) -> tuple[str, int]:
    """Return the host and port of `127.0.0.1:8080` or `[::1]:8080`. Raises click's usage error for anything else."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > PORT_MAX:
        msg = f"{text!r} is not an address: write it as 127.0.0.1:8080"
        raise click.BadParameter(msg, param_hint="--listen")
    return host.strip("[]"), int(port)


def health_url(listen: str) -> str:
    """Return where to ask a watch that listens there, from the same machine."""
    host, port = split_address(listen)
    host = ANYWHERE.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/healthz"
