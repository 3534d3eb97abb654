"""Whatever a person types finds what fits, best first, and never an SQL or FTS error."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.workspace.documents import Document
from pea.workspace.search import SearchIndex
from pea.workspace.search_query import parse
from pea.workspace.text import Passage


def document(path: str, title: str, *texts: str) -> Document:
    return Document(path, title, "text", tuple(Passage(text, f"line {n}") for n, text in enumerate(texts, 1)))


@pytest.fixture
def index() -> SearchIndex:
    made = SearchIndex()
    made.put(document("documents/budget.txt", "Budget for Zürich", "Nothing here.", "The contract ends in June."))
    made.put(document("documents/cats.txt", "Animals", "All about cats and contracts.", "Cats sleep. The end."))
    made.put(document("documents/notes.txt", "Notes", "Prices rise.", "東京に行きます。", "The budget is tight."))
    for number in range(8):
        made.put(document(f"documents/filler-{number}.txt", f"Filler {number}", "Weather and sports of the day."))
    return made


def paths(index: SearchIndex, query: str) -> list[str]:
    return [Path(hit.path).stem for hit in index.search(query)[0]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("zurich", ["budget"]),  # accents are folded
        ("ZÜRICH", ["budget"]),
        ("budget", ["budget", "notes"]),  # the title counts more
        ("contract cats", ["cats"]),  # all words, in any passage; endings do not matter
        ('"cats sleep"', ["cats"]),
        ('"sleep cats"', []),
        ("weath", [f"filler-{n}" for n in range(8)]),  # the last word may be a beginning
        ("weath ", []),  # a space ends it
        ("budget -prices", ["budget"]),
        ("東京", ["notes"]),
        ("行き", ["notes"]),
        ("nothingofthesort", []),
    ],
)
def test_finds(index: SearchIndex, query: str, found: list[str]) -> None:
    """Words, phrases, exclusions, beginnings, accents and scripts without spaces."""
    assert paths(index, query) == found


def test_says_when_no_document_holds_all(index: SearchIndex) -> None:
    """When no document has every word those with some of them are shown, and it is said."""
    hits, whole = index.search("tight zebras")
    assert [hit.path for hit in hits] == ["documents/notes.txt"]
    assert whole is False


def test_a_hit_shows_the_passage_and_its_place(index: SearchIndex) -> None:
    """The snippet marks the words, and the place is that of the passage they stand in."""
    (hit,) = index.search("June contract")[0]
    assert hit.snippet == "The **contract** ends in **June**."
    assert hit.place == "line 2"
    assert hit.score > 0


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_query_is_safe(text: str) -> None:
    """No query raises, whatever it is made of."""
    SHARED.search(text)


@given(st.text(alphabet="ab\"'*()-:^+{}~ANDORNOT_\\/.,\x00;%", max_size=40))
@settings(max_examples=400, deadline=None)
def test_operators_are_words(text: str) -> None:
    """Operators and quotes of FTS5 mean nothing special, alone or together."""
    SHARED.search(text)


SHARED = SearchIndex()
SHARED.put(document("a", "And or not near", "AND OR NOT NEAR a b ab"))


def test_a_query_is_bounded() -> None:
    """A thousand words become thirty-two terms."""
    assert len(parse(" ".join(f"w{n}" for n in range(1000))).terms) == 32


def test_replacing_and_removing_leave_nothing_behind(index: SearchIndex) -> None:
    """The old text of a document is not found any more."""
    index.put(document("documents/budget.txt", "Other", "new words"))
    assert paths(index, "zurich") == []
    assert paths(index, "new words") == ["budget"]
    index.remove(["documents/budget.txt", "documents/never-was.txt"])
    assert paths(index, "new words") == []


NAMES = st.sampled_from(["a", "b", "c"])
WORDS = st.lists(st.sampled_from(["red", "green", "blue", "gold"]), min_size=1, max_size=3).map(" ".join)


@given(st.lists(st.tuples(NAMES, st.one_of(st.none(), WORDS)), max_size=12))
@settings(max_examples=60, deadline=None)
def test_the_index_equals_a_plain_scan(changes: list[tuple[str, str | None]]) -> None:
    """After any changes a word finds exactly the documents that hold it."""
    index, model = SearchIndex(), dict[str, str]()
    for name, text in changes:
        if text is None:
            index.remove([name])
            model.pop(name, None)
        else:
            index.put(document(name, "", text))
            model[name] = text
    for word in ("red", "green", "blue", "gold"):
        assert sorted(hit.path for hit in index.search(word)[0]) == sorted(n for n, t in model.items() if word in t)
    index.close()


def test_an_index_on_disk_lasts(tmp_path: Path) -> None:
    """What one process indexed the next one finds."""
    first = SearchIndex(tmp_path / "index.sqlite")
    first.put(document("a", "Title", "lasting words"), "stamp")
    first.close()
    second = SearchIndex(tmp_path / "index.sqlite")
    assert [hit.path for hit in second.search("lasting")[0]] == ["a"]
    assert second.known("a", "stamp") is not None
    assert second.known("a", "another stamp") is None
    second.close()


def test_only_the_user_may_read_the_index(tmp_path: Path) -> None:
    """The index holds the documents' text, so nobody else on the machine can open it."""
    index = SearchIndex(tmp_path / "index.sqlite")
    index.put(document("a", "", "words"))
    assert [path.stat().st_mode & 0o077 for path in sorted(tmp_path.iterdir())] == [0, 0, 0]
    index.close()


@pytest.mark.parametrize("damage", [b"not a database at all", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_index_is_begun_anew(tmp_path: Path, damage: bytes) -> None:
    """Rubbish in place of the index costs the index, not the answer, and is told."""
    path = tmp_path / "index.sqlite"
    path.write_bytes(damage)
    index = SearchIndex(path)
    index.put(document("a", "", "words"))
    assert index.search("words")[1]
    assert "begun anew" in index.trouble
    index.close()


def test_an_index_of_another_format_is_begun_anew(tmp_path: Path) -> None:
    """An index that another version made is not misread."""
    path = tmp_path / "index.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    index = SearchIndex(path)
    index.put(document("a", "", "words"))
    assert "format 999" in index.trouble
    index.close()


def test_a_place_that_cannot_be_written_means_memory(tmp_path: Path) -> None:
    """Where a file stands in the folder's place the index lives in memory, and says so."""
    (tmp_path / "file").write_text("in the way")
    index = SearchIndex(tmp_path / "file" / "index.sqlite")
    index.put(document("a", "", "words"))
    assert index.search("words")[1]
    assert "kept in memory" in index.trouble
