"""Accounts and transactions once all statements are put together, as plain values."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec


class Account(msgspec.Struct, frozen=True):
    """One account in one currency. ``id`` is stable; ``name`` shows no more of its number than four characters."""

    id: str
    name: str
    bank: str
    kind: str
    currency: str
    balance: Decimal | None
    balance_day: date | None
    first: date
    last: date
    count: int
    files: tuple[str, ...]


class Transaction(msgspec.Struct, frozen=True):
    """An entry in its account and category, with its file and place; ``also`` are the places that tell it again."""

    id: str
    account: str
    day: date
    amount: Decimal
    currency: str
    payee: str
    memo: str
    kind: str
    category: str
    why: str
    path: str
    place: str
    also: tuple[str, ...] = ()


class Books(msgspec.Struct, frozen=True):
    """All accounts and transactions (by day), and how many lines were told twice."""

    accounts: tuple[Account, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    duplicates: int = 0
