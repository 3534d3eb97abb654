"""What calls feel when Redis hangs, dies and comes back under load: a real server, stopped and started in the middle.

Each phase runs the same work: tasks that ask for values, some new (they must be computed) and some old, with L1 and L2
too small to hold them. A tier's time budget is the most that its trouble may add to a call.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from pea.bench.figure import Figure
from pea.bench.process import free_port
from pea.cache import Caches, Namespace
from pea.config import CacheSettings, L1Settings, L2Settings, L3Settings, L4Settings, Settings
from pea.errors import PeaError
from pea.telemetry import Telemetry

PHASE_S = 2.0
AT_ONCE = 8
EVERY_S = 0.02  # between two calls of a task
KEYS = 200
COMPUTE_S = 0.002
START_S = 10.0
RECOVER_S = 30.0


class Server:
    """A redis-server on a free loopback port that writes nothing to disk."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise PeaError(
                "redis-server is not installed", where="pea bench cache-faults", fix="apt install redis-server"
            )
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it and wait until it listens."""
        quiet = subprocess.DEVNULL
        self._process = await asyncio.to_thread(subprocess.Popen, self._command, stdout=quiet, stderr=quiet)
        async with asyncio.timeout(START_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return

    def freeze(self) -> None:
        """SIGSTOP: connections stay, nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """SIGKILL: connections are refused."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Load:
    """Tasks that keep asking; notes how long each call took, and the calls that failed."""

    def __init__(self, space: Namespace[int]) -> None:
        self._space = space
        self._number = 0
        self.failed = 0

    async def phase(self, seconds: float) -> list[float]:
        """Ask for ``seconds``; what the calls took, in seconds."""
        took: list[float] = []
        end = time.monotonic() + seconds
        await asyncio.gather(*(self._ask_until(end, took) for _ in range(AT_ONCE)))
        return took

    async def _ask_until(self, end: float, took: list[float]) -> None:
        while (began := time.monotonic()) < end:
            self._number += 1
            number = self._number
            key = f"new:{number}" if number % 2 else f"old:{number * 7919 % KEYS}"

            async def compute(number: int = number) -> int:
                await asyncio.sleep(COMPUTE_S)
                return number

            try:
                await self._space.get_or_compute(key, compute)
            except Exception:  # noqa: BLE001  whatever a call raises is what is being counted
                self.failed += 1
            took.append(time.monotonic() - began)
            await asyncio.sleep(EVERY_S)


@asynccontextmanager
async def _caches(url: str) -> AsyncIterator[Caches]:
    own = CacheSettings(
        l1=L1Settings(entries=8), l2=L2Settings(entries=16), l3=L3Settings(url=url), l4=L4Settings(on=False)
    )
    telemetry = Telemetry(Settings(), {})
    caches = Caches(Settings(cache=own), telemetry.tracer)
    try:
        yield caches
    finally:
        await caches.aclose()
        await telemetry.aclose()


async def pulled(phase_s: float = PHASE_S) -> tuple[dict[str, list[float]], int, float]:
    """What calls took in each phase, how many failed, and how long after the restart Redis was used again."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            await server.start()
            async with _caches(server.url) as caches:
                space = caches.namespace("bench", ttl_s=600.0, beta=0)
                load, phases = Load(space), dict[str, list[float]]()
                await load.phase(phase_s / 2)  # to connect, and to fill
                phases["well"] = await load.phase(phase_s)
                for name, harm in (("frozen", server.freeze), ("killed", server.kill)):
                    phases[name] = await _harmed(load, harm, phase_s)
                await server.start()
                restarted = time.monotonic()
                hits = space.counts.l3
                while space.counts.l3 == hits and time.monotonic() - restarted < RECOVER_S:
                    await load.phase(0.1)
                recovered = time.monotonic() - restarted
                phases["back"] = await load.phase(phase_s)
                return phases, load.failed, recovered if space.counts.l3 > hits else float("inf")
        finally:
            server.kill()


async def _harmed(load: Load, harm: Callable[[], None], phase_s: float) -> list[float]:
    """A phase in which it happens at once: its first calls are the ones that feel it."""
    working = asyncio.create_task(load.phase(phase_s))
    await asyncio.sleep(0)
    harm()
    return await working


def cache_faults() -> list[Figure]:
    """Pull Redis under load."""
    phases, failed, recovered = asyncio.run(pulled())
    return figures(phases, failed, recovered)


def figures(phases: dict[str, list[float]], failed: int, recovered_s: float) -> list[Figure]:
    """The phases' p95 beside the first one's, against the tier's budget."""
    budget_ms = 1e3 * float(L3Settings().budget)
    p95 = {name: 1e3 * statistics.quantiles(took, n=20)[-1] for name, took in phases.items()}
    calls = sum(map(len, phases.values()))
    found = [
        Figure("calls that failed while Redis hung, died and came back", float(failed), "calls", calls, 0.0),
        Figure("p95 of a call, Redis well", p95["well"], "ms", len(phases["well"])),
    ]
    for name, what in (("frozen", "hung (SIGSTOP)"), ("killed", "dead (SIGKILL)")):
        rise, worst = p95[name] - p95["well"], 1e3 * max(phases[name])
        note = f"p95 {p95[name]:.2f} ms, longest {worst:.1f} ms"
        found.append(Figure(f"rise of p95, Redis {what}", rise, "ms", len(phases[name]), budget_ms, note))
    found.append(Figure("p95 of a call, Redis back", p95["back"], "ms", len(phases["back"])))
    found.append(Figure("used again after its restart", recovered_s, "s", 1, RECOVER_S, "by itself"))
    return found
