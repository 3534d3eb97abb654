"""Cost per unit as work grows: agents, spans in a trace, rules, keys, stored spans, tasks in the registry.

What grows faster than n log n is a finding: its line misses the budget.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pea.bench.figure import Figure
from pea.bench.growth import Work, figures, rounds, together
from pea.bench.measure import Contender, Line, interleaved, line
from pea.bench.store import PER_TRACE, make_trace
from pea.cache import Caches
from pea.cache.ordered import Ordered
from pea.config import Bytes, CacheSettings, L1Settings, L4Settings, Seconds, Settings, StoreSettings
from pea.runtime import Agent, Context, Runtime, capability
from pea.runtime.registry import Registry
from pea.runtime.task import TaskState
from pea.store.search import Query
from pea.store.spans import SpanStore
from pea.telemetry import Telemetry
from pea.watch.rehearse import EPOCH_S, Stage, span
from pea.watch.rule_file import parse_rules

AGENTS = (1, 10, 50, 150, 500)
SPANS = (1, 10, 100, 1_000, 10_000)
RULES = (1, 10, 100, 1_000)
KEYS = (1_000, 10_000, 100_000, 1_000_000)
STORED = (10_000, 40_000, 160_000)
RECORDS = (100, 1_000, 10_000, 100_000)
LOOKUP_BUDGET = 0.05  # of a linear scan


def scaling(
    keys: Sequence[int] = KEYS, stored: Sequence[int] = STORED, records: Sequence[int] = RECORDS
) -> list[Line | Figure]:
    """All of them."""
    found: list[Line | Figure] = [*agents(AGENTS), *traces(SPANS), *rules(RULES), *cached(keys)]
    return [*found, *store(stored), *registry(records)]


def agents(counts: Sequence[int]) -> list[Figure]:
    """A fleet of so many agents: starting it, and a call from one to another."""
    starts: dict[int, list[float]] = {count: [] for count in counts}
    with asyncio.Runner() as runner, ExitStack() as stack:
        loop = runner.get_loop()

        def fleet(count: int) -> Runtime:
            made = Runtime(Settings(), agents=[_agent(number) for number in range(count)])
            loop.run_until_complete(made.start())
            return made

        for _ in range(3):
            for count in counts:
                began = time.process_time()
                one = fleet(count)
                starts[count].append(1e9 * (time.process_time() - began) / count)
                loop.run_until_complete(one.close())

        def work(count: int) -> Work:
            made = fleet(count)
            stack.callback(lambda: loop.run_until_complete(made.close()))

            def run() -> int:
                loop.run_until_complete(made.call("fleet0.many", count=200, fleet=count))
                loop.run_until_complete(made.telemetry.drain())
                return 200

            return run

        calls = rounds({count: work(count) for count in counts})
    return [
        *figures("agents: start", "each", {count: values for count, values in starts.items() if count > 1}),
        *figures("agents: a call, spans drained", "a call", calls),
    ]


def _agent(number: int) -> Agent:
    """An agent of its own class: names are looked up by class attribute."""

    async def nothing(self: Any, ctx: Context, value: int) -> int:  # noqa: ARG001
        return value

    async def many(self: Any, ctx: Context, count: int, fleet: int) -> None:  # noqa: ARG001
        for turn in range(count):
            await ctx.call(f"fleet{turn % fleet}.nothing", value=turn)

    name = f"fleet{number}"
    body = {
        "name": name,
        "nothing": capability(f"{name}.nothing", timeout="2s")(nothing),
        "many": capability(f"{name}.many", timeout="1h")(many),
    }
    made: Agent = type(name, (Agent,), body)()
    return made


def traces(sizes: Sequence[int]) -> list[Figure]:
    """A trace of so many spans: recorded, folded into metrics, kept for the page."""
    telemetry = Telemetry(Settings(), {})
    with asyncio.Runner() as runner:
        loop = runner.get_loop()

        def work(size: int) -> Work:
            def run() -> int:
                with telemetry.tracer.span("task bench"):
                    for _ in range(size - 1):
                        with telemetry.tracer.span("invoke_agent bench", {"gen_ai.agent.name": "bench"}):
                            pass
                loop.run_until_complete(telemetry.drain())
                return size

            return run

        # A trace of one span pays for the trace alone, which is no growth in spans.
        costs = rounds({size: work(size) for size in sizes})
        runner.run(telemetry.aclose())
    return figures("spans in a trace: recorded and drained", "a span", costs)


def rules(counts: Sequence[int]) -> list[Figure]:
    """So many rules, each with a bound and a label of its own, over ten agents' windows."""

    def work(count: int) -> Work:
        texts = "\n".join(
            f"  - {{name: rule-{n}, signal: agent.latency.p95, by: [agent], above: {1 + n / 1_000:.3f}s, window: 5m}}"
            for n in range(count)
        )
        stage = Stage(parse_rules([("bench", f"version: 1\nrules:\n{texts}\n")]))
        chance = random.Random(1)
        stage.now_s = EPOCH_S + 300
        stage.windows.take(
            [
                span("agent", {"agent": f"agent-{n % 10}", "capability": "work"}, n / 10, chance.random() / 5, n + 1)
                for n in range(3_000)
            ]
        )

        def run() -> int:
            stage.now_s += 0.01
            stage.watcher.evaluate(stage.now_s)
            return count

        return run

    return figures("rules: one evaluation over ten agents", "a rule", rounds({count: work(count) for count in counts}))


def cached(sizes: Sequence[int]) -> list[Figure]:
    """So many keys: a hit in L1, and the invalidation of one of them by its tag."""
    tiers: dict[int, Ordered[str, int]] = {}
    for size in sizes:
        tiers[size] = tier = Ordered[str, int](1 << 40, 2 * size, 1e9)
        for number in range(size):
            tier.put(f"calendar:day:{number}", number, 64)

    def hits(size: int, get: Callable[[str], object], seed: int) -> Work:
        chance = random.Random(seed)
        names = [f"calendar:day:{chance.randrange(size)}" for _ in range(1_000)]

        def run() -> int:
            for name in names:
                get(name)
            return len(names)

        return run

    # A dict of the same keys beside it: where memory is farther away than a cache, that grows as well.
    plain = {size: dict.fromkeys(tier) for size, tier in tiers.items()}
    costs = together(
        {
            "l1": {size: hits(size, tiers[size].get, size) for size in sizes},
            "dict": {size: hits(size, plain[size].get, size + 1) for size in sizes},
        }
    )
    found = figures("keys: a hit", "a hit", costs["l1"], costs["dict"])
    tiers.clear()
    plain.clear()
    return [*found, *_invalidated([size for size in sizes if size <= 1_000_000])]


def _invalidated(sizes: Sequence[int]) -> list[Figure]:
    telemetry = Telemetry(Settings(), {})
    large = L1Settings(size=Bytes(1 << 34), entries=2_000_000, age=Seconds(86_400))
    settings = Settings(cache=CacheSettings(memory=Bytes(1 << 35), l1=large, l4=L4Settings(on=False)))
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        every = []

        def work(size: int) -> Work:
            caches = Caches(settings, telemetry.tracer)
            every.append(caches)
            space = caches.namespace("bench", ttl_s=80_000.0)
            for number in range(size):
                space.put(f"day:{number}", number)
            chance = random.Random(size)

            def run() -> int:
                for _ in range(20):
                    number = chance.randrange(size)
                    loop.run_until_complete(caches.invalidate(f"bench:day:{number}"))
                    space.put(f"day:{number}", number)
                telemetry.provider.buffer.take()
                return 20

            return run

        costs = rounds({size: work(size) for size in sizes})
        for caches in every:
            runner.run(caches.aclose())
        runner.run(telemetry.aclose())
    return figures("keys: invalidation of one of them", "one", costs)


def store(sizes: Sequence[int]) -> list[Figure]:
    """A store that grows to so many spans: storing a span, searching by service and by task, reading a trace."""
    dice = random.Random(1)
    storing: dict[int, list[float]] = {}
    searching: dict[int, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        settings = StoreSettings(size=Bytes(16 << 30), age=Seconds(1e10), waiting=Bytes(64 << 20))
        spans = SpanStore(Path(folder, "spans.db"), settings)
        stored = 0
        try:
            for size in sizes:
                storing[size] = []
                while stored < size:
                    records = [
                        make_trace(number, dice) for number in range(stored // 10, (stored + 5_000) // PER_TRACE)
                    ]
                    began = time.process_time()
                    for trace in records:
                        spans.add(trace)
                    spans.flush(60)
                    storing[size].append(1e9 * (time.process_time() - began) / 5_000)
                    stored += 5_000
                searching[size] = [_search_ns(spans, stored // PER_TRACE, dice) for _ in range(15)]
        finally:
            spans.close()
    return [
        *figures("stored spans: storing", "a span", storing),
        *figures("stored spans: a search by task id", "a search", searching),
    ]


def _search_ns(spans: SpanStore, traces: int, dice: random.Random) -> float:
    began = time.process_time()
    for _ in range(5):
        spans.search(Query(attributes={"pea.task.id": f"{dice.randrange(traces):024x}"}))
    return 1e9 * (time.process_time() - began) / 5


def registry(sizes: Sequence[int]) -> list[Line | Figure]:
    """So many tasks: one looked up by status and agent, beside a scan of all; and a change of status."""
    made: dict[int, Registry[tuple[str, TaskState, str, float]]] = {}
    for size in sizes:
        made[size] = tasks = Registry[tuple[str, TaskState, str, float]](
            lambda one: one[0],
            {"state": lambda one: (one[1],), "agent": lambda one: (one[2],)},
            order=lambda one: one[3],
        )
        for number in range(size):
            state = TaskState.RUNNING if number % 64 == 0 and number < 640 else TaskState.SUCCEEDED
            tasks.add((f"task-{number}", state, f"agent-{number % 15}", float(number)))

    def looks(size: int) -> Work:
        def run() -> int:
            made[size].where(state=TaskState.RUNNING)
            made[size].get(f"task-{size // 2}")
            return 1

        return run

    def changes(size: int) -> Work:
        def run() -> int:
            name, agent, order = f"task-{size // 3}", f"agent-{size // 3 % 15}", float(size // 3)
            for state in (TaskState.FAILED, TaskState.SUCCEEDED):
                made[size].replace((name, state, agent, order))
            return 2

        return run

    most = made[10_000 if 10_000 in made else max(sizes)]
    everything = list(most)

    def times(once: Callable[[], object]) -> Contender:
        def run(count: int) -> None:
            for _ in range(count):
                once()

        return Contender(run)

    peer = f"a scan of {len(everything):,}"
    samples = interleaved(
        {
            "indexed": times(lambda: most.where(state=TaskState.RUNNING)),
            peer: times(lambda: [one for one in everything if one[1] is TaskState.RUNNING]),
        },
        rounds=15,
        clock=time.process_time_ns,
    )
    return [
        *figures("registry: running tasks, and one by id", "a lookup", rounds({size: looks(size) for size in sizes})),
        *figures("registry: a change of status", "a change", rounds({size: changes(size) for size in sizes})),
        line("tasks by status, from the index", samples, "indexed", peer, budget=LOOKUP_BUDGET),
    ]
