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


def test_a_cancel_requested_by_the_spec_is_not_attributed_to_an_exceeded_limit() -> None:
    subject = a_subject("running", limits={"maxAge": "1h"})
    ours = a_receipt(age=HOUR, outcome=Outcome.CANCELLED, accepted_at=NOW - HOUR, confirmed_at=NOW)
    job = a_look(Phase.CANCELLED, finished_at=NOW).job
    seen = situate(subject, job, a_past(subject, Phase.CANCELLED, ours), NOW)

    assert situation(subject, seen, DesiredState.RUNNING) is Situation.CANCELLED_BY_US


def test_started_at_is_the_first_observation_if_the_provider_omits_it() -> None:
    subject = a_subject("running")
    seen = situate(subject, a_look(Phase.RUNNING, started_at=None).job, None, NOW)

    assert seen.facts.started_at == NOW


@pytest.mark.parametrize(("phase", "is_unjudged"), [(Phase.RUNNING, True), (Phase.FAILED, False)])
def test_a_limit_is_reported_as_unjudged_only_for_an_unfinished_job(*, phase: Phase, is_unjudged: bool) -> None:
    subject = a_subject("running", limits={"maxAge": "1h"})
    seen = situate(subject, a_look(phase, as_of=None).job, None, NOW)

    assert (seen.unjudged is not None) == is_unjudged


def test_a_job_that_should_be_cancelled_has_no_unjudged_limit() -> None:
    subject = a_subject("cancelled", limits={"maxAge": "1h"})
    seen = situate(subject, a_look(Phase.RUNNING, as_of=None).job, None, NOW)

    assert seen.unjudged is None
