"""Times at which several people can meet, the least inconvenient first, each with what it costs whom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from pea.agents._agenda import heading
from pea.agents._hours import Diary
from pea.workspace.files import Refusal, SourceReport

STEP = timedelta(minutes=15)
NIGHT = (timedelta(hours=7), timedelta(hours=22))  # outside of these nobody is asked to meet
OPTIONAL_SHARE = 0.25  # what an optional person's inconvenience counts beside a required one's


class Local(msgspec.Struct, frozen=True):
    """A slot by one person's clocks; ``why`` is what is inconvenient about it, empty when nothing is."""

    who: str
    start: datetime
    end: datetime
    why: str = ""


class Meet(msgspec.Struct, frozen=True):
    """A time to meet in the user's zone; ``cost`` adds up the hours outside people's working time, 0 is best."""

    start: datetime
    end: datetime
    cost: float
    people: tuple[Local, ...]


class Slots(msgspec.Struct, frozen=True):
    """The times found, best first; ``blocked`` counts the starts that fell away by reason."""

    minutes: int
    slots: tuple[Meet, ...]
    tried: int
    blocked: dict[str, int]
    assumed: tuple[str, ...]
    notes: tuple[Refusal, ...]
    sources: SourceReport
    text: str


def slots_of(
    diaries: Sequence[Diary],
    optional_busy: Sequence[tuple[datetime, datetime]],
    start: datetime,
    end: datetime,
    *,
    minutes: int,
    count: int,
) -> tuple[list[Meet], int, dict[str, int]]:
    """The ``count`` best times between two moments, how many were tried, and why the others fell away.

    A start falls away when somebody required is taken, when it is night for somebody (before 7 or after 22), or when
    nobody works that day. Costs: for each person who would not be working an hour and the hours outside their working
    time, a quarter of it for an optional one; times at which the user has something tentative cost half an hour. Of
    equal cost the earlier is better; the answer's slots do not overlap.
    """
    blocked: dict[str, int] = {}
    found: list[Meet] = []
    length, tried = timedelta(minutes=minutes), 0
    at = _next_step(start)
    while at + length <= end:
        tried += 1
        until = at + length
        reason, cost, people = _weighed(diaries, at, until)
        if reason:
            blocked[reason] = blocked.get(reason, 0) + 1
        else:
            cost += 0.5 * any(a < until and b > at for a, b in optional_busy)
            zone = start.tzinfo
            found.append(Meet(at.astimezone(zone), until.astimezone(zone), round(cost, 2), tuple(people)))
        at += STEP
    found.sort(key=lambda meet: (meet.cost, meet.start))
    chosen: list[Meet] = []
    for meet in found:
        if all(meet.end <= other.start or meet.start >= other.end for other in chosen):
            chosen.append(meet)
            if len(chosen) == count:
                break
    return chosen, tried, blocked


def _next_step(start: datetime) -> datetime:
    moment = start.astimezone(UTC)
    over = (moment - datetime(2000, 1, 1, tzinfo=UTC)) % STEP
    return moment if not over else moment + STEP - over


def _weighed(diaries: Sequence[Diary], at: datetime, until: datetime) -> tuple[str, float, list[Local]]:
    cost, people, resting = 0.0, list[Local](), 0
    for diary in diaries:
        zone = ZoneInfo(diary.zone)
        begins, ends = at.astimezone(zone), until.astimezone(zone)
        if diary.taken(at, until):
            if not diary.optional:
                return "you are taken" if diary.who == "you" else f"{diary.who} is taken", 0.0, []
            people.append(Local(diary.who, begins, ends, "taken"))
            cost += OPTIONAL_SHARE * 8
            continue
        why = diary.away(at, until)
        if why:
            midnight = begins.replace(hour=0, minute=0, second=0, microsecond=0)
            if not diary.optional and not midnight + NIGHT[0] <= begins < ends <= midnight + NIGHT[1]:
                return f"it is night for {diary.who}", 0.0, []
            outside = _outside_hours(diary, begins, ends)
            resting += outside is None
            cost += (1.0 + (outside or 0.0)) * (OPTIONAL_SHARE if diary.optional else 1.0)
        people.append(Local(diary.who, begins, ends, why))
    if resting == len(diaries):
        return "nobody works then", 0.0, []
    return "", cost, people


def _outside_hours(diary: Diary, begins: datetime, ends: datetime) -> float | None:
    """How many hours a slot lies outside working hours; None on a day off."""
    opens = begins.replace(hour=diary.opens.hour, minute=diary.opens.minute)
    closes = begins.replace(hour=diary.closes.hour, minute=diary.closes.minute)
    outside = max(timedelta(), opens - begins) + max(timedelta(), ends - closes)
    return outside.total_seconds() / 3600 if outside else None


def slots_text(slots: Slots) -> str:
    """The times found, for a person."""
    lines: list[str] = []
    for number, meet in enumerate(slots.slots, 1):
        lines.append(f"{number}. {heading(meet.start.date())}, {meet.start:%H:%M}\N{EN DASH}{meet.end:%H:%M}")
        for local in meet.people:
            other = "" if local.start.date() == meet.start.date() else f" ({local.start:%a})"
            when = f"{local.start:%H:%M}\N{EN DASH}{local.end:%H:%M}{other}"
            lines.append(f"   {local.who}: {when}" + (f" ! {local.why}" if local.why else ""))
    if not slots.slots:
        lines.append(f"No time of {slots.minutes} minutes suits everybody.")
    if slots.blocked:
        least = sorted(slots.blocked.items(), key=lambda one: -one[1])[:5]
        lines.append(f"Of {slots.tried} starts, fell away: " + ", ".join(f"{n} ({why})" for why, n in least))
    return "\n".join([*lines, *(f"Note: {one}." for one in slots.assumed), slots.sources.text()])
