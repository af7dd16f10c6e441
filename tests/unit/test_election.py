"""The election by values alone: which answers and which times make a leader, and when it stops being one."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.leader_state import (
    Leading,
    Lost,
    NoAnswer,
    StandingBy,
    after_attempt,
    after_renewal,
    attempt_delay_s,
    expired,
    may_act,
)
from reconciler.model.election import (
    ElectionTiming,
    EtcdAddress,
    Granted,
    HeldBy,
    KubernetesAddress,
    LeaseAnswer,
    parse_address,
)

TIMING = ElectionTiming()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("lease:jobs/reconcile", KubernetesAddress("reconcile", "jobs")),
        ("lease:reconcile", KubernetesAddress("reconcile")),
        ("lease:jobs/reconcile.shard-1", KubernetesAddress("reconcile.shard-1", "jobs")),
        ("etcd:http://127.0.0.1:2379/a", EtcdAddress(("http://127.0.0.1:2379",), "/a")),
        ("etcd:https://a:1,b:2,[::1]:3/x/y", EtcdAddress(("https://a:1", "https://b:2", "https://[::1]:3"), "/x/y")),
    ],
)
def test_an_address_is_read_and_written_alike(text: str, address: KubernetesAddress | EtcdAddress) -> None:
    assert parse_address(text) == address
    assert str(address) == text


def test_a_host_of_etcd_without_a_port_gets_the_usual_one() -> None:
    assert parse_address("etcd:https://etcd.example/a") == EtcdAddress(("https://etcd.example:2379",), "/a")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "reconcile",
        "lease:",
        "lease:Jobs/reconcile",
        "lease:jobs/reconcile/more",
        "lease:jobs/reconcile-",
        f"lease:{'a' * 254}",
        "etcd:https://a:2379",
        "etcd:https://a:2379/",
        "etcd:ftp://a:2379/a",
        "etcd:https://user@a:2379/a",
        "etcd:https://a:99999/a",
        "etcd:https://a:2379,/a",
        "etcd:https://a:2379/a b",
    ],
)
def test_another_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write lease:NAMESPACE/NAME or etcd:https://HOST:2379/KEY"):
        parse_address(text)


@pytest.mark.parametrize(
    ("timing", "problem"),
    [
        (TIMING, None),
        (ElectionTiming(10, 10, 2), "the lease duration must be longer than the renew deadline"),
        (ElectionTiming(2.5, 2, 1), "the lease duration must be a whole number of seconds"),
        (ElectionTiming(15, 2.4, 2), "the renew deadline must be longer than 1.2 times the retry period"),
        (ElectionTiming(15, 10, 0), "the retry period must be longer than 0s"),
    ],
)
def test_times_that_do_not_fit_are_named(timing: ElectionTiming, problem: str | None) -> None:
    assert timing.problem() == problem


@pytest.mark.parametrize(
    ("answer", "now", "state"),
    [
        (Granted(), 100.0, Leading(110.0)),
        (Granted(), 109.9, Leading(110.0)),
        (Granted(), 110.0, StandingBy(problem="the lease was acquired too late: the response took 10 s")),
        (HeldBy("other"), 100.0, StandingBy("other")),
        (HeldBy(None), 100.0, StandingBy()),
        (NoAnswer("down"), 100.0, StandingBy(problem="the lease cannot be acquired: down")),
    ],
)
def test_an_attempt_makes_a_leader_only_if_its_answer_comes_in_time(
    answer: LeaseAnswer | NoAnswer, now: float, state: StandingBy | Leading
) -> None:
    assert after_attempt(answer, 100.0, now, TIMING) == state


@pytest.mark.parametrize(
    ("answer", "now", "state"),
    [
        (Granted(), 103.0, Leading(112.0)),
        (Granted(), 110.0, Lost("the lease was not renewed within 10 s")),
        (HeldBy("other"), 103.0, Lost("other holds the lease")),
        (HeldBy(None), 103.0, Lost("the lease has ended")),
        (NoAnswer("down"), 103.0, Leading(110.0, "down")),
        (NoAnswer("down"), 110.0, Lost("the lease was not renewed within 10 s")),
    ],
)
def test_a_renewal_counts_from_the_moment_before_its_request(
    answer: LeaseAnswer | NoAnswer, now: float, state: Leading | Lost
) -> None:
    assert after_renewal(Leading(110.0), answer, 102.0, now, TIMING) == state


def test_the_last_failure_is_the_reason_of_the_loss() -> None:
    assert expired(Leading(110.0, "down"), TIMING).why == "the lease was not renewed within 10 s: down"


def test_only_a_leader_may_act_and_only_before_its_deadline() -> None:
    assert may_act(Leading(110.0), 109.9)
    assert not may_act(Leading(110.0), 110.0)
    assert not may_act(StandingBy(), 0.0)
    assert not may_act(Lost("why"), 0.0)


def test_attempts_are_spread() -> None:
    assert attempt_delay_s(TIMING, 0.0) == 2.0
    assert attempt_delay_s(TIMING, 0.5) == pytest.approx(2.2)


@dataclass(slots=True)
class Service:
    """A service of leases by values: the holder, and the time at which the lease ends."""

    holder: int | None = None
    ends_at: float = 0.0

    def ask(self, who: int, now: float, *, is_renewal: bool) -> LeaseAnswer:
        """Acquire or renew the lease."""
        if now >= self.ends_at:
            self.holder = None
        if self.holder != who and (is_renewal or self.holder is not None):
            return HeldBy(None if self.holder is None else str(self.holder))
        self.holder, self.ends_at = who, now + TIMING.lease_s
        return Granted()


@dataclass(slots=True)
class Replica:
    """A replica whose requests take time on the way there and on the way back."""

    name: int
    state: StandingBy | Leading | Lost = field(default_factory=StandingBy)

    def step(self, service: Service, sent_at: float, there_s: float, back_s: float, *, is_lost: bool) -> None:
        """Ask for the lease, and go to the next state."""
        answer: LeaseAnswer | NoAnswer = service.ask(
            self.name, sent_at + there_s, is_renewal=isinstance(self.state, Leading)
        )
        answer, now = NoAnswer("lost") if is_lost else answer, sent_at + there_s + back_s
        if isinstance(self.state, Leading):
            self.state = after_renewal(self.state, answer, sent_at, now, TIMING)
        else:
            self.state = after_attempt(answer, sent_at, now, TIMING)


STEP = st.tuples(
    st.integers(0, 2), st.floats(0.0, 20.0), st.floats(0.0, 12.0), st.floats(0.0, 12.0), st.booleans(), st.booleans()
)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEP, max_size=40))
def test_no_two_replicas_may_act_at_one_time(steps: list[tuple[int, float, float, float, bool, bool]]) -> None:
    service, replicas, now = Service(), [Replica(number) for number in range(3)], 0.0
    for who, pause_s, there_s, back_s, is_lost, is_long in steps:
        now += pause_s * (10 if is_long else 1)
        replicas[who].step(service, now, there_s, back_s, is_lost=is_lost)
        now += there_s
        assert sum(may_act(each.state, now) for each in replicas) <= 1
