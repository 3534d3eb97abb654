"""OFX and QFX, SGML (1.x) and XML (2.x): statements out of whatever banks write under these names.

Written here because the reader that is kept up (ofxtools) is GPL and the others are not. OFX 1.x is SGML whose leaf
elements need no end tag (OFX 1.6, section 2.3); so the tags are read one after another, only the aggregates that
matter are kept on a stack, and nothing is ever expanded or fetched: an XML entity bomb is just text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from pea.workspace.files_report import Unreadable
from pea.workspace.ledgers_entries import Entry, LedgerFile, Statement, tidy, usable
from pea.workspace.ledgers_money import NO_CURRENCY, Mark, currency_code, decimal_mark, read_money
from pea.workspace.text.decode import decode

MAX_ENTRIES = 100_000
MAX_NOTES = 20
_TAG = re.compile(r"<(/?)([A-Za-z0-9_.:-]{1,64})(?:\s[^<>]{0,500})?(/?)>([^<]*)")
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_HEADER = re.compile(r"\b(ENCODING|CHARSET)\s*[:=]\s*[\"']?([\w.-]+)", re.IGNORECASE)
_DAY = re.compile(r"\s*(\d{4})[-/.]?(\d\d)[-/.]?(\d\d)")
_STATEMENTS = {"STMTRS": "bank", "CCSTMTRS": "card", "INVSTMTRS": "investment"}
# Aggregates whose elements must not be taken for those of what surrounds them.
_KEPT = frozenset(
    (
        *_STATEMENTS, "STMTTRN", "BANKACCTFROM", "CCACCTFROM", "INVACCTFROM", "BANKACCTTO", "CCACCTTO", "LEDGERBAL",
        "AVAILBAL", "CURRENCY", "ORIGCURRENCY", "PAYEE", "FI", "STATUS", "BANKTRANLIST", "INVTRANLIST", "BALLIST",
        "SONRS",
    )
)  # fmt: skip
Fields = dict[str, str]


def read(data: bytes) -> LedgerFile:
    """The statements of an OFX file. Raises Unreadable when it holds none."""
    head = data[:2048].decode("latin-1")
    declared = {name.upper(): value for name, value in _HEADER.findall(head)}
    charset = declared.get("CHARSET", "")
    text = decode(data, f"cp{charset}" if charset.isdigit() else declared.get("ENCODING", charset))
    if "<OFX" not in text[:100_000].upper():
        raise Unreadable("it is not OFX: there is no <OFX> in it")
    walk = _Walk()
    walk.read(text)
    if not walk.statements:
        code = walk.fields("STATUS").get("CODE", "0")
        why = f"; the bank's answer was an error (code {tidy(code, 10)})" if code not in ("", "0") else ""
        raise Unreadable(f"it holds no statement{why}")
    amounts = [fields.get("TRNAMT", "") for rows in walk.rows for fields in rows]
    mark = decimal_mark(amounts)
    notes = list(walk.notes)
    statements = []
    for index, fields in enumerate(walk.statements):
        statements.append(_statement(fields, walk.rows[index], walk.bank, mark, notes))
    version = "XML" if "<?" in text[:500] and "OFXHEADER=" in text[:2000].upper() else "SGML"
    reasons = (
        [f"OFX as {version}", mark.reason] if any("," in a or "." in a for a in amounts) else [f"OFX as {version}"]
    )
    return LedgerFile("OFX", tuple(statements), tuple(reasons), tuple(_cut(notes)))


def _cut(notes: list[str]) -> list[str]:
    more = len(notes) - MAX_NOTES
    return notes if more <= 0 else [*notes[:MAX_NOTES], f"and {more} more of its entries were left out or changed"]


class _Walk:
    """One pass over the tags; gathers the elements of each statement and of each of its entries."""

    def __init__(self) -> None:
        self.statements: list[Fields] = []
        self.rows: list[list[Fields]] = []
        self.notes: list[str] = []
        self.bank = ""
        self._open: list[str] = []
        self._other: dict[str, Fields] = {}
        self._row: Fields | None = None
        self._left = MAX_ENTRIES
        self._over = 0

    def fields(self, name: str) -> Fields:
        """What was found in an aggregate outside of statements."""
        return self._other.get(name, {})

    def read(self, text: str) -> None:
        for closing, name, empty, value in _tags(text):
            if closing:
                self._close(name)
            elif name in _KEPT and not empty:
                self._begin(name)
            elif value:
                self._leaf(name, value)
        self._close("STMTTRN")
        if self._over:
            self.notes.append(f"{self._over:,} entries beyond the first {MAX_ENTRIES:,} were left out")

    def _begin(self, name: str) -> None:
        if name in ("STMTTRN", *_STATEMENTS):
            self._close("STMTTRN")  # some banks never close one
        if name in _STATEMENTS:
            self.statements.append({"KIND": _STATEMENTS[name]})
            self.rows.append([])
        elif name == "STMTTRN":
            self._row = {}
        if len(self._open) < 32:
            self._open.append(name)

    def _close(self, name: str) -> None:
        if name in ("STMTTRN", "BANKTRANLIST", "INVTRANLIST", *_STATEMENTS) and self._row is not None:
            if not self.rows:
                self.statements.append({"KIND": "bank"})
                self.rows.append([])
            if self._left:
                self.rows[-1].append(self._row)
                self._left -= 1
            else:
                self._over += 1
            self._row = None
        if name in self._open:
            while self._open and self._open.pop() != name:
                pass

    def _leaf(self, name: str, value: str) -> None:
        inside = self._open[-1] if self._open else ""
        if self._row is not None:
            if inside in ("CURRENCY", "ORIGCURRENCY", "PAYEE", "BANKACCTTO", "CCACCTTO"):
                name = f"{inside}.{name}"
            self._row.setdefault(name, value)
        elif name == "ORG" and not self.bank:
            self.bank = tidy(value, 60)
        elif self.statements and any(one in _STATEMENTS for one in self._open):
            self.statements[-1].setdefault(name if inside in _STATEMENTS else f"{inside}.{name}", value)
        else:
            self._other.setdefault(inside, {}).setdefault(name, value)


def _tags(text: str) -> Iterator[tuple[bool, str, bool, str]]:
    """Each tag: whether it closes, its name in capitals, whether it is empty by itself, the text after it."""
    text = _CDATA.sub(lambda found: html.escape(found[1], quote=False), text)
    for match in _TAG.finditer(text):
        name = match[2].upper().rpartition(":")[2]
        yield bool(match[1]), name, bool(match[3]), html.unescape(match[4].strip()[:2_000]).strip()


def _statement(fields: Fields, rows: list[Fields], bank: str, mark: Mark, notes: list[str]) -> Statement:
    def first(*names: str) -> str:
        return next((fields[name] for name in names if fields.get(name)), "")

    currency = currency_code(first("CURDEF"))
    if currency == NO_CURRENCY:
        notes.append("it does not say its currency")
    entries = []
    for index, row in enumerate(rows, 1):
        entry = _entry(row, currency, mark, index)
        if isinstance(entry, Entry):
            entries.append(entry)
        else:
            notes.append(f"transaction {index} was left out: {entry}")
    balance = read_money(first("LEDGERBAL.BALAMT", "AVAILBAL.BALAMT"), mark.mark)
    day = _day(first("LEDGERBAL.DTASOF", "AVAILBAL.DTASOF"))
    return Statement(
        tuple(entries),
        number=tidy(first("BANKACCTFROM.ACCTID", "CCACCTFROM.ACCTID", "INVACCTFROM.ACCTID"), 60),
        bank=bank or tidy(first("BANKACCTFROM.BANKID", "INVACCTFROM.BROKERID"), 60),
        kind=(first("BANKACCTFROM.ACCTTYPE") or fields["KIND"]).lower()[:20],
        currency=currency,
        balance=balance,
        balance_day=day or max((entry.day for entry in entries), default=None),
    )


def _entry(row: Fields, currency: str, mark: Mark, index: int) -> Entry | str:
    """An entry, or the reason why it is none."""
    day = _day(row.get("DTPOSTED", "")) or _day(row.get("DTUSER", ""))
    if day is None:
        return f"its date cannot be read: {tidy(row.get('DTPOSTED', ''), 30) or '(none)'}"
    amount = _amount(row.get("TRNAMT", ""), mark)
    if amount is None:
        return f"its amount cannot be read: {tidy(row.get('TRNAMT', ''), 30) or '(none)'}"
    payee = row.get("NAME") or row.get("PAYEE.NAME") or ""
    # CURRENCY says what the amount is in; ORIGCURRENCY only what it was converted from (OFX 1.6, section 5.2).
    own = row.get("CURRENCY.CURSYM", "")
    return Entry(
        day,
        amount,
        currency_code(own) if own else currency,
        payee=tidy(payee),
        memo=tidy(row.get("MEMO", "")),
        kind=tidy(row.get("TRNTYPE", ""), 20),
        bank_id=tidy(row.get("FITID", ""), 255),
        place=f"transaction {index}",
    )


def _amount(text: str, mark: Mark) -> Decimal | None:
    value = read_money(text, mark.mark)
    # The standard allows both marks, and forbids grouping: what cannot be read one way may be written the other.
    return value if value is not None else read_money(text, "," if mark.mark == "." else ".")


def _day(text: str) -> date | None:
    """The bank's own day: ``20260131``, with or without a time and a zone, neither of which moves it."""
    match = _DAY.match(text)
    try:
        day = date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None
    return day if day is not None and usable(day) else None
