"""A result as a page: what each thing costs, how costs grow, how to size a machine, and every figure that was measured.

Every number on the page comes from the result; what a result does not have is said to be missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from pea.bench.figure import Figure
from pea.bench.growth import brief
from pea.bench.measure import Absent, Line
from pea.bench.result import Entry, Result

UNIT_NS = {"s": 1e9, "ms": 1e6, "µs": 1e3, "ns": 1.0, "µs CPU/span": 1e3, "µs/span": 1e3}
DAY_S = 86_400
INTERVAL_S = 10.0


class Cost(msgspec.Struct, frozen=True):
    """A row of the cost model: where its figure is found (by the beginning of what it says), and of how many."""

    of: str
    suite: str
    what: str
    each: float = 1.0
    note: str = ""


SPAN = Cost("a span with 6 attributes, recorded", "spans", "span with 6 attributes, current")
DRAINED = Cost("  drained: folded into metrics, kept for the page", "drain", "drain of a span at 10,000")
ENCODED = Cost("  recorded, encoded and sent by OTLP/HTTP", "spans", "CPU of 512 spans", 512)
STORED = Cost("  stored and indexed", "scaling", "stored spans: storing")
TASK = Cost("a task of the sample workspace, with all its calls and spans", "tasks", "CPU of a task")
RULE = Cost("an alert rule over ten agents, one evaluation", "scaling", "rules: one evaluation", note="every 10 s")
COSTS = (
    SPAN,
    Cost("  a leaf (a cache lookup)", "spans", "leaf with 3 attributes"),
    DRAINED,
    ENCODED,
    STORED,
    Cost("an agent, its start once imported", "tasks", "an agent, once imported"),
    Cost("an agent call with everything on", "calls", "agent call, everything on"),
    TASK,
    Cost("a task accepted, journaled and ended, alone", "journal", "task alone", note="two fsyncs among it"),
    Cost("a cache hit with its span", "cache", "L1 hit, looked up with its span"),
    Cost("a lookup in the task registry", "scaling", "registry: running tasks"),
    Cost("a key invalidated, of a million", "scaling", "keys: invalidation"),
    RULE,
    Cost("a value recorded into an alert's window", "watch", "a value into a sliding"),
)  # fmt: skip
SIZES = (
    Cost("memory when ready", "start", "memory when ready"),
    Cost("memory, steady", "memory", "memory, steady"),
    Cost("memory, peak", "memory", "memory, peak"),
    Cost("a waiting task", "overload", "5,000 waiting: memory of each"),
    Cost("a stored span on disk", "store", "on disk"),
    Cost("a learned series", "baseline", "state of a series"),
)


def report(result: Result) -> str:
    """The page, in Markdown."""
    return "\n".join(line for part in (_head, _costs, _growth, _sizing, _peers, _all) for line in part(result)) + "\n"


def find(result: Result, cost: Cost) -> Line | Figure | None:
    """The entry that a row is about."""
    measured = result.suites.get(cost.suite)
    for entry in measured.entries if measured is not None else ():
        if not isinstance(entry, Absent) and entry.what.strip().startswith(cost.what):
            return entry
    return None


def nanoseconds(result: Result, cost: Cost) -> float | None:
    """What it costs, in nanoseconds; None when it was not measured, or is no time."""
    entry = find(result, cost)
    if isinstance(entry, Line):
        return entry.figure_ns / cost.each
    if entry is not None and entry.unit in UNIT_NS:
        return entry.value * UNIT_NS[entry.unit] / cost.each
    return None


def _head(result: Result) -> Iterator[str]:
    judged = [one for measured in result.suites.values() for one in measured.entries if one.passed is not None]
    met = sum(one.passed is True for one in judged)
    yield "# Performance"
    yield ""
    yield f"Measured by `pea bench{_flag(result)}` on {result.began:%d %B %Y} in {result.seconds / 60:.0f} minutes,"
    yield "written by `pea bench --from FILE --report docs/performance.md`. Absolute times are this machine's; ratios"
    yield "were taken in turns in one run and hold elsewhere."
    yield ""
    yield f"{result.environment.words()}."
    yield ""
    if result.environment.load > result.environment.cpus:
        yield f"**The machine was busy with other work** (load {result.environment.load:.1f} on"
        yield f"{result.environment.cpus} CPUs when the run began): what waits for a core is slower here than it is."
        yield "Ratios and CPU times suffer least."
        yield ""
    yield f"**{met} of {len(judged)} budgets are met.**" + (" Not met:" if result.failed else "")
    yield ""
    for suite, one in result.failed:
        yield f"- {suite}: {one.what.strip()}: {_figure(one)} (budget {_budget(one)})"
    for suite, why in result.missing.items():
        yield f"- {suite}: {why}"
    yield ""


def _costs(result: Result) -> Iterator[str]:
    yield "## What one costs"
    yield "CPU time of one core, except where waiting for a disk is named."
    yield ""
    yield "| what | costs | a core does in a second | |"
    yield "|---|--:|--:|---|"
    for cost in COSTS:
        found = nanoseconds(result, cost)
        if found is None:
            yield f"| {cost.of} | not in this run | | |"
        else:
            yield f"| {cost.of} | {brief(found)} | {1e9 / found:,.0f} | {cost.note} |"
    yield ""
    yield "| what | holds |"
    yield "|---|--:|"
    for cost in SIZES:
        entry = find(result, cost)
        yield f"| {cost.of} | {_figure(entry) if entry is not None else 'not in this run'} |"
    yield ""


def _growth(result: Result) -> Iterator[str]:
    yield "## How costs grow"
    yield "A unit's cost at several sizes, and the power of the size that it grows by (0: not at all; log n is fine)."
    yield ""
    yield "| of | at each size | power | interval |"
    yield "|---|---|--:|---|"
    measured = result.suites.get("scaling")
    entries = measured.entries if measured is not None else ()
    for entry, power in pairwise(entries):
        if isinstance(entry, Figure) and isinstance(power, Figure) and power.what.strip().startswith("grows as"):
            yield f"| {entry.what} | {entry.note} | {power.value:+.2f} | {power.note} |"
    yield ""


def _sizing(result: Result) -> Iterator[str]:
    yield "## How to size a machine"
    span, drained, stored, sent = (nanoseconds(result, cost) for cost in (SPAN, DRAINED, STORED, ENCODED))
    task, rule = nanoseconds(result, TASK), nanoseconds(result, RULE)
    disk = find(result, SIZES[4])
    if span is None or drained is None or stored is None or sent is None or task is None or rule is None:
        yield "This run lacks suites that the model needs: spans, drain, tasks, scaling."
        yield ""
        return
    watched = span + drained + stored
    yield "One process does its Python work on one core; worker processes and the database's compression use others."
    yield "Share of that core, from the rates you expect:"
    yield ""
    yield "```"
    yield f"tasks/s × {task / 1e6:.2f} ms                     (work, calls and recording included)"
    yield f"+ spans/s from others × {(drained + stored) / 1e3:.1f} µs         (drained and stored)"
    yield f"+ exported spans/s × {max(sent - span, 0.0) / 1e3:.1f} µs              (OTLP/HTTP)"
    yield f"+ rules × agents / 10 × {rule / 1e3:.0f} µs / {INTERVAL_S:.0f} s      (evaluation every ten seconds)"
    yield "```"
    yield ""
    share = 20 * task / 1e9 + 1_000 * (drained + stored) / 1e9 + 30 * 1.5 * rule / 1e9 / INTERVAL_S
    yield "So 20 tasks a second, 1,000 spans a second from others and 30 rules over 15 agents take"
    yield f"{100 * share:.0f} % of a core; plan for 70 %, and for a second core if workers are used. A span of one's"
    yield f"own costs {watched / 1e3:.1f} µs in all."
    if isinstance(disk, Figure):
        day = 1_000 * DAY_S * disk.value / 1e9
        yield f"On disk 1,000 spans a second are {day:.1f} GB a day if all are kept; `store.size` bounds it (the oldest"
        yield "go first)."
    yield "Memory: what it has when ready, plus `cache.memory`, `runtime.history_size`, `store.waiting`: bounds all."
    yield ""


def _peers(result: Result) -> Iterator[str]:
    notes: dict[str, set[str]] = {}
    for measured in result.suites.values():
        for entry in measured.entries:
            if isinstance(entry, Line) and entry.note:
                notes.setdefault(entry.peer, set()).add(entry.note)
            elif isinstance(entry, Absent):
                notes.setdefault(entry.peer, set()).add(f"missing: {entry.why}")
    yield "## Peers, and how they were asked"
    yield "Each is called the way its documentation calls fast, set up once outside the measured part, in turns with"
    yield "PEA within one process, or, for the agent frameworks, in processes of their own that take turns (CPU time"
    yield "both). Their turn of an agent does more than PEA's dispatch (a graph's step, a model's message): what"
    yield "compares is the time that tracing adds. autogen-core and openai-agents need an older protobuf and websockets"
    yield "than PEA: put them into an environment of their own, `python -m venv DATA/peers`, where they are found by"
    yield "`pea bench --data DATA`."
    yield ""
    for peer, told in sorted(notes.items()):
        yield f"- {peer}: {'; '.join(sorted(told))}"
    yield ""


def _all(result: Result) -> Iterator[str]:
    yield "## Every figure"
    for name, measured in result.suites.items():
        yield f"### {name}: {measured.about}"
        if measured.missing:
            yield f"Missing: {measured.missing}"
        yield ""
        yield "| | what | figure | beside | ratio | n | budget |"
        yield "|---|---|--:|---|--:|--:|--:|"
        for entry in measured.entries:
            yield "| " + " | ".join(_row(entry)) + " |"
        yield ""


def _row(entry: Entry) -> Sequence[str]:
    mark = {None: "", True: "✓", False: "✗"}[entry.passed]
    if isinstance(entry, Absent):
        return mark, entry.what, "", f"{entry.peer}: {entry.why}", "", "", ""
    if isinstance(entry, Figure):
        return mark, entry.what.strip(), _figure(entry), entry.note, "", f"{entry.count:,}", _budget(entry)
    beside = f"{entry.peer}, {brief(entry.peer_ns)}"
    ratio = f"{entry.ratio:.3g} × ±{50 * entry.spread:.0f} %"
    return mark, entry.what.strip(), brief(entry.figure_ns), beside, ratio, f"{entry.count:,}", _budget(entry)


def _figure(entry: Line | Figure) -> str:
    return f"{entry.value:,.4g} {entry.unit}" if isinstance(entry, Figure) else f"{entry.ratio:.3g} × {entry.peer}"


def _budget(entry: Line | Figure) -> str:
    if entry.budget is None:
        return ""
    if isinstance(entry, Figure):
        return f"{'≥' if entry.at_least else '≤'} {entry.budget:,.4g}"
    return f"≤ {entry.budget:g} ×"


def _flag(result: Result) -> str:
    return "" if result.extent == "whole" else f" --{result.extent}"
