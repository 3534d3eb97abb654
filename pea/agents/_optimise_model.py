"""What of a calendar may be moved, where to, and what each place costs: the schedule as a problem for the solver.

Costs are points: moving an entry costs ``MOVE`` and more per person, day and hour; a person outside their hours costs
``OUTSIDE``; a working day without focus time ``FOCUS``; leaving a conflict as it is ``LEFT``. A priority of 1 to 4
(RFC 5545) makes an entry three times as dear to move or leave, 6 to 9 half; so does a tentative one.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import msgspec

from pea.agents._agenda import Entry
from pea.agents._conflicts import gap_needed
from pea.agents._hours import Diary, working_windows
from pea.agents._optimise_solve import MOST_TASKS, Focus, Problem, Task
from pea.agents._stops import Stop, near
from pea.workspace.places import Place

SLOT = timedelta(minutes=5)
STEP_SLOTS = 3  # what is moved begins at a quarter of an hour
LONGEST = timedelta(hours=4)
MOVE, MOVE_PERSON, MOVE_SERIES, MOVE_DAY, MOVE_HOUR = 10, 4, 5, 4, 1
OUTSIDE, OUTSIDE_OPTIONAL, FOCUS, LEFT = 15, 4, 25, 400

Moves = Literal["mine", "all"]


class Item(NamedTuple):
    """An entry that takes time: who else is in it, and why it stays where it is (empty: it may be moved)."""

    entry: Entry
    people: tuple[Diary, ...]
    priority: int
    stop: Stop | None
    fixed: str


class Blocked(NamedTuple):
    """A range of starts [first, last) that a task cannot have, and why."""

    first: int
    last: int
    why: str


class Model(NamedTuple):
    """The problem, and what is needed to say its solution in words."""

    problem: Problem
    tasks: tuple[Item, ...]
    blocked: tuple[tuple[Blocked, ...], ...]
    fixed: tuple[Item, ...]
    origin: datetime
    left_out: int

    def slot(self, moment: datetime) -> int:
        """The slot in which a moment lies."""
        return (moment - self.origin) // SLOT

    def moment(self, slot: int) -> datetime:
        """When a slot begins."""
        return self.origin + slot * SLOT


def why_fixed(entry: Entry, stop: Stop | None, *, mine: bool, now: datetime, keep: frozenset[str], moves: Moves) -> str:
    """Why an entry stays where it is, in words; empty when it may be moved."""
    if entry.start <= now:
        return "it has begun"
    if stop is not None and stop.journey:
        return "it is a journey"
    if entry.title.casefold() in keep:
        return "you keep it"
    if not mine and moves == "mine":
        return f"{entry.organizer or 'somebody else'} called it"
    if entry.end - entry.start > LONGEST:
        return "it is longer than four hours"
    if entry.end == entry.start or (entry.start.minute % 5 or entry.start.second or entry.start.microsecond):
        return "its times are no multiples of five minutes"
    if not entry.others and entry.location and not entry.is_online:
        return "it is an appointment at a place"
    return ""


def build(
    items: Sequence[Item],
    me: Diary,
    home: Place | None,
    start: datetime,
    end: datetime,
    now: datetime,
    *,
    focus_minutes: int,
    limit_s: float,
) -> Model:
    """The problem of the days between two midnights; at most 60 entries are moved, the ones in conflict first."""
    start = start.astimezone(UTC)  # slots are counted in elapsed time, over changes of the clocks
    fixed = [item for item in items if item.fixed]
    movable = [item for item in items if not item.fixed]
    taken = _Taken(fixed, home, start)
    movable.sort(key=lambda item: (not taken.over(item), item.entry.start))
    tasks = sorted(movable[:MOST_TASKS], key=lambda item: item.entry.start)
    left_out = movable[MOST_TASKS:]
    taken = _Taken([*fixed, *left_out], home, start)
    windows = [(_slot(a, start), _slot(b, start)) for a, b in working_windows(me, max(start, now), end)]
    blocked = [taken.blocked(item) for item in tasks]
    made = [_task(item, me, windows, why, start) for item, why in zip(tasks, blocked, strict=True)]
    gaps = tuple(tuple(_gap(a, b) for b in tasks) for a in tasks)
    focus = _focus(windows, taken.spans, focus_minutes) if focus_minutes else ()
    return Model(
        Problem(tuple(made), gaps, focus, limit_s), tuple(tasks), tuple(blocked), tuple(fixed), start, len(left_out)
    )


class _Taken:
    """The time that fixed entries take, the ways between them and others, and when the user is away from home."""

    def __init__(self, fixed: Iterable[Item], home: Place | None, origin: datetime) -> None:
        self._fixed = sorted(fixed, key=lambda item: item.entry.start)
        self._origin = origin
        self._home = home
        self.spans = tuple((_slot(i.entry.start, origin), _ceil(i.entry.end, origin)) for i in self._fixed)
        self._away = _away(self._fixed, home, origin)

    def over(self, item: Item) -> bool:
        """Whether something fixed overlaps an entry where it is."""
        begin, stop = _slot(item.entry.start, self._origin), _ceil(item.entry.end, self._origin)
        return any(a < stop and b > begin for a, b in self.spans)

    def blocked(self, item: Item) -> tuple[Blocked, ...]:
        """The starts that an entry cannot have, each with its reason, in order."""
        length = _ceil(item.entry.end, self._origin) - _slot(item.entry.start, self._origin)
        found: list[Blocked] = []
        for other, (begin, stop) in zip(self._fixed, self.spans, strict=True):
            found.append(Blocked(begin - length + 1, stop, f"{other.entry.title} is on then ({other.fixed})"))
            before, after = _gap(other, item), _gap(item, other)
            if before:
                found.append(Blocked(stop, stop + before, f"the way from {other.entry.title} takes {5 * before} min"))
            if after:
                first = begin - length - after + 1
                found.append(
                    Blocked(first, begin - length + 1, f"the way to {other.entry.title} takes {5 * after} min")
                )
        if item.stop is not None and self._home is not None and near(item.stop.place, self._home):
            found += self._away
        for person in item.people:
            if not person.optional:
                found += [
                    Blocked(_slot(a, self._origin) - length + 1, _ceil(b, self._origin), f"{person.who} is taken then")
                    for a, b in person.busy
                ]
        return tuple(sorted(found))


def _away(fixed: Sequence[Item], home: Place | None, origin: datetime) -> list[Blocked]:
    """When the user is somewhere else overnight: from a journey's start to the end of the one that leads home."""
    journeys = [item.stop for item in fixed if item.stop is not None and item.stop.journey]
    found: list[Blocked] = []
    since: Stop | None = None
    for stop in journeys:
        if since is not None:
            first, last = _slot(since.entry.start, origin), _ceil(stop.entry.end, origin)
            found.append(Blocked(first, last, f"you are away then ({since.arrival.label})"))
        since = stop if home is not None and not near(stop.arrival, home) else None
    return found


def _task(
    item: Item, me: Diary, windows: Sequence[tuple[int, int]], blocked: Sequence[Blocked], origin: datetime
) -> Task:
    entry = item.entry
    at, until = _slot(entry.start, origin), _ceil(entry.end, origin)
    length = until - at
    closed = _merged(blocked)
    begins = [first for first, _ in closed]

    def free(start: int) -> bool:
        index = bisect.bisect_right(begins, start) - 1
        return index < 0 or start >= closed[index][1]

    starts = {
        s for first, last in windows for s in range(-(-first // STEP_SLOTS) * STEP_SLOTS, last - length + 1, STEP_SLOTS)
    }
    allowed = sorted(s for s in starts | {at} if free(s))
    weight = 3.0 if 1 <= item.priority <= 4 else 0.5 if item.priority > 5 or entry.tentative else 1.0
    costs = [round(_cost(item, me, s, at, origin) * (weight if s != at else 1)) for s in allowed]
    return Task(length, tuple(allowed), tuple(costs), round(LEFT * weight))


def _cost(item: Item, me: Diary, start: int, at: int, origin: datetime) -> float:
    entry = item.entry
    begins = origin + start * SLOT
    ends = begins + lasts(entry)
    cost = float(sum(OUTSIDE_OPTIONAL if p.optional else OUTSIDE for p in item.people if p.away(begins, ends)))
    cost += OUTSIDE * bool(me.away(begins, ends))
    if start == at:
        return cost
    days = abs((begins.astimezone(entry.start.tzinfo).date() - entry.start.date()).days)
    hours = 0 if days else abs(start - at) * SLOT / timedelta(hours=1)
    cost += MOVE + MOVE_PERSON * entry.others + MOVE_SERIES * entry.recurring
    return cost + MOVE_DAY * days + MOVE_HOUR * hours


def lasts(entry: Entry) -> timedelta:
    """How long an entry takes, also over a change of the clocks."""
    return entry.end.astimezone(UTC) - entry.start.astimezone(UTC)


def outside(item: Item, me: Diary, begins: datetime) -> list[str]:
    """Whose hours an entry that begins at a moment would leave, in words."""
    ends = begins.astimezone(UTC) + lasts(item.entry)
    told = [(person.who, person.away(begins, ends)) for person in (me, *item.people)]
    return [f"{who}: {why}" for who, why in told if why]


def _merged(blocked: Iterable[Blocked]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for one in sorted(blocked):
        if one.first >= one.last:
            continue
        if merged and one.first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], one.last))
        else:
            merged.append((one.first, one.last))
    return merged


def _focus(windows: Iterable[tuple[int, int]], spans: Iterable[tuple[int, int]], minutes: int) -> tuple[Focus, ...]:
    slots, spans = -(-minutes // 5), list(spans)
    return tuple(
        Focus(first, last, slots, tuple((a, b) for a, b in spans if a < last and b > first and a < b), FOCUS)
        for first, last in windows
    )


def _gap(before: Item, after: Item) -> int:
    if before.stop is None or after.stop is None or before is after:
        return 0
    return -(-gap_needed(before.stop, after.stop) // 5)


def _slot(moment: datetime, origin: datetime) -> int:
    return (moment - origin) // SLOT


def _ceil(moment: datetime, origin: datetime) -> int:
    return -((origin - moment) // SLOT)


class Change(msgspec.Struct, frozen=True):
    """An entry that is to be moved, and every reason why it cannot, or should not, stay."""

    title: str
    start: datetime
    end: datetime
    new_start: datetime
    new_end: datetime
    people: int
    reasons: tuple[str, ...]
    uid: str
    path: str


def changes(model: Model, starts: Sequence[int | None], me: Diary, freed: Mapping[str, str]) -> list[Change]:
    """The moves of a solution with their reasons; ``freed`` names the focus time on a day, by its ISO date."""
    settled = [
        (item, model.slot(item.entry.start) if start is None else start)
        for item, start in zip(model.tasks, starts, strict=True)
    ]
    found: list[Change] = []
    for index, (item, start) in enumerate(settled):
        at = model.slot(item.entry.start)
        if starts[index] is None or start == at:
            continue
        entry = item.entry
        length = model.problem.tasks[index].slots
        why = [one.why for one in model.blocked[index] if one.first <= at < one.last]
        for number, (other, begin) in enumerate(settled):
            slots, gaps = model.problem.tasks[number].slots, model.problem.gaps
            if number == index:
                continue
            if begin < at + length and begin + slots > at:
                moved = begin != model.slot(other.entry.start)
                why.append(f"{other.entry.title} {'moves there' if moved else 'is on then'}")
            elif begin < at + length + gaps[index][number] and begin + slots + gaps[number][index] > at:
                why.append(f"there is no time for the way to or from {other.entry.title}")
        why += [f"outside working hours ({told})" for told in outside(item, me, entry.start)]
        day = entry.start.date().isoformat()
        if not why and day in freed:
            why.append(f"frees {freed[day]} for focus")
        zone, new = entry.start.tzinfo, model.moment(start)
        found.append(
            Change(
                title=entry.title,
                start=entry.start,
                end=entry.end,
                new_start=new.astimezone(zone),
                new_end=(new + lasts(entry)).astimezone(zone),
                people=entry.others,
                reasons=tuple(dict.fromkeys(why)) or ("the schedule as a whole costs less",),
                uid=entry.uid,
                path=entry.path,
            )
        )
    return found
