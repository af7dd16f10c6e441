"""The meaning of the words in specs and statuses that are not fields: conditions, desired states and phases."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from reconciler.model.job import Phase
from reconciler.model.spec import DesiredState
from reconciler.model.status import ConditionType

WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "condition": {
            ConditionType.READY: (
                "Always present. True: the job is in its desired state, or has ended in a way that satisfies it. "
                "False: it is not. Unknown: its spec is new or changed, and the job could not be observed since."
            ),
            ConditionType.RECONCILING: (
                "Present, and True, while a change is due or in progress, or an observation is awaited. Ready is then "
                "False, and no manual action is needed."
            ),
            ConditionType.STALLED: (
                "Present, and True, while manual action is needed. Ready is then False. Its reason says what to do."
            ),
        },
        "desired state": {
            DesiredState.RUNNING: (
                "The job should run until it ends. A paused job is resumed, unless something other than `reconcile` "
                "paused it meanwhile. A failed or cancelled job is Stalled."
            ),
            DesiredState.PAUSED: "The job should be paused. An unfinished job is paused if its provider supports that.",
            DesiredState.CANCELLED: "The job should not run. An unfinished job is cancelled, which cannot be undone.",
            DesiredState.OBSERVED: (
                "The job may be in any phase. It is observed, and never changed. Its limits are only reported."
            ),
        },
        "phase": {
            Phase.VALIDATING_FILES: "The provider checks the input files of the job. The job is unfinished.",
            Phase.QUEUED: "The job waits to start. It is unfinished.",
            Phase.RUNNING: "The job is running. It is unfinished.",
            Phase.PAUSING: "A pause is in progress at the provider. The job is unfinished.",
            Phase.PAUSED: "The job is paused. It is unfinished.",
            Phase.CANCELLING: "A cancel is in progress at the provider. The job is unfinished.",
            Phase.SUCCEEDED: "The job has ended with a result.",
            Phase.FAILED: "The job has ended with an error.",
            Phase.CANCELLED: "The job has ended because it was cancelled.",
            Phase.UNKNOWN: (
                "The job has not been observed yet, or the provider reports a status that this version of `reconcile` "
                "does not know. No change is requested."
            ),
            Phase.ABSENT: "The provider does not find a job with this id.",
        },
    }
)
"""The meaning of each word, by what it is and then by the word."""
