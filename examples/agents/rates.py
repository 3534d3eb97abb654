"""Exchange rates: a small agent, whole, as you would write your own.

It needs no package of its own to be tried; from the top of the repository::

    python examples/agents/rates.py EUR CHF 412          # a runtime with this one agent, and one call

In a program it runs beside the installed agents or without them::

    async with Runtime(agents=[Rates(Path("rates.csv"))]) as runtime:
        money = await runtime.call("rates.convert", base="EUR", quote="CHF", amount=412)

For ``pea serve`` and ``pea run`` to find it, install it with an entry point:
``[project.entry-points."pea.agents"]`` and below that ``rates = "rates:Rates"``.

The figures in ``rates.csv`` are made up; put your bank's in their place.
"""

from __future__ import annotations

import asyncio
import csv
import math
import sys
from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec

from pea import Agent, Context, InputError, Runtime, WorkspaceError, capability

HERE = Path(__file__).parent

Code = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", description="an ISO 4217 code, such as EUR")]


class Table(msgspec.Struct, frozen=True):
    """How many units of each currency one euro bought on ``day``."""

    day: date
    per_euro: dict[str, float]


class Money(msgspec.Struct, frozen=True):
    """An amount in a currency, and the day of the rate it was worked out with."""

    amount: float
    currency: str
    rate: float
    day: date
    text: str


class Rates(Agent):
    """Converts between the currencies of a table that the user keeps."""

    name = "rates"

    def __init__(self, table: Path = HERE / "rates.csv") -> None:
        self.table = table

    async def health(self) -> str | None:
        """Without its table the agent is of no use; asked often, so it only looks whether the file is there."""
        return None if self.table.is_file() else f"there is no {self.table}"

    @capability("rates.table", timeout="1s", idempotent=True)
    async def rates(self, ctx: Context) -> Table:
        """The newest rates in the table."""
        return await ctx.compute(read, self.table)  # reading a file may wait: never on the event loop

    async def cache_version(self, ctx: Context) -> str:
        """Kept answers count for one state of the table."""
        found = self.table.stat()
        return f"{found.st_mtime_ns}:{found.st_size}"

    @capability("rates.convert", cache="15m", tags=["rates:{base}"], timeout="2s", retries=2)
    async def convert(self, ctx: Context, base: Code, quote: Code, amount: float) -> Money:
        """An amount of ``base`` as an amount of ``quote``."""
        if not math.isfinite(amount):
            raise InputError("is not a number that can be converted", where="amount")
        table: Table = await ctx.call("rates.table")  # another call: child span, deadline and cancellation inherited
        for field, code in (("base", base), ("quote", quote)):
            if code not in table.per_euro:
                known = ", ".join(sorted(table.per_euro))
                raise InputError(f"no rate is known for {code}", where=field, fix=f"known: {known}")
        rate = table.per_euro[quote] / table.per_euro[base]
        converted = round(amount * rate, 2)
        text = f"{amount:,.2f} {base} = {converted:,.2f} {quote} (rate {rate:.4f} of {table.day:%d %b %Y})"
        return Money(converted, quote, rate, table.day, text)


def read(path: Path) -> Table:
    """The rows of the newest day; WorkspaceError names the line that cannot be read."""
    days: dict[date, dict[str, float]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in (rows := csv.DictReader(file)):
            try:
                rate = float(row["per_euro"])
                if not 0 < rate < math.inf:
                    raise ValueError(f"{rate} is not a rate")
                days.setdefault(date.fromisoformat(row["day"]), {})[row["currency"]] = rate
            except (KeyError, TypeError, ValueError) as error:
                raise WorkspaceError(f"is not a rate: {error}", where=f"{path.name}:{rows.line_num}") from error
    if not days:
        raise WorkspaceError("holds no rates", where=path.name, fix="one line each: day,currency,per_euro")
    newest = max(days)
    return Table(newest, days[newest])


async def main(base: str, quote: str, amount: str) -> str:
    """One conversion in a runtime of its own."""
    async with Runtime(agents=[Rates()]) as runtime:
        money: Money = await runtime.call("rates.convert", base=base, quote=quote, amount=float(amount))
    return money.text


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(main(*sys.argv[1:4])) + "\n")
