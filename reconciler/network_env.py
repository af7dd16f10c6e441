"""How this machine reaches other hosts: by which proxy, and whose certificates it believes.

Rules: the variables are those that curl and the vendors' clients read. No proxy's address is ever repeated but for its
host, since it may hold a password. What cannot be used raises ValueError or OSError with a sentence that names the
variable.

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
"""Each names a file or a directory; the authorities of all that are set are believed."""
PROXY_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})
NO_ADDRESS = (
    "HTTPS_PROXY or ALL_PROXY is not an address such as http://proxy.example.org:3128 "
    "(in its password, characters such as # and / are written as %23 and %2F)"
)

_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")
"""How OpenSSL finds a certificate in a directory; without such names, every file there is read."""
_ADDRESS = re.compile(
    r"(?P<scheme>[A-Za-z0-9]+)://([^@/?#\\\s]*@)?([A-Za-z0-9._-]+|\[(?P<numbers>[^\[\]@]+)\])(:[0-9]{1,5})?/?"
)
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, as an HTTP library wants it."""

    url: str

    @property
    def host(self) -> str:
        """Its host, which may be shown."""
        return urlsplit(self.url).hostname or ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Its password, as it is written and as it is meant."""
        password = urlsplit(self.url).password or ""
        return password, unquote(password)


def proxy_to(base_url: str, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy on the way to a base URL. Raises ValueError where its address makes no sense.

    Over plain http a proxy would read the key, so that there is none.
    """
    target = urlsplit(base_url)
    host = (target.hostname or "").lower()
    if target.scheme != "https" or is_direct(host, target.port or _PORTS["https"], environ):
        return None
    proxies = getproxies()  # also what macOS has in its settings
    text = proxies.get("https") or proxies.get("all")
    if not text:
        return None
    url = text if "://" in text else f"http://{text}"
    if not _is_address(url):
        raise ValueError(NO_ADDRESS)
    return Proxy(url)


def _is_address(url: str) -> bool:
    """Whether it is all of an address and nothing more. Else a part of a password could pass for the host."""
    shape = _ADDRESS.fullmatch(url)
    if shape is None or shape["scheme"].lower() not in PROXY_SCHEMES:
        return False
    with suppress(ValueError):
        if shape["numbers"] is not None:
            ip_address(shape["numbers"])
        return urlsplit(url).port != 0
    return False


def is_direct(host: str, port: int, environ: Mapping[str, str]) -> bool:
    """Return whether a host is reached without a proxy: by `NO_PROXY`, or because it is this machine.

    An entry is `*`, a domain (its subdomains too, with or without a leading dot), an address of either family, with
    brackets or without, or a range of them; all but a range may have a port. What makes no sense matches nothing.
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
    """Return what believes the authorities that the environment names; None where it names none. Raises OSError."""
    named = tuple((name, environ[name]) for name in AUTHORITIES if environ.get(name))
    return _context(named) if named else None


@lru_cache(maxsize=4)
def _context(named: tuple[tuple[str, str], ...]) -> ssl.SSLContext:
    """Read the certificates, once for all accounts: it takes longer than a pass over few jobs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for variable, text in named:
        try:
            for place in text.split(":") if variable == "SSL_CERT_DIR" else [text]:
                _believe(context, Path(place))
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise OSError(error.errno, f"{variable} names no certificates that can be read: {why}") from None
    return context


def _believe(context: ssl.SSLContext, place: Path) -> None:
    if not place.is_dir():
        context.load_verify_locations(cafile=place)
        return
    files = sorted(each for each in place.iterdir() if each.is_file())
    if any(_HASHED.fullmatch(each.name) for each in files):
        context.load_verify_locations(capath=place)
        return
    believed = [each for each in files if _is_believed(context, each)]
    if not believed:
        raise OSError(errno.ENOENT, "the directory holds no certificate")


def _is_believed(context: ssl.SSLContext, file: Path) -> bool:
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError:
        return False
    return True
