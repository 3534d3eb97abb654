"""What the finance agent answers: exact sums, each in its own currency, with the file and line it comes from."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec

from pea.workspace.files_report import Refusal, SourceReport
from pea.workspace.ledgers_books import Account, Transaction


class Total(msgspec.Struct, frozen=True):
    """Money in, out and their difference in one currency."""

    currency: str
    came: Decimal
    went: Decimal
    net: Decimal
    count: int


class Accounts(msgspec.Struct, frozen=True):
    """Every account with its balance; ``understood`` says of each file how it was read."""

    accounts: tuple[Account, ...]
    duplicates: int
    understood: tuple[Refusal, ...]
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class Transactions(msgspec.Struct, frozen=True):
    """Transactions that fit, newest first; ``found`` counts them all, ``totals`` are theirs by currency."""

    transactions: tuple[Transaction, ...]
    found: int
    totals: tuple[Total, ...]
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class CategorySum(msgspec.Struct, frozen=True):
    """One category in one currency over a period; ``usual`` is its mean over the periods before, None without any."""

    category: str
    currency: str
    came: Decimal
    went: Decimal
    count: int
    usual: Decimal | None


class Categories(msgspec.Struct, frozen=True):
    """Where the money of a period came from and went, most spent first; ``why`` shows the rule of each payee."""

    since: date
    until: date
    sums: tuple[CategorySum, ...]
    unsorted: tuple[Transaction, ...]
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class BudgetLine(msgspec.Struct, frozen=True):
    """One budget: what was set, what went, what is left; ``pace`` is what the month will have cost at this rate."""

    category: str
    currency: str
    budget: Decimal
    spent: Decimal
    left: Decimal
    pace: Decimal | None
    state: str
    largest: tuple[Transaction, ...]


class Budget(msgspec.Struct, frozen=True):
    """The budgets of a month; ``through`` is the last day of it that the statements reach, if any."""

    month: str
    through: date | None
    lines: tuple[BudgetLine, ...]
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class Subscription(msgspec.Struct, frozen=True):
    """A sum that comes again: how often, how much, when next; ``changed`` tells of a new price.

    ``amount`` is the newest, negative for what is paid. ``yearly`` is what it comes to in a year at that price.
    ``evidence`` are the places of its last payments.
    """

    payee: str
    every: str
    amount: Decimal
    currency: str
    yearly: Decimal
    last: date
    next: date
    count: int
    state: str
    changed: str
    account: str
    category: str
    evidence: tuple[str, ...]


class Subscriptions(msgspec.Struct, frozen=True):
    """Recurring payments and income by next date, and what the running ones cost in a year, by currency."""

    subscriptions: tuple[Subscription, ...]
    yearly: tuple[Total, ...]
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class ForecastPoint(msgspec.Struct, frozen=True):
    """The balance (or, where none is known, its change) at the end of a day: the middle of it and the interval."""

    day: date
    low: Decimal
    middle: Decimal
    high: Decimal


class AccountForecast(msgspec.Struct, frozen=True):
    """One currency's forecast. ``from_balance`` is None when no statement says a balance: points are then changes.

    ``inside`` of ``tried`` earlier forecasts, made the same way from what was known then, held the true change.
    """

    currency: str
    from_balance: Decimal | None
    from_day: date
    points: tuple[ForecastPoint, ...]
    expected: tuple[Subscription, ...]
    lowest: ForecastPoint
    below_zero: float
    inside: int
    tried: int


class Forecast(msgspec.Struct, frozen=True):
    """Cash flow ahead by currency, with the method in words."""

    days: int
    interval: float
    forecasts: tuple[AccountForecast, ...]
    method: str
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class Odd(msgspec.Struct, frozen=True):
    """A transaction that is out of the ordinary, and the reasons with their figures."""

    transaction: Transaction
    reasons: tuple[str, ...]
    score: float


class OddOnes(msgspec.Struct, frozen=True):
    """What is worth a look, the oddest first."""

    odd: tuple[Odd, ...]
    looked_at: int
    sources: SourceReport
    notes: tuple[str, ...]
    text: str
