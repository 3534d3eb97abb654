"""What ended lately, counted as it ends: requests and each agent's calls in ten-second slots over fifteen minutes.

Everything here is folded from the same span records that the store keeps, so that a figure, a chart point and the
trace behind it cannot disagree.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from pea.store.genai import INVOKE_AGENT
from pea.store.rates import WIDTH, bucket_of
from pea.telemetry import names
from pea.telemetry.record import ERROR, SpanRecord

STEP_S = 10  # a slot, and a step of the series store
SLOTS = 90  # fifteen minutes
MAX_AGENTS = 1_000  # beyond them calls count for the system only
MAX_ERROR_TYPES = 20
MAX_POINTS = 8_640  # chart points with exemplars: a day
SAMPLES = 16  # durations of a slot of which the trace is remembered
SAMPLED = 3  # newest slots whose samples are still asked for
OTHER = "_OTHER"
STEP_NS = STEP_S * 10**9
SERIES = "pea.page"  # prefix of the series that the charts draw
QUANTILES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))

Exemplar = tuple[int, int]  # duration in ns, trace id


class Slot(msgspec.Struct, gc=False):
    """Ten seconds of one meter; ``buckets`` counts durations by `bucket_of`."""

    number: int
    calls: int = 0
    errors: int = 0
    total_ns: int = 0
    buckets: dict[int, int] = {}
    samples: list[Exemplar] = []
    slowest: Exemplar = (0, 0)


class Window(msgspec.Struct, frozen=True):
    """Some slots together; durations in seconds, None where nothing ended."""

    seconds: float
    calls: int
    errors: int
    mean_s: float | None
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    max_s: float | None
    variability: float | None  # standard deviation over mean
    slowest: int | None  # trace id
    peak_per_s: float
    buckets: Mapping[int, int]


class Meter:
    """Counts of one agent, or of all requests."""

    def __init__(self) -> None:
        self.slots: deque[Slot] = deque(maxlen=SLOTS)
        self.calls = self.errors = self.total_ns = 0
        self.slowest: Exemplar = (0, 0)
        self.failed: int | None = None  # trace of the last error
        self.error_types: Counter[str] = Counter()
        self.tiers: Counter[str] = Counter()
        self._joined: tuple[tuple[int, int], Slot, int] = ((0, 0), Slot(0), 0)

    def add(self, number: int, record: SpanRecord) -> None:
        """Count a span in slot ``number``; what comes later than newer ones counts among them."""
        slots = self.slots
        slot = slots[-1] if slots else None
        if slot is None or slot.number < number:
            if len(slots) >= SAMPLED:
                slots[-SAMPLED].samples = []
            slot = Slot(number)
            slots.append(slot)
        took = record.duration_ns
        exemplar = (took, record.trace_id)
        slot.calls += 1
        slot.total_ns += took
        bucket = bucket_of(took)
        slot.buckets[bucket] = slot.buckets.get(bucket, 0) + 1
        slot.slowest = max(slot.slowest, exemplar)
        if len(slot.samples) < SAMPLES:
            slot.samples.append(exemplar)
        elif (place := int(random.random() * slot.calls)) < SAMPLES:  # noqa: S311  a sample, no secret
            slot.samples[place] = exemplar
        self.calls += 1
        self.total_ns += took
        self.slowest = max(self.slowest, exemplar)
        if record.status == ERROR:
            slot.errors += 1
            self.errors += 1
            self.failed = record.trace_id
            said = str(record.attributes.get(names.ERROR_TYPE, OTHER))
            known = said in self.error_types or len(self.error_types) < MAX_ERROR_TYPES
            self.error_types[said if known else OTHER] += 1

    def window(self, number: int, slots: int) -> Window:
        """The ``slots`` up to slot ``number``."""
        full, peak = self._full(number, slots)
        last = self.slots[-1] if self.slots else None
        whole = _joined(full, last) if last is not None and last.number == number else full
        buckets, calls = whole.buckets, whole.calls
        longest_s = whole.slowest[0] / 1e9
        return Window(
            seconds=float(slots * STEP_S),
            calls=calls,
            errors=whole.errors,
            mean_s=whole.total_ns / calls / 1e9 if calls else None,
            **{f"{name}_s": min(_quantile(buckets, q), longest_s) if calls else None for name, q in QUANTILES},
            max_s=longest_s if calls else None,
            variability=_variability(buckets),
            slowest=whole.slowest[1] if calls else None,
            peak_per_s=max(peak, last.calls if last is not None and last.number == number else 0) / STEP_S,
            buckets=buckets,
        )

    def _full(self, number: int, slots: int) -> tuple[Slot, int]:
        """The slots before ``number`` joined, and the calls of the busiest; joined anew when a slot is full."""
        if self._joined[0] != (number, slots):
            whole, peak = Slot(number), 0
            for slot in self.slots:
                if number - slots < slot.number < number:
                    whole, peak = _joined(whole, slot), max(peak, slot.calls)
            self._joined = ((number, slots), whole, peak)
        return self._joined[1:]


class Pulse:
    """A record consumer with a meter of all requests and one for each agent.

    A request is a task, or where spans of another program enter, its outermost agent call.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = int(clock() // STEP_S) - 1  # the last slot that was given to the series
        self.since = clock()
        self.requests = Meter()
        self.agents: dict[str, Meter] = {}
        self.operations = 0
        self._operations_before = 0
        self._exemplars: deque[tuple[int, tuple[int, ...]]] = deque(maxlen=MAX_POINTS)

    @property
    def slot(self) -> int:
        """The slot that is being filled."""
        return int(self._clock() // STEP_S)

    def take(self, records: Sequence[SpanRecord]) -> None:
        """Count spans that have ended."""
        now = self.slot
        with self._lock:
            for record in records:
                self.operations += 1 + len(record.leaves)
                about = record.attributes
                number = min(max(record.end_ns // STEP_NS, now - SLOTS), now)
                agent = about.get(names.GEN_AI_AGENT_NAME)
                calls_agent = about.get(names.GEN_AI_OPERATION_NAME) == INVOKE_AGENT
                if names.PEA_TASK_ID in about or (record.entry and calls_agent):
                    self.requests.add(number, record)
                meter = self._meter(agent) if isinstance(agent, str) and agent else None
                if meter is not None and calls_agent:
                    meter.add(number, record)
                if record.leaves:
                    self._lookups(record, meter)

    def source(self) -> Mapping[str, float]:
        """The figures of the slot that has just been filled, as series; asked for at every sample."""
        with self._lock:
            number = self.slot - 1
            past = self.requests.window(number, 1)
            operations, self._operations_before = self.operations - self._operations_before, self.operations
            if past.calls and number > self._closed:
                self._exemplars.append((number + 1, self._nearest(number, past)))
            self._closed = number
        values = {"rate": past.calls / STEP_S, "operations": operations / STEP_S}
        if past.calls:
            values |= {"errors": past.errors / past.calls, "mean": past.mean_s or 0.0}
            values |= {"p50": past.p50_s or 0.0, "p95": past.p95_s or 0.0, "p99": past.p99_s or 0.0}
        return {f"{SERIES}.{name}": value for name, value in values.items()}

    def exemplars(self, slots: Iterable[int]) -> dict[int, tuple[int, ...]]:
        """Traces near the median, the 95th and the 99th percentile of chart points, by the slot they stand in."""
        wanted = set(slots)
        with self._lock:
            return {number: traces for number, traces in self._exemplars if number in wanted}

    def window(self, slots: int, agent: str | None = None) -> Window:
        """The last ``slots``, the one being filled among them, of all requests or of one agent."""
        meter = self.requests if agent is None else self.agents.get(agent) or Meter()
        with self._lock:
            return meter.window(self.slot, slots)

    def history(self, meter: Meter, width: int) -> list[Slot | None]:
        """Fifteen minutes of a meter, ``width`` slots joined into each point, oldest first; without the unfinished."""
        last = self.slot - 1
        joined: dict[int, Slot] = {}
        with self._lock:
            for slot in meter.slots:
                if last - SLOTS < slot.number <= last:
                    place = (slot.number - last + SLOTS - 1) // width
                    joined[place] = _joined(joined.get(place), slot)
        return [joined.get(place) for place in range(SLOTS // width)]

    def _meter(self, agent: str) -> Meter | None:
        meter = self.agents.get(agent)
        if meter is None and len(self.agents) < MAX_AGENTS:
            meter = self.agents[agent] = Meter()
        return meter

    def _lookups(self, record: SpanRecord, meter: Meter | None) -> None:
        for name, _, _, about in record.leaves:
            if about and name.startswith(names.SPAN_CACHE_LOOKUP):
                tier = str(about.get(names.PEA_CACHE_TIER, OTHER))
                if tier in names.PEA_CACHE_TIER_VALUES:
                    self.requests.tiers[tier] += 1
                    if meter is not None:
                        meter.tiers[tier] += 1

    def _nearest(self, number: int, window: Window) -> tuple[int, ...]:
        slot = next(slot for slot in self.requests.slots if slot.number == number)
        known = [*slot.samples, slot.slowest]
        wanted = [1e9 * (value or 0.0) for value in (window.p50_s, window.p95_s, window.p99_s)]
        return tuple(min(known, key=lambda one, at=at: abs(one[0] - at))[1] for at in wanted)  # type: ignore[misc]


def _joined(one: Slot | None, other: Slot) -> Slot:
    if one is None:
        one = Slot(other.number)
    buckets = one.buckets.copy()
    for bucket, count in other.buckets.items():
        buckets[bucket] = buckets.get(bucket, 0) + count
    return Slot(
        other.number,
        one.calls + other.calls,
        one.errors + other.errors,
        one.total_ns + other.total_ns,
        buckets,
        [],
        max(one.slowest, other.slowest),
    )


def _quantile(buckets: Mapping[int, int], q: float) -> float:
    """The duration of rank ``ceil(q * count)`` in seconds, within 1 %; of nothing, NaN."""
    rank, seen = math.ceil(q * sum(buckets.values())), 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= rank:
            return _middle(bucket)
    return math.nan


def _middle(bucket: int) -> float:
    return 1e-6 * math.exp((bucket + 0.5) * WIDTH)


def _variability(buckets: Mapping[int, int]) -> float | None:
    """Standard deviation over mean of the counted durations, each at its bucket's middle."""
    count = sum(buckets.values())
    if count < 2:
        return None
    values = [(_middle(bucket), many) for bucket, many in buckets.items()]
    mean = sum(value * many for value, many in values) / count
    spread = sum(many * (value - mean) ** 2 for value, many in values) / (count - 1)
    return math.sqrt(spread) / mean if mean else None
