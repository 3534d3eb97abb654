"""Which way the money went: a sign, two columns, a letter beside the sum, or what the running balance proves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from pea.workspace.ledgers_columns import Columns
from pea.workspace.ledgers_money import read_money

_OUT = frozenset(
    (
        "s", "d", "dr", "dbit", "debit", "soll", "af", "out", "debet", "lastschrift", "withdrawal", "ausgang",
        "belastung", "payment", "purchase", "sale", "fee", "expense", "cargo",
    )
)  # fmt: skip
_IN = frozenset(
    (
        "h", "c", "cr", "crdt", "credit", "haben", "bij", "in", "gutschrift", "deposit", "eingang", "refund",
        "income", "abono", "return",
    )
)  # fmt: skip
_SETTLES = re.compile(
    r"payment[\s,-]*(?:received|thank you|thanks)|autopay|direct debit payment|thank you|zahlung erhalten|"
    r"payment - thank|lastschrift.*kartenabrechnung|card payment received",
    re.IGNORECASE,
)


class Signs(msgspec.Struct, frozen=True):
    """How a table's sums get their sign, and why; ``flip`` turns those of a card, whose spending is positive."""

    how: str
    reason: str
    flip: bool = False
    sure: bool = True
    card: bool = False

    def amount(self, row: Sequence[str], columns: Columns, mark: str) -> Decimal | None:
        """A row's signed sum; None when it has none."""
        cell = columns.cell
        if self.how == "two columns":
            paid, got = read_money(cell(row, "debit"), mark), read_money(cell(row, "credit"), mark)
            if paid is None and got is None:
                return None
            return (abs(got) if got is not None else Decimal(0)) - (abs(paid) if paid is not None else Decimal(0))
        amount = read_money(cell(row, "amount"), mark)
        if amount is None:
            return None
        if self.how in ("side", "kind"):
            word = cell(row, self.how).strip().lower()
            return -abs(amount) if word in _OUT else abs(amount) if word in _IN else amount
        return -amount if self.flip else amount


def signs_of(rows: Sequence[Sequence[str]], columns: Columns, mark: str) -> Signs:
    """How the signs of a table are to be read; rows come oldest first."""
    if "amount" not in columns.at:
        return Signs("two columns", "money out and money in have a column each")
    amounts = [read_money(columns.cell(row, "amount"), mark) for row in rows]
    known = [amount for amount in amounts if amount]
    plus, minus = sum(a > 0 for a in known), sum(a < 0 for a in known)
    if "side" in columns.at:
        return Signs("side", "a column says of each sum whether it is debit or credit")
    if not minus and "kind" in columns.at:
        words = [columns.cell(row, "kind").lower() for row in rows if columns.cell(row, "kind")]
        told = sum(word in _OUT or word in _IN for word in words)
        if words and told == len(words):
            return Signs("kind", "no sum has a sign; the kind of each says whether it is debit or credit")
    proof = _balances(rows, columns, mark, amounts)
    if proof is not None:
        return proof
    payments = [
        amount
        for row, amount in zip(rows, amounts, strict=True)
        if amount and _SETTLES.search(f"{columns.cell(row, 'payee')} {columns.cell(row, 'memo')}")
    ]
    if plus > minus and payments and all(amount < 0 for amount in payments):
        reason = "sums are those of a card: its payments are negative, so what is positive was spent"
        return Signs("sign", reason, flip=True, card=True)
    if minus:
        return Signs("sign", "a minus marks money that left")
    reason = "every sum is positive and nothing says which way it went; they are taken as written"
    return Signs("sign", f"{reason} (set sign: reversed for it in ledgers/rules.yaml if it was spent)", sure=False)


def _balances(
    rows: Sequence[Sequence[str]], columns: Columns, mark: str, amounts: Sequence[Decimal | None]
) -> Signs | None:
    """What the running balance of rows, oldest first, proves: it moves by each sum, or against it."""
    if "balance" not in columns.at:
        return None
    balances = [read_money(columns.cell(row, "balance"), mark) for row in rows]
    votes = {1: 0, -1: 0}
    for before, after, new in zip(balances, balances[1:], amounts[1:], strict=False):
        if before is not None and after is not None and new:
            for sign in votes:
                votes[sign] += after - before == sign * new
    same, against = votes[1], votes[-1]
    if max(same, against) < 3 or min(same, against) * 4 > max(same, against):
        return None
    if same > against:
        return Signs("sign", f"the running balance moves by each sum ({same} rows prove it)")
    return Signs("sign", f"the running balance moves against each sum ({against} rows): signs are turned", flip=True)
