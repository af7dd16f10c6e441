"""The jobs of one account as OpenAI's fine-tuning API shows them, as bytes that are made in advance.

A row has the fields and about the size of a real one, because its length determines the cost of reading it. Each page
is created once and kept until a job changes. All times are constants.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

CREATED_AT = 1_790_000_000
"""When each job was created, in seconds since 1970."""
TRAINED_S = 3600
DEFAULT_LIMIT = 20
"""The number of jobs on a page if the request has no limit."""


def job_ids(account: str, number: int) -> list[str]:
    """Return the ids of the jobs of an account."""
    return [f"ftjob-{account}{each:06}" for each in range(number)]


def job_row(job_id: str, status: str) -> bytes:
    """Return a job as JSON."""
    has_ended = status in {"succeeded", "cancelled"}
    model = f"ft:gpt-4o-mini-2024-07-18:acme::{job_id[-8:]}" if status == "succeeded" else None
    hyperparameters = {"batch_size": 8, "learning_rate_multiplier": 1.8, "n_epochs": 3}
    row = {
        "object": "fine_tuning.job",
        "id": job_id,
        "model": "gpt-4o-mini-2024-07-18",
        "created_at": CREATED_AT,
        "finished_at": CREATED_AT + TRAINED_S if has_ended else None,
        "estimated_finish": None,
        "fine_tuned_model": model,
        "organization_id": "org-acme",
        "result_files": [f"file-result-{job_id[-8:]}"] if status == "succeeded" else [],
        "status": status,
        "validation_file": None,
        "training_file": f"file-train-{job_id[-8:]}",
        "hyperparameters": hyperparameters,
        "trained_tokens": 5_768_000 if status == "succeeded" else None,
        "error": {"code": None, "message": None, "param": None},
        "user_provided_suffix": None,
        "seed": 683_058_546,
        "integrations": [],
        "metadata": None,
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
    }
    return json.dumps(row, separators=(",", ":")).encode()


@dataclass(slots=True)
class CannedJobs:
    """The jobs of one account: the first `unfinished` of them run, and the others succeeded."""

    account: str
    number: int
    unfinished: int
    rows: list[bytes] = field(init=False)
    places: dict[str, int] = field(init=False)
    pages: dict[tuple[int, int], bytes] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Create the rows."""
        ids = job_ids(self.account, self.number)
        self.places = {job_id: place for place, job_id in enumerate(ids)}
        self.rows = [
            job_row(job_id, "running" if place < self.unfinished else "succeeded") for place, job_id in enumerate(ids)
        ]

    def page(self, after: str | None, limit: int) -> bytes | None:
        """Return the page that follows a job, or the first page; None if there is no such job."""
        if after is not None and after not in self.places:
            return None
        start = 0 if after is None else self.places[after] + 1
        if (start, limit) not in self.pages:
            more = b"true" if start + limit < self.number else b"false"
            rows = b",".join(self.rows[start : start + limit])
            self.pages[start, limit] = b'{"object":"list","has_more":' + more + b',"data":[' + rows + b"]}"
        return self.pages[start, limit]

    def job(self, job_id: str) -> bytes | None:
        """Return one job, or None if there is no such job."""
        place = self.places.get(job_id)
        return None if place is None else self.rows[place]

    def cancel(self, job_id: str) -> bytes | None:
        """Cancel a job at once, and return it, or None if there is no such job."""
        place = self.places.get(job_id)
        if place is None:
            return None
        self.rows[place] = job_row(job_id, "cancelled")
        self.pages.clear()
        return self.rows[place]
