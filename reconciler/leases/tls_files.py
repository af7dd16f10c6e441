"""The TLS context of a lease's service, from files that may be replaced while the process runs."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

RELOADED_AFTER_S = 60.0
"""After how many seconds the files are read again."""


class TlsFiles:
    """A TLS context. Connections that are opened after `refresh` use the current files.

    The constructor raises `OSError` if a file cannot be read, or is not a certificate or a key.

    Args:
        cafile: the certificates that the server's certificate is checked with; None means those of the machine.
        certfile: the client certificate, or None.
        keyfile: the key of the client certificate; None if it is in `certfile`.
        elapsed: returns the time of a clock that never goes back, in seconds.
    """

    def __init__(
        self, cafile: Path | None, certfile: Path | None, keyfile: Path | None, elapsed: Callable[[], float]
    ) -> None:
        self._files = (cafile, certfile, keyfile)
        self._elapsed = elapsed
        self._read_at = elapsed()
        self.context = ssl.create_default_context(cafile=cafile)
        self._load()

    def refresh(self) -> None:
        """Read the files again if that was last done a minute ago. Files that cannot be read now are ignored."""
        if self._elapsed() < self._read_at + RELOADED_AFTER_S:
            return
        self._read_at = self._elapsed()
        with suppress(OSError):
            self._load()

    def _load(self) -> None:
        cafile, certfile, keyfile = self._files
        if cafile is not None:
            self.context.load_verify_locations(cafile)
        if certfile is not None:
            self.context.load_cert_chain(certfile, keyfile)
