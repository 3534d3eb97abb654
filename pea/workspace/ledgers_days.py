"""Dates of a statement's column: one order of day, month and year is found that fits every row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from pea.workspace.ledgers_entries import usable
from pea.workspace.text import find_dates

_THREE = re.compile(r"^\s*(\d{1,4})[-/. ]\s?(\d{1,2})[-/. ]\s?(\d{1,4})(?:[T ,]+\d{1,2}[:.]\d\d.*)?\s*$")
_SOLID = re.compile(r"^\s*(\d{4})(\d\d)(\d\d)(?:\d{4,6})?\s*$")
ORDERS = ("ymd", "dmy", "mdy")
_SAID = {"ymd": "year-month-day", "dmy": "day-month-year", "mdy": "month-day-year", "words": "months are words"}


class Order(msgspec.Struct, frozen=True):
    """How a column writes its dates, and why that is believed; ``sure`` when no other order fits every row."""

    order: str
    reason: str
    sure: bool


def read_day(text: str, order: str) -> date | None:
    """A day written in this order; None when the text is none."""
    if order == "words":
        moment = next(find_dates(text[:60]), None)
        return moment.day if moment is not None and not moment.assumed and usable(moment.day) else None
    match = _THREE.match(text[:40])
    if match is None:
        match = _SOLID.match(text[:40]) if order == "ymd" else None
        if match is None:
            return None
    part = dict(zip(order, match.groups(), strict=True))
    if len(part["y"]) not in (2, 4) or len(part["d"]) > 2 or len(part["m"]) > 2:
        return None
    year = int(part["y"])
    # POSIX: 69 to 99 are of the last century.
    year += 0 if len(part["y"]) == 4 else 2000 if year < 69 else 1900
    try:
        day = date(year, int(part["m"]), int(part["d"]))
    except ValueError:
        return None
    return day if usable(day) else None


def is_day(text: str) -> bool:
    """Whether a cell looks like a date in any order."""
    return any(read_day(text, order) for order in ORDERS) or (
        any(c.isalpha() for c in text) and len(text) < 40 and read_day(text, "words") is not None
    )


def order_of(texts: Iterable[str], *, month_first: bool | None = None) -> Order | None:
    """The order that fits a column best; None when none fits half of it.

    Where both orders of day and month fit all rows, the one that leaves them sorted is taken, then ``month_first``
    (what else the file gives away), then the day first.
    """
    cells = [text for text in texts if text.strip()]
    read: dict[str, list[date]] = {}
    for order in (*ORDERS, "words"):
        days = [day for cell in cells if (day := read_day(cell, order))]
        if days and len(days) * 2 >= len(cells):
            read[order] = days
    if not read:
        return None
    most = max(map(len, read.values()))
    best = [order for order, days in read.items() if len(days) == most]
    if len(best) == 1 or (best[0] == "ymd" and all(re.match(r"\s*\d{4}", cell) for cell in cells)):
        return Order(best[0], f"dates are {_SAID[best[0]]}: no other order fits them all", sure=True)
    numbers = [order for order in best if order in ("dmy", "mdy")] or best
    if "dmy" in best and all("." in cell for cell in cells):  # no country writes the month first and points after it
        return Order("dmy", f"dates are {_SAID['dmy']}, as points between them say", sure=True)
    ordered = [order for order in numbers if _sorted(read[order])]
    if len(ordered) == 1 and len(set(read[ordered[0]])) > 2:
        return Order(ordered[0], f"dates are {_SAID[ordered[0]]}: read so, the rows are in order", sure=True)
    if len({tuple(read[order]) for order in numbers}) == 1:
        return Order(numbers[0], f"dates are {_SAID[numbers[0]]}", sure=True)
    chosen = "mdy" if month_first and "mdy" in numbers else "dmy" if "dmy" in numbers else numbers[0]
    why = "as its currency and decimal mark suggest" if month_first is not None else "nothing tells"
    return Order(chosen, f"dates could be read in two ways; {_SAID[chosen]} is assumed ({why})", sure=False)


def _sorted(days: Sequence[date]) -> bool:
    return list(days) in (sorted(days), sorted(days, reverse=True))
