"""Which credential may go to which host: decided by the operator, never by a spec.

Rules: pure functions over the environment's text and the trust files' text. A credential is named by what a spec would
write, a variable or a file's path, and is bound to hosts outside the specs. What is not bound is not sent. No message
repeats a URL's user, password or query.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel

from reconciler.model.spec import CredentialSource
from reconciler.ports import ProviderType

VARIABLE = "RECONCILE_TRUST"

_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a base URL leads; `host` is normalised, an IPv6 address without its brackets."""

    scheme: str
    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether what is sent there stays on this machine."""
        address = _address(self.host)
        return self.host == "localhost" if address is None else address.is_loopback

    def __str__(self) -> str:
        """Return `host`, with the port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Binding:
    """One sentence of the operator: this credential may go there."""

    credential: str
    endpoint: Endpoint
    is_scheme_given: bool

    def allows(self, credential: str, endpoint: Endpoint) -> bool:
        """Return whether the sentence covers sending that credential there."""
        if self.credential != credential:
            return False
        if self.is_scheme_given or endpoint.scheme == "https":
            return self.endpoint == endpoint
        # `VAR=localhost` was read as https; over plain http, on this machine, it means http's own port.
        port = _PORTS["http"] if self.endpoint.port == _PORTS["https"] else self.endpoint.port
        return endpoint.is_loopback and (self.endpoint.host, port) == (endpoint.host, endpoint.port)


@dataclass(frozen=True, slots=True)
class Trust:
    """Everything that the operator bound, and the environment in which the vendors' own variables stand."""

    bindings: tuple[Binding, ...]
    environ: Mapping[str, str]

    @classmethod
    def read(cls, environ: Mapping[str, str], files: Mapping[str, str]) -> Self:
        """Read `RECONCILE_TRUST` and the text of each trust file, by its name.

        Raises ValueError with a sentence that names the variable, or the file and line.
        """
        words = re.split(r"[\s,]+", environ.get(VARIABLE, ""))
        stated = [_binding(word, VARIABLE) for word in words if word]
        for name, text in files.items():
            stated += _bindings(name, text)
        return cls(tuple(stated), environ)

    def check(
        self, type_: ProviderType, options: BaseModel, source: CredentialSource | None, base_url: str
    ) -> str | None:
        """Return None if the credential may go there, else a sentence that says what would allow it.

        `source` is None where the spec names no credential: then it is the type's usual variable, if it has one.
        """
        credential = _named(type_, source)
        if credential is None:
            return None
        try:
            endpoint = parse_endpoint(base_url)
        except ValueError as error:
            return str(error)
        if any(each.allows(credential, endpoint) for each in (*self._built_in(type_, options), *self.bindings)):
            return None
        needed = f"{credential}={endpoint}"
        why = f"{credential} is not bound to {endpoint}, so nothing is sent there"
        if endpoint.scheme == "http" and not endpoint.is_loopback:
            needed = f"{credential}=http://{endpoint}"
            why = f"{credential} would go to {endpoint} over plain http, readable by anyone on the way"
        return f"{why}; only if that is what is meant, the operator sets {VARIABLE}='{needed}'"

    def _built_in(self, type_: ProviderType, options: BaseModel) -> Iterator[Binding]:
        if type_.key_variable is None:
            return
        for url in (type_.own_url(options), self.environ.get(type_.url_variable or "")):
            # A URL that makes no sense binds nothing; who uses it is told by whoever opens the account.
            with suppress(ValueError):
                yield Binding(type_.key_variable, parse_endpoint(url or ""), is_scheme_given=True)


def normalise_base_url(text: str) -> str:
    """Return the one way to write a base URL: lower-case, no default port, no slash at the end.

    Raises ValueError with a sentence for anything that is not a plain http or https URL.
    """
    endpoint = parse_endpoint(text)
    return f"{endpoint.scheme}://{endpoint}{urlsplit(text).path.rstrip('/')}"


def parse_endpoint(text: str) -> Endpoint:
    """Return where a base URL leads. Raises ValueError with a sentence."""
    if not text.isprintable() or not {" ", "\\"}.isdisjoint(text):
        msg = "a base URL holds no blanks, backslashes or control characters"
        raise ValueError(msg)
    try:
        url = urlsplit(text)
        scheme, host, port = url.scheme.lower(), url.hostname or "", url.port
    except ValueError:
        msg = "the base URL is not a URL: its host or port makes no sense"
        raise ValueError(msg) from None
    if scheme not in _PORTS:
        msg = "a base URL begins with https:// (or http://, to this machine)"
        raise ValueError(msg)
    if "@" in url.netloc:
        msg = "a base URL holds no user and password: name the credential under credentials"
        raise ValueError(msg)
    if "?" in text or "#" in text:
        msg = "a base URL holds no query and no fragment"
        raise ValueError(msg)
    if "//" in url.path or not {".", ".."}.isdisjoint(url.path.split("/")):
        msg = "the path of a base URL holds no empty, '.' or '..' segment"
        raise ValueError(msg)
    if "%" in url.path or not url.path.isascii():
        # One account must have one spelling, and /v1 could be written /%761 too.
        msg = "the path of a base URL is plain ASCII, and nothing in it is percent-encoded"
        raise ValueError(msg)
    if port == 0:
        msg = "a base URL's port is between 1 and 65535"
        raise ValueError(msg)
    return Endpoint(scheme, _normalise_host(host), port or _PORTS[scheme])


def _named(type_: ProviderType, source: CredentialSource | None) -> str | None:
    """Return the left side of a binding: what an operator writes for this credential."""
    if source is not None and source.file is not None:
        return posixpath.normpath(source.file)
    if source is not None and source.env is not None:
        return source.env
    return type_.key_variable


def _bindings(name: str, text: str) -> Iterable[Binding]:
    for number, line in enumerate(text.splitlines(), start=1):
        stated = line.partition("#")[0].strip()
        if stated:
            yield _binding(stated, f"{name}:{number}")


def _binding(stated: str, place: str) -> Binding:
    credential, _, target = (part.strip() for part in stated.rpartition("="))
    is_scheme_given = "://" in target
    url = target if is_scheme_given else f"https://{target}"
    try:
        endpoint = parse_endpoint(url)
    except ValueError as error:
        msg = f"{place}: {error}; write VARIABLE=host or VARIABLE=host:port"
        raise ValueError(msg) from None
    if not credential or urlsplit(url).path not in {"", "/"}:
        msg = f"{place}: a binding is VARIABLE=host or VARIABLE=host:port, or the same with a credential file's path"
        raise ValueError(msg)
    return Binding(posixpath.normpath(credential) if "/" in credential else credential, endpoint, is_scheme_given)


def _normalise_host(host: str) -> str:
    address = _address(host)
    if address is not None:
        return str(address)
    if not host.isascii():
        # There are two rules for what ß is in ASCII, and so two hosts that one name may lead to.
        msg = "the base URL's host is written in ASCII: a name such as bücher.example as xn--bcher-kva.example"
        raise ValueError(msg)
    name = host.lower().removesuffix(".")
    if _HOST.fullmatch(name) is None:
        msg = "the base URL's host is not a host's name"
        raise ValueError(msg)
    return name


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
