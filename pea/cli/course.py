"""What a learned baseline saw and expected, drawn in the terminal: dots over the band that was normal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

ROWS = 9
UNITS = {"s": (1e3, "ms"), "B": (2**-20, "MiB"), "%": (100, "%"), "/s": (1, "/s"), "": (1, "")}
LABEL = 11


def draw(to: Console, course: Mapping[str, Any]) -> None:
    """Print a course as `GET /v1/alerts` gives it; nothing when it is empty."""
    values: Sequence[float] = course["values"]
    if not values:
        return
    low, high = course["low"], course["high"]
    known = [*values, *(one for one in (*low, *high) if one is not None)]
    least, most = min(known), max(known)
    factor, unit = UNITS[course["unit"]]
    to.print(Text(f"{'':>{LABEL}}  {course['about']}; the band is what was expected", "dim"))
    for row in range(ROWS - 1, -1, -1):
        label = f"{(least + (most - least) * row / (ROWS - 1)) * factor:.4g} {unit}" if row in {0, ROWS - 1} else ""
        line = Text(f"{label.strip():>{LABEL}} ", "dim").append("│")
        for value, bottom, top in zip(values, low, high, strict=True):
            line.append(*_cell(row, value, bottom, top, (least, most)))
        to.print(line)
    begin, end = course["at"][0][11:16], course["at"][-1][11:16]
    to.print(
        Text(f"{'':>{LABEL}} └{'─' * len(values)}\n{'':>{LABEL}}  {begin}{end:>{max(len(values) - 5, 6)}} UTC", "dim")
    )


def _cell(row: int, value: float, low: float | None, high: float | None, reach: tuple[float, float]) -> tuple[str, str]:
    """One character and its style."""
    odd = low is not None and high is not None and not low <= value <= high
    if _row(value, reach) == row:
        return ("●", "bold red") if odd else ("•", "")
    if low is not None and high is not None and _row(low, reach) <= row <= _row(high, reach):
        return "░", "green"
    return " ", ""


def _row(value: float, reach: tuple[float, float]) -> int:
    least, most = reach
    return round((value - least) / (most - least) * (ROWS - 1)) if most > least else 0
