"""What the strategy agent says, and the little it reads of the ledgers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

from pea.workspace.files import SourceReport

Drift = Literal["too little", "as meant", "too much", "nothing at all"]


class Payment(msgspec.Struct, frozen=True):
    """A transaction as finance tells it."""

    day: date
    amount: Decimal
    currency: str
    payee: str = ""
    memo: str = ""
    category: str = ""


class Payments(msgspec.Struct, frozen=True):
    """Some transactions, and how many there are in all."""

    transactions: tuple[Payment, ...]
    found: int = 0


class Item(msgspec.Struct, frozen=True):
    """One thing that time went to: a title, how often, how many hours, and the word or person it was known by."""

    title: str
    times: int
    hours: float
    known_by: str


class GoalView(msgspec.Struct, frozen=True, kw_only=True):
    """One goal: hours a week meant and spent, shares, what the time and money went to.

    ``drift_hours`` is spent less meant; ``days_left`` counts to its day.
    """

    name: str
    weight: float
    meant_hours: float
    spent_hours: float
    drift_hours: float
    drift: Drift
    share_meant: float
    share_spent: float
    spent_money: dict[str, Decimal]
    budget: dict[str, Decimal]
    days_left: int | None
    items: tuple[Item, ...]


class Alignment(msgspec.Struct, frozen=True, kw_only=True):
    """Goals against where the time and money went.

    ``alignment`` is 1 less half the sum of differences between the shares meant and spent: 1 when they are equal.
    ``coverage`` is the share of meeting time that serves any goal. Hours are a week's.
    """

    since: date
    until: date
    weeks: float
    goals: tuple[GoalView, ...]
    alignment: float | None
    coverage: float | None
    unserved_hours: float
    unserved: tuple[Item, ...]
    method: str
    notes: tuple[str, ...]
    sources: SourceReport
    text: str


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something to try: ``hours`` a week more (or fewer) for a ``goal``, or meetings to ``drop`` by their title."""

    goal: str = ""
    hours: float = 0.0
    drop: str = ""


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """What changes would do, beside how it stands."""

    changes: tuple[str, ...]
    before: float | None
    after: float | None
    coverage_before: float | None
    coverage_after: float | None
    freed_hours: float
    needed_hours: float
    goals: tuple[GoalView, ...]
    text: str


class Swing(msgspec.Struct, frozen=True):
    """How far the alignment moves when one goal's weight is lower or higher by the given share."""

    goal: str
    low: float
    high: float
    width: float


class Doubt(msgspec.Struct, frozen=True):
    """How often, of all draws of the weights, a goal is the one that lacks most."""

    goal: str
    lacks_most: float


class Sensitivity(msgspec.Struct, frozen=True, kw_only=True):
    """How much the answer depends on the weights: ``robust`` when one goal lacks most in four of five draws."""

    alignment: float
    low: float
    high: float
    swings: tuple[Swing, ...]
    lacks: tuple[Doubt, ...]
    robust: bool
    draws: int
    method: str
    text: str
