"""Open the lease of an election, and the candidate that contends for it."""

from __future__ import annotations

import os
import random
import socket
import ssl
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from reconciler.circuit_breaker import CircuitBreaker
from reconciler.controller.leader_election import Candidate
from reconciler.controller.run_options import Paths, Publishing
from reconciler.errors import Kind, PermanentError
from reconciler.leases.etcd_lease import EtcdLease, EtcdUser
from reconciler.leases.kubernetes_lease import KubernetesLease
from reconciler.leases.service_account import DIRECTORY, ServiceAccount, api_server_url
from reconciler.leases.tls_files import TlsFiles
from reconciler.local.clock import SystemClock, elapsed
from reconciler.local.credential_policy import parse_endpoint
from reconciler.model.election import ElectionStatus, EtcdAddress, KubernetesAddress
from reconciler.ports import Lease, PeerNames, Rate, Transport
from reconciler.redaction import KNOWN_SECRETS
from reconciler.wiring.command_errors import ConfigurationError, UsageError
from reconciler.wiring.election_options import ETCD_USER, ElectionOptions

RATE = Rate(requests_per_second=20, burst=40, concurrency=4)
"""The ceiling for requests about the lease, which the retry period keeps far below it."""
LEASE = PeerNames("the service of the lease", "the address of the lease", "the credential")
REQUEST_MIN_S = 0.5
"""The shortest time that a request about the lease may take, in seconds."""
NOT_SHARED = (
    "with --leader-elect, each replica must be able to read the receipts of the others before it requests a change: "
    "publish them with --push, or set --state-dir and --status-dir to directories on a volume that all replicas mount"
)


def check_shared(paths: Paths, publishing: Publishing) -> None:
    """Raise `UsageError` unless all replicas use the same statuses, as far as the options show.

    They do if receipts are pushed before each request. Otherwise the operator must name the directories, because the
    default ones are on the machine of each replica. Replicas with one state directory also share its lock.
    """
    is_pushed = publishing.is_pushed or (paths.remote is not None and publishing.is_wanted)
    has_shared_statuses = paths.status_dir is not None or (paths.remote is not None and not publishing.is_wanted)
    if not is_pushed and not (paths.state_dir is not None and has_shared_statuses):
        raise UsageError(NOT_SHARED)


@asynccontextmanager
async def open_candidate(
    options: ElectionOptions, report: Callable[[ElectionStatus], None], blocked_s: Callable[[], float]
) -> AsyncIterator[Candidate]:
    """Yield a candidate for the lease. Raises `ConfigurationError` if a file or a setting cannot be used.

    `report` is called with the state of the election. `blocked_s` returns for how many seconds the watch has been
    blocked.
    """
    identity = f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
    async with AsyncExitStack() as stack:
        try:
            match options.address:
                case EtcdAddress():
                    lease = await _etcd(options, options.address, identity, stack)
                case KubernetesAddress():
                    lease = await _kubernetes(options, options.address, identity, stack)
        except (PermanentError, OSError) as error:
            why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            msg = f"the lease {options.address} cannot be used: {why}"
            raise ConfigurationError(msg) from None
        yield Candidate(
            lease,
            str(options.address),
            identity,
            options.timing,
            elapsed,
            SystemClock().sleep,
            random.random,
            report,
            blocked_s,
        )


async def _etcd(options: ElectionOptions, address: EtcdAddress, identity: str, stack: AsyncExitStack) -> Lease:
    tls = None
    if address.urls[0].startswith("https:"):
        tls = TlsFiles(options.cafile, options.certfile, options.keyfile, elapsed)
    elif _user(options) is not None and not all(parse_endpoint(url).is_loopback for url in address.urls):
        msg = "the user of etcd is not sent over plain http: write etcd:https://…"
        raise PermanentError(msg, kind=Kind.MISSING)
    # While one member does not respond, the others must be tried before the renew deadline.
    within_s = (options.timing.renew_s - options.timing.retry_s) / (2 * len(address.urls))
    members = [await _transport(url, within_s, tls.context if tls else None, stack) for url in address.urls]
    _user(options)  # a file that cannot be used is an error at the start
    return EtcdLease(
        members,
        address.key,
        identity,
        int(options.timing.lease_s),
        user=lambda: _user(options),
        refresh=tls.refresh if tls else lambda: None,
    )


async def _kubernetes(
    options: ElectionOptions, address: KubernetesAddress, identity: str, stack: AsyncExitStack
) -> Lease:
    account = ServiceAccount(DIRECTORY, elapsed)
    url, namespace = api_server_url(os.environ), address.namespace or account.namespace()
    account.token(is_refused=False)
    tls = TlsFiles(account.authority, None, None, elapsed)
    within_s = (options.timing.renew_s - options.timing.retry_s) / 2
    api = await _transport(url, within_s, tls.context, stack)

    def token(is_refused: bool) -> str:  # noqa: FBT001  a callback
        tls.refresh()
        return account.token(is_refused)

    return KubernetesLease(
        api,
        namespace,
        address.name,
        identity,
        int(options.timing.lease_s),
        now=SystemClock().now,
        elapsed=elapsed,
        token=token,
    )


async def _transport(url: str, within_s: float, tls: ssl.SSLContext | None, stack: AsyncExitStack) -> Transport:
    from reconciler.transport import Deadlines, HttpTransport, Throttle  # noqa: PLC0415  httpx takes 0.2 s to import

    request_s = max(REQUEST_MIN_S, within_s)
    # The lease must be tried again however often a request has failed.
    throttle = Throttle(RATE, CircuitBreaker(failures_max=None), LEASE)
    deadlines = Deadlines(connect_s=request_s, request_s=request_s)
    return await stack.enter_async_context(HttpTransport(url, throttle, deadlines, tls=tls))


def _user(options: ElectionOptions) -> EtcdUser | None:
    """Return the user of etcd, or None if none is set. Raises `PermanentError(missing)` if it cannot be used."""
    file, text = options.user_file, os.environ.get(ETCD_USER)
    source = ETCD_USER if file is None else "the file of --etcd-user-file"
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            text = ""
    if text is None:
        return None
    name, _, password = text.partition(":")
    if not (name and password):
        msg = f"{source} cannot be read, or does not contain NAME:PASSWORD"
        raise PermanentError(msg, kind=Kind.MISSING)
    KNOWN_SECRETS.add(("lease", "password"), password)
    return EtcdUser(name, password)
