"""The announced ends of services. The provider types declare them in their capabilities.

A row stays here after its date, because specs may still name such jobs. Once the date has passed, confirm the end at
the source and set `has_ended`, or correct the date. A test fails for a row that is not confirmed within a month.
"""

from __future__ import annotations

from datetime import date

from reconciler.plugin import Retirement

_DEPRECATIONS = "developers.openai.com/api/docs/deprecations"

OPENAI_FINE_TUNING = (
    Retirement(what="the creation of fine-tuning jobs", on=date(2027, 1, 6), source=_DEPRECATIONS),
    Retirement(
        what="inference with models fine-tuned from gpt-4o, gpt-4.1 or their mini models",
        on=date(2027, 1, 14),
        source=_DEPRECATIONS,
    ),
    Retirement(
        what="reinforcement fine-tuning, whose only base model was o4-mini,",
        on=date(2026, 10, 23),
        source="help.openai.com/en/articles/11323177",
        has_ended=True,
    ),
)
"""The ends of OpenAI's fine-tuning. Jobs can still be listed, retrieved and cancelled. Batches are not affected."""
