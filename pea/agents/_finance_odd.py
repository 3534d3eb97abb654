"""What is out of the ordinary: each transaction held against its payee, its account and what it looks like twice.

Sums are compared by the modified z-score, 0.6745 (x - median) / MAD (Iglewicz and Hoaglin, "How to Detect and Handle
Outliers", 1993), which a few wild values cannot move.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise

from pea.agents._finance_recurring import Series, payee_key
from pea.agents._finance_views import Odd
from pea.workspace.ledgers import Transaction
from pea.workspace.ledgers_money import written

TOO_FAR = 5.0  # modified z-score; 3.5 is the book's, but spending has long tails
MIN_KNOWN = 5
LARGE_SHARE = 0.98  # quantile of an account's spending from which a new payee is told of
MIN_FOR_LARGE = 30
TWICE_WITHIN = timedelta(days=3)


def odd_ones(
    transactions: Sequence[Transaction], series: Iterable[Series], since: date, today: date, limit: int
) -> list[Odd]:
    """The transactions since a day that are odd, the oddest first."""
    reasons: dict[str, list[tuple[float, str]]] = defaultdict(list)
    series = list(series)
    recurring = {one.id for each in series for one in each.members}
    groups: dict[tuple[str, str, str, bool], list[Transaction]] = defaultdict(list)
    spending: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in transactions:
        groups[one.account, one.currency, payee_key(one), one.amount > 0].append(one)
        if one.amount < 0:
            spending[one.account, one.currency].append(-float(one.amount))
    for group in groups.values():
        _far_off(group, reasons)
        _twice([one for one in group if one.id not in recurring], reasons)
    _large_and_new(groups.values(), spending, reasons)
    _changed(series, reasons)
    usual = Counter((one.account, one.currency) for one in transactions)
    for one in transactions:
        if one.day > today:
            reasons[one.id].append((2.0, f"it is dated in the future ({one.day:%d %b %Y})"))
        if usual[one.account, one.currency] == 1 and len(transactions) > MIN_FOR_LARGE:
            reasons[one.id].append((1.0, f"it is the account's only transaction in {one.currency}"))
    found = [
        Odd(one, tuple(why for _, why in sorted(told, reverse=True)), round(sum(points for points, _ in told), 2))
        for one in transactions
        if one.day >= since and (told := reasons.get(one.id))
    ]
    return sorted(found, key=lambda odd: (-odd.score, odd.transaction.day, odd.transaction.id))[:limit]


def _far_off(group: Sequence[Transaction], reasons: dict[str, list[tuple[float, str]]]) -> None:
    """Sums far from what this payee usually takes, judged by the others' alone."""
    if len(group) <= MIN_KNOWN:
        return
    sizes = [abs(float(one.amount)) for one in group]
    middle = statistics.median(sizes)
    # Without any spread a tenth of the sum stands for it: a cent more is nothing.
    spread = max(statistics.median(abs(size - middle) for size in sizes), 0.1 * middle)
    for one, size in zip(group, sizes, strict=True):
        score = 0.6745 * (size - middle) / spread if spread else 0.0
        if score > TOO_FAR:
            usual = written(statistics.median(abs(other.amount) for other in group), one.currency)
            times = f"{size / middle:.1f} times" if middle else "far above"
            reasons[one.id].append((min(10.0, score / 2), f"{times} what is usual here ({usual}, of {len(group)})"))


def _twice(group: Sequence[Transaction], reasons: dict[str, list[tuple[float, str]]]) -> None:
    """One sum taken twice within three days by a payee who does not do so often."""
    ordered = sorted(group, key=lambda one: (one.day, one.id))
    sums = Counter(one.amount for one in ordered)
    for earlier, later in pairwise(ordered):
        if earlier.amount == later.amount < 0 and later.day - earlier.day <= TWICE_WITHIN and sums[later.amount] <= 3:
            when = "the same day" if later.day == earlier.day else f"{earlier.day:%d %b}"
            reasons[later.id].append((3.0, f"the same sum went to the same payee on {when} ({earlier.place})"))


def _large_and_new(
    groups: Iterable[Sequence[Transaction]],
    spending: dict[tuple[str, str], list[float]],
    reasons: dict[str, list[tuple[float, str]]],
) -> None:
    """The first payment to somebody, when it is among the account's largest."""
    bounds = {key: sorted(sums) for key, sums in spending.items() if len(sums) >= MIN_FOR_LARGE}
    for group in groups:
        first = min(group, key=lambda one: (one.day, one.id))
        sums = bounds.get((first.account, first.currency))
        if len(group) > 2 or sums is None or first.amount >= 0:
            continue
        size = -float(first.amount)
        if size >= sums[int(LARGE_SHARE * (len(sums) - 1))]:
            rank = sum(other > size for other in sums) + 1
            reasons[first.id].append(
                (4.0, f"never paid before, and no. {rank} of the account's {len(sums)} largest sums")
            )


def _changed(series: Iterable[Series], reasons: dict[str, list[tuple[float, str]]]) -> None:
    """A subscription whose price moved at its newest payment."""
    for each in series:
        if not each.fixed or len(each.members) < 4:
            continue
        newest, before = each.members[-1], each.members[-2]
        steady = len({one.amount for one in each.members[-4:-1]}) == 1
        if steady and abs(newest.amount) > abs(before.amount):
            share = float((abs(newest.amount) - abs(before.amount)) / abs(before.amount))
            told = f"its price rose from {written(abs(before.amount), before.currency)} ({share:+.1%})"
            reasons[newest.id].append((2.0 + min(2.0, 10 * share), told))
