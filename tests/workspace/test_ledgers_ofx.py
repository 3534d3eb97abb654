"""OFX as banks write it: SGML without end tags, XML, empty elements, foreign currency, and what is broken."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from pea.workspace.files_report import Unreadable
from pea.workspace.ledgers_ofx import read

HEAD = "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nENCODING:USASCII\nCHARSET:1252\n\n"


def statement(rows: str, currency: str = "EUR") -> bytes:
    body = (
        f"<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>{currency}\n<BANKACCTFROM><BANKID>100<ACCTID>0012345678"
        f"<ACCTTYPE>CHECKING</BANKACCTFROM><BANKTRANLIST>\n{rows}\n</BANKTRANLIST><LEDGERBAL><BALAMT>99.50"
        "<DTASOF>20260511</LEDGERBAL></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>"
    )
    return (HEAD + body).encode("cp1252")


def test_sgml_without_end_tags() -> None:
    """Elements end where the next begins; the bank's day stays, whatever its time zone."""
    rows = (
        "<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20260501235900.000[-8:PST]<TRNAMT>-12.34<FITID>A1"
        "<NAME>Café M\xfcller &amp; Co"
        "<MEMO>\n<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20260502<TRNAMT>5<FITID>A2<NAME>B</STMTTRN>"
    )
    (found,) = read(statement(rows)).statements
    assert [(str(e.day), e.amount, e.payee) for e in found.entries] == [
        ("2026-05-01", Decimal("-12.34"), "Café Müller & Co"),
        ("2026-05-02", Decimal(5), "B"),
    ]
    assert (found.number, found.balance, str(found.balance_day)) == ("0012345678", Decimal("99.50"), "2026-05-11")


def test_the_other_account_is_not_this_one() -> None:
    """A transfer names the account it went to; it is not taken for the statement's own."""
    rows = (
        "<STMTTRN><DTPOSTED>20260501<TRNAMT>-1,50<FITID>1<NAME>T<BANKACCTTO><BANKID>9<ACCTID>999999</BANKACCTTO>"
        "<CURRENCY><CURRATE>1.1<CURSYM>USD</CURRENCY></STMTTRN>"
    )
    (found,) = read(statement(rows)).statements
    assert found.number == "0012345678"
    assert (found.entries[0].amount, found.entries[0].currency) == (Decimal("-1.50"), "USD")


def test_what_cannot_be_read_is_named_and_the_rest_served() -> None:
    """One broken line costs itself."""
    rows = (
        "<STMTTRN><DTPOSTED>20261399<TRNAMT>1<FITID>1</STMTTRN><STMTTRN><DTPOSTED>20260501<TRNAMT>NaN<FITID>2</STMTTRN>"
        "<STMTTRN><DTPOSTED>20260501<TRNAMT>2.00<FITID>3</STMTTRN>"
    )
    file = read(statement(rows))
    assert len(file.statements[0].entries) == 1
    assert any("transaction 1" in note and "date" in note for note in file.notes)
    assert any("transaction 2" in note and "amount" in note for note in file.notes)


@pytest.mark.parametrize(
    "data", [b"hello", b"<OFX></OFX>", b"<OFX><SIGNONMSGSRSV1><SONRS><STATUS><CODE>15500</STATUS>"]
)
def test_a_file_without_a_statement_is_refused(data: bytes) -> None:
    """With the reason, and with the bank's error code when it gave one."""
    with pytest.raises(Unreadable, match=r"OFX|statement"):
        read(data)


def test_an_entity_bomb_is_text() -> None:
    """Nothing is expanded: the declared entities stay words, and reading takes no time."""
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    rows = "<STMTTRN><DTPOSTED>20260501<TRNAMT>1.00<FITID>1<NAME>&b;&b;&b;</STMTTRN>" * 2_000
    started = time.process_time()
    file = read(bomb + statement(rows))
    assert len(file.statements[0].entries) == 2_000
    assert file.statements[0].entries[0].payee.startswith("&b;")
    assert time.process_time() - started < 30
