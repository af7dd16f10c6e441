"""Standard output and standard error, made so that their reader decides neither what is done nor how it ends.

Rules: a write never raises, and waits for a slow reader only as long as the command can afford; text that cannot be
passed on is dropped and its lines are counted, and the count is written once the stream takes text again; a reader that
is gone (a closed pipe, a lost terminal) is no error. A thread of its own makes each system call, because the
descriptor may not be set to non-blocking: other processes share it.
"""

from __future__ import annotations

import errno
import io
import os
import select
import signal
import sys
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

from reconciler.redaction import KNOWN_SECRETS

ROOM = 256 * 1024
"""How many bytes wait for a slow reader at most."""
PROGRESS_PATIENCE_S = 0.2
"""How long standard error is waited for while there is work to do."""
RESULT_PATIENCE_S = 10.0
"""How long a command that has changed something waits for a reader that takes nothing, before it ends."""
LAST_WORDS_PATIENCE_S = 1.0
"""How long a watch waits for its reader when it ends."""
_CHUNK = select.PIPE_BUF
_STDOUT, _STDERR = 1, 2

Missing = Callable[[int], str]
"""Returns the line that says how many lines are missing."""


def _missing(lines: int) -> str:
    return f"({lines:,} {'line is' if lines == 1 else 'lines are'} missing here: they could not be written)\n"


class ReaderProofStream(io.TextIOBase):
    """A text stream over a descriptor, whose writes return at once and whose `flush` waits, within limits.

    Args:
        descriptor: where the bytes go.
        encoding: how text becomes bytes; a character that it does not have is written as its escape.
        patience_s: how long `flush` waits while the reader takes nothing; None waits for ever.
    """

    def __init__(self, descriptor: int, encoding: str, patience_s: float | None) -> None:
        super().__init__()
        self.patience_s = patience_s
        self.missing: Missing = _missing
        self._descriptor = descriptor
        self._encoding = encoding
        self._is_terminal = os.isatty(descriptor)
        self._changed = Condition()
        self._queue: deque[bytes | int] = deque()
        """Text to pass on; a number stands for that many lines for which there was no room."""
        self._size = 0
        self._is_stalled = False
        self._is_over = False
        self._thread: Thread | None = None
        self._begun = ""
        """The beginning of a line whose end has not been written yet."""
        self._lost_lines = 0
        self._is_line_begun = False
        """The last byte that was passed on is not the end of a line."""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has a variable; it cannot be assigned to
        """How text becomes bytes."""
        return self._encoding

    @property
    def errors(self) -> str:  # type: ignore[override]  # as `encoding`
        """What becomes of a character that the encoding does not have."""
        return "backslashreplace"

    @property
    def is_over(self) -> bool:
        """Whether nothing written here can arrive any more; a reader that has closed its end is noticed at once."""
        return self._is_over or _has_no_reader(self._descriptor)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._is_terminal

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Queue the whole lines of the text; the beginning of a line waits for its end or for `flush`."""
        with self._changed:
            lines, end, rest = (self._begun + text).rpartition("\n")
            self._begun = rest
        self._queue_text(lines + end)
        return len(text)

    @property
    def buffer(self) -> BinaryIO:
        """The same stream for bytes, which click looks for."""
        return cast("BinaryIO", _Bytes(self))

    def _queue_text(self, text: str) -> None:
        self.queue(text.encode(self._encoding, self.errors))

    def queue(self, data: bytes) -> None:
        """Queue bytes without any known secret, or drop them where there is no room for them."""
        text = KNOWN_SECRETS.redact(data.decode(self._encoding, "surrogateescape"))
        data = text.encode(self._encoding, "surrogateescape")
        if self._size > ROOM:
            self._wait()
        with self._changed:
            if self._is_over or not data:
                return
            if self._is_stalled and self._size + len(data) > ROOM:
                self._drop(data.count(b"\n"))
                return
            self._queue.extend(data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK))
            self._size += len(data)
            if self._thread is None:
                self._thread = Thread(target=self._pass_on, name=f"stream {self._descriptor}", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until everything has been passed on, or the reader has taken nothing for `patience_s`.

        A reader that was too slow once is not waited for again until it has caught up.
        """
        if sys.is_finalizing():
            # The interpreter flushes once more when it has stopped all other threads, whichever lock they held.
            return
        with self._changed:
            text, self._begun = self._begun, ""
        self._queue_text(text)
        self._wait()

    def _wait(self) -> None:
        with self._changed:
            while self._queue and not self._is_stalled and not self._is_over:
                self._is_stalled = not self._changed.wait(self.patience_s)

    def finish(self, patience_s: float | None) -> bool:
        """Wait for the reader a last time, and drop what is written from then on. Returns whether it took all.

        A reader that has been waited for as long already is not waited for again.
        """
        with self._changed:
            self._is_stalled = self._is_stalled and patience_s == self.patience_s
            self.patience_s = patience_s
            if self._lost_lines or (self._queue and isinstance(self._queue[-1], int)):
                self._queue.append(b"")  # so that the count is written
                self._changed.notify_all()
        self.flush()
        with self._changed:
            has_taken_all = not self._queue
            self._end()
        return has_taken_all

    def _drop(self, lines: int) -> None:
        last = self._queue.pop() if isinstance(self._queue[-1], int) else 0
        self._queue.append(lines + (last if isinstance(last, int) else 0))

    def _pass_on(self) -> None:
        while True:
            with self._changed:
                while not self._queue:
                    self._is_stalled = False
                    self._changed.notify_all()
                    self._changed.wait()
                piece = self._queue[0]
            problem = self._pass_on_one(piece)
            with self._changed:
                if problem in _GONE or (problem == errno.EIO and self._is_terminal):
                    self._end()
                if self._is_over:
                    return
                self._queue.popleft()
                self._size -= 0 if isinstance(piece, int) else len(piece)
                self._changed.notify_all()

    def _pass_on_one(self, piece: bytes | int) -> int | None:
        """Write a piece, after the count of what was lost before it. Returns the number of the error, if any."""
        if isinstance(piece, int):
            self._lost_lines += piece
            return None
        if self._lost_lines:
            begun = "\n" if self._is_line_begun else ""
            problem = self._write(f"{begun}{self.missing(self._lost_lines)}".encode(self._encoding, self.errors))
            if problem is not None:
                self._lost_lines += piece.count(b"\n")
                return problem
            self._lost_lines = 0
        problem = self._write(piece)
        self._lost_lines += 0 if problem is None else max(1, piece.count(b"\n"))
        return problem

    def _write(self, data: bytes) -> int | None:
        """Write all of it, however long that takes. Returns the number of the error, if there is one."""
        while data:
            try:
                written = os.write(self._descriptor, data)
            except BlockingIOError:  # another process that has this descriptor made it non-blocking
                _wait_until_writable(self._descriptor)
            except OSError as error:
                return error.errno or errno.EIO
            else:
                self._is_line_begun = data[:written][-1:] != b"\n"
                data = data[written:]
        return None

    def _end(self) -> None:
        self._is_over = True
        self._queue.clear()
        self._size = 0
        self._changed.notify_all()


class _Bytes(io.RawIOBase):
    def __init__(self, stream: ReaderProofStream) -> None:
        super().__init__()
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        self._stream.queue(bytes(data))
        return len(bytes(data))

    def flush(self) -> None:
        if not self.closed:
            self._stream.flush()


_GONE = frozenset({errno.EPIPE, errno.EBADF, errno.ENXIO, errno.ECONNRESET})


def _has_no_reader(descriptor: int) -> bool:
    asked = select.poll()
    asked.register(descriptor, 0)  # what is told without being asked for: an error, a hang-up, no such descriptor
    return bool(asked.poll(0))


def _wait_until_writable(descriptor: int) -> None:
    waiting = select.poll()
    waiting.register(descriptor, select.POLLOUT)
    waiting.poll()


def open_streams() -> None:
    """Put such streams in the place of the process's own.

    A standard descriptor that the caller closed (`>&-`) leads nowhere from now on. Left free, it would be given to the
    next file that is opened, and whatever a child process prints would end up in that file.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(descriptor, True)  # noqa: FBT003  the signature of `os`
    os.close(descriptor)
    sys.stdout = _stream(_STDOUT, sys.stdout, None)
    sys.stderr = _stream(_STDERR, sys.stderr, PROGRESS_PATIENCE_S)


def close_streams() -> None:
    """Wait for the readers a last time. Both streams together are given as long as the result."""
    out, err = sys.stdout, sys.stderr
    if isinstance(out, ReaderProofStream) and isinstance(err, ReaderProofStream):
        is_read = out.finish(out.patience_s)
        err.finish(out.patience_s if is_read else LAST_WORDS_PATIENCE_S)


def work_unattended(patience_s: float = RESULT_PATIENCE_S) -> None:
    """Let no reader and no lost terminal keep this process from its work, nor from ending when that is done.

    For commands that change something. A command that only reads waits for its reader as long as any other program,
    and ends with its terminal.
    """
    if isinstance(sys.stdout, ReaderProofStream):
        sys.stdout.patience_s = patience_s
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _stream(descriptor: int, before: TextIO | None, patience_s: float | None) -> TextIO:
    encoding = before.encoding if before is not None else "utf-8"
    return cast("TextIO", ReaderProofStream(descriptor, encoding, patience_s))
