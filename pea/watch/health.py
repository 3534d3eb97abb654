"""One number for how well the fleet is, and what exactly keeps it from a hundred."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

ERROR_OBJECTIVE = 0.001  # the report's objectives, SPEC.md row 18
P95_OBJECTIVE_S = 0.3
P99_OBJECTIVE_S = 1.0
LAG_OBJECTIVE_S = 0.02
MEMORY_OBJECTIVE = 512 << 20
MIN_CALLS = 20  # fewer say nothing of a quantile or a share


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """What health is judged by; durations in seconds, None where nothing was measured.

    ``failed`` and ``troubled`` name agents that are not in service, and that say themselves that they are not well.
    """

    agents: int
    failed: tuple[str, ...] = ()
    troubled: tuple[str, ...] = ()
    calls: int = 0
    errors: int = 0
    p95_s: float | None = None
    p99_s: float | None = None
    lag_s: float | None = None
    memory_bytes: float | None = None
    spans_dropped: int = 0
    squeezed: bool = False  # caches or histories have given way because memory is short
    refused: tuple[str, ...] = ()  # the priorities of tasks that are refused for that reason
    alerts: tuple[str, ...] = ()  # severities of those that fire


class Lowered(msgspec.Struct, frozen=True):
    """What costs health how many points, and why."""

    points: int
    reason: str


class Health(msgspec.Struct, frozen=True):
    """0 to 100, and what lowers it, heaviest first."""

    score: int
    lowered_by: tuple[Lowered, ...]


_ALERT_POINTS = {"critical": 25, "high": 15, "medium": 8, "low": 3}


def health(signs: Signs) -> Health:
    """The score of these signs: a hundred less what each takes away.

    Agents out of service take up to 40 points by their share, at least 10; missed objectives take as much as they are
    missed by, in doublings: an error rate 10 points at twice the objective and up to 35, response times 8 each and up
    to 20, the event loop's lag and memory 5 and up to 15.
    """
    found = sorted((one for one in _lowered(signs) if one.points), key=lambda one: -one.points)
    return Health(max(100 - sum(one.points for one in found), 0), tuple(found))


def _lowered(signs: Signs) -> Iterator[Lowered]:
    if not signs.agents:
        yield Lowered(40, "no agent is installed")
    if signs.failed:
        points = max(round(40 * len(signs.failed) / max(signs.agents, 1)), 10)
        yield Lowered(points, f"{_named(signs.failed)} not in service")
    if signs.troubled:
        yield Lowered(min(5 * len(signs.troubled), 20), f"{_named(signs.troubled)} not well by their own account")
    if signs.calls >= MIN_CALLS:
        share = signs.errors / signs.calls
        points = _missed(share, ERROR_OBJECTIVE, 10, 35) if signs.errors > 1 else 0
        yield Lowered(points, f"{share:.1%} of requests fail; the objective is below {ERROR_OBJECTIVE:.1%}")
        for name, value, objective in (("p95", signs.p95_s, P95_OBJECTIVE_S), ("p99", signs.p99_s, P99_OBJECTIVE_S)):
            if value is not None:
                about = f"{name} response time is {_ms(value)}; the objective is below {_ms(objective)}"
                yield Lowered(_missed(value, objective, 8, 20), about)
    if signs.lag_s is not None:
        about = f"the event loop is {_ms(signs.lag_s)} late on average; the objective is below {_ms(LAG_OBJECTIVE_S)}"
        yield Lowered(_missed(signs.lag_s, LAG_OBJECTIVE_S, 5, 15), about)
    if signs.memory_bytes is not None:
        about = f"memory is {signs.memory_bytes / 2**20:.0f} MiB; the objective is below {MEMORY_OBJECTIVE >> 20} MiB"
        yield Lowered(_missed(signs.memory_bytes, MEMORY_OBJECTIVE, 5, 15), about)
    yield _short(signs)
    if signs.spans_dropped:
        yield Lowered(5, f"{signs.spans_dropped:,} spans were dropped: figures are too low")
    for severity, points in _ALERT_POINTS.items():
        if count := signs.alerts.count(severity):
            yield Lowered(min(points * count, 40), f"{count} {severity} alert{'s' * (count > 1)} firing")


def _short(signs: Signs) -> Lowered:
    """What giving way because memory is short costs."""
    if signs.refused:
        refused = ", ".join(signs.refused)
        return Lowered(10 * len(signs.refused), f"memory is short: tasks of priority {refused} are refused")
    return Lowered(5 * signs.squeezed, "memory is short: caches and histories hold less than they may")


def _missed(value: float, objective: float, points: int, most: int) -> int:
    """Points for a value above its objective: the first at once, as many again for each doubling."""
    if value <= objective:
        return 0
    doublings = 0
    while value > 2 * objective and doublings < 8:
        value, doublings = value / 2, doublings + 1
    return min(points * (1 + doublings), most)


def _named(agents: tuple[str, ...]) -> str:
    shown = ", ".join(agents[:3]) + (f" and {len(agents) - 3} more" if len(agents) > 3 else "")
    return f"{shown} {'is' if len(agents) == 1 else 'are'}"


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
