"""The documents agent on real files: what is found, quoted and refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pea import InputError, Runtime
from pea.agents._summary import summarise
from pea.agents.documents import Documents
from pea.config import load
from pea.workspace.documents import Document, parse_document

CONTRACT = """# Supply agreement

The supplier delivers valve controllers to the customer at the agreed price.

The customer pays the agreed price for the valve controllers within 30 days.

The weather in Potsdam was lovely on the day.

The agreement for valve controllers begins on 1 July 2026 and ends on 30 June 2029.

Either party may end the agreement with six months' notice, and the price is EUR 412.00 a unit.
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "supply-agreement.md").write_text(CONTRACT)
    (folder / "travel policy.txt").write_text("Trains before planes. Hotels up to EUR 180 a night.")
    (folder / "empty.txt").touch()
    return tmp_path


@asynccontextmanager
async def running(workspace: Path) -> AsyncIterator[Runtime]:
    overrides = {"workspace": str(workspace), "state": str(workspace / "state")}
    async with Runtime(load(environ={}, overrides=overrides), agents=[Documents()]) as runtime:
        yield runtime


async def test_search_finds_the_passage(workspace: Path) -> None:
    """A hit names the document, the place and the words found; what could not be read is told."""
    async with running(workspace) as runtime:
        result = await runtime.call("documents.search", query="notice months")
    (hit,) = result.hits
    assert (hit.path, hit.place) == ("documents/supply-agreement.md", "line 11 under “Supply agreement”")
    assert "**notice**" in hit.snippet
    assert [(r.path, r.reason) for r in result.sources.refused] == [("documents/empty.txt", "it is empty")]
    assert "documents/empty.txt (it is empty)" in result.text


async def test_what_changes_is_found_at_the_next_call(workspace: Path) -> None:
    """A file written between two calls is in the second answer."""
    async with running(workspace) as runtime:
        assert (await runtime.call("documents.search", query="zeppelin")).hits == ()
        (workspace / "documents" / "new.txt").write_text("A zeppelin landed.")
        assert len((await runtime.call("documents.search", query="zeppelin")).hits) == 1


async def test_a_query_without_a_word_is_refused(workspace: Path) -> None:
    """Punctuation alone is bad input, and the field is named."""
    async with running(workspace) as runtime:
        with pytest.raises(InputError, match="query"):
            await runtime.call("documents.search", query='"*"')


@pytest.mark.parametrize(
    "name",
    ["documents/supply-agreement.md", "supply-agreement.md", "SUPPLY-AGREEMENT", "Supply agreement", "supply-agr"],
)
async def test_a_summary_quotes_sentences_with_their_places(workspace: Path, name: str) -> None:
    """By path, name, title or a part of one: sentences of the document, word for word, with dates and sums."""
    async with running(workspace) as runtime:
        result = await runtime.call("documents.summary", document=name, sentences=2)
    assert len(result.sentences) == 2
    for sentence in result.sentences:
        line = int(sentence.place.split()[1])
        assert sentence.text in CONTRACT.split("\n")[line - 1]
    assert [str(one.day) for one in result.dates] == ["2026-07-01", "2029-06-30"]
    assert [(one.value, one.currency) for one in result.amounts] == [(412.0, "EUR")]


async def test_a_wrong_name_suggests_the_nearest(workspace: Path) -> None:
    """A slip in the name is answered with the document that was probably meant."""
    async with running(workspace) as runtime:
        with pytest.raises(InputError, match=r"did you mean 'documents/travel policy\.txt'"):
            await runtime.call("documents.summary", document="travel-polcy.txt")


async def test_an_unreadable_document_says_why(workspace: Path) -> None:
    """Asking for a refused document tells the reason instead of inventing a summary."""
    async with running(workspace) as runtime:
        with pytest.raises(InputError, match=r"empty\.txt could not be read: it is empty"):
            await runtime.call("documents.summary", document="empty.txt")


async def test_an_empty_workspace_says_so(tmp_path: Path) -> None:
    """Without documents nothing is found and nothing fails."""
    async with running(tmp_path) as runtime:
        result = await runtime.call("documents.search", query="anything")
        assert result.hits == ()
        assert result.text.startswith("Nothing found for “anything” in 0 documents.")
        with pytest.raises(InputError, match="no documents in the workspace"):
            await runtime.call("documents.summary", document="a.txt")


def test_what_the_document_is_about_outranks_the_odd_one_out() -> None:
    """A sentence that shares nothing with the others is not chosen before them."""
    document = parse_document(CONTRACT.encode(), "supply-agreement.md")
    best, _ = summarise(document, 3)
    assert len(best) == 3
    assert not any("weather" in sentence.text for sentence in best)


def test_repetition_is_said_once() -> None:
    """A sentence that repeats another is passed over, and a summary never exceeds the document."""
    text = (
        "The price of the valve is fixed for one year.\n\n" * 2
        + "The price of the valve is fixed for one year now.\n\nShips sail from Hamburg on Mondays and Fridays."
    )
    best, _ = summarise(parse_document(text.encode(), "a.txt"), 5)
    assert len(best) == 2


def test_nothing_comes_of_nothing() -> None:
    """A document without a passage has no summary."""
    assert summarise(Document("a", "a", "text", ()), 5) == ([], [])


def test_a_long_document_is_compared_in_part_and_says_so() -> None:
    """Beyond the bound sentences are taken evenly from all of it, and a note tells how many."""
    words = [a + b + c + d for a in "bdfgklmnprst" for b in "aeiou" for c in "bdfgklmnprst" for d in "aeiou"]
    text = "\n\n".join(" ".join(words[(n * k) % len(words)] for k in range(3, 9)) + "." for n in range(1, 2_001))
    best, notes = summarise(parse_document(text.encode(), "a.txt"), 3)
    assert len(best) == 3
    assert notes == ["800 of its 2,000 sentences, evenly spread, were compared"]
