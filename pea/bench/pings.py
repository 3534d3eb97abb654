"""A process that sends the time at a steady rate, so that a loop can tell how late it is from outside.

``python -m pea.bench.pings PORT`` connects to the port and writes one 8-byte `time.perf_counter_ns` at each tick
(the monotonic clock is one for all processes) until the connection is closed.
"""

from __future__ import annotations

import socket
import struct
import sys
import time

PER_SECOND = 1_000
STAMP = struct.Struct("<q")


def send(port: int) -> None:
    """Send stamps until nobody takes them; ticks that were slept through are left out, not sent late."""
    with socket.create_connection(("127.0.0.1", port)) as to:
        to.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        step = 1.0 / PER_SECOND
        due = time.perf_counter()
        while True:
            due += step
            ahead = due - time.perf_counter()
            if ahead > 0:
                time.sleep(ahead)
            else:
                due -= ahead
            try:
                to.sendall(STAMP.pack(time.perf_counter_ns()))
            except OSError:
                return


if __name__ == "__main__":
    send(int(sys.argv[1]))
