"""The finance agent's answers for a person: short lines, sums with their currency, and where each figure stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pea.agents._finance_views import (
    AccountForecast,
    Accounts,
    Budget,
    Categories,
    Forecast,
    OddOnes,
    Subscriptions,
    Total,
    Transactions,
)
from pea.workspace.files import SourceReport
from pea.workspace.ledgers import UNSORTED, Transaction
from pea.workspace.ledgers_money import written

SHOWN = 20
NAME = 34


def accounts(answer: Accounts) -> str:
    """``Spreebank ••5678: 4,321.00 EUR on 11 May 2026``."""
    lines = [_heading(len(answer.accounts), "account")]
    for one in answer.accounts:
        held = f"{written(one.balance, one.currency)} on {one.balance_day:%d %b %Y}" if one.balance is not None else ""
        told = f"{one.count:,} transactions from {one.first:%d %b %Y} to {one.last:%d %b %Y}"
        lines.append(f"  {one.name} ({one.currency}): {held or 'no balance is told'}; {told}")
    if answer.duplicates:
        lines.append(f"{answer.duplicates:,} lines stand in more than one statement and count once.")
    return _closed(lines, answer.notes, answer.sources)


def transactions(answer: Transactions) -> str:
    """A line per transaction, and the totals."""
    lines = [_heading(answer.found, "transaction"), *map(_line, answer.transactions[:SHOWN])]
    if answer.found > min(SHOWN, len(answer.transactions)):
        lines.append(f"  … and {answer.found - min(SHOWN, len(answer.transactions)):,} more")
    return _closed([*lines, *_totals(answer.totals)], answer.notes, answer.sources)


def categories(answer: Categories, unsorted: int) -> str:
    """A line per category, most spent first."""
    lines = [f"From {answer.since:%d %b %Y} to {answer.until:%d %b %Y}:"]
    for one in answer.sums:
        net = one.came + one.went
        usual = f"   (usually {written(one.usual, one.currency)})" if one.usual is not None else ""
        lines.append(f"  {_cut(one.category):{NAME}} {written(net, one.currency):>18}  {one.count:>4} times{usual}")
    if not answer.sums:
        lines.append("  nothing came or went")
    if unsorted:
        lines.append(f"{unsorted:,} are {UNSORTED}; add rules for them to ledgers/rules.yaml. The largest:")
        lines += map(_line, answer.unsorted[:5])
    return _closed(lines, answer.notes, answer.sources)


def budget(answer: Budget) -> str:
    """A line per budget, the worst first."""
    through = f", as told until {answer.through:%d %b}" if answer.through else ""
    lines = [f"Budgets of {answer.month}{through}:"]
    for one in answer.lines:
        pace = f", at this rate {written(one.pace, one.currency)}" if one.pace is not None else ""
        spent = f"{written(one.spent, '')} of {written(one.budget, one.currency)}"
        lines.append(f"  {one.state:8} {_cut(one.category):{NAME}} {spent}{pace}")
    return _closed(lines, answer.notes, answer.sources)


def subscriptions(answer: Subscriptions) -> str:
    """A line per payment, by next date."""
    lines = [_heading(len(answer.subscriptions), "recurring payment")]
    for one in answer.subscriptions[:40]:
        when = f"next {one.next:%d %b %Y}" if one.state == "running" else f"ended, last {one.last:%d %b %Y}"
        change = f"; {one.changed}" if one.changed else ""
        sum_ = written(one.amount, one.currency)
        lines.append(f"  {_cut(one.payee):{NAME}} {sum_:>16} every {one.every}; {when}{change}")
    lines += [
        f"In a year: {written(total.went, total.currency)} out, {written(total.came, total.currency)} in."
        for total in answer.yearly
    ]
    return _closed(lines, answer.notes, answer.sources)


def forecast(answer: Forecast) -> str:
    """Each currency's way ahead."""
    lines = [line for one in answer.forecasts for line in _forecast(one, answer.interval)]
    return _closed([*lines, answer.method], answer.notes, answer.sources)


def odd(answer: OddOnes) -> str:
    """A line per odd transaction with its reasons below."""
    head = f"{len(answer.odd)} of {answer.looked_at:,} transactions are worth a look" + (":" if answer.odd else ".")
    lines = [head]
    for one in answer.odd:
        lines += [_line(one.transaction), *(f"      {reason}" for reason in one.reasons)]
    return _closed(lines, answer.notes, answer.sources)


def _forecast(one: AccountForecast, interval: float) -> Iterator[str]:
    if one.from_balance is None:
        yield f"{one.currency}: no statement tells a balance; this is the change from {one.from_day:%d %b %Y} on."
    else:
        yield f"{one.currency}: from {written(one.from_balance, one.currency)} on {one.from_day:%d %b %Y}"
    for point in one.points:
        span = f"{written(point.low, '')} to {written(point.high, '')}"
        yield f"  {point.day:%d %b %Y}  {written(point.middle, one.currency):>18}  ({interval:.0%} between {span})"
    if one.from_balance is not None:
        low = f"{written(one.lowest.low, one.currency)} on {one.lowest.day:%d %b}"
        yield f"  The interval's lowest point is {low}; {one.below_zero:.0%} of the draws fall below zero."
    if one.tried:
        yield f"  Tried on the past: {one.inside} of {one.tried} earlier forecasts held what came."


def _line(one: Transaction) -> str:
    who = _cut(one.payee or one.memo or one.kind or "(no name)")
    sum_ = written(one.amount, one.currency)
    return f"  {one.day:%d %b %Y}  {who:{NAME}} {sum_:>16}  {one.category} · {one.path}, {one.place}"


def _totals(totals: Sequence[Total]) -> Iterator[str]:
    for one in totals:
        came, went = written(one.came, one.currency), written(one.went, one.currency)
        yield f"{one.currency}: {came} came, {went} went, {written(one.net, one.currency)} in all."


def _heading(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}{':' if count else '.'}"


def _cut(name: str) -> str:
    return name if len(name) <= NAME else name[: NAME - 1] + "…"


def _closed(lines: Iterable[str], notes: Sequence[str], sources: SourceReport) -> str:
    return "\n".join((*lines, *(f"Note: {note}." for note in notes), sources.text()))
