"""What oracles accept and reject after a crash, after five cancels without effect, and while a pause is open."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import count

from tests.scenario.history import ChangeSent, Crashed, Event, FileWritten, History, ProviderRequest
from tests.scenario.oracles import ALWAYS, OF_A_WATCH, verdict
from tests.scenario.oracles.convergence import not_converged
from tests.scenario.oracles.fault_isolation import cancel_not_sent
from tests.scenario.oracles.reported_outcomes import false_attribution
from tests.scenario.short_runs import ACCOUNT, a_job_spec, a_scenario, every, fault, reason
from tests.scenario.simulation import CrashAfter, Pass, RunWatch, Simulation, Sleep, Step, TimedInjection, simulate

ENDED_AT_S = 3.0
KEPT_AT_S = 70.0


def cancelled_elsewhere(simulation: Simulation) -> None:
    simulation.providers[ACCOUNT].world.cancel("ftjob-a", simulation.clock.now())


def keep_it(simulation: Simulation) -> None:
    simulation.edit("it is to run", simulation.revision.changed("job-a", desired="running"))


def crashed_before(effect: str, *schedule: TimedInjection) -> History:
    """Return a run whose machine goes down right before the first effect with this name. Another user ends the job."""
    others = (TimedInjection(ENDED_AT_S, cancelled_elsewhere), TimedInjection(KEPT_AT_S, keep_it))
    for effects in count():
        steps: tuple[Step, ...] = (CrashAfter(effects), *every(61.0, 4))
        history = simulate(a_scenario(a_job_spec(), steps=(*steps, Pass()), schedule=(*schedule, *others)))
        (crash,) = [each for each in history.events if isinstance(each, Crashed)]
        if crash.before.startswith(effect):
            return history
    raise AssertionError


def with_another_reason(history: History, old: str, new: str) -> History:
    """Return the same run with `old` replaced by `new` in every written status."""
    return replace(history, events=[_reworded(each, old, new) for each in history.events])


def _reworded(event: Event, old: str, new: str) -> Event:
    if not isinstance(event, FileWritten):
        return event
    body = event.data.rpartition(b"digest: ")[0].replace(old.encode(), new.encode())
    return replace(event, data=body + f"digest: sha256:{hashlib.sha256(body).hexdigest()}\n".encode())


def test_the_oracle_accepts_that_an_attempt_left_open_by_a_crash_cancelled_the_job() -> None:
    history = crashed_before(f"POST {ACCOUNT}")

    assert not verdict(history, ALWAYS)
    assert reason(history, "job-a") == "CancelledByUs"


def test_a_crash_before_the_intent_does_not_excuse_a_later_rejected_cancel() -> None:
    refusal = fault(fault="status", status="403", on="cancel", times=1)
    history = crashed_before("write job-a", refusal)
    blamed = with_another_reason(history, "CancelledElsewhere", "CancelledByUs")

    assert not verdict(history, ALWAYS)
    assert reason(history, "job-a") == "CancelledElsewhere"
    assert list(false_attribution(history)) == []
    assert any("CancelledByUs" in each for each in false_attribution(blamed))


def test_the_oracle_accepts_a_job_that_still_runs_only_after_five_cancels_without_effect() -> None:
    unclear = fault(fault="status", status="425", on="cancel", times=5)
    history = simulate(a_scenario(a_job_spec(), steps=[RunWatch(1800.0)], schedule=[unclear]))
    first = next(each for each in history.events if isinstance(each, ProviderRequest) and each.verb == "cancel")
    fewer = replace(history, events=[each for each in history.events if each is not first])

    assert reason(history, "job-a") == "CancelNotHonoured"
    assert not verdict(history, OF_A_WATCH)
    assert any("CancelNotHonoured" in each for each in not_converged(fewer))


def test_an_open_pause_does_not_excuse_a_cancel_that_was_not_sent() -> None:
    def cancel_it(simulation: Simulation) -> None:
        simulation.edit("it is to end", simulation.revision.changed("job-a", desired="cancelled"))

    steps, schedule = (Pass(), Sleep(1.0), Pass()), [fault(fault="lost-cancel"), TimedInjection(0.5, cancel_it)]
    history = simulate(a_scenario(a_job_spec(desired="paused"), steps=steps, schedule=schedule))
    cancels = [
        each for each in history.events if isinstance(each, ChangeSent | ProviderRequest) and each.verb == "cancel"
    ]
    without = replace(history, events=[each for each in history.events if each not in cancels])

    assert len(cancels) == 2
    assert list(cancel_not_sent(history)) == []
    assert len(list(cancel_not_sent(without))) == 1
