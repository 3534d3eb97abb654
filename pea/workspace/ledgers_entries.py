"""What a bank statement says, as plain values: accounts, entries, balances; sums are exact and never mixed."""

from __future__ import annotations

import hashlib
import re
from datetime import date
from decimal import Decimal

import msgspec

FIRST_YEAR, LAST_YEAR = 1950, 2150
_PLAIN = re.compile(r"[^0-9A-Za-z]")


class Entry(msgspec.Struct, frozen=True):
    """One line of a statement. ``amount`` is negative when money left the account.

    ``bank_id`` is the bank's own identifier (OFX FITID), ``place`` where a person finds the line, ``kind`` the bank's
    word for it (DEBIT, ATM, Lastschrift …).
    """

    day: date
    amount: Decimal
    currency: str
    payee: str = ""
    memo: str = ""
    kind: str = ""
    bank_id: str = ""
    place: str = ""

    @property
    def text(self) -> str:
        """All that is written about it, for rules and searches."""
        return " ".join(filter(None, (self.payee, self.memo, self.kind)))


class Statement(msgspec.Struct, frozen=True):
    """A run of one account's entries. ``number`` is the account's own (an IBAN or what the bank calls it).

    ``named`` is how it is known when it has no number. ``balance`` is what the bank says was there on ``balance_day``.
    """

    entries: tuple[Entry, ...]
    number: str = ""
    bank: str = ""
    named: str = ""
    kind: str = ""
    currency: str = ""
    balance: Decimal | None = None
    balance_day: date | None = None


class LedgerFile(msgspec.Struct, frozen=True):
    """One file: its statements, how it was understood (``reasons``) and what of it was not (``notes``)."""

    format: str
    statements: tuple[Statement, ...]
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many entries it holds."""
        return sum(len(statement.entries) for statement in self.statements)


def plain_number(number: str) -> str:
    """An account number without spaces, marks and leading zeros."""
    return _PLAIN.sub("", number).upper().lstrip("0")


def masked(number: str) -> str:
    """An account number as it may be shown: its last four characters."""
    plain = _PLAIN.sub("", number)
    return f"••{plain[-4:]}" if len(plain) > 4 else "••" + plain[-2:]


def digest(*parts: object) -> str:
    """A short stable name for something told by its parts."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def usable(day: date) -> bool:
    """Whether a day can be that of a bank's entry."""
    return FIRST_YEAR <= day.year <= LAST_YEAR


def tidy(text: str, limit: int = 300) -> str:
    """A field on one line, without what steers a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[: limit * 2]).split())[:limit]
