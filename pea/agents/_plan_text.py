"""A sheet for a person: its parts under each other, a line per point, evidence below it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from pea import Outcome
from pea.agents import _briefing_words as words
from pea.agents._briefing import Missing
from pea.agents._briefing_parts import why
from pea.agents._plan_views import Part, Point, Sheet
from pea.workspace.files import SourceReport

SHOWN = 12
LINE_CHARS = 160


def sheet(
    kind: str,
    headline: str,
    parts: Iterable[Part],
    outcomes: Mapping[str, Outcome[Any]],
    sources: SourceReport,
    now: datetime,
) -> Sheet:
    """The parts that hold something, put together, with the reason for each that did not come."""
    kept = tuple(part for part in parts if part.points)
    late: dict[str, list[str]] = {}
    for name, outcome in outcomes.items():
        if outcome.error is not None:
            late.setdefault(why(outcome.error), []).append(name.replace("_", " "))
    missing = tuple(Missing(words.sentence(words.both(names)), reason) for reason, names in late.items())
    made = Sheet(kind, words.sentence(headline) + ".", kept, missing, sources, "")
    return msgspec.structs.replace(made, text=_text(made, now))


def part(kind: str, title: str, points: Iterable[Point]) -> Part:
    """A part of the first dozen points; the rest is counted."""
    every = tuple(points)
    return Part(kind, title, every[:SHOWN], len(every) - len(every[:SHOWN]))


def _text(made: Sheet, now: datetime) -> str:
    lines = [made.headline]
    for one in made.parts:
        lines += ["", one.title.upper()]
        for point in one.points:
            lines.append(f"  {_when(point, now)}{words.cut(point.what, LINE_CHARS)}")
            lines += [f"      {words.cut(reason, LINE_CHARS)}" for reason in point.because]
            lines += [f"      → {words.cut(point.advice, LINE_CHARS)}"] if point.advice else []
        if one.more:
            lines.append(f"  … and {one.more} more")
    if made.missing:
        lines += ["", "MISSING", *(f"  {one.part}: {one.reason}" for one in made.missing)]
    return "\n".join([*lines, "", made.sources.text()])


def _when(point: Point, now: datetime) -> str:
    if point.when is None:
        return "- "
    at = point.when.astimezone(now.tzinfo)
    day = "" if at.date() == now.date() else f"{at:%a %d %b} "
    if (at.hour, at.minute) in {(0, 0), (23, 59)}:
        return f"{day or 'today '} " if point.until is None else day
    until = f"\N{EN DASH}{point.until.astimezone(now.tzinfo):%H:%M}" if point.until is not None else ""
    return f"{day}{at:%H:%M}{until}  "
