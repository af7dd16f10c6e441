"""A client of a served sandbox: it creates jobs, adds faults, and reads which requests arrived."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

ANSWERS_WITHIN_S = 10
STEP_S = 0.02


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox, by its address. `key` is the key that it accepts."""

    url: str
    key: str = "sk-sandbox"

    @property
    def environ(self) -> dict[str, str]:
        """The variables with which a process uses this sandbox as `openai`."""
        return {"OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": self.key}

    def create(self, number: int) -> list[str]:
        """Create `number` jobs, and return their IDs."""
        wanted = {"model": "gpt-4o-mini-2024-07-18", "training_file": "file-train"}
        return [self._ask("POST", "/v1/fine_tuning/jobs", wanted)["id"] for _ in range(number)]

    def phase(self, job_id: str) -> str:
        """Return the status value of a job."""
        return str(self._ask("GET", f"/v1/fine_tuning/jobs/{job_id}")["status"])

    def break_with(self, *rules: dict[str, Any]) -> None:
        """Add faults to the sandbox, each in the format of a Provider document."""
        self._ask("POST", "/sandbox/faults", list(rules))

    def heal(self) -> None:
        """Remove all faults."""
        self._ask("DELETE", "/sandbox/faults")

    def requests(self, *job_ids: str) -> list[dict[str, Any]]:
        """Return every request that arrived, oldest first: with IDs, only those about these jobs."""
        query = urlencode([("job_id", each) for each in job_ids])
        return list(self._ask("GET", f"/sandbox/requests?{query}")["requests"])

    def cancels(self, *job_ids: str) -> list[str]:
        """Return the job ID of each cancel request for these jobs, oldest first."""
        asked = self.requests(*job_ids) if job_ids else []
        return [each["job_id"] for each in asked if each["verb"] == "cancel"]

    def _ask(self, method: str, path: str, body: object | None = None) -> Any:
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=ANSWERS_WITHIN_S)
        try:
            headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse().read()
            return json.loads(answer) if answer else None
        finally:
            connection.close()


def wait_for(what: Callable[[], object], sentence: str, within_s: float = ANSWERS_WITHIN_S) -> None:
    """Wait until the condition holds. Fails with the sentence if it does not hold within `within_s`."""
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, f"not within {within_s} s: {sentence}"
        time.sleep(STEP_S)
