"""Memory pressure: caches give way first, then histories, then new tasks are refused; and all is given back.

There are nine steps, three for each measure, and a mark of resident memory for each, from ``steady`` to ``peak``. A
look that finds more than the next mark takes one step; one that finds clearly less than the mark of the last step gives
that one back. So the measures come in their order whatever memory does, and wavering around a mark changes nothing.
"""

from __future__ import annotations

import asyncio
import ctypes
import enum
import gc
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from pea.config.pressure import PressureSettings
from pea.errors import ConfigError
from pea.telemetry import Tracer, get_logger, names

STEPS_EACH = 3
GIVE_BACK_S = 30.0  # between two times that free memory is given back though none is short
MARGIN = 0.05  # of ``steady``: so far below its mark memory has to fall before a step is given back

log = get_logger("pea.runtime")


class Measure(enum.IntEnum):
    """What gives way, in its order."""

    CACHES = 0  # they hold less
    HISTORIES = 1  # so do histories of tasks and traces; the journal and the stores on disk keep all
    ADMISSION = 2  # tasks are refused: low priority first, then normal, then high; critical ones never


MOST = STEPS_EACH * len(Measure)


class Change(msgspec.Struct, frozen=True):
    """One step: how many were taken before and are now, and the memory that made it, in bytes."""

    before: int
    after: int
    memory_bytes: int


class Gauge:
    """The pure part: told how much memory is resident, it says how many steps are taken."""

    def __init__(self, steady_bytes: int, peak_bytes: int) -> None:
        """ConfigError unless 0 < ``steady_bytes`` < ``peak_bytes``."""
        if not 0 < steady_bytes < peak_bytes:
            what = f"steady ({steady_bytes:,} bytes) has to be less than peak ({peak_bytes:,} bytes), and more than 0"
            raise ConfigError(what, where="runtime.pressure")
        self._steady = steady_bytes
        self._gap = peak_bytes - steady_bytes
        self.steps = 0
        self.memory_bytes = 0

    def mark(self, step: int) -> float:
        """Bytes above which this step (from 1) is taken; that of the last is the peak."""
        return self._steady + self._gap * (step - 1) / (MOST - 1)

    def read(self, memory_bytes: int) -> Change | None:
        """A look; the step that it makes, if it makes one."""
        self.memory_bytes = memory_bytes
        before = self.steps
        if before < MOST and memory_bytes > self.mark(before + 1):
            self.steps += 1
        elif before and memory_bytes < self.mark(before) - MARGIN * self._steady:
            self.steps -= 1
        else:
            return None
        return Change(before, self.steps, memory_bytes)

    def depth(self, measure: Measure) -> int:
        """How many steps, 0 to 3, this measure is taken."""
        return min(max(self.steps - STEPS_EACH * measure, 0), STEPS_EACH)


class PressureState(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand: ``steps`` of nine; what caches and histories may hold of what is configured; who is refused."""

    memory_bytes: int
    steady_bytes: int
    peak_bytes: int
    steps: int
    caches: float
    histories: float
    refused: tuple[str, ...]


Squeeze = Callable[[float], object]
REFUSED = ("low", "normal", "high")


class Pressure:
    """Looks at the memory and squeezes what registered for it. ``read`` gives resident bytes."""

    def __init__(self, settings: PressureSettings, read: Callable[[], int], tracer: Tracer) -> None:
        self.gauge = Gauge(settings.steady, settings.peak)
        self.changes = 0
        self._settings = settings
        self._read = read
        self._tracer = tracer
        self._squeezed: dict[Measure, list[Squeeze]] = {measure: [] for measure in Measure}
        self._watching: asyncio.Task[None] | None = None

    def register(self, measure: Measure, squeeze: Squeeze) -> None:
        """Have ``squeeze`` told what share of its configured bound it may hold: 1, 1/2, 1/4 or 1/8.

        For `Measure.ADMISSION` it is the share of the four priorities that are taken in: 1, 3/4, 1/2 or 1/4.
        """
        self._squeezed[measure].append(squeeze)

    def start(self) -> None:
        """Look from now on."""
        if self._settings.on:
            self._watching = asyncio.create_task(self._watch(), name="pea-pressure")

    async def stop(self) -> None:
        """Stop looking."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])

    def share(self, measure: Measure) -> float:
        """What is left to this measure; see `register`."""
        depth = self.gauge.depth(measure)
        return 1 - depth / len((*REFUSED, "critical")) if measure is Measure.ADMISSION else 0.5**depth

    def look(self) -> Change | None:
        """Look once, and take or give back a step."""
        change = self.gauge.read(self._read())
        if change is None:
            return None
        self.changes += 1
        measure = Measure((max(change.before, change.after) - 1) // STEPS_EACH)
        name = measure.name.lower()
        about: dict[str, Any] = {
            names.PEA_PRESSURE_MEASURE: name,
            names.PEA_PRESSURE_FROM: change.before,
            names.PEA_PRESSURE_TO: change.after,
            names.PEA_PRESSURE_MEMORY: change.memory_bytes,
        }
        with self._tracer.span(f"{names.SPAN_PRESSURE} {name}", about) as span:
            for squeeze in self._squeezed[measure]:
                squeeze(self.share(measure))
            span.add_event(names.EVENT_PRESSURE, about)
        tighter = change.after > change.before
        say = log.warning if tighter else log.info
        what = "memory is short" if tighter else "memory is given back"
        say(what, measure=name, share=self.share(measure), steps=change.after, memory_mb=change.memory_bytes // 10**6)
        return change

    def state(self) -> PressureState:
        """How things stand."""
        return PressureState(
            memory_bytes=self.gauge.memory_bytes,
            steady_bytes=int(self._settings.steady),
            peak_bytes=int(self._settings.peak),
            steps=self.gauge.steps,
            caches=self.share(Measure.CACHES),
            histories=self.share(Measure.HISTORIES),
            refused=REFUSED[: self.gauge.depth(Measure.ADMISSION)],
        )

    async def _watch(self) -> None:
        kept_s = 0.0
        while True:
            await asyncio.sleep(float(self._settings.interval))
            kept_s += float(self._settings.interval)
            change = self.look()
            if kept_s >= GIVE_BACK_S or (change is not None and change.after > change.before):
                kept_s = 0.0
                await asyncio.get_running_loop().run_in_executor(None, return_free_memory)


def return_free_memory() -> bool:
    """Have the C library give freed pages back to the system; False where it cannot.

    Without it, what caches let go of stays resident, and no step would ever be given back; and the holes between what
    lives on grow for hours: under hostile requests by half a megabyte a minute. Takes a millisecond.
    """
    gc.collect(1)
    trim = _malloc_trim()
    return trim is not None and bool(trim(0))


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found
