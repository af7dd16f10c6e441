"""Check whether a credential may be sent to a host. The operator decides this, never the author of a spec.

Theory: the author of a Provider document chooses its base URL. Without a policy, a document could send the operator's
key to any server. Therefore the operator binds credentials to hosts, in a place outside the specs. A credential is sent
only to hosts that it is bound to.

Rules:

- A credential is identified as in a Provider document: by a variable, or by the path of a file. Paths are compared in
  their canonical form (`canonical_file`).
- If several tenants share a host, a binding can include the tenant's path.
- A provider type that does not need a secret is bound like a credential, under the name of the type. Without a binding
  of the operator, it may contact only its own hosts, and the host in the vendor's variable.
- Messages do not repeat the user, password or query of a URL.
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

from reconciler.local.credentials import canonical_file
from reconciler.model.spec import CredentialSource
from reconciler.ports import NotBound, ProviderType

VARIABLE = "RECONCILE_TRUST"

_PORTS = {"https": 443, "http": 80}
_PATH = re.compile(r"[A-Za-z0-9/._~:@+-]*")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The target of a base URL. `host` is in lower case. An IPv6 address is stored without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether the host is `localhost` or a loopback address, so that requests stay on this machine."""
        address = _address(self.host)
        return self.host == "localhost" if address is None else address.is_loopback

    def __str__(self) -> str:
        """Return `host`, followed by `:port` unless the port is the default of the scheme."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Binding:
    """The permission to send one credential to one endpoint."""

    credential: str
    """The name of a variable, the path of a file, or the name of a provider type that does not need a secret."""
    endpoint: Endpoint
    is_scheme_given: bool
    """Whether the operator wrote the scheme. If not, the binding allows https, and on this machine also plain http."""
    path: str = ""
    """The path that the base URL's path must be equal to or below, by whole segments. If empty, any path is allowed."""

    def allows(self, credential: str, endpoint: Endpoint, path: str) -> bool:
        """Return whether the binding allows sending a credential to a path of an endpoint.

        `credential` is the result of `credential_name` or `canonical_name`.
        """
        if canonical_name(self.credential) != credential or not f"{path}/".startswith(f"{self.path}/"):
            return False
        if self.is_scheme_given or endpoint.scheme == "https":
            return self.endpoint == endpoint
        # `VAR=localhost` was parsed as https. For plain http on this machine, it means the default port of http.
        port = _PORTS["http"] if self.endpoint.port == _PORTS["https"] else self.endpoint.port
        return endpoint.is_loopback and (self.endpoint.host, port) == (endpoint.host, endpoint.port)


@dataclass(frozen=True, slots=True)
class Trust:
    """The operator's bindings, and the environment, in which vendors' variables may set a base URL."""

    bindings: tuple[Binding, ...]
    environ: Mapping[str, str]

    @classmethod
    def read(cls, environ: Mapping[str, str], files: Mapping[str, str], from_config: Iterable[Binding] = ()) -> Self:
        """Return the bindings in `RECONCILE_TRUST`, in the trust files, and in the operator's config.

        `files` contains the text of each trust file, by the file's name.

        Raises `ValueError` if a binding is invalid, with a message that names the variable, or the file and line.
        """
        words = re.split(r"[\s,]+", environ.get(VARIABLE, ""))
        stated = [*from_config, *(_binding(word, VARIABLE) for word in words if word)]
        for name, text in files.items():
            stated += _bindings(name, text)
        return cls(tuple(stated), environ)

    def check(
        self, type_: ProviderType, options: BaseModel, source: CredentialSource | None, base_url: str
    ) -> NotBound | None:
        """Return None if a credential may be sent to a base URL. Otherwise return why not, and what would allow it.

        If `source` is None, the Provider document does not name a credential. Then the default variable of the provider
        type is checked, or the name of the type if it does not need a secret. `options` are those of the document; the
        vendor's own URL may depend on them.
        """
        credential = credential_name(type_, source)
        try:
            endpoint = parse_endpoint(base_url)
        except ValueError as error:
            return NotBound(str(error))
        path = _path_of(base_url)
        if any(each.allows(credential, endpoint, path) for each in (*self._built_in(type_, options), *self.bindings)):
            return None
        if endpoint.scheme == "http" and not endpoint.is_loopback:
            return _over_plain_http(credential, endpoint, path)
        why = f"{credential} is not bound to {endpoint}{path}, so no request is sent there"
        return NotBound(why, VARIABLE, f"{credential}={endpoint}{path}")

    def check_plain(self, credential: str, url: str) -> NotBound | None:
        """Return why a credential must not be sent to a plain http URL.

        `credential` is its canonical name. Return None if it may be sent there, or if the URL is not plain http. For an
        invalid URL, the result says what is wrong with it.
        """
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
        """Yield the default credential's bindings: to the vendor's own URL, and to the URL in the vendor's variable."""
        default = credential_name(type_, None)
        given = next(filter(None, map(self.environ.get, type_.url_variables)), "")
        for url, path in ((type_.own_url(options) or "", ""), (given, _path_of(given))):
            # An invalid URL is skipped. The error is reported when an account is opened with it.
            with suppress(ValueError):
                yield Binding(default, parse_endpoint(url), is_scheme_given=True, path=path)


def _over_plain_http(credential: str, endpoint: Endpoint, path: str) -> NotBound:
    why = (
        f"{credential} would be sent to {endpoint}{path} over plain http, where anyone on the network path can read it"
    )
    return NotBound(why, VARIABLE, f"{credential}=http://{endpoint}{path}")


def normalise_base_url(text: str) -> str:
    """Return the canonical form of a base URL: scheme and host in lower case, without a default port or a final slash.

    Raises `ValueError` with a message for the user if the text is not a valid base URL.
    """
    endpoint = parse_endpoint(text)
    return f"{endpoint.scheme}://{endpoint}{_path_of(text)}"


def _path_of(url: str) -> str:
    with suppress(ValueError):
        return urlsplit(url).path.rstrip("/")
    return ""


def parse_endpoint(text: str) -> Endpoint:
    """Return the target of a base URL. Raises `ValueError` with a message for the user if the URL is not valid."""
    if not text.isprintable() or not {" ", "\\"}.isdisjoint(text):
        msg = "a base URL must not contain blanks, backslashes or control characters"
        raise ValueError(msg)
    try:
        url = urlsplit(text)
        scheme, host, port = url.scheme.lower(), url.hostname or "", url.port
    except ValueError:
        msg = "the host or port of the base URL is not valid"
        raise ValueError(msg) from None
    if scheme not in _PORTS:
        msg = "a base URL must start with https:// or http://"
        raise ValueError(msg)
    if "@" in url.netloc:
        msg = "a base URL must not contain a user or password: name the credential under `credentials`"
        raise ValueError(msg)
    if "?" in text or "#" in text:
        msg = "a base URL must not contain a query or fragment"
        raise ValueError(msg)
    _check_url_path(url.path)
    if port == 0:
        msg = "the port of a base URL must be between 1 and 65535"
        raise ValueError(msg)
    return Endpoint(scheme, _ascii_host(host), port or _PORTS[scheme])


def _check_url_path(path: str) -> None:
    """Raise `ValueError` if a path could be spelled in another way, because one account must have one spelling."""
    if "//" in path or not {".", ".."}.isdisjoint(path.split("/")):
        msg = "the path of a base URL must not contain an empty, '.' or '..' segment"
        raise ValueError(msg)
    if _PATH.fullmatch(path) is None:
        # Otherwise /v1 could also be written as /%761 or /v1;x.
        msg = "the path of a base URL must contain only ASCII letters, digits and / - . _ ~ : @ +"
        raise ValueError(msg)


def credential_name(type_: ProviderType, source: CredentialSource | None) -> str:
    """Return the name by which bindings identify a credential: its variable, or the canonical path of its file.

    If `source` is None, return the type's default variable, or the name of the type if it does not need a secret.
    """
    if source is not None and source.file is not None:
        return canonical_file(source.file)
    if source is not None and source.env is not None:
        return source.env
    return type_.key_variable or type_.name


def canonical_name(credential: str) -> str:
    """Return the name of a credential with a file path in its canonical form. A name without `/` is unchanged."""
    return canonical_file(credential) if "/" in credential else credential


def _bindings(name: str, text: str) -> Iterable[Binding]:
    for number, line in enumerate(text.splitlines(), start=1):
        stated = line.partition("#")[0].strip()
        if stated:
            yield _binding(stated, f"{name}:{number}")


def _binding(stated: str, place: str) -> Binding:
    credential, _, target = (part.strip() for part in stated.rpartition("="))
    if not credential:
        msg = (
            f"{place}: write VARIABLE=host or VARIABLE=host/path, or the path of a credential file instead of VARIABLE"
        )
        raise ValueError(msg)
    try:
        return binding_of(credential, target)
    except ValueError as error:
        msg = f"{place}: {error}; write VARIABLE=host, VARIABLE=host:port or VARIABLE=host/path"
        raise ValueError(msg) from None


def binding_of(credential: str, target: str) -> Binding:
    """Return the binding of a credential to a target: `host`, `host:port`, `host/path` or a base URL.

    Raises `ValueError` with a message for the user if the target is invalid.
    """
    is_scheme_given = "://" in target
    url = target if is_scheme_given else f"https://{target}"
    return Binding(credential, parse_endpoint(url), is_scheme_given, _path_of(url))


def normalise_host(text: str) -> str:
    """Return a host as `host:port`, in the form of `Account.host`.

    Raises `ValueError` with a message for the user if the host is invalid.
    """
    endpoint = parse_endpoint(text if "://" in text else f"https://{text}")
    if _path_of(text if "://" in text else f"https://{text}"):
        msg = "a host must not have a path: write host or host:port"
        raise ValueError(msg)
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"{host}:{endpoint.port}"


def _ascii_host(host: str) -> str:
    address = _address(host)
    if address is not None:
        return str(address)
    if not host.isascii():
        # Two standards encode ß differently, so one name could lead to two hosts.
        msg = (
            "the base URL's host must be ASCII: write its ASCII form, such as xn--bcher-kva.example for bücher.example"
        )
        raise ValueError(msg)
    name = host.lower().removesuffix(".")
    if _HOST.fullmatch(name) is None:
        msg = "the base URL's host is not a valid host name"
        raise ValueError(msg)
    return name


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
