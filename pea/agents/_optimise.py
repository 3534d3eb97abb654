"""An optimised schedule as data and in words: what to move where and why, what stays in conflict, what it gains."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from typing import Literal

import msgspec

from pea import MissingExtra
from pea.agents import _conflicts
from pea.agents._agenda import Entry, heading
from pea.agents._hours import Diary
from pea.agents._optimise_model import Change, Item, Model, Moves, build, changes, why_fixed
from pea.agents._optimise_solve import Solution
from pea.agents._stops import stops_of
from pea.workspace.calendars import Event
from pea.workspace.files import Refusal, SourceReport
from pea.workspace.places import find

KEPT_SHOWN = 50


class Left(msgspec.Struct, frozen=True):
    """An entry for which no place was found: it stays where it is, in conflict."""

    title: str
    start: datetime
    reasons: tuple[str, ...]


class Kept(msgspec.Struct, frozen=True):
    """An entry that was not to be moved, and why."""

    title: str
    start: datetime
    why: str


class FocusTime(msgspec.Struct, frozen=True):
    """A stretch of a working day that nothing takes; ``gained`` when only the moves make room for it."""

    start: datetime
    end: datetime
    gained: bool


class Optimised(msgspec.Struct, frozen=True):
    """What to move, in order of time.

    ``status`` is ``optimal``, or ``feasible`` when the time ran out first; ``cost`` is the schedule's, ``cost_now``
    that of changing nothing and ``bound`` what any costs at least. ``conflicts_before`` and ``conflicts_after`` count
    what `calendar.conflicts` finds, hours left aside.
    """

    day: date
    days: int
    moves: tuple[Change, ...]
    left: tuple[Left, ...]
    kept: tuple[Kept, ...]
    focus: tuple[FocusTime, ...]
    conflicts_before: int
    conflicts_after: int
    status: Literal["optimal", "feasible"]
    cost: int
    cost_now: int
    bound: int
    solved_s: float
    assumed: tuple[str, ...]
    notes: tuple[Refusal, ...]
    sources: SourceReport
    text: str


class Asked(msgspec.Struct, frozen=True):
    """What is to be optimised: the days, the user, and their wishes."""

    day: date
    days: int
    start: datetime
    end: datetime
    now: datetime
    me: Diary
    emails: frozenset[str]
    home: str
    country: str
    moves: Moves
    keep: frozenset[str]
    focus_minutes: int
    limit_s: float


def require_solver() -> None:
    """Raise MissingExtra, with what to install, when the solver is not there; it is never loaded in this process."""
    if importlib.util.find_spec("ortools") is None:
        raise MissingExtra("calendar.optimise needs ortools", fix="pip install 'pea[optimise]'")


def model_of(asked: Asked, entries: Sequence[Entry], events: Sequence[Event], diaries: dict[str, Diary]) -> Model:
    """The problem of some days; ``events`` are those of ``entries``, ``diaries`` the other people's by address."""
    home = find(asked.home, country=asked.country) if asked.home else None
    stops = {id(stop.entry): stop for stop in stops_of(entries, home, asked.country)}
    items: list[Item] = []
    for entry, event in zip(entries, events, strict=True):
        if entry.all_day or not entry.busy:
            continue
        people = tuple(
            msgspec.structs.replace(diaries[a.email], optional=a.optional) if a.optional else diaries[a.email]
            for a in event.attendees
            if a.email in diaries and not a.room
        )
        organizer = event.organizer.email if event.organizer is not None else ""
        mine = not organizer or organizer in asked.emails
        stop = stops.get(id(entry))
        fixed = why_fixed(entry, stop, mine=mine, now=asked.now, keep=asked.keep, moves=asked.moves)
        items.append(Item(entry, people, event.priority, stop, fixed))
    return build(
        items, asked.me, home, asked.start, asked.end, asked.now,
        focus_minutes=asked.focus_minutes, limit_s=asked.limit_s,
    )  # fmt: skip


def answer_of(
    asked: Asked,
    entries: Sequence[Entry],
    model: Model,
    solution: Solution,
    notes: tuple[Refusal, ...],
    sources: SourceReport,
    assumed: Iterable[str],
) -> Optimised:
    """A solution in words and figures."""
    now_at = [model.slot(item.entry.start) for item in model.tasks]
    focus = _focus(model, solution, now_at)
    freed = {f.start.date().isoformat(): f"{asked.focus_minutes} minutes" for f in focus if f.gained}
    moves = changes(model, solution.starts, asked.me, freed)
    left = tuple(
        Left(item.entry.title, item.entry.start, _why_left(model, index, now_at))
        for index, (item, start) in enumerate(zip(model.tasks, solution.starts, strict=True))
        if start is None
    )
    kept = tuple(Kept(item.entry.title, item.entry.start, item.fixed) for item in model.fixed[:KEPT_SHOWN])
    moved = {(move.uid, move.start): move for move in moves}
    after = [_moved(entry, moved) for entry in entries]
    result = Optimised(
        asked.day, asked.days, tuple(moves), left, kept, focus,
        _count(entries, asked), _count(after, asked), solution.status, solution.cost, _cost_now(model, now_at),
        solution.bound, round(solution.seconds, 3), tuple(assumed), notes, sources, "",
    )  # fmt: skip
    return msgspec.structs.replace(result, text=text_of(result, model.left_out))


def _moved(entry: Entry, moved: dict[tuple[str, datetime], Change]) -> Entry:
    change = moved.get((entry.uid, entry.start))
    if change is None:
        return entry
    first, last = change.new_start.date(), change.new_end.date()
    return msgspec.structs.replace(entry, start=change.new_start, end=change.new_end, first_day=first, last_day=last)


def _count(entries: Iterable[Entry], asked: Asked) -> int:
    entries = sorted(entries, key=lambda e: e.start)
    home = find(asked.home, country=asked.country) if asked.home else None
    found = _conflicts.conflicts_of(
        entries, stops_of(entries, home, asked.country), opens=time.min, closes=time.max, country=asked.country
    )
    return sum(conflict.kind in ("overlap", "travel") for conflict in found)


def _cost_now(model: Model, now_at: Sequence[int]) -> int:
    """What it costs to change nothing: entries in conflict count as left, working days without room for focus too."""
    cost = 0
    for index, (task, at) in enumerate(zip(model.problem.tasks, now_at, strict=True)):
        clash = at not in task.starts or any(
            other != index and _meets(model, index, at, other, now_at[other]) for other in range(len(now_at))
        )
        cost += task.unplaced if clash else task.costs[task.starts.index(at)]
    return cost + sum(
        day.worth
        for day in model.problem.focus
        if _room(model, day.start, day.end, day.slots, day.taken, now_at) is None
    )


def _meets(model: Model, index: int, at: int, other: int, begin: int) -> bool:
    length, slots = model.problem.tasks[index].slots, model.problem.tasks[other].slots
    gaps = model.problem.gaps
    return begin < at + length + gaps[index][other] and begin + slots + gaps[other][index] > at


def _room(
    model: Model, start: int, end: int, slots: int, taken: Iterable[tuple[int, int]], starts: Sequence[int]
) -> int | None:
    """The first slot of a stretch that nothing takes, or None."""
    spans = [*taken, *((s, s + t.slots) for s, t in zip(starts, model.problem.tasks, strict=True))]
    at = start
    for begin, stop in sorted(spans):
        if begin - at >= slots:
            break
        at = max(at, stop)
    return at if at + slots <= end else None


def _focus(model: Model, solution: Solution, now_at: Sequence[int]) -> tuple[FocusTime, ...]:
    found: list[FocusTime] = []
    for day, start in zip(model.problem.focus, solution.focus, strict=True):
        if start is not None:
            zone = model.tasks[0].entry.start.tzinfo if model.tasks else model.origin.tzinfo
            begins, ends = (model.moment(slot).astimezone(zone) for slot in (start, start + day.slots))
            before = _room(model, day.start, day.end, day.slots, day.taken, now_at)
            found.append(FocusTime(begins, ends, before is None))
    return tuple(found)


def _why_left(model: Model, index: int, now_at: Sequence[int]) -> tuple[str, ...]:
    at = now_at[index]
    why = [one.why for one in model.blocked[index] if one.first <= at < one.last]
    why += [
        model.tasks[n].entry.title + " is on then"
        for n in range(len(now_at))
        if n != index and _meets(model, index, at, n, now_at[n])
    ]
    where = "no other time in working hours suits it" if model.problem.tasks[index].starts else "there is no free time"
    return (*dict.fromkeys(why), where)


def text_of(result: Optimised, left_out: int) -> str:
    """The answer for a person."""
    lines: list[str] = []
    day: date | None = None
    for move in result.moves:
        if move.start.date() != day:
            day = move.start.date()
            lines += [*([""] if lines else []), heading(day)]
        same = move.new_start.date() == move.start.date()
        to = f"{move.new_start:%H:%M}" if same else f"{move.new_start:%a %d %b %H:%M}"
        who = f" (with {move.people} {'other' if move.people == 1 else 'others'})" if move.people else ""
        lines.append(f"  {move.start:%H:%M} → {to}  {move.title}{who}")
        lines += [f"      because {reason}" for reason in move.reasons]
    if not result.moves:
        lines.append("Nothing needs to be moved." if not result.left else "Nothing can be moved.")
    for one in result.left:
        lines.append(f"! {one.title} ({one.start:%a %H:%M}) stays in conflict: {'; '.join(one.reasons)}")
    gained = sum(stretch.gained for stretch in result.focus)
    lines.append("")
    lines.append(f"Conflicts: {result.conflicts_before} before, {result.conflicts_after} after.")
    if result.focus:
        lines.append(f"Focus time on {len(result.focus)} working days, {gained} of them gained by the moves.")
    kinds = Counter(one.why for one in result.kept)
    if kinds:
        lines.append("Not moved: " + ", ".join(f"{count} ({why})" for why, count in kinds.most_common(6)))
    best = "no better schedule exists" if result.status == "optimal" else "the time ran out: it may get better"
    lines.append(f"Cost {result.cost_now} → {result.cost} points in {result.solved_s:.2f} s; {best}.")
    if left_out:
        lines.append(f"{left_out} entries were left where they are: too many for one question, ask for fewer days.")
    return "\n".join([*lines, *(f"Note: {one}." for one in result.assumed), result.sources.text()])
