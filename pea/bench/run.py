"""Runs suites one after another, each launch in a process of its own that is stopped when it takes far too long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from pea.bench.one import Launched, encode
from pea.bench.result import Measured, merged
from pea.bench.suites import Ask, Suite

POLL_S = 0.1
LAST_WORDS = 600

Tick = Callable[[Suite, float], None]  # a suite, and seconds since it began


def _silent(suite: Suite, seconds: float) -> None:
    """Nobody wants to know how far it is."""


def run(suites: Iterable[Suite], ask: Ask, tick: Tick = _silent) -> Iterator[tuple[Suite, Measured]]:
    """Measure each suite; those that the extent leaves out are to be left out by the caller."""
    for suite in suites:
        yield suite, measure(suite, ask, tick)


def measure(suite: Suite, ask: Ask, tick: Tick = _silent) -> Measured:
    """All launches of one suite, put together."""
    began = time.monotonic()
    launched: list[Launched] = []
    for number in range(suite.processes(ask.extent)):
        if number and ask.profile is not None:
            break  # one launch is enough of a profile
        launched.append(_launch(suite, ask, lambda: tick(suite, time.monotonic() - began)))
    entries = merged([one.entries for one in launched])
    return Measured(
        about=suite.about,
        entries=entries,
        seconds=time.monotonic() - began,
        cpu_s=sum(one.cpu_s for one in launched),
        launches=len(launched),
        missing=next((one.missing for one in launched if one.missing), ""),
    )


def _launch(suite: Suite, ask: Ask, tick: Callable[[], None]) -> Launched:
    until = time.monotonic() + suite.patience_s(ask)
    with tempfile.TemporaryDirectory(prefix="pea-bench-") as folder, Path(folder, "said").open("w+b") as said:
        out = Path(folder, "found")
        command = [sys.executable, "-m", "pea.bench.one", suite.name, encode(ask), str(out)]
        # In a session of its own, so that what it has started ends with it.
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        ) as process:
            try:
                while process.poll() is None and time.monotonic() < until:
                    tick()
                    time.sleep(POLL_S)
            finally:
                late = process.poll() is None
                if late:
                    os.killpg(process.pid, signal.SIGKILL)
        if late:
            return Launched(missing=f"was stopped: not done within {suite.patience_s(ask):.0f} s")
        if process.returncode or not out.exists():
            said.seek(0)
            words = said.read().decode(errors="replace").strip()[-LAST_WORDS:]
            return Launched(missing=f"failed with exit code {process.returncode}: {words}")
        return msgspec.json.decode(out.read_bytes(), type=Launched)
