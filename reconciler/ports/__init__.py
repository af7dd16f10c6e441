"""The Protocols: what the controller needs from its surroundings, and what a provider is given.

Rule: an implementation raises `TransientError` or `PermanentError` for a provider's failure, OSError for a disk's, and
no other exception on purpose.
"""

from reconciler.ports.ci_host import CiHost, CommentRefusedError
from reconciler.ports.machine import ChangeNotifier, Clock, Disk, Entry
from reconciler.ports.provider import (
    BINDINGS_MAX,
    AccountConfig,
    Credentials,
    JobController,
    JobReader,
    NotBound,
    Now,
    ProviderType,
    Rate,
    Response,
    Sign,
    SupportsCheckpoints,
    SupportsEvents,
    SupportsPause,
    Transport,
)
from reconciler.ports.specs import BrokenJob, D, Located, Snapshot, SpecSource
from reconciler.ports.statuses import PROVIDERS, Journal, Publisher, StatusStore, StoredStatuses, Unread, status_path

__all__ = [
    "BINDINGS_MAX",
    "PROVIDERS",
    "AccountConfig",
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
    "JobReader",
    "Journal",
    "Located",
    "NotBound",
    "Now",
    "ProviderType",
    "Publisher",
    "Rate",
    "Response",
    "Sign",
    "Snapshot",
    "SpecSource",
    "StatusStore",
    "StoredStatuses",
    "SupportsCheckpoints",
    "SupportsEvents",
    "SupportsPause",
    "Transport",
    "Unread",
    "status_path",
]
