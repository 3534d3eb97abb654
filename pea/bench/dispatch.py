"""A call that does nothing through PEA, with everything on, beside the dispatch of other frameworks, plain and traced.

Each framework runs in a process of its own (`dispatch_peers`), under this Python or, since their dependencies exclude
each other's, under the one in the folder ``peers`` of the data sets. What compares is what a traced call costs, and
what tracing adds: PEA cannot be run without it, so its whole call stands beside what tracing alone adds elsewhere.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from pea.bench import dispatch_peers
from pea.bench.calls import Callee
from pea.bench.data import data_folder
from pea.bench.figure import Figure
from pea.bench.measure import Absent, Line, Sample, line
from pea.config import Settings
from pea.runtime import Runtime

MODULES = {
    "langgraph": ("langgraph", "openinference.instrumentation.langchain"),
    "pydantic-ai": ("pydantic_ai",),
    "autogen-core": ("autogen_core",),
    "openai-agents": ("agents",),
}
NOTES = {
    "langgraph": "a graph of one node, compiled once; traced by OpenInference",
    "pydantic-ai": "a function for a model; traced by its instrumentation settings",
    "autogen-core": "send_message in the single-threaded runtime; traced by its tracer provider",
    "openai-agents": "a model that answers at once; traced by its own spans, a processor that does nothing",
}
ROUNDS = 9
SLICE_S = 0.05
OWN_CALLS = 2_000


class Peer:
    """A framework's process."""

    def __init__(self, name: str, python: Path) -> None:
        script = dispatch_peers.__file__
        self._process = subprocess.Popen(  # -P: the folder of the script has modules called http and agents
            [str(python), "-P", script, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True,
        )  # fmt: skip
        said = self._pipe(self._process.stdout).readline().split()
        if said[:1] != ["ready"]:
            self.close()
            raise ImportError(name, name=name)
        self.version = said[1]
        self._size: dict[str, int] = {}

    def ns(self, way: str) -> float:
        """CPU nanoseconds of a call, of as many as fill a slice."""
        if way not in self._size:
            once = max(self._ask(way, 5) / 5, 1)
            self._size[way] = max(5, round(1e9 * SLICE_S / once))
        return self._ask(way, self._size[way]) / self._size[way]

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.kill()
        self._process.wait()

    def _ask(self, way: str, count: int) -> int:
        to = self._pipe(self._process.stdin)
        to.write(f"{way} {count}\n")
        to.flush()
        return int(self._pipe(self._process.stdout).readline())

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        if pipe is None:
            raise RuntimeError("a peer has no pipe")
        return pipe


def dispatch(data: Path | None = None, rounds: int = ROUNDS) -> list[Line | Figure | Absent]:
    """PEA's call in turns with each framework's."""
    found: list[Line | Figure | Absent] = []
    with ExitStack() as stack:
        peers: dict[str, Peer] = {}
        for name in MODULES:
            peer = _start(name, data)
            if isinstance(peer, Absent):
                found.append(peer)
            else:
                peers[name] = peer
                stack.callback(peer.close)
        own, others = _measure(peers, rounds)
    sample = Sample(tuple(own), rounds * OWN_CALLS)
    for name, peer in peers.items():
        plain, traced = others[name, "plain"], others[name, "traced"]
        added = [one - other for one, other in zip(traced, plain, strict=True)]
        about = f"{name} {peer.version}"
        for what, values in ((f"{about}, traced", traced), (f"{about}, plain", plain)):
            samples = {"call": sample, what: Sample(tuple(values), rounds)}
            found.append(line("agent call, everything on, spans drained", samples, "call", what, note=NOTES[name]))
        found.append(Figure(f"what tracing adds to a call: {about}", statistics.median(added) / 1e3, "µs", rounds))
    return found


def _measure(peers: dict[str, Peer], rounds: int) -> tuple[list[float], dict[tuple[str, str], list[float]]]:
    others: dict[tuple[str, str], list[float]] = {(name, way): [] for name in peers for way in ("plain", "traced")}
    own: list[float] = []
    with asyncio.Runner() as runner:
        runtime = Runtime(Settings(), agents=[Callee()])
        runner.run(runtime.start())
        loop = runner.get_loop()

        async def calls() -> None:
            await runtime.call("callee.many", count=OWN_CALLS)
            await runtime.telemetry.drain()

        once: Callable[[], None] = lambda: loop.run_until_complete(calls())  # noqa: E731
        for turn in range(rounds + 1):
            began = time.process_time_ns()
            once()
            spent = (time.process_time_ns() - began) / OWN_CALLS
            told = {(name, way): peer.ns(way) for name, peer in peers.items() for way in ("plain", "traced")}
            if turn:  # the first warms up
                own.append(spent)
                for key, value in told.items():
                    others[key].append(value)
        runner.run(runtime.close())
    return own, others


def _start(name: str, data: Path | None) -> Peer | Absent:
    """The framework under this Python if it is installed here, else under that of the data sets."""
    elsewhere = (data or data_folder()) / "peers" / "bin" / "python"
    here = all(_installed(module) for module in MODULES[name])
    for python in ([Path(sys.executable)] if here else []) + ([elsewhere] if elsewhere.exists() else []):
        try:
            return Peer(name, python)
        except ImportError:
            continue
    why = f"is neither installed here nor under {elsewhere.parents[1]}"
    return Absent("agent call beside another framework's", name, why)


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent
        return False
