"""How full days and weeks are: meetings as instants, so that zones and clock changes cannot add or lose an hour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from statistics import median

import msgspec

from pea.agents._wellness_views import Chain, DayLoad, Direction, Line, Stretch, WeekLoad

CHAIN_GAP_MIN = 10  # less between two meetings is no break
CHAIN_LEAST = 3
CHAIN_LONG_MIN = 180
FOCUS_MIN = 90
LUNCH = (time(11, 30), time(14, 30))
LUNCH_MIN = 30
REST_H = 11.0  # a day's rest: Directive 2003/88/EC, article 3
SHARE_HIGH = 0.5
STEADY = 0.05  # of the median, each week: less is no trend
LEAST_WEEKS = 4
THRESHOLDS = {
    "meetings": f"more than {SHARE_HIGH:.0%} of working time",
    "chain": f"{CHAIN_LEAST} meetings or {CHAIN_LONG_MIN} minutes with less than {CHAIN_GAP_MIN} minutes between",
    "focus": f"no free stretch of {FOCUS_MIN} minutes within hours",
    "lunch": f"less than {LUNCH_MIN} free minutes between {LUNCH[0]:%H:%M} and {LUNCH[1]:%H:%M}",
    "rest": f"less than {REST_H:g} hours between two days (Directive 2003/88/EC, article 3)",
}


class Meeting(msgspec.Struct, frozen=True):
    """What takes time in the calendar; ``others`` counts who else is invited, ``mine`` says that the user called it."""

    title: str
    start: datetime
    end: datetime
    others: int = 0
    tentative: bool = False
    mine: bool = False


class Hours(msgspec.Struct, frozen=True):
    """When the user works: opening and closing in their own zone, and why a day is none."""

    opens: time
    closes: time
    zone: tzinfo
    day_off: Callable[[date], str]

    def window(self, day: date) -> tuple[datetime, datetime] | None:
        """A day's working hours; None on a day off."""
        if self.day_off(day):
            return None
        return datetime.combine(day, self.opens, self.zone), datetime.combine(day, self.closes, self.zone)

    def within(self, moment: datetime) -> bool:
        """Whether a moment lies in working hours."""
        local = moment.astimezone(self.zone)
        window = self.window(local.date())
        return window is not None and window[0] <= local < window[1]


def day_load(
    day: date, meetings: Sequence[Meeting], sent: Sequence[datetime], hours: Hours, last_end: datetime | None
) -> DayLoad:
    """One day's load; ``meetings`` and ``sent`` may be of other days too; ``last_end`` ended the day before."""
    midnight = datetime.combine(day, time(), hours.zone)
    next_midnight = datetime.combine(day + timedelta(days=1), time(), hours.zone)
    todays = [one for one in meetings if one.start < next_midnight and one.end > midnight]
    busy = union((max(one.start, midnight), min(one.end, next_midnight)) for one in todays)
    window = hours.window(day)
    within = clip(busy, *window) if window else []
    free = gaps(within, *window) if window else []
    focus = [one for one in free if one.minutes >= FOCUS_MIN]
    chains = tuple(one for one in chains_of(todays) if _is_long(one))
    lunch_at = [datetime.combine(day, at, hours.zone) for at in LUNCH]
    lunch = max((one.minutes for one in gaps(clip(busy, *lunch_at), *lunch_at)), default=0)
    mails = [one for one in sent if midnight <= one < next_midnight]
    firsts = [one.start for one in todays if one.start >= midnight] + mails
    rest = None
    if last_end is not None and firsts:
        rest = round((min(firsts).timestamp() - last_end.timestamp()) / 3600, 2)
    after = minutes(busy) - minutes(within)
    late = [one for one in mails if not hours.within(one)]
    flags = []
    if window and busy and minutes(within) > SHARE_HIGH * _length(window):
        flags.append(f"{minutes(within) / _length(window):.0%} of the day in meetings")
    flags += [f"{one.meetings} meetings in a row, {one.start:%H:%M} to {one.end:%H:%M}" for one in chains]
    if window and busy and not focus:
        flags.append("no time to work undisturbed")
    if window and lunch < LUNCH_MIN:
        flags.append("no time for lunch")
    if rest is not None and rest < REST_H:
        flags.append(f"{rest:.1f} hours of rest before it")
    if not window and busy:
        flags.append(f"meetings although it is {hours.day_off(day)}")
    return DayLoad(
        day=day,
        off=hours.day_off(day),
        meetings=len(todays),
        meeting_minutes=minutes(busy),
        after_hours_minutes=after,
        chains=chains,
        focus=tuple(focus),
        focus_minutes=sum(one.minutes for one in focus),
        lunch_minutes=lunch,
        rest_h=rest,
        mails_after_hours=len(late),
        flags=tuple(flags),
    )


def week_load(monday: date, meetings: Sequence[Meeting], sent: Sequence[datetime], hours: Hours) -> WeekLoad:
    """Seven days from a Monday."""
    days, last = list[DayLoad](), _end_of(monday - timedelta(days=1), meetings, sent, hours.zone)
    for ahead in range(7):
        day = monday + timedelta(days=ahead)
        days.append(day_load(day, meetings, sent, hours, last))
        last = _end_of(day, meetings, sent, hours.zone)
    working = sum(_length(window) for one in days if (window := hours.window(one.day)))
    within = sum(one.meeting_minutes - one.after_hours_minutes for one in days)
    chains = [chain for one in days for chain in one.chains]
    share = within / working if working else 0.0
    short = sum(one.rest_h is not None and one.rest_h < REST_H for one in days)
    flags = [f"{share:.0%} of working time in meetings"] if share > SHARE_HIGH else []
    flags += [f"{short} short rests"] if short else []
    return WeekLoad(
        monday=monday,
        days=tuple(days),
        meetings=sum(one.meetings for one in days),
        meeting_hours=round(sum(one.meeting_minutes for one in days) / 60, 2),
        share=round(share, 4),
        focus_hours=round(sum(one.focus_minutes for one in days) / 60, 2),
        after_hours=round(sum(one.after_hours_minutes for one in days) / 60, 2),
        longest_chain=max(chains, key=lambda one: one.end.timestamp() - one.start.timestamp(), default=None),
        days_without_lunch=sum(not one.off and one.lunch_minutes < LUNCH_MIN for one in days),
        short_rests=short,
        mails_after_hours=sum(one.mails_after_hours for one in days),
        flags=tuple(flags),
    )


def line(name: str, values: Sequence[float], *, more_is: str = "heavier") -> Line:
    """A figure's course over weeks by the Theil-Sen slope (Sen, JASA 63, 1968): the median of all pairs' slopes."""
    middle = median(values) if values else 0.0
    slopes = [(values[b] - values[a]) / (b - a) for a in range(len(values)) for b in range(a + 1, len(values))]
    slope = median(slopes) if slopes else 0.0
    direction: Direction = "steady"
    # A figure that is mostly nothing has no median to measure a slope by: then its mean serves.
    scale = middle or (sum(values) / len(values) if values else 0.0)
    if len(values) < LEAST_WEEKS:
        direction = "too little to tell"
    elif scale and abs(slope) > STEADY * scale:
        direction = "heavier" if (slope > 0) == (more_is == "heavier") else "lighter"
    why = f"{slope:+.2f} a week beside a median of {middle:.2f} over {len(values)} weeks"
    return Line(
        name=name,
        values=tuple(round(value, 2) for value in values),
        median=round(middle, 2),
        per_week=round(slope, 3),
        direction=direction,
        why=why,
    )


def union(stretches: Iterable[tuple[datetime, datetime]]) -> list[Stretch]:
    """Stretches that overlap or touch as one, by instants."""
    found: list[Stretch] = []
    for start, end in sorted(stretches, key=lambda pair: pair[0].timestamp()):
        if end.timestamp() <= start.timestamp():
            continue
        if found and start.timestamp() <= found[-1].end.timestamp():
            if end.timestamp() > found[-1].end.timestamp():
                found[-1] = Stretch(found[-1].start, end)
        else:
            found.append(Stretch(start, end))
    return found


def clip(busy: Sequence[Stretch], start: datetime, end: datetime) -> list[Stretch]:
    """The parts within a window."""
    cut = ((max(one.start, start, key=_at), min(one.end, end, key=_at)) for one in busy)
    return [Stretch(a, b) for a, b in cut if a.timestamp() < b.timestamp()]


def gaps(busy: Sequence[Stretch], start: datetime, end: datetime) -> list[Stretch]:
    """What is free in a window around stretches that lie in it, in order."""
    found, at = list[Stretch](), start
    for one in busy:
        if one.start.timestamp() > at.timestamp():
            found.append(Stretch(at, one.start))
        at = max(at, one.end, key=_at)
    return [*found, Stretch(at, end)] if at.timestamp() < end.timestamp() else found


def minutes(stretches: Iterable[Stretch]) -> int:
    """Their length together."""
    return sum(one.minutes for one in stretches)


def chains_of(meetings: Sequence[Meeting]) -> list[Chain]:
    """Runs of meetings that begin less than ten minutes after another has ended."""
    found: list[list[Meeting]] = []
    latest = float("-inf")
    for one in sorted(meetings, key=lambda m: (m.start.timestamp(), m.end.timestamp())):
        if found and one.start.timestamp() - latest < 60 * CHAIN_GAP_MIN:
            found[-1].append(one)
        else:
            found.append([one])
            latest = float("-inf")
        latest = max(latest, one.end.timestamp())
    return [
        Chain(run[0].start, max((m.end for m in run), key=_at), len(run), tuple(m.title for m in run)) for run in found
    ]


def _is_long(chain: Chain) -> bool:
    took = (chain.end.timestamp() - chain.start.timestamp()) / 60
    return chain.meetings >= CHAIN_LEAST or (chain.meetings > 1 and took >= CHAIN_LONG_MIN)


def _end_of(day: date, meetings: Sequence[Meeting], sent: Sequence[datetime], zone: tzinfo) -> datetime | None:
    """When the last thing of a day ended."""
    ends = [one.end for one in meetings if one.end.astimezone(zone).date() == day]
    ends += [one for one in sent if one.astimezone(zone).date() == day]
    return max(ends, key=_at, default=None)


def _length(window: tuple[datetime, datetime]) -> float:
    return (window[1].timestamp() - window[0].timestamp()) / 60


def _at(moment: datetime) -> float:
    return moment.astimezone(UTC).timestamp()
