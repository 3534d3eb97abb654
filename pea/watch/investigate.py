"""Looks for the cause of an alert that fires: which traces to compare, and what else the process knows of itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from pea.store import Query, SpanStore
from pea.telemetry import names
from pea.telemetry.loop_lag import Culprit
from pea.telemetry.record import SpanRecord
from pea.watch.alert import Alert
from pea.watch.allocations import Allocations
from pea.watch.families import FAMILIES, SERVICE
from pea.watch.present import size
from pea.watch.rule import Rule
from pea.watch.samples import Samples, history, labels_in
from pea.watch.signals import Quantity, signal
from pea.watch.upheavals import Upheavals

if TYPE_CHECKING:
    from pea.watch.cause import Cause

TRACES = 150  # of each window: enough to tell, and read in a fraction of a second
SPANS = 2_000  # of each window: of large traces fewer will do
LEAST_TRACES = 20
WINDOWS = 4
WINDOW_S = 300.0
LEAD_S = 30.0  # how long before an alert was first seen its fault may have begun, at most
BUDGET_S = 2.0
MAX_STACKS = 3

T = TypeVar("T")
Ask = Callable[[Callable[[SpanStore], T]], Awaitable[T]]


class Investigator:
    """Finds causes with the span store, the series store and the loop's watch of one service."""

    def __init__(
        self,
        ask: Callable[[Callable[[SpanStore], Any]], Awaitable[Any]],
        samples: Samples,
        culprits: Callable[[], Iterable[Culprit]],
        clock: Callable[[], float] = time.time,
        upheavals: Upheavals | None = None,
        allocations: Allocations | None = None,
    ) -> None:
        self._ask = ask
        self._samples = samples
        self._culprits = culprits
        self._clock = clock
        self._upheavals = upheavals
        self._allocations = allocations

    async def __call__(self, alert: Alert, rule: Rule) -> Alert:
        """The alert with its ranked causes, their explanation and what was changed last: in two seconds, or without."""
        found = await self._looked_into(alert, rule)
        told = self._upheavals.told(alert.since_s) if self._upheavals is not None else ""
        return msgspec.structs.replace(found, explanation=f"{found.explanation} {told}".strip()) if told else found

    async def _looked_into(self, alert: Alert, rule: Rule) -> Alert:
        watched = signal(rule.signal)
        if watched.of_spans:
            kind: Literal["latency", "errors"] = "errors" if watched.quantity is Quantity.MARKED else "latency"
            now_s = self._clock()
            async with asyncio.timeout(BUDGET_S):
                cause, words, traces = await self._ask(lambda store: compare(store, alert, rule, kind, now_s))
            held = tuple(dict.fromkeys((*traces, *alert.exemplars)))[:10]
            return msgspec.structs.replace(alert, cause=cause, explanation=words, exemplars=held)
        if watched.metric == names.METRIC_PROCESS_MEMORY_USAGE:
            cause, words = grown(self._samples, float(rule.window), self._clock())
            sites = await self._allocations.sites(alert.id) if self._allocations is not None else []
            if sites:
                cause += tuple({"kind": "allocation", **msgspec.structs.asdict(one)} for one in sites)
                told = f"Most was allocated in {sites[0].where}: {size(sites[0].held_bytes)} still held."
                words = f"{words} {told}".strip()
            return msgspec.structs.replace(alert, cause=cause, explanation=words)
        if watched.metric.startswith(names.METRIC_LOOP_LAG):
            cause, words = blocked(self._culprits(), alert.since_s - float(rule.window))
            return msgspec.structs.replace(alert, cause=cause, explanation=words)
        return alert


def compare(
    store: SpanStore, alert: Alert, rule: Rule, kind: Literal["latency", "errors"], now_s: float
) -> tuple[tuple[Mapping[str, Any], ...], str, tuple[str, ...]]:
    """Causes, explanation and traces of an alert: its traces beside those of the twenty minutes before. Blocks."""
    from pea.watch.cause_words import explain

    wanted = _attributes(alert, rule)

    def traces(start_s: float, end_s: float) -> list[list[SpanRecord]]:
        query = Query(
            attributes=wanted,
            service=alert.labels.get(SERVICE, ""),
            start_ns=int(start_s * 1e9),
            end_ns=int(end_s * 1e9),
            limit=TRACES,
        )
        found: list[int] = []
        spans = 0
        for row in store.search(query).traces:
            if spans + row.spans > SPANS and len(found) >= LEAST_TRACES:
                break
            found.append(row.trace_id)
            spans += row.spans
        return store.get_many(found)

    ranked = likely(traces, alert, rule, kind, now_s)
    found = tuple(_plain(cause) for cause in ranked)
    shown = tuple(trace for cause in found[:1] for trace in cause["exemplars"])
    return found, explain(ranked), shown


def likely(
    traces: Callable[[float, float], Sequence[Sequence[SpanRecord]]],
    alert: Alert,
    rule: Rule,
    kind: Literal["latency", "errors"],
    now_s: float,
) -> list[Cause]:
    """Ranked causes of an alert about spans; ``traces`` gives those between two moments that the alert may be about."""
    from pea.watch.breach import breaching, sound
    from pea.watch.cause import rank_causes
    from pea.watch.cause_columns import columns

    window_s = float(rule.window) if rule.burn is None else WINDOW_S
    began_s = alert.since_s - min(LEAD_S, window_s / 10)
    breach = breaching(traces(began_s, now_s), alert, rule)
    before: list[list[Sequence[SpanRecord]]] = []
    # A window that the rule still looks at may hold the beginning of the fault: what is before is best before that.
    # A young service has no such past; then it is what there is of it.
    for last_s in (began_s - window_s / 2, began_s):
        times = [traces(last_s - (n + 1) * WINDOW_S, last_s - n * WINDOW_S) for n in range(WINDOWS)]
        before = sound(times, breach, alert, rule)
        if before:
            break
    return rank_causes([columns(one) for one in before], columns(breach), kind)


def grown(samples: Samples, window_s: float, now_s: float) -> tuple[tuple[Mapping[str, Any], ...], str]:
    """Whose accounted memory grew within twice the window, and how much of the growth nobody accounts for."""
    start_s = now_s - 2 * window_s
    found = []
    for name in samples.names(names.METRIC_AGENT_MEMORY):
        agent = labels_in(name).get(names.GEN_AI_AGENT_NAME, "")
        found.append((_growth(samples, name, start_s, now_s), agent))
    whole = _growth(samples, names.METRIC_PROCESS_MEMORY_USAGE, start_s, now_s)
    found.append((whole - sum(more for more, _ in found), ""))
    causes = tuple(
        {"kind": "memory", "agent": agent, "grown_bytes": more, "share": more / whole if whole > 0 else 0.0}
        for more, agent in sorted(found, reverse=True)
        if more > 0
    )
    if not causes:
        return (), ""
    first = causes[0]
    who = f"what agent {first['agent']} accounts for" if first["agent"] else "memory that no agent accounts for"
    return causes, f"Of {size(whole)} growth, {size(float(str(first['grown_bytes'])))} is {who}."


def blocked(culprits: Iterable[Culprit], since_s: float) -> tuple[tuple[Mapping[str, Any], ...], str]:
    """What held the event loop since then, longest first, with its stack."""
    held = sorted((one for one in culprits if one.at_ns >= since_s * 1e9), key=lambda one: -one.blocked_s)
    causes = tuple(
        {"kind": "blocked", "where": one.where, "blocked_s": one.blocked_s, "stack": list(one.stack)}
        for one in held[:MAX_STACKS]
    )
    if not held:
        return (), ""
    return causes, f"The event loop was held for {held[0].blocked_s * 1e3:.0f} ms in {held[0].where}."


def _growth(samples: Samples, name: str, start_s: float, end_s: float) -> float:
    values = history(samples, [name], start_s, end_s)
    held = values[values == values]  # noqa: PLR0124 - NaN is the one value that is not itself
    return float(held[-1] - held[0]) if len(held) > 1 else 0.0


def _attributes(alert: Alert, rule: Rule) -> dict[str, str]:
    family = FAMILIES[signal(rule.signal).family]
    chosen = {**{key: value for key, value in rule.where.items() if isinstance(value, str)}, **alert.labels}
    return {family.attribute(label): value for label, value in chosen.items() if label != SERVICE}


def _plain(cause: Any) -> dict[str, Any]:
    """A cause as JSON has it; trace ids in hex."""
    found: dict[str, Any] = msgspec.to_builtins(cause)
    found["exemplars"] = [f"{one:032x}" if isinstance(one, int) else one for one in cause.exemplars]
    found["who"] = cause.place.who
    return found
