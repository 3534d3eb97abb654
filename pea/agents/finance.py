"""The finance agent: what is there, where it went, what comes again, what lies ahead, and what looks wrong."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec

from pea import Agent, Context, InputError, Settings, capability
from pea.agents._finance_views import (
    Accounts,
    Budget,
    Categories,
    Forecast,
    OddOnes,
    Subscriptions,
    Transactions,
)
from pea.agents._reading import place, reading_s

if TYPE_CHECKING:
    from pea.agents._finance_books import FinanceBooks

ODD_DAYS = 90
Words = Annotated[str, msgspec.Meta(max_length=200)]
Month = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]


class Finance(Agent):
    """Reads the workspace's ``ledgers`` folder. It only reads: nothing is ever paid or moved."""

    name = "finance"

    def __init__(self) -> None:
        self._books: FinanceBooks | None = None
        self._opening = asyncio.Lock()

    async def stop(self) -> None:
        """Close what was opened."""
        if self._books is not None:
            self._books.close()
            self._books = None

    async def cache_version(self, ctx: Context) -> str:
        """Which statements and rules there are, and the day: what is due or overspent depends on it."""
        return f"{(await self._read(ctx)).version}|{ctx.now():%Y-%m-%d}"

    @capability("finance.accounts", timeout="10s", cache="15m")
    async def accounts(self, ctx: Context) -> Accounts:
        """List the accounts with their balances, and say how each statement was understood."""
        books = await self._read(ctx)
        return await ctx.compute(books.accounts)

    @capability("finance.transactions", timeout="10s", cache="15m")
    async def transactions(
        self,
        ctx: Context,
        query: Words = "",
        category: Words = "",
        account: Words = "",
        since: date | None = None,
        until: date | None = None,
        limit: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 50,
    ) -> Transactions:
        """Find transactions by words, category, account (its id or a part of its name) and days, with totals."""
        _in_order(since, until)
        books = await self._read(ctx)
        return await ctx.compute(books.transactions, query, category, account, since, until, limit)

    @capability("finance.categories", timeout="10s", cache="15m")
    async def categories(self, ctx: Context, since: date | None = None, until: date | None = None) -> Categories:
        """Say what each category brought and took (this month, when no days are given), and what is usual."""
        last = until or ctx.now().date()
        first = since or last.replace(day=1)
        _in_order(first, last)
        books = await self._read(ctx)
        return await ctx.compute(books.categories, first, last)

    @capability("finance.budget", timeout="10s", cache="15m")
    async def budget(self, ctx: Context, month: Month | None = None) -> Budget:
        """Compare a month (``2026-05``) with the budgets in ledgers/rules.yaml; this month when not given."""
        today = ctx.now().date()
        try:
            first = date.fromisoformat(f"{month}-01") if month else today.replace(day=1)
        except ValueError as error:
            raise InputError(f"{month} is no month", where="month", fix="write it like 2026-05") from error
        books = await self._read(ctx)
        return await ctx.compute(books.budget, first, today)

    @capability("finance.subscriptions", timeout="10s", cache="15m")
    async def subscriptions(self, ctx: Context, ended: bool = False) -> Subscriptions:  # noqa: FBT001, FBT002 - by keyword
        """Find what is paid or earned again and again: how often, how much, when next, and changed prices."""
        books = await self._read(ctx)
        return await ctx.compute(books.subscriptions, ctx.now().date(), ended=ended)

    @capability("finance.forecast", timeout="20s", cache="15m")
    async def forecast(self, ctx: Context, days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 60) -> Forecast:
        """Foretell the cash flow of the days ahead with an 80 % interval, and how well that did on the past."""
        books = await self._read(ctx)
        return await ctx.compute(books.forecast, ctx.now().date(), days)

    @capability("finance.odd", timeout="10s", cache="15m")
    async def odd(
        self, ctx: Context, since: date | None = None, limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 20
    ) -> OddOnes:
        """Point out transactions that are out of the ordinary (of the last 90 days), each with its reasons."""
        today = ctx.now().date()
        first = since or today - timedelta(days=ODD_DAYS)
        books = await self._read(ctx)
        return await ctx.compute(books.odd, first, today, limit)

    async def _read(self, ctx: Context) -> FinanceBooks:
        """The ledgers, read as far as the time allows."""
        async with self._opening:
            if self._books is None:
                self._books = await ctx.compute(_open, ctx.settings)
        books = self._books
        with ctx.step("ledgers.read"):
            await ctx.compute(books.refresh, reading_s(ctx))
        return books


def _in_order(since: date | None, until: date | None) -> None:
    if since is not None and until is not None and since > until:
        raise InputError(f"{since} lies after {until}", where="since", fix="give the earlier day first")


def _open(settings: Settings) -> FinanceBooks:
    # Imported at the first call and off the event loop: what reads statements takes its time to load.
    from pea.agents._finance_books import FinanceBooks

    return FinanceBooks(*place(settings))
