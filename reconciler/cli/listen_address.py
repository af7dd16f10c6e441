"""The address of the health port, for a watch that listens on it and for the verb `healthcheck`."""

from __future__ import annotations

import click

PORT_MAX = 65_535
LOOPBACK_FOR = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  the address to query, by the address to listen on


def split_address(text: str) -> tuple[str, int]:
    """Return the host and port of an address such as `127.0.0.1:8080`, with an IPv6 address without brackets.

    Raises `click.BadParameter` if the text is not such an address.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > PORT_MAX:
        msg = f"{text!r} is not an address: write HOST:PORT, such as 127.0.0.1:8080"
        raise click.BadParameter(msg, param_hint="--listen")
    return host.strip("[]"), int(port)


def health_url(listen: str) -> str:
    """Return the URL of `/healthz` for a watch on this machine that listens on this address.

    Raises `click.BadParameter` if the text is not an address.
    """
    host, port = split_address(listen)
    host = LOOPBACK_FOR.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/healthz"
