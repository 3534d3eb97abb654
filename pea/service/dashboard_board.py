"""Collects the dashboard: figures of the last five minutes, health, recommendations, tasks, charts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from pea.runtime import AgentRecord, AgentState, Runtime, TaskState
from pea.runtime.owners import Owners
from pea.service.chronicle import Holder
from pea.service.dashboard_charts import charts, mean_lag_s, memory_line
from pea.service.dashboard_json import (
    AgentRow,
    Business,
    Charts,
    Dashboard,
    Line,
    Metrics,
    Overview,
    Reliability,
    Resources,
    Response,
    Throughput,
    Tokens,
    Trends,
)
from pea.service.dashboard_ledger import AgentRates, Ledger
from pea.service.dashboard_pressure import short_of_memory
from pea.service.dashboard_pulse import SLOTS, STEP_S, Meter, Pulse, Window
from pea.service.dashboard_uptime import UNKNOWN, Standing, Uptime, system_standing, up_sample
from pea.service.dashboard_usage import Usage, UsageReader
from pea.service.opinions import Opinions
from pea.service.task_json import TaskJson, task_json
from pea.store import Chronicle
from pea.store.rates import bucket_of
from pea.telemetry.loop_lag import Culprit
from pea.telemetry.loop_share import LoopShare
from pea.watch.health import Health, Signs, health
from pea.watch.recommend import AgentPattern, Recommendation, SystemPattern, recommend
from pea.watch.trends import error_trend, growth_per_hour, response_trend, throughput_trend

if TYPE_CHECKING:
    from pea.watch.patterns import Patterns

WINDOW_SLOTS = 30  # five minutes
SPARK_SLOTS = 3  # a spark's point is half a minute
SLA_NS = 300_000_000
HEALTH_EVERY_S = 10.0
TASKS = 20
RUNNING = 50
POLITE = 8  # agents between two breaths of the event loop

Alerts = Callable[[], list[dict[str, Any]]]


class Board:
    """Knows how the fleet is doing. ``alerts`` is set by the detector, when one runs, to what fires now."""

    def __init__(self, runtime: Runtime, clock: Callable[[], float] = time.time) -> None:
        self.runtime = runtime
        self.pulse = Pulse(clock)
        self.alerts: Alerts | None = None
        self.opinions = Opinions(runtime, clock)
        self._clock = clock
        self._chronicle: Chronicle | None = None
        self._patterns: Patterns | None = None
        self._usage = UsageReader()
        self._ledger = Ledger()
        self._rates = AgentRates(self._ledger)
        self._uptime = Uptime()
        self._problems: dict[str, str] = {}
        self._problems_at = float("-inf")
        self._trends: dict[str, tuple[int, Trends, Line]] = {}

    def attach(self, holder: Holder) -> None:
        """Count every span that an open chronicle takes, and have the charts' figures sampled with its series."""
        chronicle = self._chronicle = holder.chronicle
        if chronicle is None:
            return
        chronicle.inlet.consumers += [self.pulse, self._ledger]
        chronicle.add_source(self.pulse.source)
        chronicle.add_source(self._look)

    def count_network(self, total: Callable[[], int | None]) -> None:
        """Have ``total`` asked for the bytes that have gone over the service's connections."""
        self._usage.network_bytes = total

    def _look(self) -> Mapping[str, float]:
        self._uptime.look(tuple(self.runtime.directory.records))
        monitor, directory = self.runtime.telemetry.monitor, self.runtime.directory
        if self._rates.share is None and self.runtime.ready:
            loaded = [record.name for record in directory.records if record.capabilities]
            monitor.share = self._rates.share = LoopShare(Owners(directory.agent(name) for name in loaded))
        self._rates.look()
        return up_sample()

    def charts(self, window: str) -> Charts | None:
        """The charts of a window; None before the chronicle is open."""
        if self._chronicle is None:
            return None
        return charts(self._chronicle.series, self.pulse, window, self._clock())

    async def collect(self, window: str | None = None) -> Dashboard:
        """Everything; the charts only of a ``window``."""
        began = time.perf_counter()
        await self._ask_agents()
        await self.opinions.load()
        usage = self._usage.read(self.runtime.telemetry)
        whole = self.pulse.window(WINDOW_SLOTS)
        windows: dict[str, Window] = {}
        rows = await self._rows(windows, usage)
        signs = self._signs(rows, whole, usage)
        lines = self.charts(window) if window else None
        return Dashboard(
            at_ms=round(1e3 * self._clock()),
            started_ms=round(1e3 * self.pulse.since),
            window_s=WINDOW_SLOTS * STEP_S,
            overview=self._overview(rows, whole, health(signs)),
            system=self._metrics("", self.pulse.requests, whole, usage),
            agents=rows,
            tasks=self._tasks(),
            alerts=None if self.alerts is None else self.alerts(),
            recommendations=await self._recommendations(rows, windows, usage),
            pressure=None if self.runtime.pressure is None else self.runtime.pressure.state(),
            charts=lines or Charts(window=window or "", start_ms=0.0, step_s=STEP_S, series={}, exemplars={}),
            collected_ms=round(1e3 * (time.perf_counter() - began), 3),
        )

    async def _ask_agents(self) -> None:
        """What agents say of their health, asked every ten seconds."""
        if not self.runtime.ready or time.monotonic() - self._problems_at < HEALTH_EVERY_S:
            return
        self._problems_at = time.monotonic()
        asked = [record.name for record in self.runtime.directory.records]
        found = await asyncio.gather(*map(self.runtime.health, asked))
        self._problems = {one.agent: one.problem for one in found if one.problem}

    async def _rows(self, windows: dict[str, Window], usage: Usage) -> list[AgentRow]:
        records = {record.name: record for record in self.runtime.directory.records}
        others = sorted(name for name in self.pulse.agents if name not in records)
        tokens = self._tokens()
        rows = []
        for place, name in enumerate([*records, *others]):
            if place % POLITE == POLITE - 1:
                await asyncio.sleep(0)
            windows[name] = self.pulse.window(WINDOW_SLOTS, name)
            rows.append(self._row(name, records.get(name), windows[name], usage, tokens))
        return rows

    def _tokens(self) -> dict[str, Tokens]:
        found: dict[str, Tokens] = {}
        use = {} if self._chronicle is None else self._chronicle.tokens.use()
        for (_, agent, _), one in use.items():
            had = found.get(agent, Tokens())
            found[agent] = Tokens(
                had.model_calls + one.calls, had.input + one.input_tokens, had.output + one.output_tokens
            )
        return found

    def _row(
        self, name: str, record: AgentRecord | None, window: Window, usage: Usage, tokens: Mapping[str, Tokens]
    ) -> AgentRow:
        meter = self.pulse.agents.get(name) or Meter()
        return AgentRow(
            name=name,
            state=None if record is None else record.state,
            problem=None if record is None else record.reason or self._problems.get(name),
            calls=meter.calls,
            window_calls=window.calls,
            metrics=self._metrics(name, meter, window, usage),
            cache={tier: meter.tiers[tier] for tier in sorted(meter.tiers)},
            tokens=tokens.get(name),
            spark=self._lately(name, meter)[1],
            slowest_trace=_hex(window.slowest),
            failed_trace=_hex(meter.failed),
        )

    def _metrics(self, name: str, meter: Meter, window: Window, usage: Usage) -> Metrics:
        calls = window.calls
        kept = sum(count for bucket, count in window.buckets.items() if bucket <= bucket_of(SLA_NS))
        seconds = max(min(window.seconds, self._clock() - self.pulse.since), 1.0)
        operations = self.pulse.operations / max(self._clock() - self.pulse.since, 1.0)
        standing = self._uptime.of(name) if name else self._system_standing()
        return Metrics(
            response=Response(
                p50_ms=_ms(window.p50_s),
                p95_ms=_ms(window.p95_s),
                p99_ms=_ms(window.p99_s),
                max_ms=_ms(window.max_s),
                mean_ms=_ms(window.mean_s),
            ),
            throughput=Throughput(
                requests_per_s=round(calls / seconds, 4),
                operations_per_s=None if name else round(operations, 3),
                tasks_per_min=round(60 * calls / seconds, 3),
                peak_per_s=window.peak_per_s,
            ),
            resources=self._resources(name, usage),
            reliability=Reliability(
                errors=window.errors,
                error_rate=round(window.errors / calls, 6) if calls else None,
                errors_by_type=dict(meter.error_types),
                uptime=standing.uptime,
                mtbf_s=standing.mtbf_s,
                mttr_s=standing.mttr_s,
            ),
            business=Business(
                task_success_rate=round(1 - window.errors / calls, 6) if calls else None,
                consensus_efficiency=self._efficiency(name),
                user_satisfaction=self.opinions.of(name)[0],
                sla_compliance=round(kept / calls, 6) if calls else None,
            ),
            trends=self._lately(name, meter)[0],
        )

    def _resources(self, agent: str, usage: Usage) -> Resources:
        if not agent:
            return Resources(
                cpu=usage.cpu,
                memory_bytes=usage.memory_bytes,
                heap_bytes=usage.heap_bytes,
                network_bytes_per_s=usage.network_bytes_per_s,
                disk_operations_per_s=usage.disk_operations_per_s,
            )
        used = self._rates.rate(agent) if agent in self.runtime.directory.records else None
        accounted = usage.agent_bytes.get(agent)
        return Resources(
            cpu=self._rates.cpu(used),
            memory_bytes=accounted,
            heap_bytes=accounted,  # all that is accounted to an agent are objects on the heap
            network_bytes_per_s=None if used is None else round(used.network_bytes, 3),
            disk_operations_per_s=None if used is None else round(used.file_operations, 3),
        )

    def _efficiency(self, agent: str) -> float | None:
        return self.runtime.dispatcher.panels.records.efficiency(agent) if self.runtime.ready else None

    def _system_standing(self) -> Standing:
        return UNKNOWN if self._chronicle is None else system_standing(self._chronicle.series, self._clock())

    def _lately(self, name: str, meter: Meter) -> tuple[Trends, Line]:
        """Trends and spark, worked out when a point of the spark is full."""
        number = self.pulse.slot // SPARK_SLOTS
        known = self._trends.get(name)
        if known is None or known[0] != number:
            known = self._trends[name] = (number, *self._look_back(meter))
        return known[1:]

    def _look_back(self, meter: Meter) -> tuple[Trends, Line]:
        past = self.pulse.history(meter, SPARK_SLOTS)
        begun = next((place for place, slot in enumerate(past) if slot is not None), len(past))
        past = past[begun:]
        times: Line = [slot.total_ns / slot.calls / 1e9 if slot else None for slot in past]
        found = Trends(
            response_time=response_trend(times),
            throughput=throughput_trend([float(slot.calls) if slot else 0.0 for slot in past]),
            errors=error_trend([slot.errors / slot.calls if slot else None for slot in past]),
        )
        return found, [None] * (SLOTS // SPARK_SLOTS - len(times)) + [_ms(value) for value in times]

    def _signs(self, rows: Sequence[AgentRow], whole: Window, usage: Usage) -> Signs:
        own = [row for row in rows if row.state is not None]
        pressure = None if self.runtime.pressure is None else self.runtime.pressure.state()
        lag_s = None if self._chronicle is None else mean_lag_s(self._chronicle.series, self._clock())
        return Signs(
            agents=len(own),
            failed=tuple(row.name for row in own if row.state is AgentState.FAILED),
            troubled=tuple(row.name for row in own if row.state is AgentState.READY and row.problem),
            calls=whole.calls,
            errors=whole.errors,
            p95_s=whole.p95_s,
            p99_s=whole.p99_s,
            lag_s=lag_s,
            memory_bytes=usage.memory_bytes,
            spans_dropped=self.runtime.telemetry.provider.buffer.dropped,
            squeezed=pressure is not None and pressure.steps > 0,
            refused=() if pressure is None else pressure.refused,
            alerts=tuple(str(alert.get("severity", "")) for alert in (self.alerts() if self.alerts else ())),
        )

    def _overview(self, rows: Sequence[AgentRow], whole: Window, found: Health) -> Overview:
        own = [row for row in rows if row.state is not None]
        ready = self.runtime.ready
        seconds = max(min(whole.seconds, self._clock() - self.pulse.since), 1.0)
        return Overview(
            requests=self.pulse.requests.calls,
            errors=self.pulse.requests.errors,
            average_ms=_ms(whole.mean_s),
            p95_ms=_ms(whole.p95_s),
            error_rate=round(whole.errors / whole.calls, 6) if whole.calls else None,
            requests_per_s=round(whole.calls / seconds, 4),
            health=found,
            agents_active=sum(row.state is AgentState.READY for row in own),
            agents=len(own),
            running=self.runtime.scheduler.running if ready else 0,
            queued=self.runtime.scheduler.queued if ready else 0,
            slowest_trace=_hex(whole.slowest),
        )

    def _tasks(self) -> list[TaskJson]:
        if not self.runtime.ready:
            return []
        history = self.runtime.scheduler.history
        history.evict()
        running = list(islice(history.registry.before(None, state=TaskState.RUNNING), RUNNING))
        recent = islice(history.registry.before(None), TASKS)
        tasks = {task.id: task for task in (*running, *recent)}
        return [task_json(task, result=False) for task in tasks.values()]

    async def _recommendations(
        self, rows: Sequence[AgentRow], windows: dict[str, Window], usage: Usage
    ) -> list[Recommendation]:
        growth = None
        if self._chronicle is not None:
            growth = growth_per_hour(memory_line(self._chronicle.series, self._clock()), 60.0)
        telemetry, ready = self.runtime.telemetry, self.runtime.ready
        system = SystemPattern(
            memory_bytes=usage.memory_bytes,
            memory_growth_per_hour=growth,
            queued=self.runtime.scheduler.queued if ready else 0,
            running=self.runtime.scheduler.running if ready else 0,
            concurrency=self.runtime.settings.runtime.concurrency,
            tiers=self.pulse.requests.tiers,
            stalls=tuple((_place(one), one.blocked_s) for one in telemetry.monitor.culprits if not one.waited),
            spans_dropped=telemetry.provider.buffer.dropped,
        )
        found = recommend(system, [_pattern(row, windows[row.name]) for row in rows])
        return [*short_of_memory(self.runtime), *await asyncio.to_thread(self._with_lasting, found)]

    def _with_lasting(self, found: list[Recommendation]) -> list[Recommendation]:
        """What is so now, and what has been so for hours; off the loop, for it reads hours of many series."""
        if self._chronicle is None:
            return found
        from pea.watch.patterns import Patterns, Tuned, merged

        if self._patterns is None:
            settings = self.runtime.settings
            tuned = Tuned(settings.runtime.concurrency, float(settings.cache.ttl))
            self._patterns = Patterns(self._chronicle.series, tuned)
        return merged(found, self._patterns.advice(self._clock()))


def _pattern(row: AgentRow, window: Window) -> AgentPattern:
    return AgentPattern(
        name=row.name,
        calls=window.calls,
        errors=window.errors,
        p50_s=window.p50_s,
        p95_s=window.p95_s,
        variability=window.variability,
        error_types=row.metrics.reliability.errors_by_type,
        slowest=row.slowest_trace or "",
        failed=row.failed_trace or "",
    )


def _place(culprit: Culprit) -> str:
    """The innermost frame that is not the import system's: its file's last parts and the function."""
    frames = [frame for frame in culprit.stack if not frame.startswith("<frozen ")]
    path, _, rest = (frames[-1] if frames else culprit.where).partition(":")
    return "/".join(path.split("/")[-3:]) + (f":{rest}" if rest else "")


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1e3 * seconds, 4)


def _hex(trace_id: int | None) -> str | None:
    return f"{trace_id:032x}" if trace_id else None
