"""Meetings against the days and hours of everybody who is invited, by the clock of where each of them is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from pea.agents._culture_days import day_off, weekend
from pea.agents._culture_views import Check, Checked, Trouble
from pea.agents._whereabouts import Whereabouts
from pea.workspace.customs import Customs
from pea.workspace.files import SourceReport
from pea.workspace.places import Place

STEP = timedelta(minutes=30)
MAX_MEETINGS = 500
NIGHT = (time(22), time(6))
# What is a meal is not in the way of one, and an evening's is not after hours by mistake.
_MEAL = re.compile(
    r"\b(?:lunch|breakfast|dinner|supper|reception|mittagessen|frühstück|abendessen|déjeuner|dîner|cena|almuerzo|pranzo)",
    re.IGNORECASE,
)
_WEIGHT = {"holiday": 8, "night": 8, "weekend": 6, "outside hours": 3, "lunch": 1}


class Guest(msgspec.Struct, frozen=True):
    """Somebody invited, and where they are at the time of the meeting."""

    who: str
    email: str
    where: Whereabouts


class Meeting(msgspec.Struct, frozen=True):
    """A meeting with who is known to come; ``place`` is where all of them are when it is not online."""

    title: str
    start: datetime
    end: datetime
    guests: tuple[Guest, ...]
    place: Place | None = None


def trouble_of(guest: Guest, start: datetime, end: datetime, customs: Customs, *, meal: bool = False) -> Trouble | None:
    """What is wrong with a time for somebody: the gravest thing, or nothing. A ``meal`` may be outside office hours."""
    where = guest.where
    zone = ZoneInfo(where.zone)
    begins, ends = start.astimezone(zone), end.astimezone(zone)
    custom, _ = customs.custom(where.country)
    day, severity, reason = begins.date(), "", ""
    off = day_off(day, where.country)
    opens, closes = custom.hours
    if off and not (day.weekday() in weekend(where.country) and off.startswith("a ")):
        severity, reason = "holiday", f"{off} in {where.country}"
    elif begins.time() >= NIGHT[0] or begins.time() < NIGHT[1]:
        severity, reason = "night", f"it is {begins:%H:%M} there"
    elif off:
        severity, reason = "weekend", f"it is {off} there"
    elif meal:
        pass
    elif begins.time() < opens or ends.date() > day or ends.time() > closes:
        severity, reason = (
            "outside hours",
            f"{begins:%H:%M} to {ends:%H:%M}; offices keep {custom.opens} to {custom.closes}",
        )
    elif (quiet := custom.quiet) and begins.time() < quiet[1] and ends.time() > quiet[0]:
        severity, reason = "lunch", f"{begins:%H:%M} to {ends:%H:%M}; lunch is {custom.lunch}"
    if not severity:
        return None
    return Trouble(
        who=guest.who,
        email=guest.email,
        country=where.country,
        local=f"{begins:%a %H:%M}",
        severity=severity,
        reason=reason,
        why_there=where.why,
    )


def check_meeting(meeting: Meeting, me: Guest, customs: Customs) -> Checked | None:
    """The troubles of a meeting's guests and the best other start that day; None when it suits all of them.

    Starts every half hour of the user's own day are tried: the user's hours count as everybody's do. A start is better
    when its weighted troubles are fewer: holiday and night 8, weekend 6, outside hours 3, lunch 1.
    """
    guests = meeting.guests
    if meeting.place is not None:
        there = Whereabouts(meeting.place.country, meeting.place.zone, f"the meeting is in {meeting.place.name}")
        guests = (Guest("everybody", "", there),)
    meal = _MEAL.search(meeting.title) is not None
    troubles = _troubles(guests, meeting.start, meeting.end, customs, meal=meal)
    if not troubles:
        return None
    cost = _cost(troubles)
    length = meeting.end - meeting.start
    day_start = datetime.combine(meeting.start.date(), time(), meeting.start.tzinfo)
    best: tuple[int, float, datetime] | None = None
    for step in range(48):
        start = (day_start.astimezone(UTC) + step * STEP).astimezone(meeting.start.tzinfo)
        if start == meeting.start or start.date() != meeting.start.date():
            continue
        everybody = guests if meeting.place is not None else (*guests, me)
        tried = _cost(_troubles(everybody, start, start + length, customs, meal=meal))
        found = (tried, abs((start - meeting.start).total_seconds()), start)
        best = min(best, found) if best is not None else found
    own = () if meeting.place is not None else (me,)
    now_cost = cost + _cost(_troubles(own, meeting.start, meeting.end, customs, meal=meal))
    better = best[2] if best is not None and best[0] < now_cost else None
    why = "no other time that day troubles fewer: take another day"
    if best is not None and better is not None:
        why = "it suits everybody" if best[0] == 0 else "it troubles fewer"
    return Checked(
        title=meeting.title,
        start=meeting.start,
        end=meeting.end,
        troubles=tuple(sorted(troubles, key=lambda one: -_WEIGHT[one.severity])),
        better=better,
        better_why=why,
    )


def check(
    meetings: Sequence[Meeting],
    me: Guest,
    customs: Customs,
    day: date,
    days: int,
    unplaced: tuple[str, ...],
    report: SourceReport,
    *,
    late: Callable[[], bool] = lambda: False,
) -> Check:
    """All meetings of some days; ``late`` says that the time is up, and what is left is then named."""
    found, done, notes = list[Checked](), 0, list[str]()
    with_guests = [one for one in meetings if one.guests or one.place is not None]
    for meeting in with_guests[:MAX_MEETINGS]:
        if late():
            break
        done += 1
        checked = check_meeting(meeting, me, customs)
        if checked is not None:
            found.append(checked)
    if done < len(with_guests):
        notes.append(f"{len(with_guests) - done} meetings were not checked: ask for fewer days")
    result = Check(
        day=day,
        days=days,
        meetings=len(meetings),
        checked=done,
        found=tuple(found),
        unplaced=unplaced,
        notes=tuple(notes),
        sources=report,
        text="",
    )
    return msgspec.structs.replace(result, text=_text(result))


def _troubles(
    guests: Sequence[Guest], start: datetime, end: datetime, customs: Customs, *, meal: bool
) -> list[Trouble]:
    return [one for guest in guests if (one := trouble_of(guest, start, end, customs, meal=meal)) is not None]


def _cost(troubles: Sequence[Trouble]) -> int:
    return sum(_WEIGHT[one.severity] for one in troubles)


def _text(result: Check) -> str:
    head = f"{result.checked} of {result.meetings} meetings have guests whose whereabouts are known."
    lines = [head if result.found else f"{head} All of them suit everybody."]
    for one in result.found:
        lines += ["", f"{one.start:%a} {one.start.day} {one.start:%b %H:%M} {one.title}"]
        lines += [f"  {t.severity:<14}{t.who}: {t.reason} ({t.why_there})" for t in one.troubles]
        lines.append(f"  → {one.better:%H:%M} instead: {one.better_why}" if one.better else f"  → {one.better_why}")
    if result.unplaced:
        shown = ", ".join(result.unplaced[:5]) + (
            f" and {len(result.unplaced) - 5} more" if len(result.unplaced) > 5 else ""
        )
        lines += ["", f"Nothing tells where they are: {shown}."]
    return "\n".join([*lines, *result.notes])
