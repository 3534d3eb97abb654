"""The legal agent: the sample's agreement read, its days worked out, its clauses held against the checklist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pea import InputError
from pea.agents.legal import Legal
from tests.agents.office import SAMPLE, ask

AGREEMENT = "greyfriars-master-supply-agreement.docx"
DRAFT = """# Supply agreement

between Alpha Valves Ltd (the Supplier) and Beta Heat GmbH (the Customer).

This Agreement begins on 1 July 2023 and runs for one year.

It is renewed automatically for successive periods of one year unless a party gives notice of termination three months
before the end of the term.

The Supplier delivers within six weeks. German law applies. Liability is limited to EUR 1,000.
"""


@pytest.fixture
def call(kept: Path) -> Any:
    return lambda capability, **arguments: ask(SAMPLE, kept, Legal, capability, **arguments)


def test_the_agreement_is_the_only_contract(call: Any) -> None:
    """Of nine readable documents one is a contract, with its facts and their paragraphs."""
    found = call("legal.contracts")
    (contract,) = found.contracts
    assert found.looked_at == 9
    assert [(p.name, p.role) for p in contract.parties] == [
        ("Greyfriars Controls Ltd", "Supplier"),
        ("Havelmark Systems GmbH", "Customer"),
    ]
    assert (str(contract.begins.day), str(contract.ends.day)) == ("2026-07-01", "2029-06-30")
    assert (contract.law.value, contract.courts.value) == ("German", "Berlin")
    assert contract.notice.place == "paragraph 30 under “12. Notice and termination”"


def test_notice_can_be_given_to_each_contract_year(call: Any) -> None:
    """The contract itself says "by 31 December of the year before"; the sum comes to the same."""
    found = call("legal.deadlines", days=1200)
    assert [(str(one.day), one.kind) for one in found.days] == [
        ("2026-07-01", "begins"),
        ("2026-12-31", "last notice"),
        ("2028-12-31", "last notice"),
        ("2029-06-30", "ends"),
        ("2029-07-01", "renews"),
    ]
    assert found.days[1].worked_out.startswith("six months before the end on 30 Jun 2027")


def test_the_review_quotes_what_is_open(call: Any) -> None:
    """The open liability cap leads; what is not in the contract is named."""
    found = call("legal.review", document=AGREEMENT)
    assert (found.unusual[0].name, found.unusual[0].risk) == ("still open", "high")
    assert {"minimum purchase", "penalty or lump-sum damages"} <= {one.name for one in found.unusual}
    assert "force majeure" in {one.name for one in found.missing}
    assert "no legal advice" in found.text


def test_obligations_of_one_side(call: Any) -> None:
    """By role or by name the same; duties apart from rights; with their times."""
    by_role = call("legal.obligations", document=AGREEMENT, who="Supplier").obligations
    by_name = call("legal.obligations", document=AGREEMENT, who="Greyfriars Controls Ltd").obligations
    assert by_role == by_name
    told = {(one.who, one.kind, one.within) for one in by_role}
    assert {("The Supplier", "duty", "six weeks"), ("The Supplier", "right", "three months")} <= told
    assert not any("Customer" in one.who for one in by_role)


def test_a_renewed_contract_and_a_missed_notice(tmp_path: Path) -> None:
    """Years of renewal are counted on to the term that runs; a notice whose day has passed says so."""
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "draft.md").write_text(DRAFT)
    found = ask(tmp_path, tmp_path / "s", Legal, "legal.deadlines")
    assert [(str(one.day), one.kind, one.overdue) for one in found.days] == [
        ("2026-03-31", "last notice", True),
        ("2026-06-30", "ends", False),
        ("2026-07-01", "renews", False),
    ]


def test_two_versions_are_compared(tmp_path: Path) -> None:
    """The fact that moved and the sentence that changed; the rest is the same."""
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "one.md").write_text(DRAFT)
    changed = DRAFT.replace("EUR 1,000", "EUR 5,000").replace("for one year.", "for two years.")
    (tmp_path / "documents" / "two.md").write_text(changed)
    found = ask(tmp_path, tmp_path / "s", Legal, "legal.compare", document="one.md", other="two.md")
    assert "term: one year → two years" in found.facts
    assert {change.kind for change in found.changes} == {"changed"}
    assert ("EUR 1,000" in found.changes[-1].before, "EUR 5,000" in found.changes[-1].after) == (True, True)


def test_an_unknown_document_suggests_one(call: Any) -> None:
    """A slip is answered with the name that was meant."""
    with pytest.raises(InputError, match="did you mean"):
        call("legal.review", document="greyfriars-master-suply-agreement")


def test_strangers_documents(public: Path, kept: Path) -> None:
    """Of 118 readable public documents one is taken for a contract: a licence; 86 are refused by name."""
    found = ask(public, kept, Legal, "legal.contracts")
    assert (found.sources.read, found.sources.refused_count) == (118, 86)
    assert [one.path for one in found.contracts] == ["documents/LICENSE.txt"]
