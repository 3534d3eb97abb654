"""The charts' lines, read from the series store: what was sampled every ten seconds, joined into fewer points."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pea.service.dashboard_json import Charts, Line
from pea.service.dashboard_pulse import SERIES, STEP_S, Pulse
from pea.telemetry import names

if TYPE_CHECKING:
    from pea.store.series import SeriesStore

WINDOWS = {"15m": (900, 10), "1h": (3_600, 30), "6h": (21_600, 180), "24h": (86_400, 600)}  # seconds, and a point's

# Name in the answer, series, and how ten-second samples become a point: a joined p95 is the worst of those it joins.
_LINES = (
    *((name, f"{SERIES}.{name}", "max") for name in ("p50", "p95", "p99")),
    *((name, f"{SERIES}.{name}", "mean") for name in ("mean", "rate", "errors", "operations")),
    ("cpu", names.METRIC_PROCESS_CPU_UTILIZATION, "mean"),
    ("memory", names.METRIC_PROCESS_MEMORY_USAGE, "mean"),
)
_LAG = names.METRIC_LOOP_LAG


def charts(series: SeriesStore, pulse: Pulse, window: str, now_s: float) -> Charts:
    """The lines of a window that ends now; None where nothing was sampled."""
    seconds, step_s = WINDOWS[window]
    end_s = now_s // step_s * step_s
    start_s = end_s - seconds + step_s
    lines: dict[str, Line] = {
        name: _placed(series, stored, how, start_s, end_s, step_s) for name, stored, how in _LINES
    }
    lines["lag"] = _ratio(
        _placed(series, f"{_LAG}:sum", "last", start_s - step_s, end_s, step_s),
        _placed(series, f"{_LAG}:count", "last", start_s - step_s, end_s, step_s),
    )
    first = int(start_s // STEP_S)
    width = step_s // STEP_S
    known = pulse.exemplars(range(first, first + len(lines["p50"]) * width))
    exemplars = {
        str((slot - first) // width): tuple(f"{trace:032x}" for trace in traces) for slot, traces in known.items()
    }
    return Charts(window=window, start_ms=1e3 * start_s, step_s=step_s, series=lines, exemplars=exemplars)


def mean_lag_s(series: SeriesStore, now_s: float, seconds: int = 300) -> float | None:
    """How late the event loop was on average over the last seconds; None without two samples."""
    start_s = now_s // STEP_S * STEP_S - seconds
    totals, counts = (_placed(series, f"{_LAG}:{part}", "last", start_s, now_s, STEP_S) for part in ("sum", "count"))
    late = beats = 0.0
    for (total, before), (count, counted) in zip(_pairs(totals), _pairs(counts), strict=True):
        if _grew(total, before, count, counted):
            late += (total or 0.0) - (before or 0.0)
            beats += (count or 0.0) - (counted or 0.0)
    return late / beats if beats else None


def memory_line(series: SeriesStore, now_s: float, seconds: int = 3_600) -> Line:
    """Memory of the last seconds, a point a minute, bytes."""
    start_s = now_s // 60 * 60 - seconds
    return _placed(series, names.METRIC_PROCESS_MEMORY_USAGE, "mean", start_s, now_s // 60 * 60, 60)


def _placed(series: SeriesStore, name: str, how: str, start_s: float, end_s: float, step_s: int) -> Line:
    """A series at every step from ``start_s`` to ``end_s``, wherever what is stored begins and ends."""
    line: Line = [None] * (round((end_s - start_s) / step_s) + 1)
    times, values = series.read(name, start_s, end_s + step_s - 1, step_s, how)
    for at, value in zip(times, values, strict=True):
        place = round((at - start_s) / step_s)
        if 0 <= place < len(line) and math.isfinite(value):
            line[place] = round(float(value), 6)
    return line


def _ratio(totals: Line, counts: Line) -> Line:
    """Differences of totals over differences of counts; a counter that fell began anew and says nothing there."""
    line: Line = []
    for (total, before), (count, counted) in zip(_pairs(totals), _pairs(counts), strict=True):
        if _grew(total, before, count, counted):
            line.append(round(((total or 0.0) - (before or 0.0)) / ((count or 0.0) - (counted or 0.0)), 9))
        else:
            line.append(None)
    return line


def _grew(total: float | None, before: float | None, count: float | None, counted: float | None) -> bool:
    """Whether two samples of a sum and a count are of one life of the service, with something between them."""
    if total is None or before is None or count is None or counted is None:
        return False
    return count > counted and total >= before


def _pairs(line: Line) -> Iterable[tuple[float | None, float | None]]:
    return zip(line[1:], line[:-1], strict=True)
