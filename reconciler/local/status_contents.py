"""The contents of one status file: its bytes, its status, and its row in the index of the statuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from reconciler.formats.plain_status import pack_plain, render_plain
from reconciler.formats.status_parser import is_status_file, parse_provider_status, parse_status
from reconciler.formats.status_rows import pack_status, unpack_status
from reconciler.formats.status_writer import render_status
from reconciler.local.status_walk import StatusStamp
from reconciler.model.job_identity import job_identity
from reconciler.model.status import JobStatus, ProviderStatus
from reconciler.ports import PROVIDERS, status_path
from reconciler.redacted_provider import without_secrets
from reconciler.redaction import KNOWN_SECRETS


@dataclass(frozen=True, slots=True)
class StatusFile:
    """The contents of one file, and its stamp just before it was read."""

    stamp: StatusStamp
    contents: bytes | JobStatus
    """The bytes of the file, or a status whose rendered text equals them."""
    status: JobStatus | ProviderStatus | None
    """The status, or None if the file is not a status that reconcile wrote."""
    is_certain: bool = False
    """Whether this process need not read the file again while its stamp stays the same."""
    is_plain: bool = False
    """Whether this process wrote the file, with a plain status (`plain_status`)."""

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        return render_status(self.contents).encode() if isinstance(self.contents, JobStatus) else self.contents


def file_of_row(row: str, stamp: StatusStamp, *, is_certain: bool) -> StatusFile:
    """Return the contents of the file that a row represents. `row` must be a result of `row_of`.

    `is_certain` is whether this process need not read the file again while its stamp stays the same.
    """
    status = unpack_status(row)
    return StatusFile(stamp, status, status, is_certain)


def row_of(file: StatusFile) -> str | None:
    """Return the row of a file, or None if no row represents its bytes, so that it is read again next time."""
    status = file.status
    if not isinstance(status, JobStatus):
        return None
    if file.is_plain and status.job is not None:
        return pack_plain(status, status.job)
    return pack_status(status) if file.contents is status or render_status(status).encode() == file.data else None


def parse_file(path: str, data: bytes) -> JobStatus | ProviderStatus | None:
    """Return the status in a file, or None if the file does not seem to be a status that reconcile wrote.

    `path` is relative to the status tree. Raises the errors of `status_parser`, and `UnicodeDecodeError`.
    """
    if not is_status_file(data):
        return None
    read = parse_provider_status if path.startswith(PROVIDERS) else parse_status
    return read(data.decode())


def path_of(status: JobStatus) -> str:
    """Return the path of a status in the status tree."""
    return status_path(status.source, status.name)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A status as it is written: known secrets are redacted."""

    path: str
    """The path of the file in the status tree."""
    status: JobStatus
    data: bytes
    """The bytes of the file."""
    is_plain: bool = False
    """Whether the status is plain (`plain_status`)."""


def rendered(path: str, status: JobStatus) -> Rendered:
    """Return a status and the bytes of its file, with known secrets redacted. `path` is that of the file.

    The account and the id of the job, and the name and path of the spec, stay as they are.
    """
    plain = render_plain(status)
    text = render_status(status) if plain is None else plain
    if not KNOWN_SECRETS.is_in(text):
        return Rendered(path, status, text.encode(), is_plain=plain is not None)
    # The account and id are identifiers: redacting them would separate the status from its job.
    job = status.job and replace(without_secrets(status.job), account=status.job.account, id=status.job.id)
    texts = without_secrets((status.conditions, status.receipts))
    status = replace(status, job=job, conditions=texts[0], receipts=texts[1])
    return Rendered(path, status, render_status(status).encode())


def written_file(file: Rendered) -> StatusFile:
    """Return the contents of a file that was just written."""
    # Unpacking the row gives the same status as parsing the file, in a tenth of the time.
    status = file.status if file.is_plain else unpack_status(pack_status(file.status))
    return StatusFile(None, status, status, is_plain=file.is_plain)


def successors(files: Mapping[str, StatusFile], status: JobStatus) -> Iterator[str]:
    """Yield the paths of the statuses that other specs have for the job of a status."""
    if status.job is None:
        return
    job = job_identity(status.job)
    for path, file in files.items():
        other = file.status
        if isinstance(other, JobStatus) and other.name != status.name and other.job and job_identity(other.job) == job:
            yield path


def collected(
    files: Mapping[str, StatusFile],
) -> tuple[tuple[JobStatus, ...], tuple[ProviderStatus, ...], dict[str, tuple[str, ...]]]:
    """Return the statuses of jobs, one for each name, those of providers, and the paths of each name."""
    jobs: dict[str, JobStatus] = {}
    providers: list[ProviderStatus] = []
    paths: dict[str, tuple[str, ...]] = {}
    for path, file in files.items():
        status = file.status
        if isinstance(status, ProviderStatus):
            providers.append(status)
        elif status is not None:
            paths[status.name] = (*paths.get(status.name, ()), path)
            other = jobs.get(status.name)
            jobs[status.name] = status if other is None else max(other, status, key=freshness)
    return tuple(jobs.values()), tuple(providers), paths


def rewritten(
    jobs: tuple[JobStatus, ...],
    before: Mapping[str, StatusFile | None],
    now: Mapping[str, StatusFile],
    paths: Mapping[str, tuple[str, ...]],
) -> tuple[JobStatus, ...] | None:
    """Return the statuses that `collected` would return, if files were only rewritten since it returned `jobs`.

    Return None if a file has another kind of change: it is new or was removed, is about a provider, has another name,
    or is not the only file with its name.

    Args:
        jobs: the statuses before.
        before: the contents of each changed file then, by path.
        now: the contents of all files.
        paths: the paths of each name.
    """
    fresh = {}
    for path, file in before.items():
        old, new = _status_in(file), _status_in(now.get(path))
        if old is None or new is None or old.name != new.name or paths.get(new.name) != (path,):
            return None
        fresh[id(old)] = new
    # All objects of `jobs` are alive, so no other object has the `id` of one of them.
    return tuple([fresh.get(id(each), each) for each in jobs])


def _status_in(file: StatusFile | None) -> JobStatus | None:
    return file.status if file is not None and isinstance(file.status, JobStatus) else None


def freshness(status: JobStatus) -> tuple[object, ...]:
    """Return a sort key by which the newer of two statuses with the same name is the greater.

    A crash while a status is moved can leave two statuses with one name, in different folders.
    """
    moments = [each.last_transition_time for each in status.conditions]
    moments += [each.confirmed_at or each.last_attempt_at for each in status.receipts]
    return max(moments), status.observed_generation
