"""What comes again: payments of one payee at a steady distance, of a steady sum, with the next date worked out."""

from __future__ import annotations

import calendar
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import msgspec

from pea.agents._finance_views import Subscription
from pea.workspace.ledgers import Transaction

SAME_SUM = Decimal("0.12")  # of the middle one: exchange rates move a foreign price so much
LOOSE_SUM = Decimal("0.60")  # bills that vary, such as electricity
MAX_GROUP = 2_000
EVIDENCE = 6
_NUMBERED = re.compile(r"\S*\d\S*")
_WORD = re.compile(r"[^\W\d_]{2,}")
_SAYS_NOTHING = """
    gmbh ag kg se ltd limited inc llc co corp sa sarl bv plc der die das und and sagt danke visa mastercard debit card
    pos purchase payment sepa lastschrift dauerauftrag kartenzahlung www com de eu net ref mandate
"""
_STOP = frozenset(_SAYS_NOTHING.split())


class Rhythm(msgspec.Struct, frozen=True):
    """How often: days between two, by how many days it may be off, how many times it must have come to be believed."""

    name: str
    days: int
    slack: int
    least: int
    months: int = 0
    per_year: Decimal = Decimal(1)


RHYTHMS = (
    Rhythm("week", 7, 1, 4, per_year=Decimal(52)),
    Rhythm("two weeks", 14, 2, 4, per_year=Decimal(26)),
    Rhythm("month", 30, 5, 3, months=1, per_year=Decimal(12)),
    Rhythm("two months", 61, 6, 3, months=2, per_year=Decimal(6)),
    Rhythm("quarter", 91, 8, 3, months=3, per_year=Decimal(4)),
    Rhythm("half-year", 182, 10, 3, months=6, per_year=Decimal(2)),
    Rhythm("year", 365, 15, 2, months=12, per_year=Decimal(1)),
)
_BY_NAME = {rhythm.name: rhythm for rhythm in RHYTHMS}


class Series(msgspec.Struct, frozen=True):
    """Transactions that are one recurring payment, oldest first."""

    rhythm: Rhythm
    members: tuple[Transaction, ...]
    fixed: bool

    @property
    def amount(self) -> Decimal:
        """The newest sum of a fixed price, the middle one of a bill that varies."""
        if self.fixed:
            return self.members[-1].amount
        return Decimal(statistics.median(one.amount for one in self.members[-6:]))

    def following(self, day: date) -> date:
        """The next date after ``day``, which is one of the series."""
        if not self.rhythm.months:
            return day + timedelta(days=self.rhythm.days)
        # The day of the month is the commonest one: a weekend moves a booking, not the rhythm.
        usual = statistics.mode([one.day.day for one in self.members[-12:]][::-1])
        return _months_on(day, self.rhythm.months, usual)


def payee_key(transaction: Transaction) -> str:
    """A payee without what changes from payment to payment: numbers, dates, legal forms, the city at its end."""
    text = (transaction.payee or transaction.memo).casefold()
    words = [word for word in _WORD.findall(_NUMBERED.sub(" ", text)) if word not in _STOP]
    return " ".join(words[:3]) or " ".join(text.split())[:40]


def find_series(transactions: Iterable[Transaction]) -> list[Series]:
    """Every recurring payment, each transaction in one series at most."""
    groups: dict[tuple[str, str, str, bool], list[Transaction]] = defaultdict(list)
    for one in transactions:
        if one.amount:
            groups[one.account, one.currency, payee_key(one), one.amount > 0].append(one)
    found: list[Series] = []
    for group in groups.values():
        rest = sorted(group, key=lambda one: one.day)[-MAX_GROUP:]
        for cluster in (rest, *_by_sum(rest)):
            if not {one.id for one in cluster} <= {one.id for one in rest}:
                continue
            series = _series(cluster, fixed=True)
            if series is not None:
                found.append(series)
                used = {one.id for one in series.members}
                rest = [one for one in rest if one.id not in used]
        middle = abs(Decimal(statistics.median(one.amount for one in rest))) if rest else Decimal(0)
        if all(abs(abs(one.amount) - middle) <= LOOSE_SUM * middle for one in rest):
            series = _series(rest, fixed=False)
            if series is not None:
                found.append(series)
    return found


def subscriptions(series: Iterable[Series], today: date, reached: dict[str, date]) -> list[Subscription]:
    """Series as the user reads them, the next due first; ``reached`` is the last day each account's statements tell."""
    told = [_subscription(one, today, ended=has_ended(one, reached, today)) for one in series]
    return sorted(told, key=lambda one: (one.state == "ended", one.next, one.payee))


def has_ended(series: Series, reached: dict[str, date], today: date) -> bool:
    """Whether a payment is overdue by twice its slack on the last day that the account's statements tell."""
    last = series.members[-1]
    late = series.following(last.day) + timedelta(days=2 * series.rhythm.slack)
    return late < reached.get(last.account, today)


def due_dates(series: Series, after: date, until: date) -> list[date]:
    """When a series falls due in ``(after, until]``, counted on from its last payment."""
    found: list[date] = []
    day = series.members[-1].day
    for _ in range(2_000):
        day = series.following(day)
        if day > until:
            break
        if day > after:
            found.append(day)
    return found


def _subscription(series: Series, today: date, *, ended: bool) -> Subscription:
    last = series.members[-1]
    following = series.following(last.day)
    while not ended and following < today:
        following = series.following(following)
    return Subscription(
        payee=last.payee or last.memo,
        every=series.rhythm.name,
        amount=series.amount,
        currency=last.currency,
        yearly=series.amount * series.rhythm.per_year,
        last=last.day,
        next=following,
        count=len(series.members),
        state="ended" if ended else "running",
        changed=_change(series),
        account=last.account,
        category=last.category,
        evidence=tuple(f"{one.path}, {one.place}" for one in series.members[-EVIDENCE:][::-1]),
    )


def _change(series: Series) -> str:
    """How the price of a fixed series moved last; a sum in a foreign currency that wavers is no change."""
    sums = [one.amount for one in series.members]
    at = next((i for i in range(len(sums) - 1, 1, -1) if sums[i] != sums[i - 1]), 0)
    if not series.fixed or not at or sums[at - 2] != sums[at - 1]:
        return ""
    before, now = abs(sums[at - 1]), abs(sums[at])
    day = series.members[at].day
    return f"{before:,.2f} became {now:,.2f} on {day:%d %b %Y} ({(now - before) / before:+.1%})"


def _by_sum(ordered: Sequence[Transaction]) -> list[list[Transaction]]:
    """Groups of nearly equal sums, the largest group first."""
    clusters: list[list[Transaction]] = []
    for one in sorted(ordered, key=lambda each: abs(each.amount)):
        if clusters and abs(one.amount) <= abs(clusters[-1][-1].amount) * (1 + SAME_SUM):
            clusters[-1].append(one)
        else:
            clusters.append([one])
    return sorted(([*sorted(c, key=lambda each: each.day)] for c in clusters), key=len, reverse=True)


def _series(ordered: Sequence[Transaction], *, fixed: bool) -> Series | None:
    """A series out of payments in order of days, if a rhythm fits nearly all the gaps between them."""
    days = sorted({one.day for one in ordered})
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    if not gaps or len(days) < len(ordered) * 0.9:
        return None
    middle = statistics.median(gaps)
    rhythm = min(RHYTHMS, key=lambda each: abs(each.days - middle))
    if abs(rhythm.days - middle) > rhythm.slack or len(days) < rhythm.least:
        return None
    # One payment may have been missed now and then: two distances in one.
    steady = sum(min(abs(gap - rhythm.days), abs(gap - 2 * rhythm.days)) <= rhythm.slack for gap in gaps)
    often = rhythm.days < _BY_NAME["month"].days
    if steady < len(gaps) * 0.8 or (often and not fixed) or (fixed and not _priced(ordered, often=often)):
        return None
    return Series(rhythm, tuple(ordered), fixed)


def _priced(ordered: Sequence[Transaction], *, often: bool) -> bool:
    """Whether sums are those of a price: the same but for a rise now and then, or wavering as an exchange rate does."""
    sums = [abs(one.amount) for one in ordered]
    if max(sums) > 2 * min(sums):
        return False
    steps = sum(later != earlier for earlier, later in pairwise(sums))
    return steps * 3 <= len(sums) or (not often and max(sums) <= min(sums) * (1 + SAME_SUM))


def _months_on(day: date, months: int, usual: int) -> date:
    # A booking moved over the end of a month by a weekend still belongs to the month it was due in.
    anchor = day if abs(day.day - usual) <= 15 else day + timedelta(days=15 if day.day > usual else -15)
    index = anchor.year * 12 + anchor.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(usual, calendar.monthrange(year, month + 1)[1]))
