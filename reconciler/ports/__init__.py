"""The ports: Protocols for what the controller needs from its environment, and for what a provider implements and gets.

Rule: an implementation raises `TransientError` or `PermanentError` if a provider fails, `OSError` if a disk fails, and
otherwise only the exceptions that a method documents.
"""

from reconciler.ports.ci_host import CiHost, CommentRefusedError
from reconciler.ports.leadership import Leadership, Lease
from reconciler.ports.machine import ChangeNotifier, Clock, Disk, Entry
from reconciler.ports.notifications import NewsRecorder, NotificationSink, Outbox
from reconciler.ports.provider import (
    BINDINGS_MAX,
    PROVIDER,
    AccountConfig,
    Credentials,
    JobController,
    JobReader,
    NotBound,
    Now,
    PeerNames,
    Response,
    Sign,
    SupportsCheckpoints,
    SupportsEvents,
    SupportsModelEnds,
    SupportsPause,
    Transport,
)
from reconciler.ports.provider_type import JobsOfKind, ProviderType, Rate, SupportsKinds, jobs_by_kind
from reconciler.ports.specs import BrokenJob, D, JobEdit, Located, Snapshot, SpecSource, SupportsReread
from reconciler.ports.statuses import (
    ARCHIVE,
    PROVIDERS,
    Journal,
    Publisher,
    StatusStore,
    StoredStatuses,
    Unread,
    status_path,
)
from reconciler.ports.tracing import NO_TRACER, Attributes, Span, Tracer

__all__ = [
    "ARCHIVE",
    "BINDINGS_MAX",
    "NO_TRACER",
    "PROVIDER",
    "PROVIDERS",
    "AccountConfig",
    "Attributes",
    "BrokenJob",
    "ChangeNotifier",
    "CiHost",
    "Clock",
    "CommentRefusedError",
    "Credentials",
    "D",
    "Disk",
    "Entry",
    "JobController",
    "JobEdit",
    "JobReader",
    "JobsOfKind",
    "Journal",
    "Leadership",
    "Lease",
    "Located",
    "NewsRecorder",
    "NotBound",
    "NotificationSink",
    "Now",
    "Outbox",
    "PeerNames",
    "ProviderType",
    "Publisher",
    "Rate",
    "Response",
    "Sign",
    "Snapshot",
    "Span",
    "SpecSource",
    "StatusStore",
    "StoredStatuses",
    "SupportsCheckpoints",
    "SupportsEvents",
    "SupportsKinds",
    "SupportsModelEnds",
    "SupportsPause",
    "SupportsReread",
    "Tracer",
    "Transport",
    "Unread",
    "jobs_by_kind",
    "status_path",
]
