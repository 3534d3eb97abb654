"""``pea bench memory``: an hour's worth of work once all that is bounded is full, and what the memory does in it."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from pea.bench.figure import Figure
from pea.bench.memory_run import Run
from pea.bench.memory_slope import slope
from pea.bench.memory_work import TASKS_PER_HOUR, copy_workspace

TASKS = TASKS_PER_HOUR  # once it is warm, by the rule of `memory_fill`
MOST_TASKS = 10 * TASKS_PER_HOUR
READY_LIMIT_MB = 256.0
STEADY_LIMIT_MB = 512.0
PEAK_LIMIT_MB = 1_024.0
GROWTH_LIMIT_MB = 1.0
HITS_LIMIT = 85.0


def memory() -> list[Figure]:
    """Work through the hours in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = copy_workspace(Path(folder, "workspace"))
        command = [sys.executable, "-m", "pea.bench.memory_run", str(workspace), str(Path(folder, "state"))]
        done = subprocess.run([*command, str(TASKS), str(MOST_TASKS)], check=True, stdout=subprocess.PIPE)
    return figures(msgspec.json.decode(done.stdout, type=Run))


def figures(run: Run) -> list[Figure]:
    """What a run's samples say about the work after it was warm; about its last hour if it never was."""
    never = run.warm_tasks is None
    warm_tasks = run.samples[-1][0] - TASKS if run.warm_tasks is None else run.warm_tasks
    warm = [(tasks, size) for tasks, size in run.samples if tasks > warm_tasks]
    sizes = [size / 1e6 for _, size in warm]
    growth = slope([tasks / TASKS_PER_HOUR for tasks, _ in warm], sizes)
    done = run.samples[-1][0]
    hits = sum(run.hits.values())
    tiers = ", ".join(f"{tier} {100 * count / max(run.lookups, 1):.1f} %" for tier, count in sorted(run.hits.items()))
    share, warmed = 100 * hits / max(run.lookups, 1), "Theil-Sen, after warm-up"
    return [
        Figure("tasks done", done / run.seconds, "tasks/s", done, note=f"{done / TASKS_PER_HOUR:.3g} h of work"),
        Figure("  failed", float(run.failed), "tasks", done, 0.0),
        Figure(
            "structures still filling when it was measured",
            float(len(run.filling)) if never else 0.0,
            "structures",
            budget=0.0,
            note=", ".join(run.filling) if never else f"all full after {warm_tasks:,} tasks",
        ),
        Figure("memory when ready (RSS)", run.ready_bytes / 1e6, "MB", 1, READY_LIMIT_MB),
        Figure("memory, steady", statistics.median(sizes), "MB", len(sizes), STEADY_LIMIT_MB),
        Figure("memory, peak", run.peak_bytes / 1e6, "MB", len(run.samples), PEAK_LIMIT_MB),
        Figure("growth in an hour of work", growth.middle, "MB/h", len(warm), GROWTH_LIMIT_MB, warmed),
        Figure("  its 95 % interval, lower end", growth.low, "MB/h", len(warm)),
        Figure("  its 95 % interval, upper end", growth.high, "MB/h", len(warm), GROWTH_LIMIT_MB),
        Figure("  from the first warm sample to the last", sizes[-1] - sizes[0], "MB", len(warm)),
        Figure("lookups that a cache tier answered", share, "%", run.lookups, HITS_LIMIT, tiers, at_least=True),
    ]
