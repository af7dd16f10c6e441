"""The closed list of reasons, each with its paragraph. Reasons are API; `explain` and the reference print them."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """The reason in a condition: one PascalCase word, never renamed."""

    paragraph: str

    def __new__(cls, value: str, paragraph: str) -> Self:
        """Return a member whose value is the word and which has the paragraph."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.paragraph = paragraph
        return member

    # Ready is true
    AS_DESIRED = "AsDesired", "The job is in its desired state. No change is requested."
    SUCCEEDED = "Succeeded", "The job succeeded. Nothing is left to do, whatever its desired state."
    CANCELLED = "Cancelled", "The desired state is cancelled, and the provider shows the job as cancelled."
    LIMIT_REACHED = "LimitReached", "The job exceeded one of its limits and was cancelled because of it."
    FINISHED_BEFORE_CANCEL = (
        "FinishedBeforeCancel",
        "The desired state is cancelled, but the job had ended by itself before a cancel was accepted.",
    )
    FINISHED_DESPITE_CANCEL = (
        "FinishedDespiteCancel",
        "The provider accepted the cancel, but the job ran to its own end. It no longer costs anything.",
    )
    JOB_GONE = (
        "JobGone",
        (
            "The provider no longer knows the job. For a wanted cancel this counts only after our cancel was accepted "
            "and two observations an interval apart agree."
        ),
    )
    # Reconciling
    CANCEL_PENDING = "CancelPending", "A cancel is due, requested or accepted, and not confirmed yet."
    PAUSE_PENDING = "PausePending", "A pause is due, requested or accepted, and not confirmed yet."
    RESUME_PENDING = "ResumePending", "A resume is due, requested or accepted, and not confirmed yet."
    CANCELLING_ELSEWHERE = (
        "CancellingElsewhere",
        "The job is being cancelled, but not by us, against its desired state.",
    )
    PHASE_NOT_UNDERSTOOD = (
        "PhaseNotUnderstood",
        (
            "The provider reports a status word that reconcile does not know. No change is requested "
            "until it reports a known one."
        ),
    )
    SPEC_DELETED = (
        "SpecDeleted",
        (
            "The spec was deleted, and a request is open or still counts for the guard. An open one is observed "
            "until it is confirmed; no further change is requested."
        ),
    )
    # Stalled: a person must act
    JOB_NOT_FOUND = (
        "JobNotFound",
        "The provider does not know this id and never did. The id has a typo, or the account is the wrong one.",
    )
    JOB_VANISHED = "JobVanished", "The job was observed unfinished, and the provider no longer knows it."
    JOB_FAILED = "JobFailed", "The job failed at the provider. Declare it `observed` once you have dealt with that."
    CANCELLED_ELSEWHERE = "CancelledElsewhere", "The job was cancelled, but not by us, against its desired state."
    CANCELLED_BY_US = (
        "CancelledByUs",
        "reconcile cancelled the job before its desired state changed. A cancel cannot be undone.",
    )
    INVALID_SPEC = "InvalidSpec", "The spec is not valid. No change is requested for its job until it is."
    INVALID_PROVIDER = "InvalidProvider", "The Provider document that the spec names is missing or not valid."
    DUPLICATE_JOB = "DuplicateJob", "Two specs share a name, or name the same job. No change is requested for either."
    NOT_SUPPORTED = "NotSupported", "This provider cannot bring the job into its desired state."
    HOST_NOT_TRUSTED = (
        "HostNotTrusted",
        "The operator has not bound the credential to the host that the spec names. Nothing was sent.",
    )
    REFUSED_BY_GUARD = (
        "RefusedByGuard",
        "Too many changes at once, so none was requested. `--allow-cancels N` allows them.",
    )
    ACTION_FORBIDDEN = "ActionForbidden", "The provider refused the credential (401 or 403) for this request."
    CANCEL_NOT_HONOURED = (
        "CancelNotHonoured",
        "Five cancel requests had no effect. The request is repeated every six hours, or by `reconcile retry`.",
    )
    CANCEL_STUCK = "CancelStuck", "The job has been `cancelling` for two hours. It is still polled."
    CONTESTED = "Contested", "The requested change was undone three times within a day. It is not requested again."
    REVISION_NOT_TRUSTED = (
        "RevisionNotTrusted",
        (
            "The checkout cannot be acted on, or its Settings are not valid. Jobs are observed, and no "
            "change is requested."
        ),
    )
    # Neither
    SUSPENDED = (
        "Suspended",
        "The spec, or everything by Settings, is suspended. The job is observed, and no change is requested.",
    )
    # A provider that cannot be observed
    CANNOT_OBSERVE_PROVIDER = (
        "CannotObserveProvider",
        "The provider could not be observed. The last known status stays, and no change is requested.",
    )
    OBSERVATION_INCOMPLETE = (
        "ObservationIncomplete",
        "The provider returned an incomplete list. A job that is missing from it is not taken for gone.",
    )
    OBSERVATION_SUSPECT = (
        "ObservationSuspect",
        (
            "Many jobs disappeared at once, which points to a wrong key, project or URL. No other "
            "job is held up. If the account still shows some of them, the missing ones count as deleted after an "
            "hour."
        ),
    )
    RATE_LIMITED = "RateLimited", "The provider limits the request rate."
    AUTHENTICATION_FAILED = "AuthenticationFailed", "The credential is missing, or the provider does not accept it."
    # Marks in a history
    JOB_CHANGED = "JobChanged", "The spec names another job than before. The status of the old one was dropped."
    STATUS_DISCARDED = (
        "StatusDiscarded",
        (
            "The status file was unreadable or edited by hand, so it was ignored. `maxQueued` no longer "
            "applies to its job."
        ),
    )
    PHASE_WENT_BACK = "PhaseWentBack", "A job that had ended runs again, as two observations agree."
    # Shown by commands that read statuses, never written to a status
    OUT_OF_DATE = "OutOfDate", "The spec has changed since the status was written."
    STATUS_UNKNOWN = (
        "StatusUnknown",
        "The status file could not be read. Nothing is requested for its job, and the file stays as it is.",
    )
