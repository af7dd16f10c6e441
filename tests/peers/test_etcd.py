"""Replicas that elect their leader with a lease in etcd, from Debian's package."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from reconciler.circuit_breaker import CircuitBreaker
from reconciler.errors import PermanentError, TransientError
from reconciler.leases.etcd_lease import EtcdLease, EtcdUser
from reconciler.leases.tls_files import TlsFiles
from reconciler.local.clock import elapsed
from reconciler.model.election import Granted, HeldBy
from reconciler.transport import Deadlines, HttpTransport, Throttle
from reconciler.wiring.open_election import RATE
from tests.support.certificates import an_authority
from tests.support.etcd import Etcd, encoded, needs_etcd, running_etcd

KEY, DURATION_S = "/reconcile/leader", 2
ENDS_WITHIN_S = 1.0
"""How long after the end of its TTL etcd may take to revoke a lease. It looks twice a second."""

pytestmark = needs_etcd


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    with running_etcd(tmp_path / "etcd") as server:
        yield server


@asynccontextmanager
async def a_lease(
    *urls: str, name: str = "one", user: EtcdUser | None = None, tls: TlsFiles | None = None, within_s: float = 1.0
) -> AsyncIterator[EtcdLease]:
    """Yield a lease of the replica with this name."""
    deadlines = Deadlines(connect_s=within_s, request_s=within_s)
    async with AsyncExitStack() as stack:
        members = [
            await stack.enter_async_context(
                HttpTransport(url, Throttle(RATE, CircuitBreaker(None)), deadlines, tls=tls.context if tls else None)
            )
            for url in urls
        ]
        yield EtcdLease(members, KEY, name, DURATION_S, user=lambda: user, refresh=tls.refresh if tls else lambda: None)


async def ends_after(lease: EtcdLease) -> float:
    """Return after how many seconds the lease can be acquired."""
    begun = elapsed()
    while await lease.acquire() != Granted():  # noqa: ASYNC110  etcd tells nobody
        await asyncio.sleep(0.05)
    return elapsed() - begun


def test_a_lease_is_acquired_renewed_and_released(etcd: Etcd) -> None:
    async def main() -> None:
        async with a_lease(etcd.url) as one, a_lease(etcd.url, name="two") as two:
            assert await one.acquire() == Granted()
            assert etcd.value(KEY) == "one"
            assert await two.acquire() == HeldBy("one")
            for _ in range(3):
                await asyncio.sleep(DURATION_S / 2)
                assert await one.renew() == Granted()
            assert await one.acquire() == Granted()
            await one.release()
            assert await two.acquire() == Granted()
            assert await one.renew() == HeldBy(None)
            await one.release()
            assert etcd.value(KEY) == "two"

    asyncio.run(main())


def test_a_lease_that_is_not_renewed_ends_after_its_duration(etcd: Etcd) -> None:
    async def main() -> None:
        async with a_lease(etcd.url) as one, a_lease(etcd.url, name="two") as two:
            assert await one.acquire() == Granted()
            assert DURATION_S - 0.1 <= await ends_after(two) <= DURATION_S + ENDS_WITHIN_S
            assert await one.renew() == HeldBy("two")
            await one.release()
            assert etcd.value(KEY) == "two"

    asyncio.run(main())


def test_a_key_that_a_person_deletes_is_lost(etcd: Etcd) -> None:
    async def main() -> None:
        async with a_lease(etcd.url) as one, a_lease(etcd.url, name="two") as two:
            assert await one.acquire() == Granted()
            etcd.ask("/v3/kv/deleterange", {"key": encoded(KEY)})
            assert await one.renew() == HeldBy(None)
            assert await two.acquire() == Granted()
            assert await one.renew() == HeldBy("two")

    asyncio.run(main())


def test_a_key_that_a_stranger_overwrites_is_lost_and_reported_until_it_is_deleted(etcd: Etcd) -> None:
    async def main() -> None:
        async with a_lease(etcd.url) as one, a_lease(etcd.url, name="two") as two:
            assert await one.acquire() == Granted()
            etcd.ask("/v3/kv/put", {"key": encoded(KEY), "value": encoded("a stranger")})
            assert await one.renew() == HeldBy("a stranger")
            await one.release()
            for each in (one, two):
                with pytest.raises(PermanentError, match="'a stranger' and does not end by itself"):
                    await each.acquire()
            etcd.ask("/v3/kv/deleterange", {"key": encoded(KEY)})
            assert await two.acquire() == Granted()

    asyncio.run(main())


def test_a_key_whose_creation_was_not_answered_is_recognised(etcd: Etcd) -> None:
    async def main() -> None:
        async with a_lease(etcd.url) as before, a_lease(etcd.url) as one:
            assert await before.acquire() == Granted()
            assert await one.acquire() == Granted()
            assert await one.renew() == Granted()
            await one.release()
            assert etcd.value(KEY) is None

    asyncio.run(main())


def test_while_etcd_is_stopped_there_is_no_answer_and_then_the_lease_is_gone(etcd: Etcd) -> None:
    async def main() -> None:
        async with a_lease(etcd.url, within_s=0.5) as one:
            assert await one.acquire() == Granted()
            etcd.signal(signal.SIGSTOP)
            with pytest.raises(TransientError, match="no complete response"):
                await one.renew()
            await asyncio.sleep(DURATION_S + ENDS_WITHIN_S)
            etcd.signal(signal.SIGCONT)
            await asyncio.sleep(ENDS_WITHIN_S)
            assert await one.renew() == HeldBy(None)

    asyncio.run(main())


def test_a_lease_survives_a_kill_and_a_start_of_etcd(etcd: Etcd) -> None:
    async def main() -> None:
        async with a_lease(etcd.url) as one:
            assert await one.acquire() == Granted()
            etcd.kill()
            with pytest.raises(TransientError, match="cannot connect"):
                await one.renew()
            etcd.start()
            assert await one.renew() == Granted()

    asyncio.run(main())


def test_a_member_that_does_not_respond_is_left_out(etcd: Etcd, tmp_path: Path) -> None:
    async def main() -> None:
        with running_etcd(tmp_path / "stopped") as stopped:
            stopped.signal(signal.SIGSTOP)
            async with a_lease(stopped.url, "http://127.0.0.1:1", etcd.url, within_s=0.5) as one:
                assert await one.acquire() == Granted()
                begun = elapsed()
                assert await one.renew() == Granted()
                assert elapsed() - begun < 0.4

    asyncio.run(main())


def with_users(etcd: Etcd) -> None:
    """Let only users in: `root`, and `replica`, who may read and write the key."""
    etcd.ask("/v3/auth/role/add", {"name": "leases"})
    permission = {"permType": "READWRITE", "key": encoded(KEY)}
    etcd.ask("/v3/auth/role/grant", {"name": "leases", "perm": permission})
    for name, role in (("root", "root"), ("replica", "leases"), ("other", None)):
        etcd.ask("/v3/auth/user/add", {"name": name, "password": f"secret-of-{name}"})
        if role == "root":
            etcd.ask("/v3/auth/role/add", {"name": role})
        if role is not None:
            etcd.ask("/v3/auth/user/grant", {"user": name, "role": role})
    etcd.ask("/v3/auth/enable", {})


def test_a_user_needs_a_password_and_the_right_to_the_key_and_gets_a_new_token_when_it_expires(tmp_path: Path) -> None:
    async def refused(etcd: Etcd, user: EtcdUser | None, why: str) -> None:
        async with a_lease(etcd.url, user=user) as lease:
            with pytest.raises(PermanentError, match=why) as raised:
                await lease.acquire()
            assert "secret-of" not in str(raised.value)

    async def main() -> None:
        with running_etcd(tmp_path / "etcd", "--auth-token-ttl", "2") as etcd:
            await refused(
                etcd, EtcdUser("replica", "secret-of-replica"), "is not enabled; leave out --etcd-user-file or"
            )
            with_users(etcd)
            await refused(etcd, None, "user name is empty; set --etcd-user-file or RECONCILE_ETCD_USER")
            await refused(
                etcd,
                EtcdUser("replica", "secret-of-root"),
                "authentication failed.*; correct the user in --etcd-user-file or RECONCILE_ETCD_USER",
            )
            await refused(
                etcd,
                EtcdUser("other", "secret-of-other"),
                "HTTP 403: etcdserver: permission denied; the user in --etcd-user-file or",
            )
            async with a_lease(etcd.url, user=EtcdUser("replica", "secret-of-replica")) as lease:
                assert await lease.acquire() == Granted()
                await asyncio.sleep(4)
                assert await lease.acquire() == Granted()
                await lease.release()

    asyncio.run(main())


def test_client_certificates_are_sent_and_read_again(tmp_path: Path) -> None:
    authority, other = an_authority("Ours", tmp_path), an_authority("Theirs", tmp_path)
    chain, files = authority.with_suffix(".chain"), tmp_path / "client"
    client = ssl.create_default_context(cafile=authority)
    client.load_cert_chain(chain)
    options = ("--cert-file", str(chain), "--key-file", str(chain), "--client-cert-auth", "--trusted-ca-file")

    async def main(url: str) -> None:
        files.write_bytes(other.with_suffix(".chain").read_bytes())
        now = [0.0]
        tls = TlsFiles(authority, files, None, lambda: now[0])
        async with a_lease(url, tls=tls) as lease:
            with pytest.raises(TransientError, match=r"broke|TLS"):
                await lease.acquire()
            files.write_bytes(chain.read_bytes())
            now[0] = 60.0
            assert await lease.acquire() == Granted()
        async with a_lease(url, tls=TlsFiles(other, chain, None, lambda: 0.0)) as lease:
            with pytest.raises(TransientError, match="certificate verify failed"):
                await lease.acquire()

    with running_etcd(tmp_path / "etcd", *options, str(authority), client=client) as server:
        asyncio.run(main(server.url))
