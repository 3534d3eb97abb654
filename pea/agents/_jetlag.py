"""A plan against jet lag, worked out from the clocks alone.

Method: the body clock moves about 1 hour a day to an earlier and 1.5 hours to a later time, so a journey of more than
8 hours to the east is taken as one to the west. Light after the low point of body temperature, about 3 hours before
the usual time of getting up, moves it earlier, light before moves it later. For stays of less than 3 days, or less
than 3 hours' difference, home time is kept. It is a rule of thumb for healthy people and no medical advice;
docs/agents/travel.md says of each figure where it is from, and which were not looked up.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Literal

import msgspec

LEAST_HOURS, LEAST_DAYS = 3.0, 3
EARLIER_PER_DAY, LATER_PER_DAY = 1.0, 1.5
MOST_EARLIER = 8.0
LOW_POINT = 3.0  # hours before getting up
LIGHT = 3.0  # hours of light sought or avoided on either side of the low point
MOST_DAYS = 14


class JetLagDay(msgspec.Struct, frozen=True):
    """One day at the destination, by its clocks: when to sleep, when to be in bright light and when to keep out of it.

    ``off`` is how many hours the body is still away from the local time.
    """

    day: date
    sleep: str
    seek_light: str
    avoid_light: str
    off: float


class JetLag(msgspec.Struct, frozen=True):
    """A stay somewhere with other clocks: what to do there day by day, or why nothing needs to be done."""

    place: str
    arrive: datetime
    leave: datetime | None
    hours: float
    direction: Literal["earlier", "later", "none"]
    advice: str
    days: tuple[JetLagDay, ...]


def stay(place: str, arrive: datetime, leave: datetime | None, hours: float, sleep: tuple[time, time]) -> JetLag:
    """The plan of one stay; ``hours`` is how far its clocks are ahead of the body's, ``sleep`` the usual night."""
    lasts = None if leave is None else (leave.date() - arrive.date()).days
    if abs(hours) < LEAST_HOURS:
        advice = f"{abs(hours):g} h of difference: sleep by the clocks there, nothing else is needed"
        return JetLag(place, arrive, leave, hours, "none", advice, ())
    if lasts is not None and lasts < LEAST_DAYS:
        advice = f"a stay of {lasts} {'day' if lasts == 1 else 'days'}: keep to your own time as far as you can"
        return JetLag(place, arrive, leave, hours, "none", advice, ())
    earlier = 0 < hours <= MOST_EARLIER
    # The body is `off` hours behind the place (positive) when its clock has to move earlier.
    off = hours if earlier else (hours - 24 if hours > 0 else hours)
    speed = EARLIER_PER_DAY if earlier else LATER_PER_DAY
    count = min(MOST_DAYS, lasts if lasts is not None else MOST_DAYS)
    days: list[JetLagDay] = []
    for number in range(count):
        left = max(0.0, abs(off) - speed * number)
        if number and left == 0:
            break
        days.append(_day(arrive.date() + timedelta(days=number), left if earlier else -left, sleep, earlier=earlier))
    nights = -(-abs(off) // speed)
    advice = (
        f"your clock has to go {abs(off):g} h {'earlier' if earlier else 'later'}: about {nights:.0f} days, "
        f"by light at the right hours"
    )
    return JetLag(place, arrive, leave, hours, "earlier" if earlier else "later", advice, tuple(days))


def _day(day: date, off: float, sleep: tuple[time, time], *, earlier: bool) -> JetLagDay:
    """The hours of one day: the body's night, ``off`` hours late by the local clock, moved as far as it has come."""
    bed, wake = (_hours(moment) + off for moment in sleep)
    low = wake - LOW_POINT
    after, before = (low, low + LIGHT), (low - LIGHT, low)
    seek, avoid = (after, before) if earlier else (before, after)
    return JetLagDay(day, _span(bed, wake), _span(*seek), _span(*avoid), round(off, 1))


def _hours(moment: time) -> float:
    return moment.hour + moment.minute / 60


def _span(start: float, end: float) -> str:
    return f"{_clock(start)}\N{EN DASH}{_clock(end)}"


def _clock(hours: float) -> str:
    minutes = round(hours * 60) % 1440
    return f"{minutes // 60:02}:{minutes % 60:02}"


def jetlag_text(stays: Iterable[JetLag]) -> str:
    """The plans for a person."""
    lines: list[str] = []
    for one in stays:
        lines += [
            *([""] if lines else []),
            f"{one.place}, from {one.arrive:%a %d %b} ({one.hours:+g} h): {one.advice}.",
        ]
        lines += [
            f"  {d.day:%a %d %b}  sleep {d.sleep}, seek light {d.seek_light}, avoid light {d.avoid_light}"
            for d in one.days
        ]
    return "\n".join(lines) or "Nowhere do the clocks differ by three hours or more."
