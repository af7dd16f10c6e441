"""The closed list of reasons, each with its paragraph. Reasons are API: `explain` and the README are made from here."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """Why a status says what it says. One PascalCase word each, never renamed."""

    paragraph: str

    def __new__(cls, value: str, paragraph: str) -> Self:
        """Make a member that is its word and carries its paragraph."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.paragraph = paragraph
        return member

    # Ready is true
    AS_DESIRED = "AsDesired", "The job is in the state that its spec wants. Nothing is asked of the provider."
    SUCCEEDED = "Succeeded", "The job finished well. There is nothing left to do, whatever the spec wants."
    CANCELLED = "Cancelled", "The spec wants the job cancelled, and a look after the request showed it cancelled."
    LIMIT_REACHED = "LimitReached", "The job was over one of its limits and ended as cancelled because of it."
    FINISHED_BEFORE_CANCEL = (
        "FinishedBeforeCancel",
        "The spec wants the job cancelled, but it had ended by itself before a cancel was accepted.",
    )
    FINISHED_DESPITE_CANCEL = (
        "FinishedDespiteCancel",
        "The provider accepted the cancel, yet the job ran to its own end. It costs nothing any more.",
    )
    JOB_GONE = (
        "JobGone",
        (
            "The provider no longer knows the job. For a wanted cancel this counts only after our cancel was accepted "
            "and two looks an interval apart agree."
        ),
    )
    # Reconciling
    CANCEL_PENDING = "CancelPending", "A cancel is due, asked for, or accepted and not yet seen to have worked."
    PAUSE_PENDING = "PausePending", "A pause is due, asked for, or accepted and not yet seen to have worked."
    RESUME_PENDING = "ResumePending", "A resume is due, asked for, or accepted and not yet seen to have worked."
    CANCELLING_ELSEWHERE = "CancellingElsewhere", "The job is being cancelled, and not by us, though its spec wants it."
    PHASE_NOT_UNDERSTOOD = (
        "PhaseNotUnderstood",
        "The provider reports a status word that we do not know. Nothing is done until it is one that we know.",
    )
    SPEC_DELETED = (
        "SpecDeleted",
        (
            "The spec is gone, and a request of ours is open or still counts for the guard. An open one is looked at "
            "until it is confirmed; nothing more is asked."
        ),
    )
    # Stalled: a person must act
    JOB_NOT_FOUND = (
        "JobNotFound",
        "The provider does not know this id and never did: look for a typo, or a wrong account.",
    )
    JOB_VANISHED = "JobVanished", "The job was seen unfinished, and now the provider does not know it."
    JOB_FAILED = "JobFailed", "The job failed at the provider. Declare it `observed` once that is known and done with."
    CANCELLED_ELSEWHERE = "CancelledElsewhere", "Somebody else cancelled a job that its spec wants."
    CANCELLED_BY_US = (
        "CancelledByUs",
        "We cancelled the job before its spec changed its mind. A cancel cannot be undone.",
    )
    INVALID_SPEC = "InvalidSpec", "The spec is not valid. Nothing is done for its job until it is."
    INVALID_PROVIDER = "InvalidProvider", "The Provider document that the spec names is missing or not valid."
    DUPLICATE_JOB = "DuplicateJob", "Two specs share a name, or name the same job. Nothing is done for either."
    NOT_SUPPORTED = "NotSupported", "This provider cannot do what the spec wants."
    HOST_NOT_TRUSTED = (
        "HostNotTrusted",
        "The spec would send a credential to a host that the operator has not bound to it. Nothing was sent.",
    )
    REFUSED_BY_GUARD = "RefusedByGuard", "Too many changes at once. None was made; `--allow-cancels N` goes on."
    ACTION_FORBIDDEN = "ActionForbidden", "The provider refused the credential (401 or 403) for this request."
    CANCEL_NOT_HONOURED = (
        "CancelNotHonoured",
        "The job was asked to stop five times and still runs. It is asked again every six hours, or by `retry`.",
    )
    CANCEL_STUCK = "CancelStuck", "The job has been `cancelling` for two hours. It is still looked at."
    CONTESTED = "Contested", "Somebody undid our request three times within a day. We stop until a person decides."
    REVISION_NOT_TRUSTED = (
        "RevisionNotTrusted",
        "The checkout is not one to act on, or its Settings are not valid: it is read, and nothing is asked.",
    )
    # Neither
    SUSPENDED = "Suspended", "The spec, or Settings, is suspended: looks go on, nothing is asked."
    # A provider that cannot be seen
    CANNOT_OBSERVE_PROVIDER = (
        "CannotObserveProvider",
        "The provider could not be looked at. What was known stays as it was, and nothing is done.",
    )
    OBSERVATION_INCOMPLETE = "ObservationIncomplete", "A list did not come whole. Absence from it means nothing."
    OBSERVATION_SUSPECT = (
        "ObservationSuspect",
        "Jobs that were there are gone all at once: a wrong key, project or URL is likelier than that.",
    )
    RATE_LIMITED = "RateLimited", "The provider asks us to wait."
    AUTHENTICATION_FAILED = "AuthenticationFailed", "The credential is missing, or the provider does not accept it."
    PROGRESSING = "Progressing", "A provider was looked at again after an outage."
    # Marks in a history
    JOB_CHANGED = "JobChanged", "The spec names another job than before. What was known of the old one was dropped."
    STATUS_DISCARDED = (
        "StatusDiscarded",
        "The status file was unreadable or edited, and counts as none. `maxQueued` no longer applies to its job.",
    )
    PHASE_WENT_BACK = "PhaseWentBack", "A job that had ended for good runs again, by two looks that agree."
    # Said by readers only, never written
    OUT_OF_DATE = "OutOfDate", "The spec has changed since the status was written."
