"""How much of the time each agent was in service, how long between failures and how long to recovery.

Looked at every ten seconds, when the series are sampled. For the system itself the samples are the evidence: where the
last day has none, the service did not run, whatever ended it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from pea.runtime import AgentRecord, AgentState
from pea.service.dashboard_pulse import MAX_AGENTS, SERIES, STEP_S

if TYPE_CHECKING:
    from pea.store.series import SeriesStore

UP = f"{SERIES}.up"
DAY_S = 86_400


class Standing(msgspec.Struct, frozen=True):
    """``uptime`` is a share; the means are None while nothing has failed, or has not recovered, yet."""

    uptime: float | None = None
    mtbf_s: float | None = None
    mttr_s: float | None = None
    failures: int = 0


UNKNOWN = Standing()


class _Watched(msgspec.Struct):
    """One agent: seconds seen, of them out of service, the times it went out and came back."""

    at: float
    up: bool
    seen_s: float = 0.0
    out_s: float = 0.0
    recovered_s: float = 0.0  # of the outages that are over
    failures: int = 0
    recoveries: int = 0


class Uptime:
    """Notes which agents are in service; an agent that was never looked at, or is another program's, is unknown."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._agents: dict[str, _Watched] = {}
        self._out_since: dict[str, float] = {}

    def look(self, records: Iterable[AgentRecord]) -> None:
        """Note how each agent stands now. One that is starting for the first time is not out of service."""
        now = self._clock()
        with self._lock:
            for record in records:
                if record.state is AgentState.STARTING and record.name not in self._agents:
                    continue
                if record.name in self._agents or len(self._agents) < MAX_AGENTS:
                    self._note(record.name, now, up=record.state is AgentState.READY)

    def of(self, agent: str) -> Standing:
        """How the agent stood since it was first looked at."""
        with self._lock:
            one = self._agents.get(agent)
            if one is None:
                return UNKNOWN
            up_s = one.seen_s - one.out_s
            return Standing(
                uptime=round(up_s / one.seen_s, 6) if one.seen_s else float(one.up),
                mtbf_s=round(up_s / one.failures, 3) if one.failures else None,
                mttr_s=round(one.recovered_s / one.recoveries, 3) if one.recoveries else None,
                failures=one.failures,
            )

    def _note(self, name: str, now: float, *, up: bool) -> None:
        one = self._agents.get(name)
        if one is None:
            one = self._agents[name] = _Watched(now, up=True)
        passed_s = max(now - one.at, 0.0)
        one.seen_s += passed_s
        if not one.up:
            one.out_s += passed_s
        if one.up and not up:
            one.failures += 1
            self._out_since[name] = now
        elif up and not one.up:
            one.recoveries += 1
            one.recovered_s += now - self._out_since.pop(name, now)
        one.at, one.up = now, up


def up_sample() -> Mapping[str, float]:
    """The sample that says the service ran; a source of series."""
    return {UP: 1.0}


def system_standing(series: SeriesStore, now_s: float) -> Standing:
    """How the service stood over the last day, or since its first sample there; outages shorter than 20 s are unseen.

    A step without a sample between two with one is an outage; a lone one may be a late sample and does not count.
    """
    import numpy as np  # the series store has imported it by now

    _, values = series.read(UP, now_s - DAY_S, now_s, STEP_S, "last")
    there = np.flatnonzero(~np.isnan(values))
    if not len(there):
        return UNKNOWN
    gaps = np.diff(there) - 1
    outages = gaps[gaps > 1]
    steps = int(there[-1] - there[0]) + 1
    out = int(outages.sum())
    failures = len(outages)
    return Standing(
        uptime=round(1 - out / steps, 6),
        mtbf_s=round((steps - out) * STEP_S / failures, 3) if failures else None,
        mttr_s=round(out * STEP_S / failures, 3) if failures else None,
        failures=failures,
    )
