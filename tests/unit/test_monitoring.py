"""The observers of requests and passes: one that fails disturbs neither the others nor the watch."""

from __future__ import annotations

from datetime import timedelta

from reconciler.controller.build_report import PassResult
from reconciler.controller.health import HealthTracker
from reconciler.model.report import Report
from reconciler.wiring.monitoring import Observers

RESULT = PassResult(Report(), (), frozenset(), timedelta(seconds=60))


def test_an_observer_that_raises_is_reported_once_and_the_next_one_is_still_called() -> None:
    complaints: list[str] = []
    told: list[PassResult] = []
    observers = Observers(HealthTracker.beginning(0.0, 60.0), complaints.append)

    def fail(*_: object) -> None:
        msg = "secret words"
        raise ValueError(msg)

    observers.on_pass += [fail, lambda result, _: told.append(result)]
    for _ in range(2):
        observers.notify_pass(RESULT, 0.1)

    assert told == [RESULT, RESULT]
    (complaint,) = complaints
    assert complaint.startswith(
        "a part of the monitoring failed, but the watch continues: ValueError in test_monitoring"
    )
    assert "secret words" not in complaint


def test_a_failed_report_about_an_observer_raises_no_error() -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    observers = Observers(HealthTracker.beginning(0.0, 60.0), fail)
    observers.on_reopen.append(fail)

    observers.reopen()
