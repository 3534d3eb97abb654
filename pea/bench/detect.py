"""Judges the detector: faults found and how soon, false alarms on what is harmless, the cause named first.

Virtual time and seeds: the same figures on every machine but for the costs. Beside each time stands that of Prometheus'
own engine with the exported rules and the same calls, where promtool is installed. The naive rules of the harmless days
are what Prometheus would evaluate (tests/watch/test_rehearse.py compares them with its engine).
"""

from __future__ import annotations

import heapq
import os
import statistics
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import msgspec

from pea.bench.detect_faults import DAY_S, HARMLESS, KINDS, Fault, LookAlike, fault, look_alikes
from pea.bench.detect_fleet import traces
from pea.bench.detect_peer import false_alarms, time_to_alert
from pea.bench.figure import Figure
from pea.bench.measure import Line
from pea.service.alerts_detector import shipped_path
from pea.telemetry.record import SpanRecord
from pea.watch.alert import Alert, State
from pea.watch.investigate import TRACES, grown, likely
from pea.watch.rehearse import EPOCH_S, Event, Stage
from pea.watch.rule import RuleSet
from pea.watch.rule_file import parse_rules

SEEDS = 25  # of each kind: 200 scenarios in all
DAYS = 5  # of each look-alike: 30 in all
PEER_SEEDS, NAIVE_DAYS, PEER_DAYS, PEER_HOURS = 5, 1, 2, 4
PROCESSES = 2
CPU_S = 600.0
BUDGET_S = 40.0  # `for` of the rules that ship, and one interval
# On harmless days the busy fleet's traffic bound does not apply, and an objective of 300 ms is missed in earnest where
# calls are made slow to be near the bound of 1 s: neither is a false alarm.
NOT_HARMLESS = frozenset({"traffic-low", "task-latency-burn"})

_TRAFFIC = """
version: 1
rules:
  - {name: traffic-low, signal: task.rate, below: 0.5/s, window: 2m, for: 30s, severity: high}
"""


class Found(msgspec.Struct, frozen=True):
    """A scenario's outcome: seconds from the fault to its alert (None: not found), and the rank of its cause."""

    kind: str
    took_s: float | None
    early: int  # alerts before the fault began
    rank: int | None  # of the right cause, from 1; 0: not among them; None: no cause is looked for


def detect(
    seeds: int = SEEDS,
    days: int = DAYS,
    peer_seeds: int = PEER_SEEDS,
    naive_days: int = NAIVE_DAYS,
    peer_days: int = PEER_DAYS,
) -> list[Line | Figure]:
    """All kinds of faults, then the harmless days, each also under the naive rules."""
    began = _cpu_s()
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        # The long ones first, so that both processes are busy to the end.
        asked = [(seed, kind, False) for seed in range(days) for kind in HARMLESS]
        asked += [(seed, kind, True) for seed in range(naive_days) for kind in HARMLESS]
        counted = pool.map(_a_day, asked)
        played = pool.map(_a_fault, [(kind, seed) for kind in KINDS for seed in range(seeds)], chunksize=4)
        beside = pool.map(_a_peer, [(kind, seed) for kind in KINDS for seed in range(peer_seeds)])
        noisy = pool.map(_a_peer_day, [(kind, seed) for kind in HARMLESS for seed in range(peer_days)])
        alarms, outcomes, peers = list(zip(asked, counted, strict=True)), list(played), list(beside)
        peer_alarms = list(noisy)
    figures: list[Line | Figure] = []
    for place, kind in enumerate(KINDS):
        ours = outcomes[place * seeds : (place + 1) * seeds]
        figures += _of_kind(kind, ours, peers[place * peer_seeds : (place + 1) * peer_seeds])
    times = [one.took_s for one in outcomes if one.took_s is not None]
    figures.append(Figure("all kinds: median time to the alert", statistics.median(times), "s", len(times), BUDGET_S))
    ranked = [one.rank for one in outcomes if one.rank is not None]
    figures += [
        Figure("causes: right one first", _share(rank == 1 for rank in ranked), "%", len(ranked), 95, at_least=True),
        Figure("causes: right one in the first three", _share(0 < rank <= 3 for rank in ranked), "%", len(ranked)),
    ]
    early = sum(one.early for one in outcomes)
    figures.append(Figure("alerts before any fault", early, "alerts", len(outcomes), 0))
    for place, kind in enumerate(HARMLESS):
        quiet, naive = ([count for day, count in alarms if day[1:] == (kind, plainly)] for plainly in (False, True))
        theirs = [one for one in peer_alarms[place * peer_days : (place + 1) * peer_days] if one is not None]
        notes = [f"naive rules: {statistics.fmean(naive):g}"] if naive else []
        if theirs:
            notes.append(f"Prometheus: {statistics.fmean(theirs):g}")
        if not quiet:
            continue
        what = f"false alarms a day, {kind}"
        figures.append(Figure(what, statistics.fmean(quiet), "alerts", len(quiet), 0, ", ".join(notes)))
    figures.append(Figure("all of this", _cpu_s() - began, "s of CPU", budget=CPU_S))
    return figures


def _a_day(day: tuple[int, str, bool]) -> int:
    """The alerts of a harmless day: its seed, its kind, and whether rules are without confidence bounds."""
    seed, kind, plainly = day
    return harmless(_day_of(kind, seed), plain(rules()) if plainly else rules())


def _a_fault(given: tuple[str, int]) -> Found:
    return scenario(fault(*given), rules())


def _a_peer(given: tuple[str, int]) -> float | None:
    return time_to_alert(fault(*given), rules())


def _a_peer_day(given: tuple[str, int]) -> float | None:
    """As `_a_day`, of Prometheus: alerts a day, from a few hours of it."""
    kind, seed = given
    day = _day_of(kind, seed, PEER_HOURS * 3_600.0)
    found = false_alarms(day.traffic, day.touch, rules(), NOT_HARMLESS)
    return None if found is None else found * 24 / PEER_HOURS


def _day_of(kind: str, seed: int, seconds: float = DAY_S) -> LookAlike:
    return next(day for day in look_alikes(seed, seconds) if day.kind == kind)


def _cpu_s() -> float:
    """CPU seconds of this process and of those that have ended."""
    return sum(os.times()[:4])


def rules() -> RuleSet:
    """The rules that ship, and one for traffic, which depends on who uses PEA."""
    path = shipped_path()
    return parse_rules([(str(path), path.read_text("utf-8")), ("traffic", _TRAFFIC)])


def plain(rule_set: RuleSet) -> RuleSet:
    """The same rules without confidence bounds."""
    made = tuple(msgspec.structs.replace(rule, confidence=0.5) for rule in rule_set.rules)
    return msgspec.structs.replace(rule_set, rules=made)


def scenario(given: Fault, rule_set: RuleSet, *, cause: bool = True) -> Found:
    """Play one fault."""
    stage, past = Stage(rule_set), _Past()
    early, labels = 0, dict(given.labels)
    for at_s, change in stage.play(_events(given, past), given.until_s):
        if change.alert.state is not State.FIRING:
            continue
        if at_s < given.at_s:
            early += 1
        elif change.alert.rule == given.rule and labels.items() <= dict(change.alert.labels).items():
            rank = _rank(given, change.alert, stage, past, at_s) if cause else None
            return Found(given.kind, at_s - given.at_s, early, rank)
    return Found(given.kind, None, early, None)


def harmless(day: LookAlike, rule_set: RuleSet) -> int:
    """How many alerts fire on a day on which nothing is wrong."""
    stage = Stage(rule_set)
    spans = ((at_s, one) for at_s, trace in traces(day.traffic, day.touch) for one in trace)
    ordered = heapq.merge(_in_order(spans), day.samples(), key=lambda event: event[0])
    return sum(
        change.alert.state is State.FIRING and change.alert.rule not in NOT_HARMLESS
        for _, change in stage.play(ordered, day.traffic.until_s)
    )


class _Past:
    """The traces of the last half hour, as the span store would have them."""

    def __init__(self) -> None:
        self.held: deque[tuple[float, list[SpanRecord]]] = deque(maxlen=20_000)

    def between(self, start_s: float, end_s: float, agent: str) -> list[list[SpanRecord]]:
        """The newest traces of that time in which the agent took part."""
        found = [
            spans
            for at_s, spans in self.held
            if start_s <= at_s < end_s and (not agent or any(one.name == f"invoke_agent {agent}" for one in spans))
        ]
        return found[-TRACES:]


def _events(given: Fault, past: _Past) -> Iterator[Event]:
    if given.traffic is None:
        yield from given.samples()
        return

    def spans() -> Iterator[tuple[float, SpanRecord]]:
        for at_s, trace in traces(given.traffic, given.touch) if given.traffic else ():
            past.held.append((at_s, trace))
            for one in trace:
                yield at_s, one

    yield from _in_order(spans())


def _in_order(spans: Iterator[tuple[float, SpanRecord]]) -> Iterator[Event]:
    """By the second of their end; tasks end a little out of order."""
    waiting: list[tuple[float, int, SpanRecord]] = []
    for number, (at_s, one) in enumerate(spans):
        heapq.heappush(waiting, (at_s, number, one))
        if len(waiting) > 500:
            due_s, _, first = heapq.heappop(waiting)
            yield due_s, first
    while waiting:
        due_s, _, first = heapq.heappop(waiting)
        yield due_s, first


def _rank(given: Fault, alert: Alert, stage: Stage, past: _Past, at_s: float) -> int | None:
    """Where the right cause stands among those that an alert would carry."""
    if given.guilty is None:
        return None
    if given.traffic is None:
        causes, _ = grown(stage.samples, 1_800.0, EPOCH_S + at_s)
        return _place_of(given, causes)
    agent = alert.labels.get("agent", "")
    rule = next(rule for rule in stage.watcher.rules.rules if rule.name == alert.rule)

    def traces(start_s: float, end_s: float) -> list[list[SpanRecord]]:
        return past.between(start_s - EPOCH_S, end_s - EPOCH_S, agent)

    ranked = likely(traces, alert, rule, "errors" if "error" in given.rule else "latency", EPOCH_S + at_s)
    return _place_of(given, [msgspec.to_builtins(one) for one in ranked])


def _place_of(
    given: Fault, causes: Iterator[Mapping[str, object]] | list[dict[str, object]] | tuple[Mapping[str, object], ...]
) -> int:
    guilty = given.guilty
    return next((place for place, cause in enumerate(causes, 1) if guilty is not None and guilty(cause)), 0)


def _of_kind(kind: str, outcomes: list[Found], peer: list[float | None]) -> list[Figure]:
    took = [one.took_s for one in outcomes if one.took_s is not None]
    beside = [took_s for took_s in peer if took_s is not None]
    note = f"Prometheus: {statistics.median(beside):.0f} s" if beside else ""
    found = [
        Figure(
            f"{kind}: found", _share(one.took_s is not None for one in outcomes), "%", len(outcomes), 100, at_least=True
        )
    ]
    if took:
        found.append(Figure(f"{kind}: median time to its alert", statistics.median(took), "s", len(took), note=note))
    ranked = [one.rank for one in outcomes if one.rank is not None]
    if ranked:
        found.append(Figure(f"{kind}: right cause first", _share(rank == 1 for rank in ranked), "%", len(ranked)))
    return found


def _share(values: Iterator[bool]) -> float:
    counted = list(values)
    return 100.0 * sum(counted) / len(counted) if counted else 0.0
