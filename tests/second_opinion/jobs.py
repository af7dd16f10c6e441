"""A fine-tuning job of the world: the words that it shows, and how a request changes them.

The words are those of the public API reference: validating_files, queued, running, pausing, paused, succeeded,
failed, cancelled. A job follows its life by itself; the past is never changed, so that a list can lag behind it and a
judge can ask what was true when.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ENDED = frozenset({"succeeded", "failed", "cancelled"})
UNFINISHED = frozenset({"validating_files", "queued", "running", "pausing", "paused", "cancelling"})

Life = list[tuple[str, float | None]]
"""Words, and for how many seconds each is shown; None: for ever."""


@dataclass
class Job:
    """One job: `timeline` holds from when on it shows which word, the future included."""

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
        """Return a job that was created then and follows `life` if nobody asks anything of it."""
        timeline, moment = [], created
        for word, lasts in life:
            timeline.append((moment, word))
            if lasts is None:
                break
            moment += lasts
        return cls(name, account, created, timeline)

    def word(self, moment: float) -> str:
        """Return the true status word at `moment`."""
        past = [word for since, word in self.timeline if since <= moment]
        return past[-1] if past else self.timeline[0][1]

    def ended(self, moment: float) -> bool:
        """Say whether the job had ended by `moment`, or was deleted."""
        return self.word(moment) in ENDED or self.is_gone(moment)

    def is_gone(self, moment: float) -> bool:
        """Say whether the world has forgotten the job by `moment`."""
        return self.gone is not None and moment >= self.gone

    def was(self, word: str, until: float) -> bool:
        """Say whether the job has truly been `word` at any moment up to `until`."""
        return any(since <= until and each == word for since, each in self.timeline)

    def started(self, until: float) -> bool:
        """Say whether the job has ever run by `until`."""
        return any(self.was(word, until) for word in ("running", "pausing", "paused", "succeeded"))

    def _cut(self, moment: float) -> Life:
        """Drop what would come after `moment`, and return it as the rest of a life."""
        future = [(since, word) for since, word in self.timeline if since > moment]
        self.timeline = [(since, word) for since, word in self.timeline if since <= moment]
        ends = [since for since, _ in future[1:]]
        rest: Life = [(self.word(moment), future[0][0] - moment if future else None)]
        rest += [(word, end - since) for (since, word), end in zip(future, ends, strict=False)]
        return [*rest, (future[-1][1], None)] if future else rest

    def cancel(self, moment: float, takes: float = 0.0, *, shown: bool = False) -> None:
        """Let the job be cancelled `takes` seconds after `moment`, and `cancelling` until then if that is shown."""
        self._cut(moment)
        if shown:
            self.timeline.append((moment, "cancelling"))
        self.timeline.append((moment + takes, "cancelled"))

    def pause(self, moment: float, takes: float = 0.0) -> None:
        """Let the job be `pausing`, and `paused` after so many seconds; its life waits for a resume."""
        self.waiting = self._cut(moment)
        self.timeline += [(moment, "pausing"), (moment + takes, "paused")]

    def resume(self, moment: float, takes: float = 0.0) -> None:
        """Let a paused job wait in the queue for so many seconds, and go on where it was."""
        self._cut(moment)
        at = moment + takes
        self.timeline += [(moment, "queued")]
        for word, lasts in self.waiting:
            self.timeline.append((at, word))
            if lasts is None:
                break
            at += lasts

    def end(self, moment: float, word: str) -> None:
        """Let somebody else, or the provider, end the job as `word` now."""
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
    """A field that a row leaves out."""


MISSING = _Missing()
