"""From the start of the process to `/readyz` with all agents, cold imports included; and the memory it then holds."""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from pea.bench.figure import Figure
from pea.bench.measure import Line, Sample, line
from pea.bench.process import environ, free_port

ROUNDS = 10
READY_LIMIT_S = 0.8
MEMORY_LIMIT_MB = 128.0
GIVE_UP_S = 30.0
FLOOR = "import aiohttp.web, numpy, msgspec, opentelemetry.sdk.trace, opentelemetry.sdk.resources"


def start() -> list[Line | Figure]:
    """Start the service ten times beside a Python that only imports what the service is built on."""
    ready: list[float] = []
    floor: list[float] = []
    memory: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder, "workspace")
        workspace.mkdir()
        for _ in range(ROUNDS):
            floor.append(_import_only())
            took, held = _serve(workspace, Path(folder, "state"))
            ready.append(took)
            memory.append(held)
    peer = "Python importing what it is built on"
    return [
        line("process start to /readyz", {"ready": _sample(ready), peer: _sample(floor)}, "ready", peer),
        Figure("process start to /readyz", 1e3 * statistics.median(ready), "ms", ROUNDS, 1e3 * READY_LIMIT_S),
        Figure("  the slowest of them", 1e3 * max(ready), "ms", ROUNDS),
        Figure("memory when ready (RSS)", statistics.median(memory), "MB", ROUNDS, MEMORY_LIMIT_MB),
    ]


def _sample(seconds: list[float]) -> Sample:
    return Sample(tuple(1e9 * one for one in seconds), len(seconds))


def _import_only() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", FLOOR], check=True)
    return time.perf_counter() - began


def _serve(workspace: Path, state: Path) -> tuple[float, float]:
    """Seconds until ready, and the process's resident megabytes then."""
    port = free_port()
    command = [sys.executable, "-m", "pea", "serve", "--port", str(port)]
    began = time.perf_counter()
    with subprocess.Popen(
        [*command, "--workspace", str(workspace), "--state", str(state)],
        env=environ(),
        cwd=workspace,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            while not _answers(port):
                if process.poll() is not None or time.perf_counter() - began > GIVE_UP_S:
                    raise RuntimeError(f"the service did not become ready: {' '.join(command)}")
                time.sleep(0.002)
            took = time.perf_counter() - began
            return took, psutil.Process(process.pid).memory_info().rss / 1e6
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as client:
            client.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return b" 200 " in client.recv(64)
    except OSError:
        return False
