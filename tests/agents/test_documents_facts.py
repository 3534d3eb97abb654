"""The days, sums and duties a document names, with places, and its text in portions."""

from __future__ import annotations

import pytest

from pea import InputError
from pea.agents.documents import Documents
from tests.agents.office import SAMPLE, ask

TEXT = """# Terms

The Supplier shall deliver by 30 June 2026. Every customer must pay EUR 1,200 within a month.
Who must sign? Der Mieter ist verpflichtet, bis 1. Juli 2026 zu zahlen. It rains in Spain.
"""


def test_each_fact_has_its_sentence_and_place(tmp_path):
    """A question obliges nobody; a duty names who, and the day in it."""
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents/terms.md").write_text(TEXT)
    found = ask(tmp_path, tmp_path / "state", Documents, "documents.facts", document="terms")
    assert [(d.who, [str(day) for day in d.days]) for d in found.duties] == [
        ("The Supplier", ["2026-06-30"]), ("Every customer", []), ("Der Mieter ist", ["2026-07-01"]),
    ]  # fmt: skip
    assert [(a.value, a.currency) for a in found.amounts] == [(1200.0, "EUR")]
    assert all(d.place for d in (*found.duties, *found.dates, *found.amounts))


def test_a_document_is_read_in_portions(kept):
    """The portions together are the document, each passage with its place."""
    whole = ask(SAMPLE, kept, Documents, "documents.read", document="greyfriars", count=500)
    parts, at = [], 0
    while at is not None:
        portion = ask(SAMPLE, kept, Documents, "documents.read", document="greyfriars", first=at, count=20)
        parts += portion.passages
        at = portion.next
    assert (tuple(parts), len(parts), whole.next) == (whole.passages, whole.of, None)
    assert all(passage.place for passage in parts)


def test_a_name_that_is_nothing_is_an_error(kept):
    """As for a summary."""
    with pytest.raises(InputError, match="no document"):
        ask(SAMPLE, kept, Documents, "documents.facts", document="zzz")


def test_public_files_give_facts_or_a_reason(public, kept, capsys):
    """Every public document that can be read can be asked for its facts; each fact is in its own sentence."""
    index = ask(public, kept, Documents, "documents.search", query="the", limit=100)
    counts = [0, 0, 0]
    for hit in index.hits:
        found = ask(public, kept, Documents, "documents.facts", document=hit.path)
        assert all(d.written in d.sentence or len(d.sentence) >= 300 for d in found.dates)
        for number, kind in enumerate((found.dates, found.amounts, found.duties)):
            counts[number] += len(kind)
    report = index.sources
    with capsys.disabled():
        print(
            f"\n{report.read} public documents read, {report.refused_count} refused; of {len(index.hits)} asked: "
            f"{counts[0]} dates, {counts[1]} amounts, {counts[2]} duties"
        )
    assert report.read
    assert all(refusal.reason for refusal in report.refused)
