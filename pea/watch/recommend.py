"""What to do about what the figures show: each recommendation with its evidence, priority and expected effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

Priority = Literal["high", "medium", "low"]

MEMORY_GROWTH = 0.10  # per hour, SPEC.md row 17
VARIABILITY = 0.5  # coefficient of variation, SPEC.md row 17
ERROR_SHARE = 0.05
HIT_SHARE = 0.85  # SPEC.md row 12
SLOW_S = 0.3
MIN_CALLS = 20
MIN_LOOKUPS = 100
ORDER = {"high": 0, "medium": 1, "low": 2}


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """``kind`` and ``subject`` (an agent, or empty for the system) name it; ``trace`` is an example of the pattern.

    ``settings`` are the lines of `pea.yaml` to change, where a setting helps.
    """

    kind: str
    subject: str
    priority: Priority
    what: str
    evidence: str
    effect: str
    trace: str = ""
    settings: str = ""


class AgentPattern(msgspec.Struct, frozen=True, kw_only=True):
    """One agent's last minutes; durations in seconds, traces as 32 hex digits."""

    name: str
    calls: int
    errors: int
    p50_s: float | None = None
    p95_s: float | None = None
    variability: float | None = None
    error_types: Mapping[str, int] = {}
    slowest: str = ""
    failed: str = ""


class SystemPattern(msgspec.Struct, frozen=True, kw_only=True):
    """The process's last minutes. ``stalls`` are places that held the event loop, with how long in seconds."""

    memory_bytes: float | None = None
    memory_growth_per_hour: float | None = None
    queued: int = 0
    running: int = 0
    concurrency: int = 0
    tiers: Mapping[str, int] = {}
    stalls: tuple[tuple[str, float], ...] = ()
    spans_dropped: int = 0


def recommend(system: SystemPattern, agents: Iterable[AgentPattern]) -> list[Recommendation]:
    """What the figures call for, most pressing first."""
    found = [*_memory(system), *_queue(system), *_cache(system), *_loop(system), *_spans(system)]
    for agent in agents:
        if agent.calls >= MIN_CALLS:
            found += [*_errors(agent), *_spread(agent), *_slow(agent)]
    return sorted(found, key=lambda one: ORDER[one.priority])


def _memory(system: SystemPattern) -> Iterator[Recommendation]:
    growth, held = system.memory_growth_per_hour, system.memory_bytes
    if growth is None or not held or growth / held <= MEMORY_GROWTH:
        return
    to_limit = max((1 << 30) - held, 0) / growth
    rate = f"{growth / 2**20:.0f} MiB/h from {held / 2**20:.0f} MiB"
    yield Recommendation(
        kind="memory-cleanup",
        subject="",
        priority="high" if to_limit < 4 else "medium",
        what="Clean up: lower the bounds of caches and histories, and look for what is kept without one",
        evidence=f"memory grows by {growth / held:.0%} an hour ({rate})",
        effect=f"1 GiB is not reached; as it goes it is in {to_limit:.1f} h",
        settings="cache:\n  memory: 128MB\nruntime:\n  history_size: 32MiB",
    )


def _queue(system: SystemPattern) -> Iterator[Recommendation]:
    if not system.concurrency or system.queued <= system.concurrency:
        return
    yield Recommendation(
        kind="concurrency",
        subject="",
        priority="high",
        what="Raise runtime.concurrency, or shed low priorities sooner",
        evidence=f"{system.queued} tasks wait while {system.running} of {system.concurrency} places are taken",
        effect="waiting falls where tasks wait for others rather than for the CPU",
        settings=f"runtime:\n  concurrency: {2 * system.concurrency}",
    )


def _cache(system: SystemPattern) -> Iterator[Recommendation]:
    lookups = sum(system.tiers.values())
    missed = system.tiers.get("none", 0)
    if lookups < MIN_LOOKUPS or 1 - missed / lookups >= HIT_SHARE:
        return
    saved = missed - (1 - HIT_SHARE) * lookups
    yield Recommendation(
        kind="cache-misses",
        subject="",
        priority="medium",
        what="Let cached answers live longer, or give the cache more room",
        evidence=f"{1 - missed / lookups:.0%} of {lookups:,} lookups hit; the objective is {HIT_SHARE:.0%}",
        effect=f"at the objective {saved:,.0f} of these would not have been computed again",
    )


def _loop(system: SystemPattern) -> Iterator[Recommendation]:
    held: dict[str, list[float]] = {}
    for where, seconds in system.stalls:
        held.setdefault(where, []).append(seconds)
    for where, times in sorted(held.items(), key=lambda item: -sum(item[1]))[:2]:
        yield Recommendation(
            kind="blocked-loop",
            subject="",
            priority="medium" if sum(times) > 0.5 else "low",
            what="Move this work off the event loop: await ctx.compute(function, …)",
            evidence=f"{where} held the loop {len(times)} time{'s' * (len(times) > 1)}, at worst {_ms(max(times))}",
            effect=f"every other task is up to {_ms(max(times))} sooner while it runs",
        )


def _spans(system: SystemPattern) -> Iterator[Recommendation]:
    if system.spans_dropped:
        yield Recommendation(
            kind="spans-dropped",
            subject="",
            priority="medium",
            what="Raise telemetry.buffer_spans",
            evidence=f"{system.spans_dropped:,} spans found the buffer full",
            effect="figures and traces are whole again",
            settings="telemetry:\n  buffer_spans: 200000",
        )


def _errors(agent: AgentPattern) -> Iterator[Recommendation]:
    share = agent.errors / agent.calls
    if share <= ERROR_SHARE:
        return
    worst = max(agent.error_types.items(), key=lambda item: item[1], default=("", 0))
    mostly = f", mostly {worst[0]}" if worst[0] and worst[0] != "_OTHER" else ""
    yield Recommendation(
        kind="errors",
        subject=agent.name,
        priority="high" if share > 4 * ERROR_SHARE else "medium",
        what=f"Mend what fails in {agent.name}: the trace shows where",
        evidence=f"{agent.errors} of {agent.calls} calls failed ({share:.0%}{mostly})",
        effect=f"up to {agent.errors} failures fewer in as many calls",
        trace=agent.failed,
    )


def _spread(agent: AgentPattern) -> Iterator[Recommendation]:
    if agent.variability is None or agent.p50_s is None or agent.p95_s is None:
        return
    if agent.variability <= VARIABILITY or agent.p95_s < 2 * agent.p50_s or agent.p95_s < SLOW_S / 10:
        return
    quantiles = f"p50 {_ms(agent.p50_s)}, p95 {_ms(agent.p95_s)}"
    yield Recommendation(
        kind="queueing",
        subject=agent.name,
        priority="medium" if agent.p95_s > SLOW_S else "low",
        what=f"Queue calls of {agent.name} by their weight, or cache what is slow the first time",
        evidence=f"response times vary by {agent.variability:.2f} of their mean: {quantiles}",
        effect=f"p95 nearer to p50: at most {_ms(agent.p95_s - agent.p50_s)} less",
        trace=agent.slowest,
        settings=f"runtime:\n  policies:\n    {agent.name}:\n      bulkhead: {{concurrent: 8, wait: 500ms}}",
    )


def _slow(agent: AgentPattern) -> Iterator[Recommendation]:
    if agent.p50_s is None or agent.p50_s <= SLOW_S:
        return
    yield Recommendation(
        kind="slow-agent",
        subject=agent.name,
        priority="high" if agent.p50_s > 1 else "medium",
        what=f"Shorten {agent.name}'s critical path: its slowest trace shows what it waits for",
        evidence=f"half of {agent.calls} calls take longer than {_ms(agent.p50_s)}; the objective is {_ms(SLOW_S)}",
        effect=f"{_ms(agent.p50_s - SLOW_S)} less for half of the calls, at the objective",
        trace=agent.slowest,
    )


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
