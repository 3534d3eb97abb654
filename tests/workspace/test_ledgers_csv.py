"""A bank's CSV is read right whoever wrote it, and what cannot be known is said instead of guessed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.workspace.files_report import Unreadable
from pea.workspace.ledgers import parse_ledger
from pea.workspace.ledgers_csv import read
from pea.workspace.ledgers_money import decimal_mark, read_money

GERMAN = (
    '"Kreditkarte";"DE45200888880007654321"\n\n'
    '"Buchungstag";"Wertstellung";"Empfänger";"Verwendungszweck";"Betrag (EUR)"\n'
    '"11.05.26";"11.05.26";"REWE";"Danke";"-1.284,12"\n"30.04.26";"30.04.26";"Lohn";"";"8.432,10"\n'
).encode("cp1252")

BANKS = {
    "German, semicolons, cp1252": (GERMAN, [("2026-05-11", "-1284.12", "EUR"), ("2026-04-30", "8432.10", "EUR")]),
    "American card, month first": (
        (
            b"Transaction Date,Post Date,Description,Category,Type,Amount,Memo\n"
            b"05/03/2026,05/04/2026,NETFLIX.COM,Fun,Sale,-15.49,\n05/13/2026,05/14/2026,Payment,,Payment,500.00,\n"
        ),
        [("2026-05-03", "-15.49", "XXX"), ("2026-05-13", "500.00", "XXX")],
    ),
    "card that counts spending up": (
        (
            b"Date,Description,Amount\n05/13/2026,HILTON,315.49\n05/14/2026,UBER,12.00\n"
            b"05/15/2026,AUTOPAY PAYMENT - THANK YOU,-500.00\n"
        ),
        [("2026-05-13", "-315.49", "XXX"), ("2026-05-14", "-12.00", "XXX"), ("2026-05-15", "500.00", "XXX")],
    ),
    "no header": (
        b'"05/13/2026","-12.50","*","","STARBUCKS"\n"05/03/2026","1,200.00","*","","PAYROLL"\n',
        [("2026-05-13", "-12.50", "XXX"), ("2026-05-03", "1200.00", "XXX")],
    ),
    "money out and in apart": (
        (
            b"Date,Type,Description,Paid Out (GBP),Paid In (GBP),Balance (GBP)\n"
            b"03 May 2026,VIS,TESCO,12.50,,987.50\n04 May 2026,BP,BOB,,100.00,1087.50\n"
        ),
        [("2026-05-03", "-12.50", "GBP"), ("2026-05-04", "100.00", "GBP")],
    ),
    "a word for the side": (
        (
            b'"Datum";"Naam / Omschrijving";"Rekening";"Code";"Af Bij";"Bedrag (EUR)"\n'
            b'"20260503";"Albert Heijn";"NL20INGB0001234567";"BA";"Af";"25,30"\n'
        ),
        [("2026-05-03", "-25.30", "EUR")],
    ),
    "tabs, brackets for minus": (
        b"Date\tDescription\tAmount\n2026-05-01\tRent\t(1,500.00)\n2026-05-02\tPay\t$2,000.00\n",
        [("2026-05-01", "-1500.00", "USD"), ("2026-05-02", "2000.00", "USD")],
    ),
    "currency of each row": (
        (
            b"Type,Completed Date,Description,Amount,Currency\nCARD,2026-05-02 10:00:00,Bolt,-7.20,EUR\n"
            b"CARD,2026-05-03 10:00:00,Tube,-2.80,GBP\n"
        ),
        [("2026-05-02", "-7.20", "EUR"), ("2026-05-03", "-2.80", "GBP")],
    ),
}


@pytest.mark.parametrize("bank", BANKS)
def test_each_bank_is_understood(bank: str) -> None:
    """Charset, delimiter, dates, decimal mark, sign and currency come out right, and each choice has its reason."""
    data, expected = BANKS[bank]
    file = read(data, "statement.csv")
    found = [(str(e.day), str(e.amount), e.currency) for s in file.statements for e in s.entries]
    assert found == expected
    assert all(file.reasons)


def test_a_running_balance_proves_the_sign() -> None:
    """Where the balance falls by each positive sum, the sums are money that left."""
    rows = "".join(f"2026-05-{day:02d},Shop,10.00,{1000 - 10 * day}.00\n" for day in range(1, 8))
    file = read(f"Date,Description,Amount,Balance\n{rows}".encode(), "x.csv")
    assert {e.amount for e in file.statements[0].entries} == {Decimal("-10.00")}
    assert any("running balance" in reason for reason in file.reasons)


def test_what_nothing_tells_is_noted() -> None:
    """Dates that can be read in two ways, a sign and a currency that nobody names are assumptions, and said to be."""
    file = read(
        b"Date,Description,Amount\n03/04/2026,Shop,10.00\n05/04/2026,Shop,12.00\n03/04/2026,Shop,9.00\n", "x.csv"
    )
    notes = " ".join(file.notes)
    assert "two ways" in notes
    assert "every sum is positive" in notes
    assert "currency" in notes


def test_rows_that_are_no_transactions_are_named() -> None:
    """A total at the foot is left out with its line, not silently."""
    file = read(b"Date,Description,Amount\n2026-05-01,Rent,-10.00\nTotal,,-10.00\n", "x.csv")
    assert len(file.statements[0].entries) == 1
    assert any("line 3" in note for note in file.notes)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a,b,c\n1,2,3\n",
        b"<html><body>Please sign in</body></html>",
        b"Date,Amount\nfoo,bar\n",
        b"\x00\x01\x02" * 50,
        b'Date,Description,Amount\n"' + b"x" * 200_000,
    ],
)
def test_what_is_no_statement_is_refused_with_a_reason(data: bytes) -> None:
    """A reason instead of a crash or an empty answer."""
    with pytest.raises(Unreadable) as refused:
        parse_ledger(data, "x.csv")
    assert refused.value.what


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2, allow_nan=False))
@settings(max_examples=100, deadline=None)
def test_sums_are_exact(amount: Decimal) -> None:
    """What is written comes back to the cent, in the English and the German way."""
    english = f"{amount:,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    assert read_money(english, ".") == amount
    assert read_money(german, ",") == amount
    assert decimal_mark([german]).mark == ","


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_no_text_breaks_the_reader(text: str) -> None:
    """Whatever stands in a file, it is read or refused."""
    try:
        parse_ledger(text.encode("utf-8", "surrogatepass"), "x.csv")
    except Unreadable:
        return
