"""The ledgers of a workspace as the finance agent works on them: asked, summed, compared with budgets.

Everything here is plain and synchronous; the agent runs it off the event loop.
"""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from pea.agents import _finance_text as text
from pea.agents._finance_forecast import INTERVAL, METHOD, forecast
from pea.agents._finance_odd import odd_ones
from pea.agents._finance_recurring import find_series, subscriptions
from pea.agents._finance_views import (
    Accounts,
    Budget,
    BudgetLine,
    Categories,
    CategorySum,
    Forecast,
    OddOnes,
    Subscriptions,
    Total,
    Transactions,
)
from pea.workspace.files import SourceReport
from pea.workspace.files_cache import ReadCache
from pea.workspace.ledgers import UNSORTED, Ledgers, Transaction

LARGEST_SHOWN = 3
UNSORTED_SHOWN = 20
USUAL_PERIODS = 3
WARN_SHARE = Decimal("0.9")
TRANSFERS = "transfers"  # between the user's own accounts: neither earned nor spent


class FinanceBooks:
    """Owns what was read of one workspace's ledgers; ``state`` is the folder that keeps it between runs."""

    def __init__(self, workspace: Path, state: Path | None) -> None:
        self._cache = None if state is None else ReadCache(state / "ledgers.sqlite")
        self._ledgers = Ledgers(workspace, cache=self._cache)

    def close(self) -> None:
        """Close the cache of parsed statements."""
        if self._cache is not None:
            self._cache.close()

    def refresh(self, budget_s: float) -> None:
        """Read what is new, for at most about ``budget_s`` seconds. Raises WorkspaceError without a workspace."""
        self._ledgers.refresh(budget_s)

    @property
    def version(self) -> str:
        """Changes whenever a statement or a rule does."""
        return self._ledgers.version

    def accounts(self) -> Accounts:
        """Every account."""
        books, report = self._ledgers.books, self._ledgers.report()
        result = Accounts(books.accounts, books.duplicates, self._ledgers.understood(), report, self._notes(report), "")
        return msgspec.structs.replace(result, text=text.accounts(result))

    def transactions(
        self, query: str, category: str, account: str, since: date | None, until: date | None, limit: int
    ) -> Transactions:
        """The transactions that fit, newest first."""
        words = query.casefold().split()
        names = {one.id: one.name.casefold() for one in self._ledgers.books.accounts}
        wanted = account.casefold()
        found = [
            one
            for one in self._ledgers.books.transactions
            if _within(one, since, until)
            and (not category or one.category == category.casefold())
            and (not wanted or wanted == one.account or wanted in names[one.account])
            and all(word in _haystack(one) for word in words)
        ]
        report = self._ledgers.report()
        result = Transactions(tuple(found[::-1][:limit]), len(found), _totals(found), report, self._notes(report), "")
        return msgspec.structs.replace(result, text=text.transactions(result))

    def categories(self, since: date, until: date) -> Categories:
        """What each category brought and took in a period, beside the mean of the periods before it."""
        earlier = _periods_before(since, until, self._first_day())
        now: dict[tuple[str, str], list[Transaction]] = defaultdict(list)
        before: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for one in self._ledgers.books.transactions:
            if since <= one.day <= until:
                now[one.category, one.currency].append(one)
            elif any(first <= one.day <= last for first, last in earlier):
                before[one.category, one.currency] += one.amount
        sums = [_category(*key, rows, before.get(key, Decimal(0)), len(earlier)) for key, rows in now.items()]
        sums.sort(key=lambda one: (one.currency, one.went - one.came, one.category))
        unsorted = [one for rows in now.values() for one in rows if one.category == UNSORTED]
        unsorted.sort(key=lambda one: (one.amount, one.day, one.id))
        report = self._ledgers.report()
        shown = tuple(unsorted[:UNSORTED_SHOWN])
        result = Categories(since, until, tuple(sums), shown, report, self._notes(report), "")
        return msgspec.structs.replace(result, text=text.categories(result, len(unsorted)))

    def budget(self, month: date, today: date) -> Budget:
        """How the month's budgets stand."""
        last_day = month.replace(day=calendar.monthrange(month.year, month.month)[1])
        rows = [one for one in self._ledgers.books.transactions if month <= one.day <= last_day]
        through = max((one.day for one in rows if one.day <= today), default=None)
        over = last_day < today
        lines = []
        for category, limits in self._ledgers.sorter.own.budgets.items():
            for currency, limit in limits.items():
                lines.append(_line(category.casefold(), currency, limit, rows, through, last_day, over=over))
        lines.sort(key=lambda one: (one.left, one.category))
        report = self._ledgers.report()
        notes = list(self._notes(report))
        if not lines:
            notes.append("no budget is set; write them under budgets in ledgers/rules.yaml")
        result = Budget(f"{month:%Y-%m}", through, tuple(lines), report, tuple(notes), "")
        return msgspec.structs.replace(result, text=text.budget(result))

    def subscriptions(self, today: date, *, ended: bool) -> Subscriptions:
        """What comes again."""
        every = subscriptions(find_series(self._spent()), today, self._reached())
        told = tuple(one for one in every if ended or one.state == "running")
        running = [one for one in every if one.state == "running"]
        yearly = _sums((one.currency, one.yearly) for one in running)
        report = self._ledgers.report()
        result = Subscriptions(told, yearly, report, self._notes(report), "")
        return msgspec.structs.replace(result, text=text.subscriptions(result))

    def forecast(self, today: date, days: int) -> Forecast:
        """Cash flow ahead, each currency by itself."""
        books, report = self._ledgers.books, self._ledgers.report()
        notes = list(self._notes(report))
        found = []
        for currency in sorted({account.currency for account in books.accounts}):
            one = forecast(currency, books.accounts, books.transactions, today, days)
            if isinstance(one, str):
                notes.append(one)
            else:
                found.append(one)
        result = Forecast(days, INTERVAL, tuple(found), METHOD, report, tuple(notes), "")
        return msgspec.structs.replace(result, text=text.forecast(result))

    def odd(self, since: date, today: date, limit: int) -> OddOnes:
        """What is worth a look."""
        rows = self._ledgers.books.transactions
        report = self._ledgers.report()
        found = odd_ones(rows, find_series(rows), since, today, limit)
        looked = sum(one.day >= since for one in rows)
        result = OddOnes(tuple(found), looked, report, self._notes(report), "")
        return msgspec.structs.replace(result, text=text.odd(result))

    def _spent(self) -> list[Transaction]:
        return [one for one in self._ledgers.books.transactions if one.category != TRANSFERS]

    def _reached(self) -> dict[str, date]:
        return {account.id: account.last for account in self._ledgers.books.accounts}

    def _first_day(self) -> date | None:
        rows = self._ledgers.books.transactions
        return rows[0].day if rows else None

    def _notes(self, report: SourceReport) -> tuple[str, ...]:
        notes = []
        if report.pending:
            notes.append(f"{report.pending} statements are not read yet; ask again for a fuller answer")
        if not report.read and not report.refused_count:
            notes.append("there are no statements; put OFX, QFX or CSV files into the folder ledgers")
        return tuple(notes)


def _periods_before(since: date, until: date, first: date | None) -> list[tuple[date, date]]:
    """The three periods before one that the statements reach: the same days of earlier months, else as many days."""
    found: list[tuple[date, date]] = []
    length = until - since + timedelta(days=1)
    of_month = since.day == 1 and (since.year, since.month) == (until.year, until.month)
    begin = since
    for _ in range(USUAL_PERIODS):
        if of_month:
            begin = (begin - timedelta(days=1)).replace(day=1)
            end = begin.replace(day=min(until.day, calendar.monthrange(begin.year, begin.month)[1]))
        else:
            begin -= length
            end = begin + length - timedelta(days=1)
        if first is None or begin < first:
            break
        found.append((begin, end))
    return found


def _within(one: Transaction, since: date | None, until: date | None) -> bool:
    return (since is None or one.day >= since) and (until is None or one.day <= until)


def _haystack(one: Transaction) -> str:
    return f"{one.payee} {one.memo} {one.kind} {one.category} {abs(one.amount):.2f}".casefold()


def _totals(rows: Iterable[Transaction]) -> tuple[Total, ...]:
    return _sums((one.currency, one.amount) for one in rows)


def _sums(amounts: Iterable[tuple[str, Decimal]]) -> tuple[Total, ...]:
    """Totals by currency: sums of different currencies are never added."""
    found: dict[str, list[Decimal]] = defaultdict(list)
    for currency, amount in amounts:
        found[currency].append(amount)
    return tuple(
        Total(
            currency,
            sum((one for one in every if one > 0), Decimal(0)),
            sum((one for one in every if one < 0), Decimal(0)),
            sum(every, Decimal(0)),
            len(every),
        )
        for currency, every in sorted(found.items())
    )


def _category(name: str, currency: str, rows: list[Transaction], before: Decimal, periods: int) -> CategorySum:
    (total,) = _totals(rows)
    usual = (before / periods).quantize(Decimal("0.01")) if periods else None
    return CategorySum(name, currency, total.came, total.went, total.count, usual)


def _line(
    category: str,
    currency: str,
    limit: Decimal,
    rows: list[Transaction],
    through: date | None,
    last_day: date,
    *,
    over: bool,
) -> BudgetLine:
    """One budget's standing; refunds count against what was spent."""
    mine = [one for one in rows if one.category.casefold() == category and one.currency == currency]
    spent = -sum((one.amount for one in mine), Decimal(0))
    left = limit - spent
    pace = None
    if through is not None and not over and through.day >= 7:  # a few days' rate says little of a month
        pace = (spent / through.day * last_day.day).quantize(Decimal("0.01"))
    state = "over" if left < 0 else "at risk" if (pace or spent) > limit * WARN_SHARE else "fine"
    largest = tuple(sorted(mine, key=lambda one: (one.amount, one.id))[:LARGEST_SHOWN])
    return BudgetLine(category, currency, limit, spent, left, pace, state, largest)
