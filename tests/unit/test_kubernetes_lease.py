"""The lease in Kubernetes, with a strict server on loopback. Durations are values."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.errors import Kind, PermanentError, TransientError
from reconciler.leases.json_answers import body_of
from reconciler.leases.kubernetes_lease import KubernetesLease
from reconciler.leases.service_account import ServiceAccount, api_server_url
from reconciler.leases.tls_files import TlsFiles
from reconciler.model.election import Granted, HeldBy
from reconciler.ports import Rate, Response
from reconciler.transport import Deadlines, HttpTransport, Throttle
from tests.support.kubernetes_api import NAMESPACE, KubernetesApi, serving_kubernetes

NAME, DURATION_S = "reconcile", 15
MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)
"""A time in whole seconds, which must be written with six digits."""


@pytest.fixture
def api(tmp_path: Path) -> Iterator[KubernetesApi]:
    with serving_kubernetes(tmp_path) as api:
        yield api


@dataclass(slots=True)
class Clock:
    """A clock that a test sets."""

    seconds: float = 0.0

    def elapsed(self) -> float:
        """Return the time."""
        return self.seconds


@dataclass(slots=True)
class Replicas:
    """The leases of several replicas, and their clock."""

    one: KubernetesLease
    two: KubernetesLease
    clock: Clock


@asynccontextmanager
async def replicas(api: KubernetesApi) -> AsyncIterator[Replicas]:
    clock = Clock()
    tls = TlsFiles(api.authority, None, None, clock.elapsed)
    freely = Rate(requests_per_second=1000, burst=1000, concurrency=8)
    soon = Deadlines(connect_s=5, request_s=5)
    async with HttpTransport(api.url, Throttle(freely), soon, tls=tls.context) as transport:

        def lease(identity: str) -> KubernetesLease:
            token = ServiceAccount(api.service_account, clock.elapsed).token
            return KubernetesLease(
                transport,
                NAMESPACE,
                NAME,
                identity,
                DURATION_S,
                now=lambda: MIDNIGHT,
                elapsed=clock.elapsed,
                token=token,
            )

        yield Replicas(lease("one"), lease("two"), clock)


def run(api: KubernetesApi, body: Callable[[Replicas], Awaitable[None]]) -> None:
    async def main() -> None:
        async with replicas(api) as found:
            await body(found)

    asyncio.run(main())


def test_a_lease_is_created_renewed_with_one_request_and_released(api: KubernetesApi) -> None:
    async def body(team: Replicas) -> None:
        assert await team.one.acquire() == Granted()
        assert api.leases[NAME]["spec"] == {
            "holderIdentity": "one",
            "leaseDurationSeconds": DURATION_S,
            "leaseTransitions": 0,
            "acquireTime": "2026-12-01T00:00:00.000000Z",
            "renewTime": "2026-12-01T00:00:00.000000Z",
        }
        assert api.requests == [("GET", 404), ("POST", 201)]
        assert await team.one.renew() == Granted()
        assert api.requests[2:] == [("PUT", 200)]
        assert await team.two.acquire() == HeldBy("one")
        await team.one.release()
        assert api.leases[NAME]["spec"]["holderIdentity"] == ""
        assert await team.two.acquire() == Granted()
        assert (api.leases[NAME]["spec"]["holderIdentity"], api.leases[NAME]["spec"]["leaseTransitions"]) == ("two", 1)
        assert await team.one.renew() == HeldBy("two")
        await team.one.release()
        assert api.leases[NAME]["spec"]["holderIdentity"] == "two"

    run(api, body)


def test_a_lease_that_does_not_change_ends_after_its_duration_by_the_clock_of_the_one_who_waits(
    api: KubernetesApi,
) -> None:
    async def body(team: Replicas) -> None:
        await team.one.acquire()
        team.clock.seconds = 1000.0
        assert await team.two.acquire() == HeldBy("one"), "a newcomer waits, however old the times in the object are"
        team.clock.seconds = 1010.0
        assert await team.one.renew() == Granted()
        team.clock.seconds = 1015.0
        assert await team.two.acquire() == HeldBy("one"), "it was renewed meanwhile"
        team.clock.seconds = 1029.9
        assert await team.two.acquire() == HeldBy("one")
        team.clock.seconds = 1030.0
        assert await team.two.acquire() == Granted()
        assert await team.one.renew() == HeldBy("two")

    run(api, body)


def test_the_duration_in_the_object_counts_and_other_fields_are_kept(api: KubernetesApi) -> None:
    async def body(team: Replicas) -> None:
        await team.one.acquire()
        api.leases[NAME]["spec"] |= {"leaseDurationSeconds": 40, "strategy": "OldestEmulationVersion"}
        api.leases[NAME]["metadata"]["labels"] = {"team": "support"}
        assert await team.two.acquire() == HeldBy("one")
        team.clock.seconds = 39.0
        assert await team.two.acquire() == HeldBy("one")
        team.clock.seconds = 40.0
        assert await team.two.acquire() == Granted()
        assert api.leases[NAME]["spec"]["strategy"] == "OldestEmulationVersion"
        assert api.leases[NAME]["metadata"]["labels"] == {"team": "support"}

    run(api, body)


def test_of_two_replicas_that_see_a_free_lease_one_acquires_it(api: KubernetesApi) -> None:
    async def body(team: Replicas) -> None:
        await team.one.acquire()
        await team.one.release()
        api.before_update = lambda: api.give(NAME, "a third one")
        assert await team.two.acquire() == HeldBy(None)
        assert api.requests[-1] == ("PUT", 409)
        api.before_update = lambda: None
        assert await team.two.acquire() == HeldBy("a third one")

    run(api, body)


def test_a_renewal_that_meets_a_change_by_a_person_is_repeated_with_the_new_version(api: KubernetesApi) -> None:
    async def body(team: Replicas) -> None:
        await team.one.acquire()
        api.give(NAME, "one")
        assert await team.one.renew() == Granted()
        assert api.requests[-3:] == [("PUT", 409), ("GET", 200), ("PUT", 200)]

    run(api, body)


def test_a_lease_that_a_person_deletes_is_lost(api: KubernetesApi) -> None:
    async def body(team: Replicas) -> None:
        await team.one.acquire()
        del api.leases[NAME]
        assert await team.one.renew() == HeldBy(None)
        await team.one.release()
        assert await team.one.acquire() == Granted()

    run(api, body)


def test_a_token_that_was_replaced_is_read_again(api: KubernetesApi) -> None:
    async def body(team: Replicas) -> None:
        await team.one.acquire()
        api.set_token("a-new-token-of-the-replicas")
        assert await team.one.renew() == Granted()
        assert api.requests[-2:] == [("PUT", 401), ("PUT", 200)]
        api.tokens.add("a-third-token")
        (api.service_account / "token").write_text("a-third-token", encoding="ascii")
        team.clock.seconds = 60.0
        api.tokens = {"a-third-token"}
        assert await team.one.renew() == Granted()
        assert api.requests[-1] == ("PUT", 200)
        api.tokens = {"no-file-has-this-token"}
        with pytest.raises(PermanentError, match="HTTP 401: Unauthorized") as raised:
            await team.one.renew()
        assert raised.value.kind is Kind.DENIED

    run(api, body)


@pytest.mark.parametrize(("verb", "what"), [("get", "return"), ("create", "create"), ("update", "update")])
def test_a_missing_right_is_named(api: KubernetesApi, verb: str, what: str) -> None:
    async def body(team: Replicas) -> None:
        if verb == "update":
            await team.one.acquire()
        api.verbs.discard(verb)
        with pytest.raises(PermanentError, match=f"refused to {what} the lease reconcile: HTTP 403: .*cannot {verb}"):
            await (team.one.renew() if verb == "update" else team.one.acquire())

    run(api, body)


@pytest.mark.parametrize("body", [b"<html>", b"[]"])
def test_a_success_of_another_service_leads_to_the_address_of_the_lease(body: bytes) -> None:
    with pytest.raises(PermanentError, match=r"\(HTTP 200\) is not a JSON object: check the address of the lease"):
        body_of(Response(200, {}, body))


def test_an_api_server_that_is_shutting_down_is_tried_again(api: KubernetesApi) -> None:
    async def body(team: Replicas) -> None:
        await team.one.acquire()
        api.unavailable = True
        with pytest.raises(TransientError, match="HTTP 503: apiserver is shutting down"):
            await team.one.renew()
        api.unavailable = False
        assert await team.one.renew() == Granted()

    run(api, body)


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}, "https://10.0.0.1:6443"),
        ({"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}, "https://[fd00::1]:443"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "https://10.0.0.1:443"),
    ],
)
def test_the_url_of_the_api_server_comes_from_the_environment_of_the_pod(environ: dict[str, str], url: str) -> None:
    assert api_server_url(environ) == url


def test_a_pod_without_a_service_account_is_told_what_it_needs(tmp_path: Path) -> None:
    account = ServiceAccount(tmp_path, lambda: 0.0)

    with pytest.raises(PermanentError, match=re.escape(f"{tmp_path}/namespace cannot be read: the pod needs")):
        account.namespace()
    with pytest.raises(PermanentError, match="automountServiceAccountToken: true"):
        account.token(is_refused=False)
