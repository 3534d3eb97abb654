"""Statements of one account put together: each payment once, each currency apart, each category with its reason."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.workspace.files_report import Unreadable
from pea.workspace.ledgers import Entry, LedgerFile, Ledgers, Statement, read_rules
from pea.workspace.ledgers_merge import merge
from pea.workspace.ledgers_rules import RuleFile, Sorter

NOTHING = Sorter(RuleFile(), RuleFile())


def entry(day: int, amount: str, payee: str = "Shop", bank_id: str = "", currency: str = "EUR") -> Entry:
    return Entry(date(2026, 5, day), Decimal(amount), currency, payee, bank_id=bank_id, place=f"line {day}")


def file(*entries: Entry, number: str = "DE08100999990001234567") -> LedgerFile:
    return LedgerFile("CSV", (Statement(entries, number=number, currency="EUR"),))


def test_overlapping_statements_count_once() -> None:
    """A payment that two statements tell is one; the other place is kept beside it."""
    books = merge({"a": file(entry(1, "-5"), entry(2, "-7")), "b": file(entry(2, "-7"), entry(3, "-9"))}, NOTHING)
    assert [str(one.amount) for one in books.transactions] == ["-5", "-7", "-9"]
    assert books.duplicates == 1
    assert books.transactions[1].also == ("b, line 2",)


def test_two_equal_payments_of_one_day_are_two() -> None:
    """Two coffees stay two, also when a second statement tells both again."""
    twice = (entry(1, "-3"), entry(1, "-3"))
    assert len(merge({"a": file(*twice)}, NOTHING).transactions) == 2
    assert len(merge({"a": file(*twice), "b": file(*twice)}, NOTHING).transactions) == 2
    ids = {one.id for one in merge({"a": file(*twice)}, NOTHING).transactions}
    assert len(ids) == 2


def test_the_banks_identifier_decides() -> None:
    """A pending payment booked later is the same; two identifiers are two payments."""
    moved = merge({"a": file(entry(1, "-3", bank_id="x")), "b": file(entry(3, "-3", "SHOP 12", "x"))}, NOTHING)
    assert len(moved.transactions) == 1
    apart = merge({"a": file(entry(1, "-3", bank_id="x")), "b": file(entry(1, "-3", bank_id="y"))}, NOTHING)
    assert len(apart.transactions) == 2


def test_a_national_number_and_its_iban_are_one_account() -> None:
    """OFX has the short number, CSV the IBAN that ends with it."""
    books = merge({"a": file(entry(1, "-3"), number="0001234567"), "b": file(entry(2, "-3"))}, NOTHING)
    assert len(books.accounts) == 1
    assert "1234567" not in books.accounts[0].name


def test_currencies_are_never_mixed() -> None:
    """An account that holds two currencies is told as two."""
    books = merge({"a": file(entry(1, "-3"), entry(1, "-3", currency="USD"))}, NOTHING)
    assert sorted(account.currency for account in books.accounts) == ["EUR", "USD"]


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(-3, 3), st.sampled_from("ab")), max_size=20), st.integers(0, 20)
)
@settings(max_examples=100, deadline=None)
def test_any_cut_with_overlap_gives_the_whole(rows: list[tuple[int, int, str]], cut: int) -> None:
    """However a run of entries is cut into two overlapping statements by days, nothing is lost and nothing doubled."""
    entries = sorted((entry(day, str(amount), payee) for day, amount, payee in rows), key=lambda one: one.day)
    border = date(2026, 5, 1 + cut % 9)
    first = [one for one in entries if one.day <= border]
    second = [one for one in entries if one.day >= border]
    whole = merge({"a": file(*entries)}, NOTHING)
    both = merge({"a": file(*first), "b": file(*second)}, NOTHING)
    assert sorted(one.amount for one in both.transactions) == sorted(one.amount for one in whole.transactions)


def test_the_users_rules_come_first(tmp_path: Path) -> None:
    """Her rule wins over the shipped one, and the reason says whose it was."""
    path = tmp_path / "rules.yaml"
    path.write_text('rules: [{category: music, words: ["spotify"], sign: out}]\nbudgets: {music: {EUR: 20.50}}')
    own = read_rules(path)
    named = Sorter(own).sort(entry(1, "-9.99", "Spotify AB"))
    assert (named.category, named.why) == ("music", "your rule: “spotify”")
    assert Sorter(own).sort(entry(1, "9.99", "Spotify AB")).category == "subscriptions"
    assert own.budgets["music"]["EUR"] == Decimal("20.5")


@pytest.mark.parametrize(
    "text",
    ["rules: [{category: x}]", "rules: 5", "a: &a [*a]", "!!python/object:os.system {}", "budgets: {x: {eur: 1}}"],
)
def test_a_rule_file_with_a_mistake_is_refused(tmp_path: Path, text: str) -> None:
    """With the field's name; and nothing in it is ever executed."""
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(Unreadable, match=r"rules|YAML"):
        read_rules(path)


def test_a_broken_rule_file_leaves_the_last_good_one(tmp_path: Path) -> None:
    """The statements are served by the rules before it, and the file is named with its mistake."""
    folder = tmp_path / "ledgers"
    folder.mkdir()
    (folder / "a.csv").write_text("Date,Description,Amount\n2026-05-01,Zebra,-1.00\n")
    (folder / "rules.yaml").write_text("rules: [{category: zoo, words: [zebra]}]")
    ledgers = Ledgers(tmp_path)
    ledgers.refresh()
    assert ledgers.books.transactions[0].category == "zoo"
    (folder / "rules.yaml").write_text("rules: [{category: zoo, wrods: [zebra]}]  # longer")
    ledgers.refresh()
    assert ledgers.books.transactions[0].category == "zoo"
    assert [r.path for r in ledgers.report().refused] == ["ledgers/rules.yaml"]
