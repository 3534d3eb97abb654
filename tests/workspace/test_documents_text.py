"""Sentences, dates and sums are found in text as people write it."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.workspace.text import find_amounts, find_dates, sentences

BASE = date(2026, 5, 12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Ann met Mr. Bob at 9 a.m. in St. Ives.", ["Dr. Ann met Mr. Bob at 9 a.m. in St. Ives."]),
        ("It costs 1.5 million. Really.", ["It costs 1.5 million.", "Really."]),
        ("We left at 5 p.m. The train was late.", ["We left at 5 p.m.", "The train was late."]),
        ("A wrapped\nline. Next", ["A wrapped line.", "Next"]),
        ("Dear Ann\n\nhow are you?", ["Dear Ann", "how are you?"]),
        ("List:\n- one\n- two", ["List:", "- one", "- two"]),
        ("これは文です。次の文。", ["これは文です。", "次の文。"]),
        ("e.g. this, i.e. that, etc. and so on.", ["e.g. this, i.e. that, etc. and so on."]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    """Full stops of abbreviations and numbers end nothing; blank lines and list items do."""
    assert list(sentences(text)) == expected


@given(st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_sentences_lose_nothing(text: str) -> None:
    """All words of the text are in its sentences, in order."""
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("on 2026-05-14.", date(2026, 5, 14)),
        ("14 May 2026", date(2026, 5, 14)),
        ("14th of May, 2026", date(2026, 5, 14)),
        ("May 14, 2026", date(2026, 5, 14)),
        ("14. Mai 2026", date(2026, 5, 14)),
        ("le 14 février 2027", date(2027, 2, 14)),
        ("14.05.2026", date(2026, 5, 14)),
        ("14.5.26", date(2026, 5, 14)),
        ("before 14 May", date(2026, 5, 14)),
        ("by March 3rd", date(2027, 3, 3)),  # ahead: March is past
        ("1 April", date(2026, 4, 1)),  # six weeks ago is still this year's
        ("25/12/2026", date(2026, 12, 25)),
        ("12/25/2026", date(2026, 12, 25)),
        ("3/4/2026", date(2026, 4, 3)),
    ],
)
def test_dates(text: str, day: date) -> None:
    """Days are read as they are written; one without a year lies near the base."""
    assert [moment.day for moment in find_dates(text, BASE)] == [day]


@pytest.mark.parametrize(
    "text", ["31.2.2026", "version 1.2.3", "at 10:30", "2026-13-01", "10.0.0.1", "1/2 cup", "May I come?", "3 marbles"]
)
def test_no_dates(text: str) -> None:
    """Versions, addresses, fractions, impossible days and the verb may are no dates."""
    assert list(find_dates(text, BASE)) == []


def test_without_a_base_a_year_is_needed() -> None:
    """A day without a year is no date when nothing says which year is meant."""
    assert list(find_dates("14 May")) == []


@pytest.mark.parametrize(
    ("text", "value", "currency"),
    [
        ("EUR 1,500,000", 1_500_000, "EUR"),
        ("1.500.000,50 €", 1_500_000.5, "EUR"),
        ("€412", 412, "EUR"),
        ("$ 4.1 million", 4_100_000, "USD"),
        ("CHF 12'000.00", 12_000, "CHF"),
        ("96.50 EUR", 96.5, "EUR"),
        ("£3k", 3_000, "GBP"),
        ("200 euros", 200, "EUR"),
        ("1 234,5 EUR", 1_234.5, "EUR"),
    ],
)
def test_amounts(text: str, value: float, currency: str) -> None:
    """Sums are read with either decimal mark, and with words for large ones."""
    (amount,) = find_amounts(f"It is {text}, he said.")
    assert (amount.value, amount.currency) == (pytest.approx(value), currency)


def test_a_bare_number_is_no_amount() -> None:
    """Without a currency there is no sum."""
    assert list(find_amounts("412 units, 5 %, room 4.12")) == []
