"""Ports of this machine for the programs that tests start: a free one, and waiting until somebody listens there."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once the program listens; AssertionError when it ends instead, or takes half a minute."""
    for _ in range(3_000):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        assert process.poll() is None, "the server ended at once"
        time.sleep(0.01)  # another program has no other way to say that it listens
    raise AssertionError("the server does not listen")
