"""Ledgers: the money of ``story/ledgers.toml`` as two banks would hand it out, with a week told twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from maker.story import Cast, table

FIRST, LAST = date(2026, 1, 1), date(2026, 5, 11)
FILES = (  # the second statement begins a week before the first one ends
    ("spreebank-2026-q1.ofx", date(2026, 1, 1), date(2026, 3, 31)),
    ("spreebank-2026-04.qfx", date(2026, 3, 25), LAST),
)
RULES = """\
# Nora's own rules; they come before those that PEA ships.
rules:
  - {category: music, words: [klavier*, spotify]}
  - {category: news, words: [daily energy brief]}
budgets:
  groceries: {EUR: 700}
  eating out: {EUR: 150}
  travel: {EUR: 400}
accounts:
  - {files: "karte-*.csv", name: Karte}
"""


@dataclass(frozen=True, slots=True)
class Booking:
    """One line of a statement."""

    day: date
    payee: str
    memo: str
    amount: Decimal
    kind: str


def write(folder: Path, people: Cast) -> None:  # noqa: ARG001  every maker is called alike
    """Write both banks' statements and the user's rules into ``folder``."""
    story = table("ledgers.toml")
    bank = sorted(_bookings(story, "bank"), key=lambda one: (one.day, one.payee))
    card = sorted(_bookings(story, "card"), key=lambda one: (one.day, one.payee))
    for name, first, last in FILES:
        (folder / name).write_bytes(_ofx(story["bank"], bank, first, last).encode("cp1252"))
    (folder / "karte-umsaetze-2026.csv").write_bytes(_csv(story["card"], card).encode("cp1252"))
    (folder / "rules.yaml").write_text(RULES, "utf-8")


def _bookings(story: dict[str, Any], where: str) -> Iterator[Booking]:
    for row in story["monthly"]:
        amount = row["amount"]
        for month in range(FIRST.month, LAST.month + 1):
            amount = row.get("changes", {}).get(str(month), amount)
            day = date(2026, month, row["day"])
            if row["in"] == where and day <= LAST:
                yield _booking(row | {"amount": amount}, day)
    for row in story["weekly"]:
        if row["in"] != where:
            continue
        day = FIRST + timedelta(days=(row["weekday"] - FIRST.weekday()) % 7)
        count = 0
        while day <= LAST:
            yield _booking(row | {"amount": row["amounts"][count % len(row["amounts"])]}, day)
            day, count = day + timedelta(days=7), count + 1
    for row in story["once"]:
        if row["in"] == where:
            yield _booking(row, row["day"])


def _booking(row: dict[str, Any], day: date) -> Booking:
    return Booking(day, row["payee"], row.get("memo", ""), Decimal(row["amount"]), row.get("kind", ""))


def _ofx(bank: dict[str, Any], bookings: list[Booking], first: date, last: date) -> str:
    """OFX 1.02: SGML whose elements have no end tags, as most banks still write it."""
    balance = Decimal(bank["opening"]) + sum(one.amount for one in bookings if one.day <= last)
    lines = [
        *("OFXHEADER:100", "DATA:OFXSGML", "VERSION:102", "SECURITY:NONE", "ENCODING:USASCII", "CHARSET:1252"),
        *("COMPRESSION:NONE", "OLDFILEUID:NONE", "NEWFILEUID:NONE", "", "<OFX>", "<SIGNONMSGSRSV1>", "<SONRS>"),
        *("<STATUS>", "<CODE>0", "<SEVERITY>INFO", "</STATUS>", f"<DTSERVER>{last:%Y%m%d}120000", "<LANGUAGE>GER"),
        *("<FI>", f"<ORG>{bank['name']}", "<FID>4711", "</FI>", "</SONRS>", "</SIGNONMSGSRSV1>"),
        *("<BANKMSGSRSV1>", "<STMTTRNRS>", "<TRNUID>0", "<STMTRS>", f"<CURDEF>{bank['currency']}"),
        *("<BANKACCTFROM>", f"<BANKID>{bank['bank_id']}", f"<ACCTID>{bank['account']}", "<ACCTTYPE>CHECKING"),
        *("</BANKACCTFROM>", "<BANKTRANLIST>", f"<DTSTART>{first:%Y%m%d}", f"<DTEND>{last:%Y%m%d}"),
    ]
    for number, one in enumerate(bookings, 1):
        if first <= one.day <= last:
            kind = one.kind or ("CREDIT" if one.amount > 0 else "DEBIT")
            lines += ["<STMTTRN>", f"<TRNTYPE>{kind}", f"<DTPOSTED>{one.day:%Y%m%d}120000[+1:CET]"]
            lines += [f"<TRNAMT>{one.amount}", f"<FITID>{one.day:%Y%m}{number:05d}", f"<NAME>{one.payee}"]
            lines += [f"<MEMO>{one.memo}", "</STMTTRN>"]
    lines += ["</BANKTRANLIST>", "<LEDGERBAL>", f"<BALAMT>{balance}", f"<DTASOF>{last:%Y%m%d}", "</LEDGERBAL>"]
    return "\r\n".join([*lines, "</STMTRS>", "</STMTTRNRS>", "</BANKMSGSRSV1>", "</OFX>", ""])


def _csv(card: dict[str, Any], bookings: list[Booking]) -> str:
    """A German card statement: semicolons, decimal commas, newest first, four lines above the table."""
    lines = [f'"Kreditkarte";"{card["iban"]}"', '"Zeitraum:";"01.01.2026 - 11.05.2026"', '"Währung:";"EUR"', '""']
    lines.append('"Buchungstag";"Wertstellung";"Empfänger";"Verwendungszweck";"Betrag (EUR)"')
    for one in reversed(bookings):
        amount = f"{one.amount:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")
        day = f"{one.day:%d.%m.%y}"
        lines.append(f'"{day}";"{day}";"{one.payee}";"{one.memo}";"{amount}"')
    return "\r\n".join([*lines, ""])
