"""Where the time and money went, goal by goal."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

import msgspec

from pea.agents._agenda import Entry
from pea.agents._strategy_views import Drift, GoalView, Item, Payment
from pea.agents._word_pattern import word_pattern
from pea.workspace.goals import Goal, Goals

TOLERANCE = 0.25  # of the hours meant: less apart is as meant
ITEMS_SHOWN = 5
METHOD = (
    "meetings of more than one goal are shared among them; alignment = 1 - half the sum of |share spent - "
    "share meant|; coverage = hours that serve a goal, of all hours of meetings; work that "
    "stands in no calendar is not seen"
)


class Use(msgspec.Struct, frozen=True):
    """Hours of one title for one goal (or none, when the name is empty)."""

    goal: str
    title: str
    hours: float
    known_by: str


class Sums(msgspec.Struct, frozen=True):
    """All uses of a span of so many weeks."""

    uses: tuple[Use, ...]
    weeks: float
    money: dict[str, dict[str, Decimal]] = {}

    def hours(self, goal: str) -> float:
        """Hours a week for a goal; for none, when the name is empty."""
        return sum(one.hours for one in self.uses if one.goal == goal) / self.weeks


def use_of(entries: Iterable[Entry], goals: Goals, weeks: float) -> Sums:
    """Each meeting's hours to the goals it serves, in equal parts."""
    matchers = [(goal, [word_pattern(word) for word in goal.words]) for goal in goals.goals]
    ignored = [word_pattern(word) for word in goals.ignore]
    uses = []
    for entry in entries:
        hours = (entry.end.timestamp() - entry.start.timestamp()) / 3600
        told = f"{entry.title} {entry.calendar}".casefold()
        if entry.all_day or not entry.busy or hours <= 0 or any(one.search(told) for one in ignored):
            continue
        found = [(goal.name, why) for goal, patterns in matchers if (why := _serves(goal, patterns, told, entry))]
        if not found:
            uses.append(Use("", entry.title, hours, ""))
        uses += [Use(name, entry.title, hours / len(found), why) for name, why in found]
    return Sums(tuple(uses), weeks)


def money_of(payments: Iterable[Payment], goals: Goals) -> dict[str, dict[str, Decimal]]:
    """What went out for each goal by currency, by its categories or words; the first goal that fits has it."""
    spent: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    matchers = [
        (goal, {one.casefold() for one in goal.categories}, [word_pattern(word) for word in goal.words])
        for goal in goals.goals
    ]
    for one in payments:
        told = f"{one.payee} {one.memo}".casefold()
        for goal, categories, patterns in matchers:
            if one.category.casefold() in categories or any(pattern.search(told) for pattern in patterns):
                spent[goal.name][one.currency] -= one.amount
                break
    return {name: dict(sums) for name, sums in spent.items()}


def meant(goals: Goals) -> dict[str, float]:
    """Hours a week for each goal: its own, else its share by weight of the week's hours that are left."""
    fixed = sum(goal.hours for goal in goals.goals if goal.hours is not None)
    open_weight = sum(goal.weight for goal in goals.goals if goal.hours is None)
    left = max(0.0, goals.week_hours - fixed)
    return {
        goal.name: goal.hours if goal.hours is not None else left * goal.weight / open_weight for goal in goals.goals
    }


def shares(hours: dict[str, float]) -> dict[str, float]:
    """Parts of the whole; all nothing when there is none."""
    total = sum(hours.values())
    return {name: value / total if total else 0.0 for name, value in hours.items()}


def alignment(spent: dict[str, float], wanted: dict[str, float]) -> float | None:
    """1 less the distance (total variation) of the two divisions of time; None when either is of nothing."""
    if not sum(spent.values()) or not sum(wanted.values()):
        return None
    had, want = shares(spent), shares(wanted)
    return round(1 - sum(abs(had.get(name, 0.0) - share) for name, share in want.items()) / 2, 4)


def coverage(sums: Sums) -> float | None:
    """The share of all hours that serve any goal."""
    total = sum(one.hours for one in sums.uses)
    return round(sum(one.hours for one in sums.uses if one.goal) / total, 4) if total else None


def views(goals: Goals, sums: Sums, today: date) -> tuple[GoalView, ...]:
    """The goals, those furthest below what was meant first."""
    wanted = meant(goals)
    spent = {goal.name: sums.hours(goal.name) for goal in goals.goals}
    share_meant, share_spent = shares(wanted), shares(spent)
    found = [
        GoalView(
            name=goal.name,
            weight=goal.weight,
            meant_hours=round(wanted[goal.name], 2),
            spent_hours=round(spent[goal.name], 2),
            drift_hours=round(spent[goal.name] - wanted[goal.name], 2),
            drift=_drift(spent[goal.name], wanted[goal.name]),
            share_meant=round(share_meant[goal.name], 4),
            share_spent=round(share_spent[goal.name], 4),
            spent_money=sums.money.get(goal.name, {}),
            budget=_budget(goal, sums.weeks),
            days_left=None if goal.by is None else (goal.by - today).days,
            items=items(sums, goal.name),
        )
        for goal in goals.goals
    ]
    return tuple(sorted(found, key=lambda one: one.share_spent - one.share_meant))


def items(sums: Sums, goal: str) -> tuple[Item, ...]:
    """What most of a goal's time went to."""
    hours: dict[str, list[Use]] = defaultdict(list)
    for one in sums.uses:
        if one.goal == goal:
            hours[one.title].append(one)
    found = [
        Item(title, len(uses), round(sum(one.hours for one in uses), 2), uses[0].known_by)
        for title, uses in hours.items()
    ]
    return tuple(sorted(found, key=lambda one: -one.hours)[:ITEMS_SHOWN])


def _serves(goal: Goal, patterns: Sequence[re.Pattern[str]], told: str, entry: Entry) -> str:
    """The word or person by which a meeting is known to serve a goal; empty when it does not."""
    for word, pattern in zip(goal.words, patterns, strict=True):
        if pattern.search(told) is not None:
            return f"“{word}”"
    wanted = {one.casefold().lstrip("@") for one in goal.people}
    for person in entry.people:
        if person.email in wanted or person.email.rpartition("@")[2] in wanted:
            return person.name
    return ""


def _drift(spent: float, wanted: float) -> Drift:
    if not spent and wanted:
        return "nothing at all"
    if abs(spent - wanted) <= TOLERANCE * wanted:
        return "as meant"
    return "too little" if spent < wanted else "too much"


def _budget(goal: Goal, weeks: float) -> dict[str, Decimal]:
    """What may be spent in the span: a month is 365.25 / 12 days."""
    months = Decimal(str(weeks)) * 7 * 12 / Decimal("365.25")
    return {currency: (amount * months).quantize(Decimal("0.01")) for currency, amount in goal.budget.items()}
