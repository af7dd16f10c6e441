"""A fine-tuning job of the world: its status values, and how a request changes them.

The values are those of the public API reference: validating_files, queued, running, pausing, paused, succeeded, failed,
cancelled. A job proceeds by itself. Its past is never changed, so that a list can show an earlier state, and a judge
can read the state at any time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ENDED = frozenset({"succeeded", "failed", "cancelled"})
UNFINISHED = frozenset({"validating_files", "queued", "running", "pausing", "paused", "cancelling"})

Life = list[tuple[str, float | None]]
"""Status values, each with its duration in seconds. None means forever."""


@dataclass
class Job:
    """One job. `timeline` has the start of each status, including future ones."""

    id: str
    account: str
    created: float
    timeline: list[tuple[float, str]]
    gone: float | None = None
    odd_fields: dict[str, Any] = field(default_factory=dict)
    odd_word: tuple[float, float, Any] | None = None
    waiting: Life = field(default_factory=list)

    @classmethod
    def born(cls, name: str, account: str, created: float, life: Life) -> Job:
        """Return a job that is created at this time and follows `life` if no change is requested."""
        timeline, moment = [], created
        for word, lasts in life:
            timeline.append((moment, word))
            if lasts is None:
                break
            moment += lasts
        return cls(name, account, created, timeline)

    def word(self, moment: float) -> str:
        """Return the true status at `moment`."""
        past = [word for since, word in self.timeline if since <= moment]
        return past[-1] if past else self.timeline[0][1]

    def ended(self, moment: float) -> bool:
        """Return whether the job had ended or was deleted by `moment`."""
        return self.word(moment) in ENDED or self.is_gone(moment)

    def is_gone(self, moment: float) -> bool:
        """Return whether the provider no longer knows the job at `moment`."""
        return self.gone is not None and moment >= self.gone

    def was(self, word: str, until: float) -> bool:
        """Return whether the job had the status `word` at any time up to `until`."""
        return any(since <= until and each == word for since, each in self.timeline)

    def started(self, until: float) -> bool:
        """Return whether the job had begun to run by `until`."""
        return any(self.was(word, until) for word in ("running", "pausing", "paused", "succeeded"))

    def _cut(self, moment: float) -> Life:
        """Remove the part of the timeline after `moment`, and return it."""
        future = [(since, word) for since, word in self.timeline if since > moment]
        self.timeline = [(since, word) for since, word in self.timeline if since <= moment]
        ends = [since for since, _ in future[1:]]
        rest: Life = [(self.word(moment), future[0][0] - moment if future else None)]
        rest += [(word, end - since) for (since, word), end in zip(future, ends, strict=False)]
        return [*rest, (future[-1][1], None)] if future else rest

    def cancel(self, moment: float, takes: float = 0.0, *, shown: bool = False) -> None:
        """Cancel the job `takes` seconds after `moment`. It is `cancelling` until then, if the provider shows that."""
        self._cut(moment)
        if shown:
            self.timeline.append((moment, "cancelling"))
        self.timeline.append((moment + takes, "cancelled"))

    def pause(self, moment: float, takes: float = 0.0) -> None:
        """Make the job `pausing`, and `paused` after a number of seconds. The rest of its life waits for a resume."""
        self.waiting = self._cut(moment)
        self.timeline += [(moment, "pausing"), (moment + takes, "paused")]

    def resume(self, moment: float, takes: float = 0.0) -> None:
        """Queue a paused job for `takes` seconds, and then continue its life; a job paused by its life then runs on."""
        self._cut(moment)
        at = moment + takes
        self.timeline += [(moment, "queued")]
        for word, lasts in self.waiting or [("running", None)]:
            self.timeline.append((at, word))
            if lasts is None:
                break
            at += lasts

    def end(self, moment: float, word: str) -> None:
        """End the job with the status `word` now, as another user or the provider does."""
        self._cut(moment)
        self.timeline.append((moment, word))

    def row(self, moment: float) -> dict[str, Any]:
        """Return the job as the API shows it at `moment`, with its odd fields."""
        word: Any = self.word(moment)
        ended = word in ENDED
        finished = next((since for since, each in reversed(self.timeline) if each == word and since <= moment), moment)
        if self.odd_word is not None and self.odd_word[0] <= moment < self.odd_word[1]:
            word = self.odd_word[2]
        row: dict[str, Any] = {
            "object": "fine_tuning.job",
            "id": self.id,
            "model": "gpt-4o-mini-2024-07-18",
            "created_at": int(self.created),
            "finished_at": int(finished) if ended else None,
            "fine_tuned_model": f"ft:gpt-4o-mini:org::{self.id[-4:]}" if word == "succeeded" else None,
            "organization_id": "org-world",
            "result_files": [],
            "status": word,
            "validation_file": None,
            "training_file": "file-abc",
            "hyperparameters": {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 1.8},
            "trained_tokens": 5768 if word == "succeeded" else None,
            "error": {"code": "server_error", "message": "The job failed.", "param": None} if word == "failed" else {},
            "seed": 7,
            "estimated_finish": None,
            "integrations": [],
            "metadata": None,
            "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}},
        }
        return {name: value for name, value in {**row, **self.odd_fields}.items() if value is not MISSING}


class _Missing:
    """Marks a field that a row omits."""


MISSING = _Missing()
