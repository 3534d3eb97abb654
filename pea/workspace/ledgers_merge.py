"""Statements of one account put together: what two of them both tell is counted once, and said to be.

A file tells each of its lines once, so equal lines within one file are two payments (two coffees of one morning).
Across files, a line of one is matched with at most one line of each other: by the bank's identifier, else by day, sum
and text.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

import msgspec

from pea.workspace.ledgers_books import Account, Books, Transaction
from pea.workspace.ledgers_entries import Entry, LedgerFile, Statement, digest, masked, plain_number
from pea.workspace.ledgers_money import NO_CURRENCY
from pea.workspace.ledgers_rules import AccountRule, Sorter

LATER_DAYS = 7  # a pending payment may be booked so much later under the same identifier
MAX_EQUAL = 200  # payments of one sum on one day that are compared
MIN_NUMBER = 7  # characters that a short account number must share with an IBAN's end
_WORD = re.compile(r"[^\W\d_]{3,}")


class _Kept:
    """An entry that stands, and the other files' lines that tell the same."""

    __slots__ = ("also", "entry", "path", "taken")

    def __init__(self, entry: Entry, path: str) -> None:
        self.entry = entry
        self.path = path
        self.also: list[str] = []
        self.taken = {path}


class _Account:
    """What is gathered of one account while files are read into it."""

    def __init__(self) -> None:
        self.kept: list[_Kept] = []
        self.by_day: dict[tuple[date, Decimal, str], list[_Kept]] = defaultdict(list)
        self.by_id: dict[tuple[str, Decimal, str], list[_Kept]] = defaultdict(list)
        self.statements: list[tuple[Statement, str]] = []
        self.duplicates = 0

    def add(self, entry: Entry, path: str) -> None:
        twin = self._twin(entry, path)
        if twin is not None:
            twin.taken.add(path)
            twin.also.append(f"{path}, {entry.place}")
            self.duplicates += 1
            return
        kept = _Kept(entry, path)
        self.kept.append(kept)
        self.by_day[entry.day, entry.amount, entry.currency].append(kept)
        if entry.bank_id:
            self.by_id[entry.bank_id, entry.amount, entry.currency].append(kept)

    def _twin(self, entry: Entry, path: str) -> _Kept | None:
        if entry.bank_id:
            for one in self.by_id.get((entry.bank_id, entry.amount, entry.currency), [])[:MAX_EQUAL]:
                # The identifier is unique in an account (OFX, section 3.2.3): the same one in one file is a slip.
                if abs((one.entry.day - entry.day).days) <= LATER_DAYS and (
                    path not in one.taken or (one.entry.day == entry.day and one.entry.text == entry.text)
                ):
                    return one
        equal = self.by_day.get((entry.day, entry.amount, entry.currency), [])[:MAX_EQUAL]
        same_day = [one for one in equal if path not in one.taken]
        for one in same_day:
            # Two different identifiers of one bank are two payments, whatever else is equal.
            if _folded(one.entry) == _folded(entry) and not (one.entry.bank_id and entry.bank_id):
                return one
        return next((one for one in same_day if _alike(one.entry, entry)), None)


def merge(files: Mapping[str, LedgerFile], sorter: Sorter) -> Books:
    """All files' statements as one set of books."""
    gathered: dict[tuple[str, str], _Account] = defaultdict(_Account)
    keys = _keys(files, sorter)
    for path, file in sorted(files.items()):
        rule = sorter.account(path)
        for index, statement in enumerate(file.statements):
            for entry in statement.entries:
                adjusted = _as_ruled(entry, rule)
                gathered[keys[path, index], adjusted.currency].add(adjusted, path)
            currency = (rule.currency if rule else None) or statement.currency or NO_CURRENCY
            if not statement.entries or (keys[path, index], currency) in gathered:
                gathered[keys[path, index], currency].statements.append((statement, path))
    accounts, transactions, duplicates = [], [], 0
    for (key, currency), found in sorted(gathered.items()):
        account = _account(key, currency, found, sorter)
        if account is None:
            continue
        accounts.append(account)
        transactions += _transactions(account.id, found.kept, sorter)
        duplicates += found.duplicates
    transactions.sort(key=lambda one: (one.day, one.account, one.id))
    return Books(tuple(accounts), tuple(transactions), duplicates)


def _as_ruled(entry: Entry, rule: AccountRule | None) -> Entry:
    """An entry with what the user says of its file: a currency that it does not name itself, a sign turned."""
    if rule is None:
        return entry
    currency = rule.currency if rule.currency and entry.currency == NO_CURRENCY else entry.currency
    amount = -entry.amount if rule.sign == "reversed" else entry.amount
    return msgspec.structs.replace(entry, currency=currency, amount=amount)


def _keys(files: Mapping[str, LedgerFile], sorter: Sorter) -> dict[tuple[str, int], str]:
    """Which account each statement belongs to; a national number and the IBAN that ends with it are one."""
    numbers: dict[tuple[str, int], str] = {}
    for path, file in files.items():
        rule = sorter.account(path)
        for index, statement in enumerate(file.statements):
            named = f"name {rule.name}" if rule and rule.name else f"name {path.rpartition('/')[0]}/{statement.named}"
            number = plain_number(statement.number)
            numbers[path, index] = f"number {number}" if number and not (rule and rule.name) else named
    longest = sorted({one for one in numbers.values() if one.startswith("number ")}, key=lambda one: -len(one))
    whole: dict[str, str] = {}
    for one in longest:
        tail = one.removeprefix("number ")
        whole[one] = next((w for w in whole.values() if len(tail) >= MIN_NUMBER and w.endswith(tail)), one)
    return {where: whole.get(one, one) for where, one in numbers.items()}


def _account(key: str, currency: str, found: _Account, sorter: Sorter) -> Account | None:
    paths = sorted({path for _, path in found.statements} | {kept.path for kept in found.kept})
    statements = [statement for statement, _ in found.statements]
    known = [s for s in statements if s.balance is not None and s.balance_day is not None]
    newest = max(known, key=lambda s: s.balance_day or date.min, default=None)
    days = [kept.entry.day for kept in found.kept] + [s.balance_day for s in known if s.balance_day]
    if not days:
        return None
    ruled = next((rule.name for path in paths if (rule := sorter.account(path)) and rule.name), "")
    bank = next((s.bank for s in statements if s.bank), "")
    number = next((s.number for s in statements if s.number), "")
    named = next((s.named for s in statements if s.named), "")
    name = ruled or " ".join(filter(None, (bank, masked(number) if number else named))) or "account"
    turned = any((rule := sorter.account(path)) and rule.sign == "reversed" for path in paths)
    balance = newest.balance if newest is not None else None
    return Account(
        digest(key, currency),
        name,
        bank,
        next((s.kind for s in statements if s.kind), ""),
        currency,
        -balance if turned and balance is not None else balance,
        newest.balance_day if newest is not None else None,
        min(days),
        max(days),
        len(found.kept),
        tuple(paths),
    )


def _transactions(account: str, kept: Iterable[_Kept], sorter: Sorter) -> list[Transaction]:
    seen: dict[str, int] = defaultdict(int)
    found = []
    for one in kept:
        entry, named = one.entry, sorter.sort(one.entry)
        key = digest(account, entry.day, entry.amount, entry.text, entry.bank_id)
        seen[key] += 1
        found.append(
            Transaction(
                f"{key}-{seen[key]}" if seen[key] > 1 else key,
                account,
                entry.day,
                entry.amount,
                entry.currency,
                entry.payee,
                entry.memo,
                entry.kind,
                named.category,
                named.why,
                one.path,
                entry.place,
                tuple(one.also[:20]),
            )
        )
    return found


def _folded(entry: Entry) -> str:
    return " ".join(f"{entry.payee} {entry.memo}".casefold().split())


def _alike(one: Entry, other: Entry) -> bool:
    """Whether two formats' words may be about one payment: one says nothing, or they share half of the shorter's."""
    if one.bank_id and other.bank_id:
        return False
    first, second = set(_WORD.findall(_folded(one))), set(_WORD.findall(_folded(other)))
    return not first or not second or 2 * len(first & second) >= min(len(first), len(second))
