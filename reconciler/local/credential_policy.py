"""Which credential may go to which host: decided by the operator, never by a spec.

Rules: a credential is named by what a spec would write, a variable or the path of a file, which is followed through its
links to the file that would be read; it is bound to hosts outside the specs, where several tenants share a host with
the path that is the tenant's own. What is not bound is not sent, nor does a type that needs no secret go anywhere but
to its own hosts. No message repeats a URL's user, password or query.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel

from reconciler.local.credentials import named_file
from reconciler.model.spec import CredentialSource
from reconciler.ports import NotBound, ProviderType

VARIABLE = "RECONCILE_TRUST"

_PORTS = {"https": 443, "http": 80}
_PATH = re.compile(r"[A-Za-z0-9/._~:@+-]*")
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
    path: str = ""
    """The path that an account must be below, by whole names; the empty one is all of the host."""

    def allows(self, credential: str, endpoint: Endpoint, path: str) -> bool:
        """Return whether the sentence covers sending that credential to a path of an endpoint."""
        if resolved(self.credential) != credential or not f"{path}/".startswith(f"{self.path}/"):
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
    def read(cls, environ: Mapping[str, str], files: Mapping[str, str], ruled: Iterable[Binding] = ()) -> Self:
        """Read `RECONCILE_TRUST` and the text of each trust file, by its name, besides what the operator's file rules.

        Raises ValueError with a sentence that names the variable, or the file and line.
        """
        words = re.split(r"[\s,]+", environ.get(VARIABLE, ""))
        stated = [*ruled, *(_binding(word, VARIABLE) for word in words if word)]
        for name, text in files.items():
            stated += _bindings(name, text)
        return cls(tuple(stated), environ)

    def check(
        self, type_: ProviderType, options: BaseModel, source: CredentialSource | None, base_url: str
    ) -> NotBound | None:
        """Return None if the credential may go there, else why not, and what would allow it.

        `source` is None where the spec names no credential: then it is the type's usual variable, if it has one. A
        type that needs no secret is bound by its own word.
        """
        credential = name_of(type_, source)
        try:
            endpoint = parse_endpoint(base_url)
        except ValueError as error:
            return NotBound(str(error))
        path = _path_of(base_url)
        if any(each.allows(credential, endpoint, path) for each in (*self._built_in(type_, options), *self.bindings)):
            return None
        if endpoint.scheme == "http" and not endpoint.is_loopback:
            return _over_plain_http(credential, endpoint, path)
        why = f"{credential} is not bound to {endpoint}{path}, so nothing is sent there"
        return NotBound(why, VARIABLE, f"{credential}={endpoint}{path}")

    def check_plain(self, credential: str, url: str) -> NotBound | None:
        """Return why a credential must not go to a URL over plain http, and what would allow it; None if it may."""
        try:
            parts = urlsplit(url)
            if parts.scheme != "http":
                return None
            endpoint = parse_endpoint(f"http://{parts.netloc}")
        except ValueError as error:
            return NotBound(str(error))
        path = _path_of(url)
        if endpoint.is_loopback or any(each.allows(credential, endpoint, path) for each in self.bindings):
            return None
        return _over_plain_http(credential, endpoint, path)

    def _built_in(self, type_: ProviderType, options: BaseModel) -> Iterator[Binding]:
        """Yield what needs no saying: the vendor's own hosts, and the path that the vendor's variable leads to."""
        usual = name_of(type_, None)
        given = next(filter(None, map(self.environ.get, type_.url_variables)), "")
        for url, path in ((type_.own_url(options) or "", ""), (given, _path_of(given))):
            # A URL that makes no sense binds nothing; who uses it is told by whoever opens the account.
            with suppress(ValueError):
                yield Binding(usual, parse_endpoint(url), is_scheme_given=True, path=path)


def _over_plain_http(credential: str, endpoint: Endpoint, path: str) -> NotBound:
    why = f"{credential} would go to {endpoint}{path} over plain http, readable by anyone on the way"
    return NotBound(why, VARIABLE, f"{credential}=http://{endpoint}{path}")


def normalise_base_url(text: str) -> str:
    """Return the one way to write a base URL: lower-case, no default port, no slash at the end.

    Raises ValueError with a sentence for anything that is not a plain http or https URL.
    """
    endpoint = parse_endpoint(text)
    return f"{endpoint.scheme}://{endpoint}{_path_of(text)}"


def _path_of(url: str) -> str:
    with suppress(ValueError):
        return urlsplit(url).path.rstrip("/")
    return ""


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
    if _PATH.fullmatch(url.path) is None:
        # One account must have one spelling, and /v1 could be written /%761 or /v1;x too.
        msg = "the path of a base URL is of ASCII letters, digits and any of - . _ ~ : @ +"
        raise ValueError(msg)
    if port == 0:
        msg = "a base URL's port is between 1 and 65535"
        raise ValueError(msg)
    return Endpoint(scheme, _normalise_host(host), port or _PORTS[scheme])


def name_of(type_: ProviderType, source: CredentialSource | None) -> str:
    """Return the left side of a binding: what an operator writes for this credential.

    Of a type that needs no secret it is the type's own word.
    """
    if source is not None and source.file is not None:
        return named_file(source.file)
    if source is not None and source.env is not None:
        return source.env
    return type_.key_variable or type_.name


def resolved(credential: str) -> str:
    """Return a credential by the name that it goes by: of a file, where its links lead."""
    return named_file(credential) if "/" in credential else credential


def _bindings(name: str, text: str) -> Iterable[Binding]:
    for number, line in enumerate(text.splitlines(), start=1):
        stated = line.partition("#")[0].strip()
        if stated:
            yield _binding(stated, f"{name}:{number}")


def _binding(stated: str, place: str) -> Binding:
    credential, _, target = (part.strip() for part in stated.rpartition("="))
    if not credential:
        msg = f"{place}: a binding is VARIABLE=host or VARIABLE=host/path, or the same with a credential file's path"
        raise ValueError(msg)
    try:
        return binding_of(credential, target)
    except ValueError as error:
        msg = f"{place}: {error}; write VARIABLE=host, VARIABLE=host:port or VARIABLE=host/path"
        raise ValueError(msg) from None


def binding_of(credential: str, target: str) -> Binding:
    """Return that a credential may go to a host, as `host`, `host:port` or `host/path`. Raises ValueError."""
    is_scheme_given = "://" in target
    url = target if is_scheme_given else f"https://{target}"
    return Binding(credential, parse_endpoint(url), is_scheme_given, _path_of(url))


def host_of(text: str) -> str:
    """Return a host with its port, as accounts have it. Raises ValueError with a sentence."""
    endpoint = parse_endpoint(text if "://" in text else f"https://{text}")
    if _path_of(text if "://" in text else f"https://{text}"):
        msg = "a host has no path: write host or host:port"
        raise ValueError(msg)
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"{host}:{endpoint.port}"


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
