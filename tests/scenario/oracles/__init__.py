"""Properties of every run. The oracles read only a `History`, and share no rule or parser with the product."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.scenario.history import History
from tests.scenario.oracles.convergence import not_converged
from tests.scenario.oracles.costs import cost_limit_exceeded
from tests.scenario.oracles.fault_isolation import cancel_delayed, cancel_not_sent, useless_retrieves
from tests.scenario.oracles.health import early_readiness, understated_age, wrong_liveness, wrong_readiness
from tests.scenario.oracles.kinds import counters_written, mixed_kinds, untold_end
from tests.scenario.oracles.liveness import ignored_retry, late_stop, missed_pass, missed_poll
from tests.scenario.oracles.mass_disappearance import mass_disappearance_believed
from tests.scenario.oracles.pauses import resumed_against_others
from tests.scenario.oracles.reported_outcomes import (
    false_acceptance,
    false_attribution,
    false_outcome,
    unreported_limit,
)
from tests.scenario.oracles.request_deadlines import late_request
from tests.scenario.oracles.requests import (
    change_after_convergence,
    change_before_observation,
    change_limit_exceeded,
    early_retry,
    excess_cancels,
    rate_limit_exceeded,
    unwanted_change,
)
from tests.scenario.oracles.status_freshness import outdated_status, unpublished_status, wrong_account_status
from tests.scenario.oracles.statuses import (
    false_end,
    false_ready,
    internal_error,
    leaked_secret,
    lost_receipt,
    malformed_status,
    missing_status,
    unobserved_phase,
    unrecorded_request,
    wrongly_pruned,
)
from tests.scenario.oracles.unreadable_files import unread_overwritten

Oracle = Callable[[History], Iterator[str]]

ALWAYS: tuple[Oracle, ...] = (
    unwanted_change,
    resumed_against_others,
    change_before_observation,
    excess_cancels,
    rate_limit_exceeded,
    early_retry,
    mass_disappearance_believed,
    change_limit_exceeded,
    cost_limit_exceeded,
    malformed_status,
    unobserved_phase,
    false_end,
    false_ready,
    unrecorded_request,
    lost_receipt,
    missing_status,
    wrongly_pruned,
    leaked_secret,
    internal_error,
    cancel_not_sent,
    cancel_delayed,
    useless_retrieves,
    false_acceptance,
    false_outcome,
    false_attribution,
    unreported_limit,
    unread_overwritten,
    mixed_kinds,
    counters_written,
)
SETTLED: tuple[Oracle, ...] = (change_after_convergence, not_converged, untold_end)
"""The oracles for runs that end without faults for long enough."""
OF_PASSES: tuple[Oracle, ...] = (
    change_before_observation,
    unobserved_phase,
    cancel_not_sent,
    cancel_delayed,
    useless_retrieves,
    unreported_limit,
    unread_overwritten,
)
"""The oracles that assume passes over all specs. They do not apply to a watch: there an account worker may outlive its
pass, so that a status may rest on a response from before the pass, and a pass may concern only some jobs."""
IN_TIME: tuple[Oracle, ...] = (
    late_request,
    early_readiness,
    wrong_readiness,
    understated_age,
    wrong_liveness,
    outdated_status,
    unpublished_status,
    wrong_account_status,
    missed_pass,
    missed_poll,
    ignored_retry,
    late_stop,
)
"""The oracles with deadlines, which apply only to watches."""
OF_A_WATCH = (*(each for each in ALWAYS if each not in OF_PASSES), *IN_TIME, not_converged)


def verdict(history: History, oracles: tuple[Oracle, ...] = ALWAYS + SETTLED) -> list[str]:
    """Return every violation in a run, each with the oracle that found it."""
    return [f"{oracle.__name__}: {each}" for oracle in oracles for each in oracle(history)]
