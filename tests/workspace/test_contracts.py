"""A contract's facts are those that it writes, and the days that follow are worked out rightly."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pea.workspace.contracts import is_contract, read_contract
from pea.workspace.contracts_clauses import hold_against
from pea.workspace.contracts_dates import Length, find_length, last_notice_day, later, term_end
from pea.workspace.documents import Document, parse_document

SERVICES = """MASTER SERVICES AGREEMENT

This Agreement is entered into as of January 15, 2025 by and between Acme Widgets, Inc., a Delaware corporation
("Client"), and Blue Sky Consulting LLC, a New York limited liability company ("Consultant").

1. Term. This Agreement shall remain in effect for an initial term of three (3) years. Thereafter it shall
automatically renew for successive one (1) year periods unless either party gives written notice of non-renewal at
least ninety (90) days prior to the end of the then-current term.

2. Either party may terminate this Agreement for material breach upon thirty (30) days written notice.

3. This Agreement shall be governed by the laws of the State of New York. The courts of Albany have jurisdiction.
"""


def document(text: str) -> Document:
    return parse_document(text.encode(), "agreement.txt")


def test_the_facts_of_an_american_contract() -> None:
    """Parties with roles, term, renewal, the ordinary notice (not that for breach), law and courts, with places."""
    found = read_contract(document(SERVICES), is_contract(document(SERVICES)))
    assert [(p.name, p.role) for p in found.parties] == [
        ("Acme Widgets, Inc", "Client"),
        ("Blue Sky Consulting LLC", "Consultant"),
    ]
    assert found.begins is not None
    assert found.begins.day == date(2025, 1, 15)
    assert found.term is not None
    assert (found.term.length.count, found.term.length.unit) == (3, "year")
    assert found.notice is not None
    assert (found.notice.length.count, found.notice.length.unit, found.notice.place[:4]) == (90, "day", "line")
    assert found.renews is not None
    assert found.renews.value == "yes"
    assert found.law is not None
    assert found.law.value == "State of New York"
    assert found.courts is not None
    assert found.courts.value == "Albany"


def test_what_is_not_written_is_not_said() -> None:
    """A recipe is no contract, and has no facts."""
    recipe = document("Take two eggs.\n\nStir until 3 May 2026 if you must.")
    assert is_contract(recipe) < 2
    assert read_contract(recipe, 0).parties == ()
    assert read_contract(recipe, 0).notice is None


@pytest.mark.parametrize(
    ("text", "count", "unit"),
    [
        ("three (3) years", 3, "year"),
        ("thirty-six months", 36, "month"),
        ("ten business days", 10, "business day"),
        ("eine Frist von drei Monaten", 3, "month"),
        ("a quarter", 3, "month"),
        ("90-day", 90, "day"),
    ],
)
def test_lengths(text: str, count: int, unit: str) -> None:
    """Words, figures, both, and German."""
    length = find_length(text)
    assert length is not None
    assert (length.count, length.unit) == (count, unit)


@pytest.mark.parametrize(
    ("ends", "length", "last"),
    [
        (date(2027, 6, 30), Length(6, "month", ""), date(2026, 12, 31)),
        (date(2028, 1, 14), Length(90, "day", ""), date(2027, 10, 16)),
        (date(2026, 12, 31), Length(3, "month", ""), date(2026, 9, 30)),
        (date(2024, 2, 29), Length(1, "year", ""), date(2023, 2, 28)),
    ],
)
def test_the_last_day_to_give_notice(ends: date, length: Length, last: date) -> None:
    """The whole notice lies between that day and the end."""
    assert last_notice_day(ends, length) == last


@given(
    st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(1, 60), st.sampled_from(["day", "week", "month", "year"])
)
def test_terms_join_without_a_gap(begins: date, count: int, unit: str) -> None:
    """The day after a term's end is where the next begins."""
    length = Length(count, unit, "")
    assert term_end(begins, length) + timedelta(days=1) == later(begins, length)


def test_the_checklist_finds_what_is_unusual_and_what_is_missing() -> None:
    """An open point and unlimited liability are found with their sentence; a contract without payment is told so."""
    sentences = [("The fee is [TBD].", "p1"), ("The Supplier accepts unlimited liability.", "p2")]
    found, missing = hold_against(sentences)
    assert {(one.name, one.place) for one in found} >= {("still open", "p1"), ("unlimited liability", "p2")}
    assert "termination" in {one.name for one in missing}
