"""Streams for standard output and standard error that tolerate slow readers and readers that have gone away.

Rules:

- A failed write is not an error of the command. A write waits for a slow reader only as long as the command allows.
- Text that cannot be written is dropped and its lines are counted. The count is written once the stream accepts text
  again.
- A reader that has gone away (a closed pipe, a lost terminal) is not an error.
- A background thread writes, because the descriptor is shared with other processes and has to stay blocking.
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

QUEUE_MAX = 256 * 1024
"""While more bytes than this are queued, a write waits for the reader. Once the wait times out, text is dropped."""
STDERR_TIMEOUT_S = 0.2
"""How long a flush of standard error waits for its reader, in seconds. It is short, because the command waits too."""
RESULT_TIMEOUT_S = 10.0
"""How long a command that changes something waits for a reader of standard output that does not read, in seconds."""
SHUTDOWN_TIMEOUT_S = 1.0
"""How long a watch waits for its reader before it exits, in seconds."""
_CHUNK = select.PIPE_BUF
_STDOUT, _STDERR = 1, 2

MissingText = Callable[[int], str]
"""A function that returns the notice for this number of missing lines."""


def _missing_text(lines: int) -> str:
    return f"({lines:,} {'line is' if lines == 1 else 'lines are'} missing here: they could not be written)\n"


class BackgroundStream(io.TextIOBase):
    """A text stream that writes to its descriptor in a background thread. `write` waits only if the queue is full.

    Args:
        descriptor: the file descriptor to write to.
        encoding: the encoding of the text; a character that it cannot represent is written as an escape.
        timeout_s: how long `flush` waits while the reader reads nothing, in seconds; None waits without a limit.
    """

    def __init__(self, descriptor: int, encoding: str, timeout_s: float | None) -> None:
        super().__init__()
        self.timeout_s = timeout_s
        self.missing_text: MissingText = _missing_text
        self._descriptor = descriptor
        self._encoding = encoding
        self._is_terminal = os.isatty(descriptor)
        self._changed = Condition()
        self._queue: deque[bytes | int] = deque()
        """The text to write. A number represents that many dropped lines."""
        self._size = 0
        self._is_stalled = False
        self._is_closed = False
        self._thread: Thread | None = None
        self._partial_line = ""  # the beginning of a line that has not been queued yet
        self._lost_lines = 0
        self._is_mid_line = False  # whether the last byte that was written is not a line end

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed declares a variable that can be assigned to
        """The encoding of the text."""
        return self._encoding

    @property
    def errors(self) -> str:  # type: ignore[override]  # as `encoding`
        """The error handler for a character that the encoding cannot represent."""
        return "backslashreplace"

    @property
    def is_closed(self) -> bool:
        """Whether text can no longer reach a reader. This is detected even if nothing is written."""
        return self._is_closed or _has_no_reader(self._descriptor)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Return whether the descriptor is a terminal."""
        return self._is_terminal

    def writable(self) -> bool:
        """Return True: the stream can be written to."""
        return True

    def write(self, text: str) -> int:
        """Queue the complete lines of the text. An incomplete last line is kept until it ends, or until `flush`."""
        with self._changed:
            lines, end, rest = (self._partial_line + text).rpartition("\n")
            self._partial_line = rest
        self._queue_text(lines + end)
        return len(text)

    @property
    def buffer(self) -> BinaryIO:
        """A binary interface to this stream, for click."""
        return cast("BinaryIO", _Bytes(self))

    def _queue_text(self, text: str) -> None:
        self.queue(text.encode(self._encoding, self.errors))

    def queue(self, data: bytes) -> None:
        """Queue bytes with known secrets redacted, or drop them if the reader has stalled and the queue is full."""
        text = KNOWN_SECRETS.redact(data.decode(self._encoding, "surrogateescape"))
        data = text.encode(self._encoding, "surrogateescape")
        if self._size > QUEUE_MAX:
            self._wait()
        with self._changed:
            if self._is_closed or not data:
                return
            if self._is_stalled and self._size + len(data) > QUEUE_MAX:
                self._drop(data.count(b"\n"))
                return
            self._queue.extend(data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK))
            self._size += len(data)
            if self._thread is None:
                self._thread = Thread(target=self._write_queue, name=f"stream {self._descriptor}", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until everything is written, or until the reader has read nothing for `timeout_s`.

        After a timeout, further calls return at once, until the reader has read the whole queue.
        """
        if sys.is_finalizing():
            # The interpreter flushes again after it has stopped all other threads, one of which may hold the lock.
            return
        with self._changed:
            text, self._partial_line = self._partial_line, ""
        self._queue_text(text)
        self._wait()

    def _wait(self) -> None:
        with self._changed:
            while self._queue and not self._is_stalled and not self._is_closed:
                self._is_stalled = not self._changed.wait(self.timeout_s)

    def finish(self, timeout_s: float | None) -> bool:
        """Wait for the reader one last time, then drop all further text. Return whether everything was written.

        If an earlier flush with the same timeout has already timed out, there is no further wait.
        """
        with self._changed:
            self._is_stalled = self._is_stalled and timeout_s == self.timeout_s
            self.timeout_s = timeout_s
            if self._lost_lines or (self._queue and isinstance(self._queue[-1], int)):
                self._queue.append(b"")  # makes the thread write the count of dropped lines
                self._changed.notify_all()
        self.flush()
        with self._changed:
            is_all_written = not self._queue
            self._end()
        return is_all_written

    def _drop(self, lines: int) -> None:
        last = self._queue.pop() if isinstance(self._queue[-1], int) else 0
        self._queue.append(lines + (last if isinstance(last, int) else 0))

    def _write_queue(self) -> None:
        while True:
            with self._changed:
                while not self._queue:
                    self._is_stalled = False
                    self._changed.notify_all()
                    self._changed.wait()
                piece = self._queue[0]
            problem = self._write_piece(piece)
            with self._changed:
                if problem in _READER_GONE or (problem == errno.EIO and self._is_terminal):
                    self._end()
                if self._is_closed:
                    return
                self._queue.popleft()
                self._size -= 0 if isinstance(piece, int) else len(piece)
                self._changed.notify_all()

    def _write_piece(self, piece: bytes | int) -> int | None:
        """Write a piece, after the count of lines dropped before it. Return the errno of a failure, or None."""
        if isinstance(piece, int):
            self._lost_lines += piece
            return None
        if self._lost_lines:
            line_end = "\n" if self._is_mid_line else ""
            notice = f"{line_end}{self.missing_text(self._lost_lines)}"
            problem = self._write(notice.encode(self._encoding, self.errors))
            if problem is not None:
                self._lost_lines += piece.count(b"\n")
                return problem
            self._lost_lines = 0
        problem = self._write(piece)
        self._lost_lines += 0 if problem is None else max(1, piece.count(b"\n"))
        return problem

    def _write(self, data: bytes) -> int | None:
        """Write all of the data, however long that takes. Return the errno of a failure, or None."""
        while data:
            try:
                written = os.write(self._descriptor, data)
            except BlockingIOError:  # another process that shares this descriptor made it non-blocking
                _wait_until_writable(self._descriptor)
            except OSError as error:
                return error.errno or errno.EIO
            else:
                self._is_mid_line = data[:written][-1:] != b"\n"
                data = data[written:]
        return None

    def _end(self) -> None:
        self._is_closed = True
        self._queue.clear()
        self._size = 0
        self._changed.notify_all()


class _Bytes(io.RawIOBase):
    def __init__(self, stream: BackgroundStream) -> None:
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


_READER_GONE = frozenset({errno.EPIPE, errno.EBADF, errno.ENXIO, errno.ECONNRESET})


def _has_no_reader(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, 0)  # even without events, poll reports an error, a hang-up or an invalid descriptor
    return bool(poll.poll(0))


def _wait_until_writable(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll()


def open_streams() -> None:
    """Replace `sys.stdout` and `sys.stderr` with background streams.

    A standard descriptor that the caller closed (`>&-`) is opened on /dev/null. Otherwise the next file to be opened
    would get its number, and the output of a child process would go into that file.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(descriptor, True)  # noqa: FBT003  the signature of `os`
    os.close(descriptor)
    sys.stdout = _stream(_STDOUT, sys.stdout, None)
    sys.stderr = _stream(_STDERR, sys.stderr, STDERR_TIMEOUT_S)


def close_streams() -> None:
    """Wait for the reader of stdout one last time, and then for that of stderr: briefly if the first wait timed out."""
    out, err = sys.stdout, sys.stderr
    if isinstance(out, BackgroundStream) and isinstance(err, BackgroundStream):
        is_read = out.finish(out.timeout_s)
        err.finish(out.timeout_s if is_read else SHUTDOWN_TIMEOUT_S)


def detach_from_terminal(timeout_s: float = RESULT_TIMEOUT_S) -> None:
    """Limit how long this process waits for the reader of its result, and ignore the loss of its terminal (SIGHUP).

    This is for commands that change something. A command that only reads waits for its reader without a limit, and
    ends with its terminal, as other programs do.
    """
    if isinstance(sys.stdout, BackgroundStream):
        sys.stdout.timeout_s = timeout_s
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _stream(descriptor: int, before: TextIO | None, timeout_s: float | None) -> TextIO:
    encoding = before.encoding if before is not None else "utf-8"
    return cast("TextIO", BackgroundStream(descriptor, encoding, timeout_s))
