"""The status files, read as the README describes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import yaml

from tests.second_opinion.clock import seconds


@dataclass(frozen=True)
class Receipt:
    """A receipt in a status. Times are in seconds since 1970."""

    verb: str
    requested: float
    last: float
    attempts: int
    accepted: float | None
    confirmed: float | None
    outcome: str | None

    def earlier(self, off: float) -> Receipt:
        """Return the receipt with all times moved back by `off` seconds."""
        return replace(
            self,
            requested=self.requested - off,
            last=self.last - off,
            accepted=None if self.accepted is None else self.accepted - off,
            confirmed=None if self.confirmed is None else self.confirmed - off,
        )


@dataclass(frozen=True)
class Status:
    """The contents of one status file."""

    path: str
    name: str
    phase: str
    final: bool
    conditions: dict[str, tuple[str, str]]
    account: str | None
    job: str | None
    word: Any
    receipts: tuple[Receipt, ...]
    history: tuple[str, ...]

    @property
    def reason(self) -> str | None:
        """Return the reason of the condition Ready, or None without it."""
        return self.conditions.get("Ready", ("", None))[1]

    @property
    def ready(self) -> str:
        """Return the value of the condition Ready: True, False or Unknown; `absent` without it."""
        return self.conditions.get("Ready", ("absent", ""))[0]

    def is_true(self, kind: str) -> bool:
        """Return whether the status has this condition with the value True."""
        return self.conditions.get(kind, ("", ""))[0] == "True"


def _moment(text: str | None) -> float | None:
    return None if text is None else seconds(text)


def read(path: str, data: bytes) -> Status:
    """Parse a status file. Raises `KeyError`, `TypeError`, `ValueError` or `YAMLError` if it is invalid."""
    document = yaml.safe_load(data)
    status = document["status"]
    job = status["job"] or {}
    receipts = [
        Receipt(
            each["verb"],
            seconds(each["requestedAt"]),
            seconds(each["lastAttemptAt"] or each["requestedAt"]),
            each["attempts"],
            _moment(each["acceptedAt"]),
            _moment(each["confirmedAt"]),
            each["outcome"],
        )
        for each in status["receipts"]
    ]
    return Status(
        path,
        document["metadata"]["name"],
        status["phase"],
        status["final"],
        {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]},
        job.get("account"),
        job.get("id"),
        job.get("providerStatus"),
        tuple(receipts),
        tuple(each["reason"] for each in status["history"]),
    )


def on_time(status: Status, off: float) -> Status:
    """Return a status with the times of its receipts corrected for a clock that is `off` seconds fast."""
    return replace(status, receipts=tuple(each.earlier(off) for each in status.receipts))


def all_of(files: dict[str, bytes]) -> list[Status]:
    """Parse the job statuses among these files. Provider statuses are left out."""
    return [read(path, data) for path, data in files.items() if path.startswith("status/") and "/_" not in path]
