"""The closed list of reasons, each with a paragraph that `explain` and the reference print. Reasons are API."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """The reason for a condition, an unobserved provider or a history entry: one PascalCase word.

    Reasons are never renamed.
    """

    paragraph: str

    def __new__(cls, value: str, paragraph: str) -> Self:
        """Return a member with `value` as its value and with the paragraph as an attribute."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.paragraph = paragraph
        return member

    # Ready is True
    AS_DESIRED = "AsDesired", "The job is in its desired state. No change is requested."
    LIMIT_NEAR = (
        "LimitNear",
        "The job is in its desired state. A limit of its spec will cancel it, at the time in the message or later.",
    )
    SUCCEEDED = "Succeeded", "The job succeeded. No change is needed."
    CANCELLED = "Cancelled", "The desired state is cancelled, and the provider shows the job as cancelled."
    LIMIT_REACHED = "LimitReached", "The job exceeded a limit of its spec and was cancelled because of it."
    FINISHED_BEFORE_CANCEL = (
        "FinishedBeforeCancel",
        "The desired state is cancelled, but the job had ended by itself before a cancel was accepted.",
    )
    FINISHED_DESPITE_CANCEL = (
        "FinishedDespiteCancel",
        "The provider accepted the cancel, but the job succeeded or failed before the cancel took effect.",
    )
    JOB_GONE = (
        "JobGone",
        (
            "The provider no longer knows the job. If the desired state is cancelled, this reason is used only after "
            "the provider accepted a cancel and two observations at least one interval apart found the job absent."
        ),
    )
    # Reconciling: a change is in progress
    CANCEL_PENDING = "CancelPending", "A cancel is due or in progress, and not confirmed yet."
    PAUSE_PENDING = "PausePending", "A pause is due or in progress, and not confirmed yet."
    RESUME_PENDING = (
        "ResumePending",
        "A resume is due or in progress, and not confirmed yet. A job that is pausing is resumed once it is paused.",
    )
    CANCELLING_ELSEWHERE = (
        "CancellingElsewhere",
        "Something other than `reconcile` is cancelling the job, against its desired state.",
    )
    PHASE_NOT_UNDERSTOOD = (
        "PhaseNotUnderstood",
        (
            "The provider reports a job status that this version of `reconcile` does not know. No change is requested "
            "until the provider reports a status that it knows."
        ),
    )
    SPEC_DELETED = (
        "SpecDeleted",
        (
            "The spec was deleted while a request was open or still counted by the guard. The job of an open request "
            "is observed until the request is confirmed or its last attempt is a day old. No further change is "
            "requested."
        ),
    )
    # Stalled: a person must act
    JOB_NOT_FOUND = (
        "JobNotFound",
        "The provider has never shown a job with this id. The id may have a typo, or the account may be the wrong one.",
    )
    JOB_VANISHED = "JobVanished", "The job was unfinished when it was last observed. The provider no longer knows it."
    JOB_FAILED = (
        "JobFailed",
        "The job failed at the provider, and its desired state is `running` or `paused`.",
    )
    CANCELLED_ELSEWHERE = (
        "CancelledElsewhere",
        "Something other than `reconcile` cancelled the job, against its desired state.",
    )
    PAUSED_ELSEWHERE = (
        "PausedElsewhere",
        (
            "The job was paused, apparently by something other than `reconcile`, such as a person, or a provider whose "
            "spending limit was reached. It is resumed only by `reconcile retry`, or after its spec has changed in "
            "more than its reason, labels and suspension."
        ),
    )
    CANCELLED_BY_US = (
        "CancelledByUs",
        "`reconcile` cancelled the job before its desired state changed. A cancel cannot be undone.",
    )
    INVALID_SPEC = "InvalidSpec", "The spec is not valid. No change is requested for its job until the spec is valid."
    INVALID_PROVIDER = (
        "InvalidProvider",
        "The Provider document that the spec names is missing or not valid, or contradicts another one.",
    )
    DUPLICATE_JOB = (
        "DuplicateJob",
        "Several specs have the same name or refer to the same job. No change is requested for any of them.",
    )
    NOT_SUPPORTED = "NotSupported", "This provider cannot bring the job into its desired state."
    HOST_NOT_TRUSTED = (
        "HostNotTrusted",
        "The operator has not allowed the credential to be sent to the host of the account. Nothing was sent.",
    )
    REFUSED_BY_GUARD = (
        "RefusedByGuard",
        (
            "The guard did not allow the change: too many changes were due at once, the jobs to cancel had cost too "
            "much, or the changes of the last hour could not be counted."
        ),
    )
    ACTION_FORBIDDEN = "ActionForbidden", "The provider refused the credential for this request."
    CANCEL_NOT_HONOURED = (
        "CancelNotHonoured",
        "Five requests for one change had no effect. The request is repeated every six hours, or by `reconcile retry`.",
    )
    CANCEL_STUCK = (
        "CancelStuck",
        "The job has been in the phase `cancelling` for at least two hours. It is still polled.",
    )
    CONTESTED = (
        "Contested",
        (
            "Something other than `reconcile` undid the requested change three times within a day. It is requested "
            "again once the first of these three changes is a day old."
        ),
    )
    REVISION_NOT_TRUSTED = (
        "RevisionNotTrusted",
        (
            "The specs cannot be acted on, for example during a merge or after the branch was rewound, or the Settings "
            "are not valid. Jobs are observed, but no change is requested."
        ),
    )
    # Ready is False, but neither Reconciling nor Stalled
    SUSPENDED = (
        "Suspended",
        "The spec, the Settings or the operator suspends the job. It is observed, but no change is requested.",
    )
    WOULD_CANCEL = "WouldCancel", "A cancel is due. Shadow mode reports it instead of requesting it."
    WOULD_PAUSE = "WouldPause", "A pause is due. Shadow mode reports it instead of requesting it."
    WOULD_RESUME = "WouldResume", "A resume is due. Shadow mode reports it instead of requesting it."
    OUTSIDE_WINDOW = (
        "OutsideWindow",
        (
            "A change is due, and the operator's change windows do not let it be requested now. It is requested once "
            "they do."
        ),
    )
    # For a provider that cannot be observed
    CANNOT_OBSERVE_PROVIDER = (
        "CannotObserveProvider",
        "The job could not be observed at the provider. The last known status is kept, and no change is requested.",
    )
    OBSERVATION_INCOMPLETE = (
        "ObservationIncomplete",
        (
            "The provider returned an incomplete list, or a list with a job that the provider does not find by its "
            "id. Such a job, or one that is missing from the list, is not assumed to be gone."
        ),
    )
    OBSERVATION_SUSPECT = (
        "ObservationSuspect",
        (
            "Many jobs disappeared at once, or the account shows no known job any more. This suggests a wrong key, "
            "project or URL. If the account still shows some known jobs, the missing jobs are considered deleted "
            "after an hour."
        ),
    )
    RATE_LIMITED = "RateLimited", "The provider limits the request rate, or several requests in a row failed."
    AUTHENTICATION_FAILED = (
        "AuthenticationFailed",
        "The credential is missing, or the provider does not accept it for this request.",
    )
    # Only in the history of a status
    JOB_CHANGED = "JobChanged", "The spec now names a different job. The status of the previous job was discarded."
    STATUS_DISCARDED = (
        "StatusDiscarded",
        (
            "The status file was damaged or edited by hand, so it was ignored. `maxQueued` no longer applies to the "
            "job, because it may already have started."
        ),
    )
    PHASE_WENT_BACK = "PhaseWentBack", "Two observations agree that a job which had ended is now in another phase."
    # Shown by commands that read statuses, never written to a status
    OUT_OF_DATE = "OutOfDate", "The spec is new or has changed, and its job has not been observed since."
    STATUS_UNKNOWN = (
        "StatusUnknown",
        "The status file could not be read. No change is requested for its job, and the file is not overwritten.",
    )
