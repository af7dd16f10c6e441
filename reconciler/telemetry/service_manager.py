"""Report the state of a watch to the service manager that started it, such as systemd.

The protocol is sd_notify(3): one datagram of `KEY=value` lines to the socket in `NOTIFY_SOCKET`. Rules:

- `READY=1` is sent once the event loop of the watch runs: the port is open, and the specs can be read. The first pass
  may take minutes, so the service does not wait for it.
- `WATCHDOG=1` is sent with each heartbeat of the event loop, as long as `/healthz` reports no problem. If `WatchdogSec`
  is set and the watch hangs, the service manager restarts it.
- A report that cannot be sent is dropped, and a change of the state is reported again with the next heartbeat.

Source: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reconciler.model.election import ElectionStatus
from reconciler.model.watch_status import WatchStatus, liveness_problems
from reconciler.views.progress_text import summary_line
from reconciler.views.text import clean

WATCHDOG_MIN_S = 10.0
"""The shortest `WatchdogSec` that leaves time for a few heartbeats of a busy machine, in seconds."""


@dataclass(slots=True)
class ServiceManager:
    """The service manager that started this process.

    Args:
        address: the path of its socket. A path that starts with `@` is in the abstract namespace of Linux.
        watchdog_s: after how many seconds without a report it restarts the service, or None if it does not.
        monotonic: returns the current time in monotonic seconds.
    """

    address: str
    watchdog_s: float | None
    monotonic: Callable[[], float]
    _is_ready: bool = False
    _is_stopping: bool = False
    _shown: tuple[int, bool, tuple[str, ...], ElectionStatus | None] | None = None
    """What the last status line was about: the number of the pass, a stop, problems, and the election."""

    @classmethod
    def of(cls, environ: Mapping[str, str], pid: int, monotonic: Callable[[], float]) -> ServiceManager | None:
        """Return the service manager that started the process `pid`, or None if none expects reports."""
        address = environ.get("NOTIFY_SOCKET", "")
        # An address of another kind, such as `vsock:`, belongs to the service manager of another machine.
        if not address.startswith(("/", "@")):
            return None
        microseconds, expected = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", str(pid))
        is_watched = microseconds.isdecimal() and expected == str(pid)
        return cls(address, int(microseconds) / 1e6 if is_watched else None, monotonic)

    def problem(self) -> str | None:
        """Return a warning for the log if `WatchdogSec` is too short, or None."""
        if self.watchdog_s is None or self.watchdog_s >= WATCHDOG_MIN_S:
            return None
        return (
            f"WatchdogSec of the unit is {self.watchdog_s:g} s, and a busy watch may need longer for a heartbeat: "
            f"set at least {WATCHDOG_MIN_S:g} s"
        )

    def update(self, watch: WatchStatus) -> None:
        """Report a new state of the watch, as far as it differs from the last report."""
        problems = liveness_problems(watch, self.monotonic())
        now_shown = (watch.passes, watch.is_stopping, problems, watch.leadership)
        news = {
            "READY=1": not self._is_ready,
            "STOPPING=1": watch.is_stopping and not self._is_stopping,
            "WATCHDOG=1": self.watchdog_s is not None and not problems,
        }
        lines = [line for line, is_sent in news.items() if is_sent]
        if now_shown != self._shown:
            lines.append(f"STATUS={clean(_status_text(watch, problems))}")
        # A report that was dropped is sent again with the next heartbeat.
        if self._send(lines):
            self._is_ready, self._is_stopping, self._shown = True, watch.is_stopping, now_shown

    def reloading(self) -> None:
        """Report that a reload begins. A unit with `Type=notify-reload` waits for `reloaded`."""
        self._send(["RELOADING=1", f"MONOTONIC_USEC={self.monotonic() * 1e6:.0f}"])

    def reloaded(self) -> None:
        """Report that the reload has ended."""
        self._send(["READY=1"])

    def _send(self, lines: list[str]) -> bool:
        """Send these lines in one datagram, and return whether it was sent."""
        if not lines:
            return True
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                # A service manager that does not read must not block the event loop.
                sender.settimeout(0)
                sender.sendto("\n".join(lines).encode(), address)
        except OSError:
            return False
        return True


def _status_text(watch: WatchStatus, problems: tuple[str, ...]) -> str:
    """Return the line that `systemctl status` shows."""
    if watch.is_stopping:
        return "stopping after the requests in progress"
    if problems:
        return "; ".join(problems)
    if watch.standing_by is not None:
        return watch.standing_by
    if watch.finished_at is None:
        return "the first pass is running"
    return f"{summary_line(watch.report)} (last pass {watch.finished_at:%H:%M:%S} UTC)"
