from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.core.situation import situate, situation
from reconciler.core.table import Situation
from reconciler.model.job import Phase
from reconciler.model.spec import DesiredState
from reconciler.model.status import Outcome
from tests.support.build import NOW
from tests.support.subjects import a_look, a_past, a_receipt, a_subject

HOUR = timedelta(hours=1)


def test_a_job_that_we_cancelled_for_its_spec_is_not_called_cancelled_by_a_limit_that_it_was_over() -> None:
    subject = a_subject("running", limits={"maxAge": "1h"})
    ours = a_receipt(age=HOUR, outcome=Outcome.CANCELLED, accepted_at=NOW - HOUR, confirmed_at=NOW)
    job = a_look(Phase.CANCELLED, finished_at=NOW).job
    seen = situate(subject, job, a_past(subject, Phase.CANCELLED, ours), NOW)

    assert situation(subject, seen, DesiredState.RUNNING) is Situation.CANCELLED_BY_US


def test_a_job_is_running_since_it_was_first_observed_to_where_the_provider_does_not_say() -> None:
    subject = a_subject("running")
    seen = situate(subject, a_look(Phase.RUNNING, started_at=None).job, None, NOW)

    assert seen.facts.started_at == NOW


@pytest.mark.parametrize(("phase", "is_unjudged"), [(Phase.RUNNING, True), (Phase.FAILED, False)])
def test_a_limit_is_reported_as_not_judged_for_an_unfinished_job_alone(*, phase: Phase, is_unjudged: bool) -> None:
    subject = a_subject("running", limits={"maxAge": "1h"})
    seen = situate(subject, a_look(phase, as_of=None).job, None, NOW)

    assert (seen.unjudged is not None) == is_unjudged


def test_a_job_that_is_to_be_cancelled_has_no_limit_left_to_judge() -> None:
    subject = a_subject("cancelled", limits={"maxAge": "1h"})
    seen = situate(subject, a_look(Phase.RUNNING, as_of=None).job, None, NOW)

    assert seen.unjudged is None
