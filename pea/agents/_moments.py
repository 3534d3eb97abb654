"""Days, moments and hours as a capability's arguments name them, in the user's zone."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated

import msgspec

from pea import Context, InputError

FIRST_YEAR, LAST_YEAR = 2, 9990

# As people write them: a time of day without seconds, a moment with or without a zone.
Clock = Annotated[str, msgspec.Meta(pattern=r"^([01]?[0-9]|2[0-3]):[0-5][0-9]$", examples=["09:00"])]
Moment = Annotated[str, msgspec.Meta(max_length=40, examples=["2026-05-12T09:00", "2026-05-12T09:00+02:00"])]


def span(ctx: Context, day: date, days: int) -> tuple[datetime, datetime]:
    """From midnight to midnight, in the user's zone."""
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise InputError(f"a day in the years {FIRST_YEAR} to {LAST_YEAR} is expected, not {day}", where="day")
    zone = ctx.settings.zone
    return datetime.combine(day, time(), zone), datetime.combine(day + timedelta(days=days), time(), zone)


def moments(ctx: Context, start: str | None, end: str | None, day: date | None, days: int) -> tuple[datetime, datetime]:
    """The moments between which is looked, in the user's zone: those given, or midnights."""
    if start is None and end is None:
        return span(ctx, ctx.now().date() if day is None else day, days)
    if start is None or end is None:
        raise InputError("start and end go together", where="end" if end is None else "start", fix="give both")
    begins, ends = moment(ctx, "start", start), moment(ctx, "end", end)
    if not timedelta() < ends - begins <= timedelta(days=366):
        raise InputError("must be after start, by at most 366 days", where="end")
    return begins, ends


def moment(ctx: Context, name: str, text: str, years: tuple[int, int] = (FIRST_YEAR, LAST_YEAR)) -> datetime:
    """The moment that the argument ``name`` gives, in the user's zone. Raises InputError, also beyond the ``years``."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is not a moment", where=name, fix="write 2026-05-12T09:00") from None
    if not years[0] <= read.year <= years[1]:
        raise InputError(f"a moment in the years {years[0]} to {years[1]} is expected", where=name)
    zone = ctx.settings.zone
    return read.replace(tzinfo=zone) if read.tzinfo is None else read.astimezone(zone)


def working_hours(opens: str, closes: str) -> tuple[time, time]:
    """When a day's work begins and ends. Raises InputError when it ends first."""
    begins, ends = (time.fromisoformat(text.zfill(5)) for text in (opens, closes))
    if begins >= ends:
        raise InputError("must be later than opens", where="closes", fix="write for example opens=09:00 closes=18:00")
    return begins, ends
