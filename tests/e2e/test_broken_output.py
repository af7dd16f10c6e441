"""The requests and the exit code of a command do not depend on whether its output is read.

The streams are closed, full or slow; the terminal is lost; the files are rotated. Each test disturbs a watch at two
moments while it is busy, or at ten moments with `--long`.
"""

from __future__ import annotations

import json
import os
import pty
import random
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest

from reconciler.model.status import Outcome
from tests.support.cli import LOOSE, RECONCILE, SPEC, Checkout, Process
from tests.support.sandbox_client import Sandbox, wait_for

JOBS = 10
STOPS_WITHIN_S = 25
BUSY_FOR_S = 2.0
MISSING = re.compile(r"\(([0-9,]+) lines? (?:is|are) missing here: they could not be written\)")
BEDROCK = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {name: main}
spec: {type: bedrock, options: {region: eu-west-1}}
"""


@dataclass(slots=True)
class Output:
    """Where a process's output goes, and what happens to that destination during the test."""

    descriptor: int
    go_wrong: Callable[[Process], None] = lambda _: None
    arguments: tuple[str, ...] = ()
    program: tuple[str, ...] = RECONCILE
    stdin: int | None = None
    files: tuple[Path, ...] = field(default=())
    """The files that a rotation renames."""


def closed(stack: ExitStack, _root: Path) -> Output:
    """Return a pipe whose reader closes it."""
    ours, theirs = a_pipe(stack)
    return Output(theirs, lambda _: ours.close())


def full(stack: ExitStack, _root: Path) -> Output:
    """Return a pipe that becomes full, and that is not read."""
    _, theirs = a_pipe(stack)
    return Output(theirs, lambda _: fill(theirs))


def slow(stack: ExitStack, _root: Path) -> Output:
    """Return a pipe that becomes full, and is then read at ten bytes a second."""
    ours, theirs = a_pipe(stack)
    stop = Event()
    stack.callback(stop.set)

    def sip() -> None:
        while not stop.wait(0.1):
            ours.read(1)

    def go_wrong(_: Process) -> None:
        fill(theirs)
        Thread(target=sip, daemon=True).start()

    return Output(theirs, go_wrong)


def without_space(stack: ExitStack, _root: Path) -> Output:
    """Return a file on a disk that is full from the start."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    stack.callback(os.close, descriptor)
    return Output(descriptor)


def hung_up(stack: ExitStack, _root: Path) -> Output:
    """Return a pipe with an open reader. The process receives SIGHUP."""
    _, theirs = a_pipe(stack)
    return Output(theirs, lambda process: process.send_signal(signal.SIGHUP))


def terminal(stack: ExitStack, _root: Path) -> Output:
    """Return the process's own terminal. When it is closed, the kernel sends SIGHUP, and writing fails."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    stack.callback(os.close, theirs)
    closing = Event()
    reader = Thread(target=drain, args=(ours, closing), daemon=True)
    reader.start()
    stack.callback(closing.set)

    def go_wrong(_: Process) -> None:
        closing.set()
        reader.join()

    return Output(theirs, go_wrong, program=("setsid", "--ctty", *RECONCILE), stdin=theirs)


def nohup_terminal(stack: ExitStack, root: Path) -> Output:
    """Return a terminal for a process under `nohup`, which ignores SIGHUP and writes both streams to a file."""
    output = terminal(stack, root)
    output.program = ("setsid", "--ctty", "nohup", *RECONCILE)
    return output


def rotated(stack: ExitStack, root: Path) -> Output:
    """Return an output with log files that are renamed before a SIGHUP, as by `logrotate`."""
    _, theirs = a_pipe(stack)
    log, audit = root / "watch.log", root / "audit.jsonl"

    def go_wrong(process: Process) -> None:
        for each in (log, audit):
            each.rename(each.with_suffix(".1"))
        process.send_signal(signal.SIGHUP)

    arguments = ("--log-file", str(log), "--audit", str(audit))
    return Output(theirs, go_wrong, arguments, files=(log, audit))


KINDS = (closed, full, slow, without_space, hung_up, terminal, nohup_terminal, rotated)


class Reader:
    """The end of a pipe that is read from."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_open = True

    def read(self, size: int) -> bytes:
        """Return at most this many available bytes. Waits for the first one."""
        return os.read(self._descriptor, size)

    def close(self) -> None:
        """Close the pipe."""
        if self._is_open:
            self._is_open = False
            os.close(self._descriptor)


def a_pipe(stack: ExitStack) -> tuple[Reader, int]:
    ours, theirs = os.pipe()
    reader = Reader(ours)
    stack.callback(reader.close)
    stack.callback(os.close, theirs)
    return reader, theirs


def fill(descriptor: int) -> None:
    """Fill a pipe. It stays in blocking mode for its other writers."""
    own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(own, b"x" * 4096)
    with suppress(BlockingIOError):
        while True:
            os.write(own, b"x")
    os.close(own)


def drain(descriptor: int, closing: Event) -> None:
    """Read from a terminal until `closing` is set or no process uses the terminal, and then close it."""
    with suppress(OSError):
        while not closing.is_set():
            if select.select([descriptor], [], [], 0.05)[0]:
                os.read(descriptor, 4096)
    os.close(descriptor)


@contextmanager
def started(checkout: Checkout, output: Output, *arguments: str) -> Iterator[Process]:
    """Run a command whose two streams go to this output, until the body ends."""
    with checkout.start(
        *arguments,
        *output.arguments,
        stdin=output.stdin,
        stdout=output.descriptor,
        stderr=output.descriptor,
        program=output.program,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_watch_cancels_and_stops_correctly_with_broken_output_streams(
    checkout: Checkout, sandbox: Sandbox, kind: Callable[[ExitStack, Path], Output], pytestconfig: pytest.Config
) -> None:
    rng = random.Random(28)  # noqa: S311  a seed determines the run
    sandbox.break_with({"fault": "slow", "on": "cancel", "for": "0.2s"})
    for turn in range(10 if pytestconfig.getoption("long") else 2):
        ids = sandbox.create(JOBS)
        moment = rng.uniform(0, BUSY_FOR_S)
        with ExitStack() as stack:
            output = kind(stack, checkout.root)
            process = stack.enter_context(started(checkout, output, *LOOSE))
            checkout.want(f"job-{turn}-0", ids[0])
            wait_for(
                (checkout.status_dir / f"job-{turn}-0.yaml").exists,
                "the watch writes a status of this turn",
                within_s=60,
            )
            writer = Thread(target=save_one_by_one, args=(checkout, turn, ids[1:]))
            writer.start()
            time.sleep(moment)
            output.go_wrong(process)
            writer.join()
            wait_for(
                partial(is_proved, checkout, turn),
                f"every cancel is confirmed (turn {turn}, {moment:.2f} s)",
                within_s=30,
            )
            asked = time.monotonic()
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=STOPS_WITHIN_S)

        assert code == 0
        assert time.monotonic() - asked < STOPS_WITHIN_S
        assert outcomes(checkout, turn) == [Outcome.CANCELLED] * JOBS
        assert sorted(sandbox.cancels(*ids)) == sorted(ids)
        for path in output.files:
            assert_rotated(path)


def assert_rotated(path: Path) -> None:
    """Check that the renamed and the new file contain whole lines of JSON, and remove both."""
    for each in (path, path.with_suffix(".1")):
        assert all(json.loads(line) for line in each.read_text(encoding="utf-8").splitlines())
        each.unlink()


def save_one_by_one(checkout: Checkout, turn: int, job_ids: list[str]) -> None:
    """Save specs, each in one step, as editors do."""
    for number, job_id in enumerate(job_ids, start=1):
        name = f"job-{turn}-{number}"
        beside = checkout.specs / f".{name}.new"
        beside.write_text(SPEC.format(name=name, provider="main", job_id=job_id, state="cancelled"), encoding="utf-8")
        beside.rename(checkout.specs / f"{name}.yaml")
        time.sleep(BUSY_FOR_S / JOBS)


def is_proved(checkout: Checkout, turn: int) -> bool:
    """Return whether every cancel of a turn is confirmed."""
    return len(outcomes(checkout, turn)) == JOBS


def outcomes(checkout: Checkout, turn: int) -> list[Outcome | None]:
    """Return the outcomes of the finished cancels of a turn."""
    names = [f"job-{turn}-{number}" for number in range(JOBS)]
    there = [checkout.status(name) for name in names if (checkout.status_dir / f"{name}.yaml").exists()]
    return [status.receipts[0].outcome for status in there if status.final and status.receipts]


def test_a_watch_keeps_its_log_file_when_the_audit_log_is_deleted(checkout: Checkout, sandbox: Sandbox) -> None:
    first, second = sandbox.create(2)
    audit = checkout.root / "audit.jsonl"
    checkout.want("first", first)

    with ExitStack() as stack:
        process = stack.enter_context(started(checkout, Output(a_pipe(stack)[1]), "--audit", str(audit)))
        wait_for(audit.exists, "the audit log is created")
        wait_for(audit.read_text, "the audit log has the first cancel")
        audit.unlink()
        checkout.want("second", second)
        wait_for(audit.exists, "the audit log is created again")
        wait_for(lambda: checkout.status("second").final, "the second cancel is confirmed")
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=STOPS_WITHIN_S)

    assert code == 0
    assert [json.loads(line)["name"] for line in audit.read_text(encoding="utf-8").splitlines()] == ["second"]


def test_an_audit_log_on_a_full_disk_is_reported_and_the_job_is_cancelled(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id)

    ran = checkout.run("--once", "--wait", "--audit", "/dev/full")

    assert ran.code == 70
    assert "one: the audit log could not be written: No space left on device" in ran.err
    assert checkout.status("one").receipts[0].outcome is Outcome.CANCELLED


@pytest.mark.sampled(2)
@pytest.mark.parametrize("kind", [closed, full, without_space], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("arguments", ["--once --wait", "--once --wait -o json", "--once --dry-run", "retry one"])
def test_a_pass_has_the_same_exit_code_if_its_output_is_closed(
    checkout: Checkout, sandbox: Sandbox, kind: Callable[[ExitStack, Path], Output], arguments: str
) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id)

    with ExitStack() as stack:
        output = kind(stack, checkout.root)
        process = stack.enter_context(started(checkout, output, *arguments.split()))
        output.go_wrong(process)
        code = process.wait(timeout=60)

    assert code == 0
    assert sandbox.cancels(job_id) == ([] if "--dry-run" in arguments else [job_id])


@pytest.mark.sampled(4)
@pytest.mark.parametrize("kind", [closed, without_space], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("plan", 1),
        ("plan --detailed-exitcode -o json", 1),
        ("get", 0),
        ("get nosuch", 64),
        ("describe one", 0),
        ("describe one --events", 0),
        ("validate", 0),
        ("drift", 2),
        ("providers --check", 0),
        ("explain", 0),
        ("schema", 0),
        ("completion bash", 0),
        ("version", 0),
        ("--help", 0),
        ("--bogus", 64),
        ("wait one --timeout 1s", 75),
        ("healthcheck --url http://127.0.0.1:9", 1),
        ("set one running", 0),
    ],
)
def test_a_command_has_the_same_exit_code_if_its_output_is_closed(
    checkout: Checkout,
    sandbox: Sandbox,
    kind: Callable[[ExitStack, Path], Output],
    arguments: str,
    expected: int,
) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id)
    checkout.want("unknown", "ftjob-nowhere")

    with ExitStack() as stack:
        output = kind(stack, checkout.root)
        process = stack.enter_context(started(checkout, output, *arguments.split()))
        output.go_wrong(process)
        code = process.wait(timeout=30)

    assert code == expected


def test_a_pass_continues_when_its_terminal_is_closed(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    sandbox.break_with({"fault": "slow", "on": "cancel", "job": job_id, "for": "2s"})
    checkout.want("one", job_id)

    with ExitStack() as stack:
        output = terminal(stack, checkout.root)
        process = stack.enter_context(started(checkout, output, "--once", "--wait"))
        wait_for(lambda: sandbox.cancels(job_id), "the cancel arrives")
        output.go_wrong(process)
        code = process.wait(timeout=30)

    assert code == 0
    assert checkout.status("one").receipts[0].outcome is Outcome.CANCELLED


def test_a_slow_reader_is_informed_how_many_lines_were_dropped() -> None:
    script = (
        "import sys\n"
        "from reconciler.cli.streams import close_streams, open_streams\n"
        "open_streams()\n"
        "for number in range(20_000):\n"
        "    print(f'line {number:060}', file=sys.stderr, flush=True)\n"
        "print('all lines are written or dropped', flush=True)\n"
        "close_streams()\n"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        lines = process.stderr.read().splitlines()
    whole = [line for line in lines if line.startswith("line ")]
    notices = [MISSING.fullmatch(line) for line in lines if not line.startswith("line ")]
    missing = [int(each[1].replace(",", "")) if each else 0 for each in notices]

    assert process.returncode == 0
    assert missing
    assert all(missing)
    assert len(whole) + sum(missing) == 20_000


@pytest.mark.long
def test_a_watch_stops_in_time_even_if_a_credential_program_hangs(tmp_path: Path) -> None:
    pytest.importorskip("botocore", reason="pip install 'llm-job-reconciler[aws]'")
    checkout = Checkout(tmp_path)
    checkout.write("main.yaml", BEDROCK)
    checkout.want("one", "arn:aws:bedrock:eu-west-1:123456789012:model-customization-job/a.b/abcdefghijkl")
    begun = tmp_path / "begun"
    config = tmp_path / "aws"
    program = tmp_path / "hangs"
    program.write_text(f"#!/bin/sh\necho $$ > {begun}\nexec sleep 120\n", encoding="utf-8")
    program.chmod(0o755)
    config.write_text(f"[default]\ncredential_process = {program}\n", encoding="utf-8")
    environ = {"AWS_CONFIG_FILE": str(config), "AWS_EC2_METADATA_DISABLED": "true"}

    with checkout.start(stdin=None, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **environ) as process:
        wait_for(lambda: begun.exists() and begun.read_text(encoding="utf-8"), "the credential program runs")
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(timeout=STOPS_WITHIN_S)
        finally:
            process.kill()
            os.kill(int(begun.read_text(encoding="utf-8")), signal.SIGKILL)

    assert code == 0


HOLDER = """\
import sys, threading, time
from reconciler.cli.streams import BackgroundStream
stream = sys.stdout = BackgroundStream(1, "utf-8", 1.0)
print("written", flush=True)
held = threading.Event()

def hold():
    with stream._changed:
        held.set()
        time.sleep(60)

threading.Thread(target=hold, daemon=True).start()
held.wait()
"""


def test_a_process_exits_even_if_a_stopped_thread_holds_the_stream_lock() -> None:
    command = [sys.executable, "-c", HOLDER]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)

    assert (ran.returncode, ran.stdout) == (0, "written\n")


def test_the_live_table_ends_when_its_reader_closes_the_pipe(checkout: Checkout, sandbox: Sandbox) -> None:
    checkout.want("one", sandbox.create(1)[0], "observed")

    with ExitStack() as stack:
        ours, theirs = a_pipe(stack)
        process = stack.enter_context(started(checkout, Output(theirs), "get", "--watch"))
        assert b"NAME" in ours.read(4096)
        ours.close()
        code = process.wait(timeout=20)

    assert code == 0
