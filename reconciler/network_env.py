"""The proxy and the certificate authorities that this machine's environment configures.

Rules: the variables are those that curl and the vendors' clients read. Messages contain only the host of a proxy,
because the proxy's URL may contain a password. If a setting cannot be used, `ValueError` or `OSError` is raised with a
message that names the variable.

Sources: curl(1), "Environment"; golang.org/x/net/http/httpproxy; OpenSSL, SSL_CTX_load_verify_locations(3).
"""

from __future__ import annotations

import errno
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
"""Variables that name certificate files or directories. If several are set, the certificates of all are trusted."""
PROXY_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})
"""The schemes that a proxy's URL may have. A URL without a scheme is one of plain http."""
NO_ADDRESS = (
    "HTTPS_PROXY or ALL_PROXY is not an address such as http://proxy.example.org:3128 "
    "(in a password, write characters such as # and / as %23 and %2F)"
)

_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")
"""The file names by which OpenSSL finds a certificate in a directory.

If no file in the directory has such a name, every file in it is read.
"""
_ADDRESS = re.compile(
    r"(?P<scheme>[A-Za-z0-9]+)://([^@/?#\\\s]*@)?([A-Za-z0-9._-]+|\[(?P<numbers>[^\[\]@]+)\])(:[0-9]{1,5})?/?"
)
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Proxy:
    """The URL of a proxy, in the form that an HTTP library accepts."""

    url: str

    @property
    def host(self) -> str:
        """The proxy's host, which is safe to show in messages."""
        return urlsplit(self.url).hostname or ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The proxy's password, first as it is written in the URL and then percent-decoded."""
        password = urlsplit(self.url).password or ""
        return password, unquote(password)


def proxy_to(base_url: str, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for a base URL, or None for a direct connection.

    No proxy is used for plain http, because the proxy could read the key. The proxy comes from the variables of this
    process, or on macOS from the system settings. Only `NO_PROXY` is read from `environ`. Raises `ValueError` if the
    proxy's address is invalid.
    """
    target = urlsplit(base_url)
    host = (target.hostname or "").lower()
    if target.scheme != "https" or is_direct(host, target.port or _PORTS["https"], environ):
        return None
    proxies = getproxies()  # includes the system settings on macOS
    text = proxies.get("https") or proxies.get("all")
    if not text:
        return None
    url = text if "://" in text else f"http://{text}"
    if not _is_address(url):
        raise ValueError(NO_ADDRESS)
    return Proxy(url)


def _is_address(url: str) -> bool:
    """Return whether `url` is a complete proxy address.

    In an incomplete address, part of a password could be mistaken for the host.
    """
    shape = _ADDRESS.fullmatch(url)
    if shape is None or shape["scheme"].lower() not in PROXY_SCHEMES:
        return False
    with suppress(ValueError):
        if shape["numbers"] is not None:
            ip_address(shape["numbers"])
        return urlsplit(url).port != 0
    return False


def is_direct(host: str, port: int, environ: Mapping[str, str]) -> bool:
    """Return whether a host is reached without a proxy: it is this machine, or it matches an entry of `NO_PROXY`.

    An entry is `*`, a domain (with or without a leading dot, and including its subdomains), an IPv4 or IPv6 address
    (with or without brackets), or a range of addresses. A domain or an address may have a port. An invalid entry
    matches nothing.
    """
    with suppress(ValueError):
        if host == "localhost" or ip_address(host).is_loopback:
            return True
    entries = environ.get("no_proxy", environ.get("NO_PROXY", "")).lower().replace(",", " ").split()
    return any(_matches(entry, host, port) for entry in entries)


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    with suppress(ValueError):
        return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    name, wanted_port = _split_port(entry)
    if wanted_port not in (None, port):
        return False
    with suppress(ValueError):
        return ip_address(host) == ip_address(name)
    domain = name.removeprefix("*").removeprefix(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _split_port(entry: str) -> tuple[str, int | None]:
    name, colon, port = entry.rpartition(":")
    is_address = entry.count(":") > 1 and not entry.startswith("[")
    if not colon or is_address or not port.isascii() or not port.isdigit():
        return entry.strip("[]"), None
    return name.strip("[]"), int(port)


def tls_context(environ: Mapping[str, str]) -> ssl.SSLContext | None:
    """Return a TLS context that trusts the authorities in the environment, or None if no variable is set.

    Raises `OSError` if the certificates cannot be read.
    """
    named = tuple((name, environ[name]) for name in AUTHORITIES if environ.get(name))
    return _context(named) if named else None


@lru_cache(maxsize=4)
def _context(named: tuple[tuple[str, str], ...]) -> ssl.SSLContext:
    """Return a TLS context that trusts the certificates in these variables.

    The certificates are read once for all accounts, because reading them takes longer than a pass over few jobs. Raises
    an `OSError` that names the variable if they cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for variable, text in named:
        try:
            for place in text.split(":") if variable == "SSL_CERT_DIR" else [text]:
                _trust(context, Path(place))
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise OSError(error.errno, f"the certificates that {variable} names cannot be read: {why}") from None
    return context


def _trust(context: ssl.SSLContext, place: Path) -> None:
    if not place.is_dir():
        context.load_verify_locations(cafile=place)
        return
    files = sorted(each for each in place.iterdir() if each.is_file())
    if any(_HASHED.fullmatch(each.name) for each in files):
        context.load_verify_locations(capath=place)
        return
    trusted = [each for each in files if _is_trusted(context, each)]
    if not trusted:
        raise OSError(errno.ENOENT, "the directory contains no certificate")


def _is_trusted(context: ssl.SSLContext, file: Path) -> bool:
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError:
        return False
    return True
