"""`reconcile` for a shell, run as a script: it sends an order to the process that forks, and ends as the command ends.

It imports little, because it is started once for each command.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

ORDERS = "TEST_ORDERS"
"""The variable with the descriptor of the socket to which orders are sent."""


def main() -> int:
    """Run the command with the arguments, directory, variables and streams of this process."""
    variables = {**os.environ}
    told, answer = os.pipe()
    with socket.socket(fileno=int(variables.pop(ORDERS))) as orders:
        order = ["reconciler", sys.argv[1:], os.getcwd(), variables, []]  # noqa: PTH109 - pathlib takes a long time to import
        socket.send_fds(orders, [json.dumps(order).encode()], [0, 1, 2, answer])
    os.close(answer)
    with os.fdopen(told, encoding="ascii") as lines:
        child = int(lines.readline())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda received, _frame: os.kill(child, received))
        code = int(lines.read())
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
