"""The objectives and how they stand: met or not, budget left, how fast it burns; and when to shed load for them.

An objective of shares (95 % of tasks under 300 ms) has an error budget: the share that may be bad, times all events of
the period. Burn is the rate at which it is spent, 1 spending it exactly (Google, The Site Reliability Workbook,
chapter 5). Incidents are stretches in which an alert of high or critical severity fired, or the service was lost.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from pea.config import SlaSettings
from pea.watch.alert import Alert, State
from pea.watch.present import duration, share
from pea.watch.sla_ledger import Counts, Gap, Ledger
from pea.watch.window import SLICE_S
from pea.watch.windows import Windows

GRAVE = frozenset(("high", "critical"))
FEW = 20  # events; of fewer, a share says nothing
LATENCY_SHARES = (0.50, 0.95, 0.99)
CRISIS_SHARE = 0.99
SHORT_S, LONG_S = 300.0, 3_600.0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One objective. ``met`` is None while too little is known.

    ``budget_left`` is 1 when nothing of it is spent, below 0 when more than all is; ``burn`` is how fast it was spent
    over the last hour. Both are None for what has no budget.
    """

    name: str
    objective: str
    now: str
    met: bool | None
    events: int | None = None
    bad: int | None = None
    budget_left: float | None = None
    burn: float | None = None


class Incident(msgspec.Struct, frozen=True):
    """A stretch in which the service was not as it should be; ``until_s`` is None while it lasts."""

    from_s: float
    until_s: float | None
    what: str


class Shed(msgspec.Struct, frozen=True):
    """What admission may read: tasks of a priority below ``level`` are to be refused: 1 low ones, 2 normal ones too."""

    level: int = 0
    reason: str = ""


class Sla:
    """The objectives of one service; `take` is to be called at each interval."""

    def __init__(self, settings: SlaSettings, now_s: float, path: Path | None = None) -> None:
        self.settings = settings
        self.shed = Shed()
        limits = [float(one) for one in (settings.p50, settings.p95, settings.p99, settings.crisis)]
        self.ledger = Ledger(limits, float(settings.period), now_s, path)

    def take(self, windows: Windows, now_s: float, alerts: Iterable[Alert]) -> None:
        """Count what has ended, and decide what to shed."""
        bad = any(one.state is State.FIRING and one.severity == "critical" for one in alerts)
        self.ledger.take(windows, now_s, bad=bad)
        self.shed = self._decide(windows, now_s)

    def standings(
        self, now_s: float, alerts: Sequence[Alert], health_s: float | None = None, agents: int = 0
    ) -> list[Standing]:
        """How every objective stands; ``alerts`` are those that fired, ``health_s`` the slowest health check of now."""
        wanted, period = self.settings, float(self.settings.period)
        counts, hour = self.ledger.since(now_s - period, now_s), self.ledger.since(now_s - LONG_S, now_s)
        found = []
        limits = (wanted.p50, wanted.p95, wanted.p99)
        for at, (of, limit) in enumerate(zip(LATENCY_SHARES, limits, strict=True)):
            spent = (counts.tasks, counts.slow[at], hour.tasks, hour.slow[at])
            found.append(_share(f"p{of * 100:g}", f"{of:.0%} of tasks under {duration(limit)}", of, *spent))
        failed = (counts.tasks, counts.failed, hour.tasks, hour.failed)
        found.append(_share("failures", f"under {share(wanted.failures)} of tasks fail", 1 - wanted.failures, *failed))
        crises = (counts.crises, counts.slow[3], hour.crises, hour.slow[3])
        about = f"{CRISIS_SHARE:.0%} of crisis responses under {duration(wanted.crisis)}"
        found.append(_share("crisis", about, CRISIS_SHARE, *crises))
        found.append(self._available(counts, now_s - period))
        found += self._repair(counts, now_s, alerts)
        found.append(
            Standing(
                name="health checks",
                objective=f"under {duration(wanted.health_check)} for each agent",
                now="unknown" if health_s is None else f"{duration(health_s)} at most, of {agents}",
                met=None if health_s is None else health_s < wanted.health_check,
            )
        )
        return found

    def _available(self, counts: Counts, since_s: float) -> Standing:
        lost = sum(gap.until_s - max(gap.from_s, since_s) for gap in self.ledger.gaps if gap.until_s > since_s)
        whole, bad = counts.up_s + lost, counts.bad_s + lost
        wanted = self.settings.availability
        value = 1 - bad / whole if whole else math.nan
        return Standing(
            name="availability",
            objective=f"{share(wanted)} of the time",
            now=f"{share(value)} of {duration(whole)}" if whole else "unknown",
            met=value >= wanted if whole else None,
            budget_left=1 - bad / ((1 - wanted) * float(self.settings.period)) if wanted < 1 else None,
        )

    def _repair(self, counts: Counts, now_s: float, alerts: Sequence[Alert]) -> list[Standing]:
        held = incidents(alerts, self.ledger.gaps, now_s - float(self.settings.period))
        wanted = self.settings
        between = counts.up_s / len(held) if held else counts.up_s
        over = [(one.until_s or now_s) - one.from_s for one in held]
        repair = sum(over) / len(over) if over else None
        return [
            Standing(
                name="MTBF",
                objective=f"over {duration(wanted.mtbf)} between failures",
                now=f"{duration(between)}, {len(held)} failures" if held else f"no failure in {duration(between)}",
                met=between > wanted.mtbf if held else True,
                bad=len(held),
            ),
            Standing(
                name="MTTR",
                objective=f"under {duration(wanted.mttr)} to repair",
                now="nothing to repair" if repair is None else f"{duration(repair)} on average",
                met=None if repair is None else repair < wanted.mttr,
                bad=len(held),
            ),
        ]

    def _decide(self, windows: Windows, now_s: float) -> Shed:
        """Shed only what helps: while tasks are slow because they wait for their turn, not because a step is slow.

        One level at a time up, and down again when fewer than half as many wait.
        """
        if not self.settings.shed:
            return Shed()
        tasks, slow = _over(windows, "task", float(self.settings.p95), now_s)
        queued, late = _over(windows, "queue", float(self.settings.p95) / 3, now_s)
        if min(tasks, queued) < FEW:
            return Shed()
        burning, waiting = slow / tasks > 4 * (1 - LATENCY_SHARES[1]), late / queued
        level = self.shed.level
        if burning and waiting > 0.2 * (level + 1):
            level = min(level + 1, 2)
        elif waiting < 0.1 * level or not burning:
            level = max(level - 1, 0)
        reason = f"{slow / tasks:.0%} of tasks are slow and {waiting:.0%} wait for their turn" if level else ""
        return Shed(level, reason)


def incidents(alerts: Iterable[Alert], gaps: Iterable[Gap], since_s: float) -> list[Incident]:
    """When grave alerts fired or the service was lost; what overlaps is one incident."""
    spans: list[tuple[float, float, str]] = [(gap.from_s, gap.until_s, "the service was lost") for gap in gaps]
    spans += [
        (one.fired_s, math.inf if one.resolved_s is None else one.resolved_s, one.rule)
        for one in alerts
        if one.fired_s is not None and one.severity in GRAVE
    ]
    found: list[tuple[float, float, str]] = []
    for start_s, end_s, what in sorted(span for span in spans if span[1] > since_s):
        if found and start_s <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end_s), found[-1][2])
        else:
            found.append((start_s, end_s, what))
    return [Incident(start_s, None if math.isinf(end_s) else end_s, what) for start_s, end_s, what in found]


def _share(name: str, objective: str, wanted: float, events: int, bad: int, hour: int, bad_hour: int) -> Standing:
    budget = max(1.0 - wanted, 1e-9)
    known = events >= FEW
    return Standing(
        name=name,
        objective=objective,
        now=f"{share(1 - bad / events)} of {events:,} tasks" if events else "no tasks yet",
        met=bad / events <= budget if known else None,
        events=events,
        bad=bad,
        budget_left=1 - bad / (budget * events) if events else None,
        burn=bad_hour / hour / budget if hour else None,
    )


def _over(windows: Windows, family: str, limit: float, now_s: float, reach_s: float = 60.0) -> tuple[int, int]:
    """Values of the last minute, and those above a limit."""
    count = above = 0
    with windows.lock:
        for window in windows.shelf(family).series.values():
            for one in window.slices(now_s - reach_s - SLICE_S, now_s):
                count, above = count + one.count, above + one.above(limit)
    return count, above
