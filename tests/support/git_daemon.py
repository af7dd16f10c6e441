"""Git's own server for a directory of bare repositories, for clients without access to the disk."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import a_free_port
from tests.support.sandbox_client import wait_for


@contextmanager
def git_daemon(directory: Path) -> Iterator[str]:
    """Serve the repositories below a directory for reads and pushes. Yields the URL of the directory."""
    port = a_free_port()
    command = [
        *("git", "daemon", "--listen=127.0.0.1", f"--port={port}", f"--base-path={directory}"),
        *("--export-all", "--enable=receive-pack", "--reuseaddr"),
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: _answers(directory, port), "the Git daemon responds")
            yield f"git://127.0.0.1:{port}"
        finally:
            process.terminate()


def _answers(directory: Path, port: int) -> bool:
    repository = next(directory.iterdir()).name
    asked = ["git", "ls-remote", f"git://127.0.0.1:{port}/{repository}"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0
