"""How a URL of a sink is redacted."""

from __future__ import annotations

from reconciler.redaction import KNOWN_SECRETS
from reconciler.telemetry.heartbeat import secrets_of
from reconciler.wiring.open_notifier import redact_parts


def test_every_part_of_a_long_url_is_redacted() -> None:
    parts = [f"part{number:02}a7be1d04" for number in range(12)]

    redact_parts("audit", secrets_of(f"https://hooks.example.org/{'/'.join(parts)}"))

    assert [each for each in parts if each in KNOWN_SECRETS.redact(f"no such hook: {each}")] == []
