"""A server in a process of its own: an environment that has no settings, a free port, whether the service is ready."""

from __future__ import annotations

import asyncio
import os
import socket


def environ() -> dict[str, str]:
    """This process's environment without what would set PEA or OpenTelemetry up otherwise than measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PEA_", "OTEL_"))}


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def is_ready(port: int) -> bool:
    """Whether the service on this port answers ``/readyz`` with 200."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()
