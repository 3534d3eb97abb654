"""A bank's CSV, whoever wrote it: charset, delimiter, header, dates, decimal mark and signs are found, with reasons."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import msgspec

from pea.workspace.files_report import Unreadable
from pea.workspace.ledgers_columns import Columns, by_content, by_header
from pea.workspace.ledgers_days import Order, order_of, read_day
from pea.workspace.ledgers_entries import Entry, LedgerFile, Statement, tidy
from pea.workspace.ledgers_money import NO_CURRENCY, Mark, currency_code, currency_in, decimal_mark, read_money
from pea.workspace.ledgers_signs import Signs, signs_of
from pea.workspace.text.decode import decode

MAX_ROWS = 100_000
MAX_COLUMNS = 200
HEADER_WITHIN = 60  # lines: what stands above the table is the account's own data
MAX_NOTES = 20
MAX_CELL_LINES = 10  # a cell of more lines is a quote that was never closed
_DELIMITERS = (";", ",", "\t", "|")
_NAMES = {";": "semicolons", ",": "commas", "\t": "tabs", "|": "bars"}
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_ACCOUNT = re.compile(r"(?:konto|account|compte|cuenta|rekening|iban)", re.IGNORECASE)
_MONTH = re.compile(
    r"\d{0,4}(?:jan|feb|m(?:ar|är)|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zäöüé]{0,6}\d{0,4}", re.IGNORECASE
)
Rows = list[tuple[int, list[str]]]


class Table(msgspec.Struct, frozen=True):
    """A table as it was found: rows with their line numbers, what stood above it, and where the roles are."""

    rows: tuple[tuple[int, list[str]], ...]
    above: tuple[tuple[int, list[str]], ...]
    columns: Columns
    header: tuple[str, ...]
    delimiter: str


def read(data: bytes, name: str = "") -> LedgerFile:
    """The statement in a CSV file, whose ``name`` tells accounts apart. Raises Unreadable when it is none."""
    text = decode(data)
    table = _table(text)
    rows = [row for _, row in table.rows]
    cells = table.columns.cell
    sums = [cells(row, role) for row in rows for role in ("amount", "debit", "credit")]
    currency, why = _currency(table)
    mark = decimal_mark(
        [*sums, *(cells(row, "balance") for row in rows)], default="," if table.delimiter == ";" else "."
    )
    american = currency == "USD" or (currency == NO_CURRENCY and mark.mark == "." and table.delimiter == ",")
    order = order_of((cells(row, "day") for row in rows), month_first=american if mark.sure or american else None)
    if order is None:
        raise Unreadable("it looks like a table, but no column of it holds dates")
    days = [day for row in rows if (day := read_day(cells(row, "day"), order.order))]
    newest_first = bool(days) and days[0] > days[-1]
    signs = signs_of(rows[::-1] if newest_first else rows, table.columns, mark.mark)
    entries, notes, currencies = _entries(table, order, mark, signs, currency)
    if not entries:
        raise Unreadable("no row of it is a transaction" + (f": {notes[0]}" if notes else ""))
    reasons = (
        f"cells are separated by {_NAMES[table.delimiter]}; columns were told {table.columns.by}",
        order.reason,
        mark.reason,
        signs.reason,
        why,
    )
    number = _number(table)
    balance, balance_day = _balance(table, order, mark)
    single = next(iter(currencies)) if len(currencies) == 1 else currency
    statement = Statement(
        tuple(entries),
        number=number,
        named="" if number else _stem(name),
        kind="card" if signs.card else "bank",
        currency=single,
        balance=balance,
        balance_day=balance_day,
    )
    if single == NO_CURRENCY:
        notes.insert(0, "it does not say its currency; name it under accounts in ledgers/rules.yaml")
    notes[:0] = [one.reason for one in (order, signs) if not one.sure]
    return LedgerFile("CSV", (statement,), reasons, tuple(_cut(notes)))


def _cut(notes: list[str]) -> list[str]:
    more = len(notes) - MAX_NOTES
    return notes if more <= 0 else [*notes[:MAX_NOTES], f"and {more:,} more rows were left out"]


def _table(text: str) -> Table:
    lines = text.split("\n")
    hint = re.match(r"\s*\"?sep=(.)", lines[0]) if lines else None
    found: list[tuple[int, Table]] = []
    for delimiter in (hint[1],) if hint and hint[1] in _DELIMITERS else _DELIMITERS:
        parsed = _parsed(text, delimiter)
        table = _headed(parsed, delimiter) or _unheaded(parsed, delimiter)
        if table is not None:
            found.append((len(table.columns.at) + (table.columns.by == "by its header"), table))
    if not found:
        raise Unreadable("it is no bank statement: no table with a date and an amount in it")
    return max(found, key=lambda one: one[0])[1]


def _parsed(text: str, delimiter: str) -> Rows:
    """Rows with cells, and the line each ends on; blank rows left out."""
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
        rows: Rows = []
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, quoting=quoting)
        try:
            for row in reader:
                if any(cell.strip() for cell in row):
                    rows.append((reader.line_num, [cell.strip('"') for cell in row[:MAX_COLUMNS]]))
                if len(rows) > MAX_ROWS + HEADER_WITHIN:
                    break
        except csv.Error:  # a quote that is never closed has swallowed what came after it
            continue
        if not any(cell.count("\n") > MAX_CELL_LINES for _, row in rows for cell in row):
            return rows
    return []


def _headed(rows: Rows, delimiter: str) -> Table | None:
    for index, (_, row) in enumerate(rows[:HEADER_WITHIN]):
        columns = by_header(row)
        if columns is not None:
            return Table(tuple(rows[index + 1 :]), tuple(rows[:index]), columns, tuple(row), delimiter)
    return None


def _unheaded(rows: Rows, delimiter: str) -> Table | None:
    widths = Counter(len(row) for _, row in rows if len(row) > 1)
    if not widths:
        return None
    width = widths.most_common(1)[0][0]
    body = [(line, row) for line, row in rows if len(row) == width]
    columns = by_content([row for _, row in body]) if width >= 3 and len(body) * 10 >= len(rows) * 9 else None
    return None if columns is None else Table(tuple(rows), (), columns, (), delimiter)


def _entries(
    table: Table, order: Order, mark: Mark, signs: Signs, currency: str
) -> tuple[list[Entry], list[str], set[str]]:
    entries: list[Entry] = []
    notes: list[str] = []
    for line, row in table.rows[:MAX_ROWS]:
        cell = table.columns.cell
        day = read_day(cell(row, "day"), order.order)
        amount = signs.amount(row, table.columns, mark.mark)
        if day is None or amount is None:
            missing = "date" if day is None else "amount"
            notes.append(f"line {line} is no transaction (no {missing} in it): {tidy(' '.join(row), 60)}")
            continue
        own = cell(row, "currency")
        payee, memo = tidy(cell(row, "payee")), tidy(cell(row, "memo"))
        if not payee:
            payee, memo = memo, ""
        entries.append(
            Entry(
                day,
                amount,
                currency_code(own) if own else currency_in(cell(row, "amount")) or currency,
                payee,
                memo,
                tidy(cell(row, "kind"), 40),
                tidy(cell(row, "bank_id"), 100),
                f"line {line}",
            )
        )
    if len(table.rows) > MAX_ROWS:
        notes.append(f"only its first {MAX_ROWS:,} rows were read")
    return entries, notes, {entry.currency for entry in entries}


def _currency(table: Table) -> tuple[str, str]:
    """The currency of rows that name none, and where it is said."""
    for role in ("amount", "debit", "credit", "balance"):
        index = table.columns.at.get(role)
        if index is not None and index < len(table.header):
            code = currency_in(table.header[index].replace("_", " ")) or currency_in(table.header[index].upper()[-3:])
            if code:
                return code, f"the currency {code} stands in the header"
    for _, row in table.above:
        code = currency_in(" ".join(row))
        if code:
            return code, f"the currency {code} stands above the table"
    if "currency" in table.columns.at:
        found = Counter(currency_code(table.columns.cell(row, "currency")) for _, row in table.rows)
        code = found.most_common(1)[0][0] if found else NO_CURRENCY
        return code, "the currency stands in each row"
    cells = (currency_in(table.columns.cell(row, "amount")) for _, row in table.rows[:100])
    code = next(filter(None, cells), "")
    return (code, f"the currency {code} stands beside the amounts") if code else (NO_CURRENCY, "no currency is named")


def _number(table: Table) -> str:
    """The account's own number: one that stands above the table, or in every row."""
    for _, row in table.above:
        text = " ".join(row)
        iban = _IBAN.search(text)
        if iban:
            return iban[0]
        digits = re.search(r"\d[\d ]{5,18}\d", text) if _ACCOUNT.search(text) else None
        if digits:
            return digits[0]
    numbers = {table.columns.cell(row, "number") for _, row in table.rows} - {""}
    return tidy(numbers.pop(), 60) if len(numbers) == 1 else ""


def _stem(name: str) -> str:
    """A file's name without what changes from month to month: dates, numbers, copies."""
    words = re.sub(r"\.[A-Za-z]{3,4}$", "", name)
    kept = (w for w in re.split(r"[\s_.,()-]+", words) if any(c.isalpha() for c in w) and not _MONTH.fullmatch(w))
    return " ".join(kept) or "statement"


def _balance(table: Table, order: Order, mark: Mark) -> tuple[Decimal | None, date | None]:
    """What was there after the newest row; its place in the file tells which of a day's rows that is."""
    if "balance" not in table.columns.at:
        return None, None
    cell = table.columns.cell
    said: list[tuple[date, Decimal]] = []
    for _, row in table.rows:
        day, balance = read_day(cell(row, "day"), order.order), read_money(cell(row, "balance"), mark.mark)
        if day is not None and balance is not None:
            said.append((day, balance))
    if not said:
        return None, None
    newest_first: Sequence[tuple[date, Decimal]] = said if said[0][0] >= said[-1][0] else said[::-1]
    day, balance = newest_first[0]
    return balance, day
