"""What hours of recorded figures call for: leaks, caches that miss, breakers that flap, tasks that wait for a place.

The last minutes (`recommend`) say what is so now; a setting is worth changing for what has been so for hours. Each
recommendation carries the lines of `pea.yaml` to change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from pea.telemetry import names
from pea.watch.growth import growth
from pea.watch.present import duration, size
from pea.watch.recommend import HIT_SHARE, MEMORY_GROWTH, ORDER, Priority, Recommendation
from pea.watch.samples import STEP_S, Samples, history, increase, labels_in

HOURS = 6.0
EVERY_S = 300.0  # between two looks
LEAST_LOOKUPS, LEAST_TASKS = 1_000, 100
FLAPS = 3  # times that a breaker opened
WAIT_S = 0.05  # SPEC.md row 18: half of all tasks end within 0.1 s
FULL_SHARE = 0.1  # of the time in which every place was taken
_FLOORS, _WINDOW_S = 10, 3_600
_OPEN = 2.0


class Tuned(msgspec.Struct, frozen=True):
    """The settings as they are: places for tasks, seconds that cached answers live and breakers stay open."""

    concurrency: int
    cache_ttl_s: float
    open_for_s: float = 2.0


class Patterns:
    """Looks at the series now and then; `advice` is what the last look found."""

    def __init__(self, samples: Samples, tuned: Tuned) -> None:
        self._samples = samples
        self._tuned = tuned
        self._looked_s = float("-inf")
        self._found: list[Recommendation] = []

    def advice(self, now_s: float) -> list[Recommendation]:
        """Recommendations at ``now_s`` (seconds since 1970), at most `EVERY_S` old."""
        if not 0 <= now_s - self._looked_s < EVERY_S:
            self._looked_s = now_s
            self._found = patterns(self._samples, self._tuned, now_s)
        return self._found


def patterns(samples: Samples, tuned: Tuned, now_s: float, hours: float = HOURS) -> list[Recommendation]:
    """What the last hours call for."""
    start_s = now_s - 3_600 * hours
    return [
        *_memory(samples, start_s, now_s),
        *_breakers(samples, tuned, start_s, now_s),
        *_waits(samples, tuned, start_s, now_s),
        *_caches(samples, tuned, start_s, now_s),
    ]


def _memory(samples: Samples, start_s: float, now_s: float) -> Iterator[Recommendation]:
    """Growth of the floors of what no cache accounts for: teeth of a collector and caches that fill are none."""
    values = history(samples, [names.METRIC_PROCESS_MEMORY_USAGE], start_s, now_s)
    if not len(values):
        return
    accounted = history(samples, _series(samples, names.METRIC_AGENT_MEMORY), start_s, now_s)
    both = min(len(values), len(accounted))
    if both:
        values[-both:] -= np.nan_to_num(accounted[-both:])
    found = growth(values, _FLOORS, _WINDOW_S // STEP_S, STEP_S)
    held = values[~np.isnan(values)]
    if found is None or not found.growing or found.per_hour <= MEMORY_GROWTH * held[-1]:
        return
    share = found.per_hour / held[-1]
    yield Recommendation(
        kind="memory-cleanup",
        subject="",
        priority="high",
        what="Clean up: something is kept without a bound; lower the bounds meanwhile",
        evidence=f"beside the caches, memory has grown by {size(found.per_hour)} an hour, {share:.0%}",
        effect=f"{size(24 * found.per_hour)} a day are not taken",
        settings="cache:\n  memory: 128MB\nruntime:\n  history_size: 32MiB",
    )


def _breakers(samples: Samples, tuned: Tuned, start_s: float, now_s: float) -> Iterator[Recommendation]:
    for name in _series(samples, names.METRIC_BREAKER_STATE):
        _, states = samples.read(name, start_s, now_s, how="last")
        held = states[~np.isnan(states)]
        opened = int(((held[1:] == _OPEN) & (held[:-1] != _OPEN)).sum())
        if opened < FLAPS:
            continue
        labels = labels_in(name)
        subject = labels.get(names.GEN_AI_AGENT_NAME, "")
        which = labels.get(names.PEA_BREAKER_NAME, "") or subject
        away = duration(float((held == _OPEN).sum()) * STEP_S)
        pause = max(5 * tuned.open_for_s, 10.0)
        yield Recommendation(
            kind="breaker-flapping",
            subject=subject,
            priority="high",
            what=f"Mend what {which} calls, and let its breaker wait longer before it tries again",
            evidence=f"its breaker opened {opened} times and was open for {away}",
            effect=f"at most one trial every {duration(pause)} meets the fault, not one every few seconds",
            settings=f"runtime:\n  policies:\n    {subject or which}:\n      breaker: {{open_for: {pause:g}s}}",
        )


def _waits(samples: Samples, tuned: Tuned, start_s: float, now_s: float) -> Iterator[Recommendation]:
    waits = [name for name in samples.names(names.METRIC_TASK_QUEUE_DURATION) if name.endswith((":count", ":sum"))]
    reach_s = now_s - start_s
    count = increase(samples, [name for name in waits if name.endswith(":count")], now_s, reach_s)
    waited = increase(samples, [name for name in waits if name.endswith(":sum")], now_s, reach_s)
    active = history(samples, _series(samples, names.METRIC_TASK_ACTIVE), start_s, now_s)
    known = active[~np.isnan(active)]
    if not count >= LEAST_TASKS or not len(known) or waited / count < WAIT_S:
        return
    full = float((known >= tuned.concurrency).mean())
    if full < FULL_SHARE:
        return
    priority: Priority = "high" if full > 0.5 else "medium"
    yield Recommendation(
        kind="concurrency",
        subject="",
        priority=priority,
        what="Let more tasks run at once, where they wait for others rather than for the CPU",
        evidence=f"all {tuned.concurrency} places were taken for {full:.0%} of the time; "
        f"{count:,.0f} tasks waited {duration(waited / count)} each",
        effect=f"up to {duration(waited / count)} less for each task",
        settings=f"runtime:\n  concurrency: {2 * tuned.concurrency}",
    )


def _caches(samples: Samples, tuned: Tuned, start_s: float, now_s: float) -> Iterator[Recommendation]:
    counts: dict[str, dict[bool, list[str]]] = {}
    for name in samples.names(names.METRIC_CACHE_LOOKUP_DURATION):
        if name.endswith(":count"):
            labels = labels_in(name.removesuffix(":count"))
            hit = labels.get(names.PEA_CACHE_HIT, "").lower() == "true"
            counts.setdefault(labels.get(names.PEA_CACHE_NAME, ""), {}).setdefault(hit, []).append(name)
    for cache, found in sorted(counts.items()):
        hits, missed = (_grown(samples, found.get(hit, []), start_s, now_s) for hit in (True, False))
        if hits + missed < LEAST_LOOKUPS or hits / (hits + missed) >= HIT_SHARE:
            continue
        ratio, saved = hits / (hits + missed), missed - (1 - HIT_SHARE) * (hits + missed)
        yield Recommendation(
            kind="cache-misses",
            subject=cache,
            priority="medium" if ratio < HIT_SHARE / 2 else "low",
            what=f"Let what {cache or 'the cache'} holds live longer, or give it more room",
            evidence=f"{ratio:.0%} of {hits + missed:,.0f} lookups hit; the objective is {HIT_SHARE:.0%}",
            effect=f"at the objective {saved:,.0f} of these are not computed again",
            settings=f"cache:\n  ttl: {2 * tuned.cache_ttl_s:g}s\n  memory: 512MB",
        )


def _grown(samples: Samples, series: list[str], start_s: float, now_s: float) -> float:
    found = increase(samples, series, now_s, now_s - start_s)
    return 0.0 if np.isnan(found) else found


def _series(samples: Samples, metric: str) -> list[str]:
    """A metric's series; not those of metrics whose names only begin like it."""
    return [name for name in samples.names(metric) if name == metric or name.startswith(f"{metric}{{")]


def merged(recent: list[Recommendation], lasting: list[Recommendation]) -> list[Recommendation]:
    """Both, the most pressing first; of one kind and subject what has lasted is told."""
    told: Mapping[tuple[str, str], Recommendation] = {(one.kind, one.subject): one for one in (*recent, *lasting)}
    return sorted(told.values(), key=lambda one: ORDER[one.priority])
