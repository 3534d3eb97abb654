"""Memory pressure with a fake reader of memory: what gives way, in which order, and that all is given back."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pea import Runtime, Settings
from pea.config import Bytes, RuntimeSettings, Seconds
from pea.config.pressure import PressureSettings
from pea.errors import ConfigError, Overloaded
from pea.runtime import pressure as pressure_room
from pea.runtime.pressure import MARGIN, MOST, STEPS_EACH, Gauge, Measure, Pressure, return_free_memory
from pea.runtime.task import Priority
from pea.telemetry import Telemetry, names
from tests.runtime.fleet import Rates

STEADY, PEAK = 512_000_000, 1_000_000_000


@pytest.mark.parametrize(("steady", "peak"), [(0, 1), (5, 5), (6, 5), (-1, 5)])
def test_watermarks_that_cannot_be_are_refused(steady: int, peak: int) -> None:
    """Steady lies below peak, and above nothing."""
    with pytest.raises(ConfigError, match="steady"):
        Gauge(steady, peak)


def test_the_marks_go_from_steady_to_peak() -> None:
    """The first step is taken above steady, the last above peak, none at steady itself."""
    gauge = Gauge(STEADY, PEAK)
    assert (gauge.mark(1), gauge.mark(MOST)) == (STEADY, PEAK)
    assert gauge.read(STEADY) is None
    assert gauge.read(STEADY + 1) is not None
    assert gauge.read(STEADY + 1) is None


def test_all_of_it_is_taken_above_the_peak_and_given_back_below_steady() -> None:
    """One step a look, in order; and back in the opposite order."""
    gauge = Gauge(STEADY, PEAK)
    taken = [gauge.read(2 * PEAK) for _ in range(MOST + 2)]
    assert [change.after for change in taken if change] == list(range(1, MOST + 1))
    given = [gauge.read(STEADY // 2) for _ in range(MOST + 2)]
    assert [change.after for change in given if change] == list(range(MOST - 1, -1, -1))


class Memory(RuleBasedStateMachine):
    """Memory does what it likes; the invariants hold after every look."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = STEADY // 2
        self.told: list[tuple[Measure, float]] = []
        self.pressure = Pressure(
            PressureSettings(steady=Bytes(STEADY), peak=Bytes(PEAK)),
            lambda: self.memory,
            Telemetry(Settings()).tracer,
        )
        for measure in Measure:
            self.pressure.register(measure, lambda share, measure=measure: self.told.append((measure, share)))

    @rule(memory=st.one_of(st.integers(0, 2 * PEAK), st.sampled_from([0, STEADY, STEADY + 1, PEAK, PEAK + 1])))
    def look(self, memory: int) -> None:
        self.memory = memory
        before, told = self.pressure.gauge.steps, len(self.told)
        change = self.pressure.look()
        assert abs(self.pressure.gauge.steps - before) <= 1
        assert (change is not None) == (len(self.told) > told)

    @rule(looks=st.integers(1, 20))
    def waver(self, looks: int) -> None:
        """Readings between a step's own mark, less the margin, and the next one's change nothing."""
        gauge = self.pressure.gauge
        low = gauge.mark(gauge.steps) - MARGIN * STEADY if gauge.steps else 0
        high = gauge.mark(gauge.steps + 1) if gauge.steps < MOST else 2 * PEAK
        for number in range(looks):
            self.memory = int(low) + 1 if number % 2 else int(high)
            assert self.pressure.look() is None

    @rule()
    def calm(self) -> None:
        """Enough quiet looks give everything back."""
        self.memory = 0
        for _ in range(MOST):
            self.pressure.look()
        assert self.pressure.gauge.steps == 0
        assert all(self.pressure.share(measure) == 1 for measure in Measure)

    @invariant()
    def in_order(self) -> None:
        """A measure is taken only when the ones before it are taken in full."""
        depths = [self.pressure.gauge.depth(measure) for measure in Measure]
        for one, later in pairwise(depths):
            assert later == 0 or one == STEPS_EACH

    @invariant()
    def told_the_last_share(self) -> None:
        """Who registered knows what holds."""
        latest = dict(self.told)
        for measure in Measure:
            assert latest.get(measure, 1.0) == self.pressure.share(measure)


TestMemory = Memory.TestCase
TestMemory.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


def fleet() -> Runtime:
    quiet = PressureSettings(on=False)
    return Runtime(Settings(runtime=RuntimeSettings(pressure=quiet, history=100)), agents=[Rates()])


async def test_caches_then_histories_then_admission() -> None:
    """In a running fleet: bytes leave the caches, ended tasks the history, low priorities are refused; and back."""
    async with fleet() as runtime:
        pressure, scheduler = runtime.pressure, runtime.scheduler
        assert pressure is not None
        memory = 2 * PEAK
        pressure._read = lambda: memory
        cache = runtime.dispatcher.caches.namespace("spare", owner="rates", portable=False)
        for number in range(200):
            cache.put(str(number), b"x" * 200_000)
        for _ in range(60):
            await scheduler.run("rates.compute", {"numbers": [1]})
        held = runtime.dispatcher.caches.stats().memory_bytes
        for _ in range(STEPS_EACH):
            pressure.look()
        limit = runtime.dispatcher.caches.stack.ceiling.most_bytes
        assert limit == int(runtime.settings.cache.memory / 8)
        assert runtime.dispatcher.caches.stats().memory_bytes <= min(held, limit * 1.02)
        assert len(scheduler.history.registry) == 60
        for _ in range(STEPS_EACH):
            pressure.look()
        assert scheduler.history._entries == 12
        for refused, priority in enumerate((Priority.LOW, Priority.NORMAL, Priority.HIGH), 1):
            scheduler.admission.check("rates.table", priority, None)
            pressure.look()
            assert len(pressure.state().refused) == refused
            with pytest.raises(Overloaded, match="memory is short"):
                scheduler.admission.check("rates.table", priority, None)
        scheduler.admission.check("rates.table", Priority.CRITICAL, None)
        memory = STEADY // 2
        for _ in range(MOST):
            pressure.look()
        scheduler.admission.check("rates.table", Priority.LOW, None)
        assert runtime.dispatcher.caches.stack.ceiling.most_bytes == runtime.settings.cache.memory
        assert pressure.state().steps == 0


async def test_every_step_is_a_span_with_an_event_and_a_metric() -> None:
    """What gave way, from where to where, and at how much memory."""
    async with fleet() as runtime:
        assert runtime.pressure is not None
        runtime.pressure._read = lambda: 2 * PEAK
        runtime.pressure.look()
        await runtime.telemetry.drain()
        (trace,) = [one for one in runtime.telemetry.recent.list() if one.name == "pressure caches"]
        (span,) = runtime.telemetry.recent.get(trace.trace_id)
        assert [event.name for event in span.events] == [names.EVENT_PRESSURE]
        assert span.attributes[names.PEA_PRESSURE_MEMORY] == 2 * PEAK
        text = runtime.telemetry.exposition()[0].decode()
        assert "pea_pressure_steps 1.0" in text
        assert 'pea_pressure_share{pea_pressure_measure="caches"} 0.5' in text


async def test_free_memory_is_given_back_though_none_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holes between what lives on would grow for hours, far below the first mark."""
    given = asyncio.Event()
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(pressure_room, "return_free_memory", lambda: loop.call_soon_threadsafe(given.set))
    monkeypatch.setattr(pressure_room, "GIVE_BACK_S", 0.003)
    telemetry = Telemetry(Settings(), {})
    pressure = Pressure(PressureSettings(interval=Seconds(0.001)), lambda: 0, telemetry.tracer)
    pressure.start()
    await given.wait()
    await pressure.stop()
    await telemetry.aclose()
    assert pressure.changes == 0


def test_free_memory_goes_back_to_the_system() -> None:
    """It can be called at any time, and does no harm where there is nothing to give."""
    assert return_free_memory() in (True, False)
