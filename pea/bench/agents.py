"""A morning briefing over 50,000 mails, 5,000 events and 2,000 documents: the first index, warm answers, memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil

from pea.bench.agents_office import Size, make
from pea.bench.figure import Figure
from pea.bench.process import environ

INDEX_LIMIT_S, WARM_LIMIT_S, MEMORY_LIMIT_MB = 60.0, 1.0, 512.0
LOOK_EVERY_S = 0.02


class Briefings(msgspec.Struct, frozen=True):
    """What a process that gives briefings measured, in seconds; ``files`` are what the last of them was made from."""

    first_s: float
    warm_s: list[float]
    changed_s: list[float]
    files: int
    pending: int
    missing: list[str]


def agents(size: Size | None = None) -> list[Figure]:
    """Make the files, index them with ``pea index``, then give briefings in a new process."""
    size = size or Size()
    with tempfile.TemporaryDirectory() as folder:
        workspace, state = Path(folder, "office"), Path(folder, "state")
        workspace.mkdir()
        make(workspace, size)
        places = ["--workspace", str(workspace), "--state", str(state)]
        index_s, index_mb, _ = _run([sys.executable, "-m", "pea", "index", "--json", *places])
        again_s, _, _ = _run([sys.executable, "-m", "pea", "index", "--json", *places])
        module = [sys.executable, "-m", "pea.bench.agents_briefing"]
        _, briefing_mb, told = _run([*module, str(workspace), str(state)])
    found = msgspec.json.decode(told, type=Briefings)
    about = f"{size.mails:,} mails, {size.events:,} events, {size.documents:,} documents"
    complete = 1.0 if not found.missing and not found.pending else 0.0
    warm, changed = sorted(found.warm_s), sorted(found.changed_s)
    return [
        Figure("first index, from the start of the process", index_s, "s", 1, INDEX_LIMIT_S, about),
        Figure("  its memory at the most", index_mb, "MB", 1, MEMORY_LIMIT_MB),
        Figure("  the same with nothing changed", again_s, "s"),
        Figure("briefing.morning, warm, median", warm[len(warm) // 2], "s", len(warm), WARM_LIMIT_S),
        Figure("  the slowest of them", warm[-1], "s", len(warm), WARM_LIMIT_S),
        Figure("  after one more mail, median", changed[len(changed) // 2], "s", len(changed)),
        Figure("  the first of a new process", found.first_s, "s"),
        Figure("  memory at the most", briefing_mb, "MB", 1, MEMORY_LIMIT_MB),
        Figure("  complete: nothing missing, nothing pending", complete, "", 1, 1.0, at_least=True),
    ]


def _run(command: list[str], clock: Callable[[], float] = time.perf_counter) -> tuple[float, float, bytes]:
    """Seconds and the most resident megabytes of a process, and what it printed; RuntimeError when it fails."""
    began, most = clock(), 0
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(command, env=environ(), stdout=subprocess.PIPE, stderr=errors) as process:
            watched = psutil.Process(process.pid)
            while True:
                try:
                    most = max(most, watched.memory_info().rss)
                    process.wait(LOOK_EVERY_S)
                    break
                except subprocess.TimeoutExpired:
                    continue
                except psutil.NoSuchProcess:  # it ended between two looks
                    process.wait()
                    break
            took = clock() - began
            printed = process.stdout.read() if process.stdout is not None else b""
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(command)} failed: {errors.read()[-2_000:].decode(errors='replace')}")
    return took, most / 1e6, printed
