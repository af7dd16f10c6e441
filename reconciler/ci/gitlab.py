"""GitLab CI during one job: a section of the log, files and outputs for artifacts, and the note on a merge request.

Rules:

- The token is sent only to the API's base URL in the environment of the job.
- Files are written only into the directory that `RECONCILE_REPORTS` names, because only the pipeline's author knows
  which paths are artifacts. Without this variable there are neither files nor outputs.
- If a note cannot be written, a warning is printed, because the log and the files contain the same result.

The job token (`CI_JOB_TOKEN`) may read notes, but not write them (https://docs.gitlab.com/ci/jobs/ci_job_token/).
Therefore a note needs another token, in `GITLAB_TOKEN`.
"""

from __future__ import annotations

import errno
import re
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from reconciler.ci.annotations import Places, annotations_of
from reconciler.ci.gitlab_notes import API, MergeRequest, Notes
from reconciler.ci.gitlab_text import (
    annotation_lines,
    dotenv_text,
    note_text,
    section,
    section_title,
    without_sections,
)
from reconciler.ci.run_links import links_of
from reconciler.local.clock import SystemClock
from reconciler.local.file_writer import replace_file
from reconciler.model.report import Report
from reconciler.redaction import KNOWN_SECRETS

NOTE_MAX = 1_000_000
"""The maximum length of a note, in characters (https://docs.gitlab.com/api/notes/)."""
OUTPUTS = "outputs.env"
"""The name of the file with the outputs, for `artifacts:reports:dotenv`."""

_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The variables of a job, see https://docs.gitlab.com/ci/variables/predefined_variables/.

    A value is None if its variable is missing, empty or invalid. `reports` is the directory for files.
    """

    project: Path | None
    reports: Path | None
    api_url: str | None
    merge_request: MergeRequest | None
    token: str | None
    cafile: Path | None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Return the job that these variables describe."""
        project, reports = environ.get("CI_PROJECT_DIR"), environ.get("RECONCILE_REPORTS")
        return cls(
            project=Path(project) if project else None,
            reports=Path(project or "", reports) if reports else None,
            api_url=environ.get("CI_API_V4_URL") or None,
            merge_request=_merge_request(environ),
            token=environ.get("GITLAB_TOKEN") or None,
            cafile=Path(environ["CI_SERVER_TLS_CA_FILE"]) if environ.get("CI_SERVER_TLS_CA_FILE") else None,
        )


class GitLab:
    """GitLab CI during one job."""

    name = "GitLab"
    reads_both_streams = True
    summary_bytes_left = None
    comment_max = NOTE_MAX // 2
    """`note_text` may double the length of a text."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    @cached_property
    def _job(self) -> Job:
        return Job.of(self._environ)

    def without_commands(self, text: str) -> str:
        """Return text that begins and ends no section of the log."""
        return without_sections(text)

    def annotations(self, report: Report, specs: Path, *, is_from_top: bool) -> str:
        """Return a collapsed section of the log with the places in the specs that a report is about, as links."""
        found = annotations_of(report, Places.below(None if is_from_top else self._job.project, specs))
        if not found:
            return ""
        links = links_of(self._environ)

        def url_of(file: str, line: int | None) -> str | None:
            if links is None or report.revision is None or not links.knows(report.revision):
                return None
            return links.file_url(report.revision, file, line)

        name = f"reconcile_{secrets.token_hex(4)}"
        lines = annotation_lines(found, url_of)
        return section(name, section_title(found), lines, int(SystemClock().now().timestamp()))

    def add_summary(self, _text: str) -> None:
        """Raise `LookupError`, because a job of GitLab has no summary."""
        raise LookupError(self.name)

    @property
    def keeps_files(self) -> bool:
        """Whether `RECONCILE_REPORTS` names a directory for files."""
        return self._job.reports is not None

    def write_file(self, name: str, text: str) -> Path:
        """Write a file that the job can name as an artifact, and return its path. Raises `OSError` if that fails.

        A directory that the checkout replaces with a link is refused, because it may lead out of the checkout.
        """
        reports = self._job.reports or Path()
        if _is_behind_a_link(reports, self._job.project):
            raise OSError(errno.ELOOP, "a part of its path is a link", str(reports))
        reports.mkdir(parents=True, exist_ok=True)
        replace_file(reports / name, text.encode())
        return reports / name

    def set_outputs(self, values: Mapping[str, str]) -> None:
        """Add outputs to the dotenv report, if there is a directory for files. Raises `OSError` if that fails.

        Paths in the project are relative to it, because a later job has it in another directory.
        """
        if self._job.reports is None:
            return
        path = self._job.reports / OUTPUTS
        before = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        top = f"{self._job.project}/"
        relative = {name: value.removeprefix(top) for name, value in values.items()}
        self.write_file(OUTPUTS, dotenv_text(before, relative))

    @property
    def comment_target(self) -> str | None:
        """The merge request as text, such as `merge request !7`; None without a merge request, an API or a token."""
        job = self._job
        if job.merge_request is None or job.api_url is None or job.token is None:
            return None
        return f"merge request !{job.merge_request.number}"

    async def put_comment(self, marker: str, text: str) -> str:
        """Create or update the note that begins with this marker, and return its ID.

        Raises `ValueError` if the API's base URL cannot be used, `LookupError` if `comment_target` is None, `OSError`
        if the certificates that the runner names cannot be read, `PermanentError(unreachable)` if the proxy or other
        certificate settings cannot be used, and the errors of `Notes.put`.
        """
        job = self._job
        if job.merge_request is None or job.api_url is None or job.token is None:
            raise LookupError(self.name)
        body = KNOWN_SECRETS.redact(f"{marker}\n{note_text(text)}")
        url = API.base_url(job.api_url)
        async with API.transport(url, tls=_tls(job.cafile, url)) as transport:
            return str(await Notes(transport, job.merge_request, job.token).put(marker, body))


def _is_behind_a_link(path: Path, project: Path | None) -> bool:
    """Return whether a part of the path below the project is a link."""
    if project is None or not path.is_relative_to(project):
        return False
    return path.resolve() != project.resolve() / path.relative_to(project)


def _tls(cafile: Path | None, url: str) -> ssl.SSLContext | None:
    """Return a TLS context that also trusts the certificate of the runner's `tls-ca-file`, or None if it has none."""
    if cafile is None or not url.startswith("https:"):
        return None
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=cafile)
    return context


def _merge_request(environ: Mapping[str, str]) -> MergeRequest | None:
    """Return the merge request of the pipeline. If it is from a fork, its project is not the one that runs the job."""
    project, number = environ.get("CI_MERGE_REQUEST_PROJECT_ID", ""), environ.get("CI_MERGE_REQUEST_IID", "")
    if not (_NUMBER.fullmatch(project) and _NUMBER.fullmatch(number)):
        return None
    return MergeRequest(project=int(project), number=int(number))
