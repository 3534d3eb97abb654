"""What watching costs: a value recorded into a window beside ddsketch, and all rules over five hundred series."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import msgspec

from pea.bench.detect_fleet import AGENTS, NO_EFFECT, Effect, Traffic, traces
from pea.bench.detect_healthy import healthy
from pea.bench.detect_leaks import leaks
from pea.bench.figure import Figure
from pea.bench.measure import Contender, Line, interleaved, line
from pea.service.alerts_detector import shipped_path
from pea.store import SpanStore
from pea.watch.alert import Alert, State, alert_id
from pea.watch.investigate import BUDGET_S, compare
from pea.watch.rehearse import EPOCH_S, Stage, span
from pea.watch.rule import Rule, RuleSet
from pea.watch.rule_file import parse_rules
from pea.watch.window import Window

SERIES = 500
CALLS = 60  # of each series within the five minutes
INTERVAL_S = 10.0
RECORD_BUDGET = 0.6
WINDOW_BYTES = 64 << 10
CORE_SHARE = 2.0
CAUSE_S, FAULT_AT_S = 1_800.0, 1_600.0
ROUNDS = 9


def watching(data: Path | None = None) -> Sequence[Line | Figure]:
    """The recording, the evaluation, streams that are well, and the growth test."""
    path = shipped_path()
    latency = parse_rules([(str(path), path.read_text("utf-8"))]).rules[0]
    return [*_recording(), *_evaluating(), _causing(latency), *healthy(latency), *leaks(data)]


def _recording() -> list[Line | Figure]:
    from ddsketch import DDSketch

    random = Random(1)
    values = [random.lognormvariate(-2, 0.8) for _ in range(4_096)]

    def window(count: int) -> None:
        held, now_ns = Window(), int(EPOCH_S * 1e9)
        add, step = held.add, 3_000_000  # about 330 values a second, as a busy agent has
        for place in range(count):
            now_ns += step
            add(now_ns, values[place & 4_095])
        held.merged(0, now_ns / 1e9)

    def sketch(count: int) -> None:
        add = DDSketch(0.01).add
        for place in range(count):
            add(values[place & 4_095])

    samples = interleaved(
        {"window": Contender(window), "ddsketch": Contender(sketch)},
        clock=time.process_time_ns,  # nothing here waits: another process's turn is no part of it
    )
    full = Window()
    for place in range(100_000):
        full.add(int((EPOCH_S + place * 0.003) * 1e9), values[place & 4_095])
    return [
        line("a value into a sliding p95 window", samples, "window", "ddsketch", budget=RECORD_BUDGET),
        Figure("five minutes of 333 values a second", full.size_bytes / 1024, "kB", 100_000, WINDOW_BYTES / 1024),
    ]


def _evaluating() -> list[Figure]:
    """All rules that ship, with five hundred agents; then one rule alone over as many series."""
    path = shipped_path()
    shipped = parse_rules([(str(path), path.read_text("utf-8"))])
    latency = msgspec.structs.replace(shipped, rules=shipped.rules[:1], inhibit=())
    alone, every = (_seconds(rules) for rules in (latency, shipped))
    note = "of one core at an interval of 10 s"
    return [
        Figure("one rule over 500 series", 100 * alone / INTERVAL_S, "%", ROUNDS, CORE_SHARE, note),
        Figure("every rule that ships, 500 agents", 100 * every / INTERVAL_S, "%", ROUNDS, None, note),
    ]


def _causing(latency: Rule) -> Figure:
    """The cause of an alert out of a real store whose windows are full, every task asking every agent."""
    with TemporaryDirectory(prefix="pea-cause-") as folder:
        store = SpanStore(Path(folder) / "spans.db", clock=lambda: EPOCH_S + CAUSE_S)
        try:
            made = traces(Traffic(lambda _: 1.0, CAUSE_S, 5, fan=len(AGENTS)), _slow)
            store.add(one for _, spans in made for one in spans)
            if not store.flush(60.0):
                raise RuntimeError("the spans were not written")
            alert = Alert(
                id=alert_id(latency.name, {"agent": AGENTS[3]}),
                rule=latency.name,
                type=latency.type,
                severity=latency.severity,
                labels={"agent": AGENTS[3]},
                state=State.FIRING,
                since_s=EPOCH_S + FAULT_AT_S,
                fired_s=EPOCH_S + CAUSE_S,
            )
            took, blamed = [], set()
            for _ in range(3):
                began = time.perf_counter()
                found, _, _ = compare(store, alert, latency, "latency", EPOCH_S + CAUSE_S)
                took.append(time.perf_counter() - began)
                blamed |= {one["who"] for one in found[:1]}
        finally:
            store.close()
    what, note = "the cause of an alert, five full windows of the largest tasks", f"named {', '.join(sorted(blamed))}"
    return Figure(what, sorted(took)[1], "s", len(took), BUDGET_S, note)


def _slow(at_s: float, agent: str, what: str) -> Effect:
    return Effect(2.0) if at_s > FAULT_AT_S and agent == AGENTS[3] and what == "invoke" else NO_EFFECT


def _seconds(rules: RuleSet, clock: Callable[[], float] = time.process_time) -> float:
    """CPU seconds of one round, the middle of several."""
    stage = Stage(rules, series=SERIES)
    random = Random(2)
    agents = [f"agent-{number}" for number in range(SERIES)]
    took = []
    for number in range(ROUNDS):
        at_s = 300.0 + number * INTERVAL_S
        first = 0.0 if not number else at_s - INTERVAL_S
        count = CALLS * SERIES if not number else CALLS * SERIES // 30
        stage.now_s = EPOCH_S + at_s
        stage.windows.take(
            [
                span(
                    "agent",
                    {"agent": agents[place % SERIES], "capability": "work"},
                    first + (at_s - first) * place / count,
                    random.lognormvariate(-1.6, 0.5),
                    place + 1,
                )
                for place in range(count)
            ]
        )
        began = clock()
        stage.watcher.evaluate(stage.now_s)
        took.append(clock() - began)
    return sorted(took)[len(took) // 2]
