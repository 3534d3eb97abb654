"""Cash flow ahead: what recurs is booked on its dates, what is left is drawn again from the weeks that were.

The interval is a moving block bootstrap (Künsch, "The Jackknife and the Bootstrap for General Stationary
Observations", Annals of Statistics 17, 1989) with blocks of seven days, so that weekends stay weekends. How often
intervals made in this way would have held the truth is tried on the past and told beside it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pea.agents._finance_recurring import Series, due_dates, find_series, has_ended, subscriptions
from pea.agents._finance_views import AccountForecast, ForecastPoint
from pea.workspace.ledgers import Account, Transaction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PATHS = 1_000
INTERVAL = 0.8
BLOCK_DAYS = 7
HISTORY_DAYS = 365
RHYTHM_DAYS = 3 * 365  # how far back recurring sums are sought: a yearly one comes three times
MIN_HISTORY_DAYS = 28
ORIGINS = 6  # earlier days from which the forecast is tried
POINTS = 14
METHOD = (
    "Recurring sums are booked on their next dates. All other days are drawn 1,000 times in blocks of seven from the "
    "last year's statements (moving block bootstrap); the middle is the median, the interval holds 80 % of the draws."
)


def forecast(
    currency: str, accounts: Sequence[Account], transactions: Sequence[Transaction], today: date, days: int
) -> AccountForecast | str:
    """One currency's cash flow for ``days`` days from today, or why there is none.

    Sums are exact where they are told, floats where they are drawn; what is drawn is rounded to cents.
    """
    oldest = today - timedelta(days=RHYTHM_DAYS)
    rows = [one for one in transactions if one.currency == currency and oldest <= one.day <= today]
    if not rows:
        return f"no {currency} transaction lies in the three years before {today}"
    known = (rows[-1].day - rows[0].day).days + 1
    if known < MIN_HISTORY_DAYS:
        return f"the {currency} statements tell of {known} days; {MIN_HISTORY_DAYS} are needed"
    if (today - rows[-1].day).days > 2 * MIN_HISTORY_DAYS:
        return f"the newest {currency} statement ends on {rows[-1].day}; a forecast from there would be a guess"
    balances = [account.balance for account in accounts if account.currency == currency and account.balance is not None]
    start = sum(balances, Decimal(0)) if balances else None
    reached, running = _running(rows, today)
    paths = _paths(rows, running, rows[-1].day, today, days)
    points = _points(paths, start, today, days)
    inside, tried = _tried(rows, min(days, 30))
    floor = float(start or 0)
    expected = [one for one in subscriptions(running, today, reached) if one.next <= today + timedelta(days=days)]
    return AccountForecast(
        currency=currency,
        from_balance=start,
        from_day=today,
        points=tuple(points[i] for i in _spread(len(points))),
        expected=tuple(expected),
        lowest=min(points, key=lambda point: point.low),
        below_zero=round(float(((paths + floor).min(axis=1) < 0).mean()), 3) if start is not None else 0.0,
        inside=inside,
        tried=tried,
    )


def _running(rows: Sequence[Transaction], today: date) -> tuple[dict[str, date], list[Series]]:
    """The last day of each account's statements, and what still recurs by them; rows are in order of days."""
    reached = {one.account: one.day for one in rows}
    return reached, [one for one in find_series(rows) if not has_ended(one, reached, today)]


def _paths(
    rows: Sequence[Transaction], running: Sequence[Series], last: date, today: date, days: int
) -> NDArray[np.float64]:
    """Drawn sums of the change from today on: one row per draw, one column per day."""
    import numpy as np

    recurring = {one.id for series in running for one in series.members}
    daily: dict[date, float] = defaultdict(float)
    first = max(rows[0].day, last - timedelta(days=HISTORY_DAYS - 1))
    for one in rows:
        if one.id not in recurring and one.day >= first:
            daily[one.day] += float(one.amount)
    length = (last - first).days + 1
    flow = np.array([daily.get(first + timedelta(days=i), 0.0) for i in range(length)])
    # The same statements give the same forecast: the draws are seeded by what they are drawn from.
    seed = int.from_bytes(hashlib.blake2b(flow.tobytes(), digest_size=8).digest(), "big")
    chance = np.random.default_rng(seed)
    blocks = -(-days // BLOCK_DAYS)
    starts = chance.integers(0, max(1, length - BLOCK_DAYS + 1), size=(PATHS, blocks))
    index = (starts[:, :, None] + np.arange(BLOCK_DAYS)[None, None, :]).reshape(PATHS, -1)[:, :days]
    drawn = flow[np.minimum(index, length - 1)]
    planned = np.zeros(days)
    for series in running:
        for day in due_dates(series, today, today + timedelta(days=days)):
            planned[(day - today).days - 1] += float(series.amount)
    total: NDArray[np.float64] = np.cumsum(drawn + planned[None, :], axis=1)
    return total


def _points(paths: NDArray[np.float64], start: Decimal | None, today: date, days: int) -> list[ForecastPoint]:
    import numpy as np

    edge = (1 - INTERVAL) / 2
    low, middle, high = np.quantile(paths, [edge, 0.5, 1 - edge], axis=0)
    base = start or Decimal(0)

    def cents(value: Any) -> Decimal:
        return base + Decimal(f"{float(value):.2f}")

    days_ahead = (today + timedelta(days=i + 1) for i in range(days))
    return [ForecastPoint(day, cents(low[i]), cents(middle[i]), cents(high[i])) for i, day in enumerate(days_ahead)]


def _tried(rows: Sequence[Transaction], days: int) -> tuple[int, int]:
    """How many of some earlier forecasts, from what was known on their day, held the change that came."""
    import numpy as np

    last, inside, tried = rows[-1].day, 0, 0
    for step in range(1, ORIGINS + 1):
        origin = last - timedelta(days=days * step)
        past = [one for one in rows if one.day <= origin]
        if not past or (origin - past[0].day).days < 2 * MIN_HISTORY_DAYS:
            break
        _, running = _running(past, origin)
        paths = _paths(past, running, origin, origin, days)
        edge = (1 - INTERVAL) / 2
        low, high = np.quantile(paths[:, -1], [edge, 1 - edge])
        truth = float(sum(one.amount for one in rows if origin < one.day <= origin + timedelta(days=days)))
        tried += 1
        inside += bool(low - 0.005 <= truth <= high + 0.005)
    return inside, tried


def _spread(count: int) -> list[int]:
    """The days that are told: evenly spread, the last one included."""
    if count <= POINTS:
        return list(range(count))
    return sorted({round((i + 1) * count / POINTS) - 1 for i in range(POINTS)})
