"""A collection of Bedrock's jobs in one region: list, retrieve and stop."""

from __future__ import annotations

from typing import ClassVar

from reconciler.plugin import JobPage, JobRef, ListQuery, Response
from reconciler.plugin.answers import cursor, jobs_of, json_object
from reconciler.providers._aws_errors import error_code, raise_unless_ok
from reconciler.providers._aws_service import AwsJobs
from reconciler.providers._json_api import job_path


class BedrockCollection(AwsJobs):
    """The jobs of one kind in one region."""

    list_path: ClassVar[str]
    """The path of the list."""
    job_root: ClassVar[str]
    """The path of a job, without its id."""
    rows: ClassVar[str]
    """The key of the rows in a list."""

    async def list_page(self, query: ListQuery, cursor_: str | None) -> JobPage:
        """Return one page. The list ends at a page without a `nextToken`.

        Raises `TransientError` or `PermanentError` if the page cannot be read.
        """
        window = {"maxResults": str(query.page_size), "sortBy": "CreationTime", "sortOrder": "Descending"}
        if cursor_ is not None:
            window["nextToken"] = cursor_
        response = await self._api.send("GET", self.list_path, query=window)
        raise_unless_ok(response)
        body = json_object(response)
        jobs, garbled = jobs_of(body, self.rows, lambda row: self._job(row, response.at))
        return JobPage(jobs, cursor(body.get("nextToken")), garbled)

    async def _retrieve(self, ref: JobRef) -> Response:
        return await self._api.send("GET", f"{self.job_root}{job_path(ref)}")

    async def _stop(self, ref: JobRef) -> Response:
        return await self._api.send("POST", f"{self.job_root}{job_path(ref)}/stop")

    def _is_job_not_found(self, response: Response) -> bool:
        return error_code(response) == "ResourceNotFoundException"
