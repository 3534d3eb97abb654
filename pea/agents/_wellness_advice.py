"""What would lighten the days ahead, each suggestion with the minutes it gains."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from pea.agents._wellness_load import FOCUS_MIN, LUNCH_MIN, Hours, Meeting, day_load
from pea.agents._wellness_views import DayLoad, Kind, Suggestion

SHORTER = ((55, 70, 10), (25, 35, 5))  # meetings of 55 to 70 minutes end ten earlier, of 25 to 35 five
LATE_MIN = 30  # less outside of hours is nothing to ask about
MOST = 12


def suggest(
    first: date, days: int, meetings: Sequence[Meeting], hours: Hours, now: datetime
) -> tuple[list[Suggestion], float, float]:
    """Suggestions, and the hours of focus that there are before and after those that make room for it."""
    found: list[Suggestion] = []
    before = after = 0.0
    for ahead in range(days):
        day = first + timedelta(days=ahead)
        load = day_load(day, meetings, (), hours, None)
        before += load.focus_minutes
        gained = 0
        todays = [one for one in meetings if one.start.date() == day]
        if not load.off:
            moved = _best_to_leave(load, todays, meetings, hours, now)
            gained = moved.minutes if moved is not None else 0
            found += filter(None, (_protect(load, now), moved, _lunch(load, todays, hours)))
        found += _shorten(load, todays)
        found += filter(None, (_evening(load, todays, hours),))
        after += load.focus_minutes + gained
    found.sort(key=lambda one: (-one.minutes, one.day, one.kind))
    return found[:MOST], round(before / 60, 2), round(after / 60, 2)


def _protect(load: DayLoad, now: datetime) -> Suggestion | None:
    """Block the longest free stretch before somebody else does."""
    coming = [one for one in load.focus if one.end > now]
    if not coming or load.meetings < 2:
        return None
    best = max(coming, key=lambda one: one.minutes)
    length = min(best.minutes, 180)
    return Suggestion(
        kind="focus",
        what=f"block {best.start:%H:%M} to {best.start + timedelta(minutes=length):%H:%M} for work undisturbed",
        day=load.day,
        start=best.start,
        minutes=length,
        effect=f"keeps {length} minutes that are free now",
        how="the longest free stretch of the day, three hours at most",
    )


def _best_to_leave(
    load: DayLoad, todays: Sequence[Meeting], meetings: Sequence[Meeting], hours: Hours, now: datetime
) -> Suggestion | None:
    """The one meeting not yet confirmed, or of the user's own, without which most focus time would come."""
    best: tuple[int, Meeting] | None = None
    for one in todays:
        if one.start <= now or not (one.tentative or one.mine) or not one.others:
            continue
        without = day_load(load.day, [m for m in meetings if m is not one], (), hours, None)
        gained = without.focus_minutes - load.focus_minutes
        if gained > 0 and (best is None or gained > best[0]):
            best = (gained, one)
    if best is None:
        return None
    gained, one = best
    why = "you have not confirmed it" if one.tentative else "you called it"
    return _about(
        one,
        "decline",
        f"move or leave out “{one.title}” at {one.start:%H:%M} ({why})",
        gained,
        f"{gained} minutes more in stretches of {FOCUS_MIN} minutes",
        "the day without it, against the day with it",
    )


def _shorten(load: DayLoad, todays: Sequence[Meeting]) -> list[Suggestion]:
    """Meetings in a row that end early give a break each."""
    found = []
    for chain in load.chains:
        run = [one for one in todays if chain.start <= one.start < chain.end]
        gained = sum(cut for one in run[:-1] for least, most, cut in SHORTER if least <= _minutes(one) <= most)
        if gained:
            found.append(
                Suggestion(
                    kind="shorten",
                    what=f"end the meetings between {chain.start:%H:%M} and {chain.end:%H:%M} early (25 or 50 minutes)",
                    day=load.day,
                    start=chain.start,
                    minutes=gained,
                    effect=f"{gained} minutes of breaks in a row of {chain.meetings} meetings",
                    how="ten minutes of each hour and five of each half hour, but for the last",
                )
            )
    return found


def _lunch(load: DayLoad, todays: Sequence[Meeting], hours: Hours) -> Suggestion | None:
    around = [one for one in todays if 11 <= one.start.astimezone(hours.zone).hour < 14]
    if load.lunch_minutes >= LUNCH_MIN or not around:
        return None
    one = min(around, key=_minutes)
    return _about(
        one,
        "lunch",
        f"move “{one.title}” at {one.start:%H:%M} by half an hour",
        LUNCH_MIN,
        f"{LUNCH_MIN} minutes for lunch instead of {load.lunch_minutes}",
        "the shortest meeting around noon",
    )


def _evening(load: DayLoad, todays: Sequence[Meeting], hours: Hours) -> Suggestion | None:
    late = [one for one in todays if not hours.within(one.start) and one.others]
    if load.after_hours_minutes < LATE_MIN or not late:
        return None
    one = max(late, key=_minutes)
    length = round(_minutes(one))
    return _about(
        one,
        "evening",
        f"ask whether “{one.title}” at {one.start:%H:%M} can be within hours",
        length,
        f"{length} minutes fewer outside of your hours",
        "the longest meeting of that day outside of hours",
    )


def _about(one: Meeting, kind: Kind, what: str, minutes: int, effect: str, how: str) -> Suggestion:
    """A suggestion about a meeting."""
    return Suggestion(
        kind=kind, what=what, day=one.start.date(), start=one.start, minutes=minutes, effect=effect, how=how
    )


def _minutes(one: Meeting) -> float:
    return (one.end.timestamp() - one.start.timestamp()) / 60
