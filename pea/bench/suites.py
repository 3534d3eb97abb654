"""The suites by name; each is imported when it runs, so that a missing peer only stops its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import msgspec

from pea.bench.agents_office import Size
from pea.bench.figure import Figure
from pea.bench.measure import Absent, Line, pace

Extent = Literal["quick", "whole", "full"]
EXTENTS: tuple[Extent, ...] = ("quick", "whole", "full")
QUICK_PACE = 0.2  # of the rounds
PATIENCE = 6.0  # times as long as expected (a machine may be busy with other work), and a suite is stopped
LEAST_PATIENCE_S = 180.0


class Ask(msgspec.Struct, frozen=True):
    """How a suite is to run: ``quick`` (all of them within two minutes), ``whole`` (fifteen) or ``full``."""

    extent: Extent = "whole"
    data: Path | None = None
    minutes: float | None = None
    kills: int | None = None
    profile: Path | None = None


class Suite(msgspec.Struct, frozen=True):
    """A function that measures, and what it is about.

    ``seconds`` is roughly how long it takes on two cores by extent; one without an entry is left out of that extent.
    It runs in ``launches`` processes of its own, except in a quick run. ``given`` has its keywords by extent. One that
    ``takes_data`` is given the folder of public data sets, or None for where they usually are; one that
    ``takes_minutes`` or ``takes_kills`` may be told how long or how often.
    """

    name: str
    about: str
    module: str
    function: str
    seconds: Mapping[Extent, float]
    given: Mapping[Extent, Mapping[str, Any]] = {}
    launches: int = 1
    takes_data: bool = False
    takes_minutes: bool = False
    takes_kills: bool = False

    def processes(self, extent: Extent) -> int:
        """How often it is launched."""
        return 1 if extent == "quick" else self.launches

    def expected_s(self, ask: Ask) -> float:
        """Roughly how long it takes, all launches together."""
        if self.takes_minutes and ask.minutes is not None:
            return 60 * ask.minutes
        if self.takes_kills and ask.kills is not None:
            return 1.5 * ask.kills
        return self.seconds.get(ask.extent) or max(self.seconds.values())

    def patience_s(self, ask: Ask) -> float:
        """How long one launch may take before it is given up."""
        return max(PATIENCE * self.expected_s(ask) / self.processes(ask.extent), LEAST_PATIENCE_S)

    def run(self, ask: Ask) -> Sequence[Line | Figure | Absent]:
        """Measure. Raises ImportError when a peer is not installed, ConfigError when there is no data."""
        measure: Callable[..., Sequence[Line | Figure | Absent]] = getattr(import_module(self.module), self.function)
        given = dict(self.given.get(ask.extent, {}))
        if self.takes_minutes and ask.minutes is not None:
            given["minutes"] = ask.minutes
        if self.takes_kills and ask.kills is not None:
            given["kills"] = ask.kills
        with pace(QUICK_PACE if ask.extent == "quick" else 1 / self.processes(ask.extent)):
            return measure(ask.data, **given) if self.takes_data else measure(**given)


def _suites(*suites: Suite) -> dict[str, Suite]:
    return {suite.name: suite for suite in suites}


def _takes(whole: float | None, quick: float | None = None, full: float = 0.0) -> dict[Extent, float]:
    """Seconds by extent; without one it is left out."""
    if whole is None:
        return {"full": full}
    found: dict[Extent, float] = {"whole": whole, "full": full or whole}
    return found if quick is None else {"quick": quick, **found}


SUITES = _suites(
    Suite("spans", "spans beside the OpenTelemetry SDK's", "pea.bench.spans", "spans", _takes(25, 6), launches=6),
    Suite("logfire", "a span beside logfire's", "pea.bench.spans_logfire", "beside_logfire", _takes(5, 2), launches=2),
    Suite(
        "calls", "a call between agents beside one official span", "pea.bench.calls", "calls", _takes(8, 3), launches=6
    ),
    Suite(
        "dispatch",
        "a call that does nothing beside other frameworks', plain and traced",
        "pea.bench.dispatch",
        "dispatch",
        _takes(10, 8),
        given={"quick": {"rounds": 4}},
        takes_data=True,
    ),
    Suite(
        "drain",
        "a span after its end, at several rates; a metric",
        "pea.bench.drain",
        "drain",
        _takes(8, 4),
        launches=3,
    ),
    Suite("overload", "ten times the load: who is served, and when", "pea.bench.overload", "overload", _takes(40)),
    Suite("balance", "one of three replicas twenty times slower", "pea.bench.balance", "balance", _takes(13)),
    Suite("agree", "agreement against liars, crashes and delays", "pea.bench.agree", "agree", _takes(10)),
    Suite(
        "chaos",
        "nine faults: what they do not concern must not notice",
        "pea.bench.chaos",
        "chaos",
        _takes(None, full=340),
    ),
    Suite("crisis", "a crisis while every other agent is kept busy", "pea.bench.crisis", "crisis", _takes(15)),
    Suite(
        "mcp",
        "the agents' memory over MCP, store, retrieve and search",
        "pea.bench.mcp",
        "mcp",
        _takes(15, 8),
        given={"quick": {"calls": 100}},
    ),
    Suite("workers", "worker processes beside concurrent.futures", "pea.bench.workers", "workers", _takes(15)),
    Suite(
        "lag",
        "event-loop lag caused by draining and exporting spans",
        "pea.bench.lag",
        "lag",
        _takes(35),
        given={"whole": {"rounds": 25}},
    ),
    Suite(
        "http",
        "a traced route beside bare aiohttp",
        "pea.bench.http",
        "http",
        _takes(30, 8),
        given={"whole": {"rounds": 12}, "quick": {"rounds": 3}},
    ),
    Suite("start", "process start to /readyz, and memory", "pea.bench.start", "start", _takes(20, 15)),
    Suite(
        "tasks",
        "ten starts, a thousand tasks, a thousand at once, health, memory operations",
        "pea.bench.tasks",
        "tasks",
        _takes(40, 12),
        given={"quick": {"initialisations": 3, "count": 200, "at_once": (1, 10, 100)}},
    ),
    Suite("bounds", "the report's bounds, each given three times as much", "pea.bench.bounds", "bounds", _takes(5, 5)),
    Suite(
        "scaling",
        "cost per unit as work grows: agents, spans, rules, keys, stored spans, tasks",
        "pea.bench.scaling",
        "scaling",
        _takes(45, 12, 900),
        given={
            "quick": {
                "keys": (1_000, 10_000, 100_000),
                "stored": (10_000, 20_000, 40_000),
                "records": (100, 1_000, 10_000),
            },
            "full": {
                "keys": (1_000, 10_000, 100_000, 1_000_000, 10_000_000),
                "stored": (10_000, 100_000, 1_000_000, 10_000_000),
            },
        },
    ),
    Suite(
        "cache",
        "the cache tiers beside other caches",
        "pea.bench.cache",
        "cache",
        _takes(30, full=90),
        given={"whole": {"shares": (0.02, 0.1)}},
        takes_data=True,
    ),
    Suite(
        "cache-faults", "Redis hung, killed, restarted under load", "pea.bench.cache_faults", "cache_faults", _takes(15)
    ),
    Suite("cache-peers", "the asynchronous caches; a stampede", "pea.bench.cache_peers", "cache_peers", _takes(8, 4)),
    Suite(
        "detect",
        "alerts: faults found, false alarms, causes",
        "pea.bench.detect",
        "detect",
        _takes(45, full=720),
        given={"whole": {"seeds": 1, "days": 1, "peer_seeds": 1, "naive_days": 0, "peer_days": 0}},
        takes_minutes=True,
    ),
    Suite(
        "detect-baselines",
        "the same scenarios without thresholds",
        "pea.bench.baseline_detect",
        "detected",
        _takes(30, full=180),
        given={"whole": {"seeds": 1, "days": 0}},
    ),
    Suite(
        "watch",
        "what watching costs, and the leak test",
        "pea.bench.detect_cost",
        "watching",
        _takes(60),
        takes_data=True,
    ),
    Suite(
        "store",
        "the span store: searches while recording goes on",
        "pea.bench.store",
        "store",
        _takes(30, full=90),
        given={"whole": {"spans": 300_000}},
    ),
    Suite(
        "agents",
        "a briefing over a large office of mails",
        "pea.bench.agents",
        "agents",
        _takes(25, full=90),
        given={"whole": {"size": Size(10_000, 1_000, 400)}},
    ),
    Suite("memory", "memory over an hour's worth of work", "pea.bench.memory", "memory", _takes(60)),
    Suite(
        "soak",
        "the service under load, killed half way",
        "pea.bench.soak",
        "soak",
        _takes(60, full=1_260),
        given={"whole": {"minutes": 0.8}, "full": {"minutes": 20.0}},
        takes_minutes=True,
    ),
    Suite("journal", "what a promise costs beside an fsync", "pea.bench.journal", "journal", _takes(20)),
    Suite(
        "crash",
        "kill -9 again and again: no task lost, none done twice",
        "pea.bench.crash",
        "crash",
        _takes(45, full=400),
        given={"whole": {"kills": 30}, "full": {"kills": 300}},
        takes_kills=True,
    ),
    Suite(
        "baseline",
        "learned baselines on labelled and on normal series",
        "pea.bench.baseline",
        "baseline",
        _takes(85, full=150),
        given={"whole": {"normal": 60}},
        takes_data=True,
    ),
    Suite("cause", "root causes of public faults", "pea.bench.cause", "cause", _takes(20), takes_data=True),
)
