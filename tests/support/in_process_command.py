"""A directory of specs with the embedded sandbox, and the command run in this process without a network."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from reconciler.cli import main
from tests.support.cli import SPEC, Ran

SANDBOX = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {name: demo}
spec:
  type: sandbox
  options:
    jobs:
"""
JOB = "    - {{id: {id}, age: 5h, life: [{life}]}}\n"
RUNNING = "{phase: running, for: 90d}, {phase: succeeded}"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A working directory with specs, in which the command runs."""

    root: Path

    @property
    def specs(self) -> Path:
        """The specs directory."""
        return self.root / "specs"

    def write(self, file: str, text: str | bytes) -> Path:
        """Write a file into the specs directory."""
        path = self.specs / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def declare(self, *job_ids: str, life: str = RUNNING) -> None:
        """Declare the provider `demo`, with these jobs and no other jobs."""
        self.write("demo.yaml", SANDBOX + "".join(JOB.format(id=each, life=life) for each in job_ids))

    def want(self, name: str, state: str, job_id: str | None = None, provider: str = "demo") -> Path:
        """Write the spec of one job. By default, the job's ID is `ftjob-` and the name."""
        text = SPEC.format(name=name, provider=provider, job_id=job_id or f"ftjob-{name}", state=state)
        return self.write(f"{name}.yaml", text)

    def asked(self) -> list[tuple[str, str]]:
        """Return the change requests that the sandbox recorded, as verb and job ID."""
        worlds = [json.loads(path.read_text()) for path in (self.root / "state").rglob("sandbox-*.json")]
        return [(act["verb"], act["jobId"]) for world in worlds for act in world["acts"]]

    def run(self, *arguments: str) -> Ran:
        """Run `reconcile` with these arguments in this directory."""
        out, err = StringIO(), StringIO()
        with chdir(self.root), _in_a_pipe(), redirect_stdout(out), redirect_stderr(err):
            code = main([*arguments, "--state-dir", str(self.root / "state")])
        return Ran(code, out.getvalue(), err.getvalue())


@contextmanager
def _in_a_pipe() -> Iterator[None]:
    """Remove the terminal width that pytest-xdist sets for its workers, because a pipe has none."""
    width = os.environ.pop("COLUMNS", None)
    try:
        yield
    finally:
        if width is not None:
            os.environ["COLUMNS"] = width
