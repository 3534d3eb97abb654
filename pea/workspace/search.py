"""Full-text search over the documents: an SQLite FTS5 index that is also where their text is kept.

Two indexes stand over one table of passages. The first holds each document whole and ranks it by BM25 (Robertson and
Zaragoza 2009, as SQLite implements it; a word in the title counts four-fold); the second finds, in the documents that
won, the passage to show. Accents are folded and English endings stemmed in both.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from pea.workspace.documents import Document
from pea.workspace.files import Fingerprint
from pea.workspace.search_hits import Card, Hit
from pea.workspace.search_query import Query, parse, spaced, unspaced
from pea.workspace.text.passages import Passage

FORMAT = 1
SNIPPET_WORDS = 24
CANDIDATES = 40  # passages of one document that are compared to show one
_MARKED = re.compile(r"\*\*(.+?)\*\*")
WEIGHTS = "bm25(4.0, 2.0, 1.0)"  # of title, name, text
BUSY_MS = 2_000

_TOKENS = "porter unicode61 remove_diacritics 2"
_SCHEMA = f"""
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, stamp TEXT NOT NULL, title TEXT NOT NULL, kind TEXT NOT NULL,
    name TEXT NOT NULL, notes TEXT NOT NULL, reason TEXT NOT NULL, chars INTEGER NOT NULL
);
CREATE TABLE passages (
    id INTEGER PRIMARY KEY, document INTEGER NOT NULL, place TEXT NOT NULL, heading INTEGER NOT NULL, text TEXT NOT NULL
);
CREATE INDEX passages_of ON passages (document);
CREATE VIRTUAL TABLE whole USING fts5(title, name, text, content='', tokenize='{_TOKENS}', prefix='2 3');
CREATE VIRTUAL TABLE part USING fts5(text, content='passages', content_rowid='id', tokenize='{_TOKENS}');
PRAGMA user_version = {FORMAT};
"""


class SearchIndex:
    """Owns one SQLite file, or an index in memory when ``path`` is None; safe to use from several threads.

    It is a cache of what the files say: a damaged or outdated one is begun anew, one that cannot be written falls
    back to memory, and ``trouble`` says why.
    """

    def __init__(self, path: Path | None = None, *, commit_every: int = 1) -> None:
        self._path = path
        self._commit_every = commit_every
        self._waiting = 0
        self._lock = threading.RLock()
        self.trouble = ""
        self._connection = self._opened()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """One change, which stands whole or not at all; commits when ``commit_every`` of them are waiting."""
        with self._lock:
            try:
                yield
            except BaseException:  # half a change must not stand, whatever broke it off
                self._connection.rollback()
                raise
            self._waiting += 1
            if self._waiting >= self._commit_every:
                self.flush()

    def flush(self) -> None:
        """Commit what is waiting."""
        with self._lock:
            self._connection.commit()
            self._waiting = 0

    def put(self, document: Document, stamp: str = "") -> Card:
        """Index a document in place of what was there under its path."""
        with self.writing():
            self._drop(document.path)
            self._insert(document, stamp, "")
        return Card(document.title, document.kind, document.chars, document.notes)

    def put_refusal(self, path: str, reason: str, stamp: str) -> None:
        """Remember that a file cannot be read, so that it is not tried again until it changes."""
        with self.writing():
            self._drop(path)
            self._insert(Document(path, "", "", ()), stamp, reason)

    def remove(self, paths: Iterable[str]) -> None:
        """Forget documents."""
        with self.writing():
            for path in paths:
                self._drop(path)

    def known(self, path: str, stamp: str) -> Card | str | None:
        """The card of this version of a file, or the reason why it cannot be read, or None when it is not known."""
        row = self._one("SELECT title, kind, chars, notes, reason, stamp FROM documents WHERE path = ?", path)
        if row is None or row[5] != stamp:
            return None
        return row[4] or Card(row[0], row[1], row[2], tuple(msgspec.json.decode(row[3], type=list[str])))

    def paths(self) -> list[str]:
        """Every path in the index."""
        with self._lock:
            return [row[0] for row in self._connection.execute("SELECT path FROM documents")]

    def document(self, path: str) -> Document | None:
        """A document with its passages, as it was indexed."""
        row = self._one("SELECT id, title, kind, notes FROM documents WHERE path = ? AND reason = ''", path)
        if row is None:
            return None
        with self._lock:
            rows = self._connection.execute(
                "SELECT text, place, heading FROM passages WHERE document = ? ORDER BY id", (row[0],)
            ).fetchall()
        passages = tuple(Passage(unspaced(text), place, bool(heading)) for text, place, heading in rows)
        return Document(path, row[1], row[2], passages, tuple(msgspec.json.decode(row[3], type=list[str])))

    def search(self, text: str, limit: int = 10) -> tuple[list[Hit], bool]:
        """The best documents for what a person typed, and whether they hold every word of it.

        Documents with all words are sought first; only when there is none do those with some of them count.
        """
        query = parse(text)
        if not query.terms:
            return [], False
        with self._lock:
            for expression, whole in ((query.all(), True), (query.any(), False)):
                hits = self._ranked(query, expression, limit)
                if hits:
                    return hits, whole
        return [], False

    def spread(self, term: str) -> int:
        """In how many documents a word (or another ending of it) stands; 0 for what is no word."""
        query = parse(f'"{term}"')
        if not query.terms:
            return 0
        with self._lock:
            row = self._connection.execute("SELECT count(*) FROM whole WHERE whole MATCH ?", (query.all(),)).fetchone()
        return int(row[0])

    def some(self, terms: Iterable[str], limit: int) -> list[str]:
        """The paths of the documents that hold the most telling of some words, best first (BM25)."""
        query = parse(" ".join(f'"{term}"' for term in terms))
        if not query.terms:
            return []
        with self._lock:
            rows = self._connection.execute(
                "SELECT d.path FROM (SELECT rowid, -rank AS score FROM whole WHERE whole MATCH ? AND rank MATCH ? "
                "ORDER BY rank LIMIT ?) AS r JOIN documents AS d ON d.id = r.rowid ORDER BY r.score DESC, d.path",
                (query.any(), WEIGHTS, max(1, limit)),
            ).fetchall()
        return [row[0] for row in rows]

    def close(self) -> None:
        """Close the file; what is waiting is committed."""
        with self._lock, contextlib.closing(self._connection), contextlib.suppress(sqlite3.Error):
            self.flush()

    def _ranked(self, query: Query, expression: str, limit: int) -> list[Hit]:
        rows = self._connection.execute(
            "SELECT d.id, d.path, d.title, d.kind, r.score FROM ("
            "SELECT rowid, -rank AS score FROM whole WHERE whole MATCH ? AND rank MATCH ? ORDER BY rank LIMIT ?"
            ") AS r JOIN documents AS d ON d.id = r.rowid ORDER BY r.score DESC, d.path",
            (expression, WEIGHTS, max(1, limit)),
        ).fetchall()
        return [
            Hit(path, title, kind, *self._snippet(query, document), score)
            for document, path, title, kind, score in rows
        ]

    def _snippet(self, query: Query, document: int) -> tuple[str, str]:
        """The passage of a document that fits best, cut around the words found, and its place."""
        bounds = self._one("SELECT min(id), max(id) FROM passages WHERE document = ?", document)
        if bounds is None or bounds[0] is None:
            return "", ""
        # No bm25 here: it would count the words over all documents again for each one that is shown.
        rows = self._connection.execute(
            "SELECT snippet(part, 0, '**', '**', '…', ?), rowid FROM part "
            "WHERE part MATCH ? AND rowid BETWEEN ? AND ? LIMIT ?",
            (SNIPPET_WORDS, query.any(), *bounds, CANDIDATES),
        ).fetchall()
        if not rows:  # the words stand in the title or the name
            rows = [self._one("SELECT substr(text, 1, 160), id FROM passages WHERE id = ?", bounds[0])]
        places = {row[1]: self._one("SELECT place, heading FROM passages WHERE id = ?", row[1]) for row in rows}
        text, best = max(rows, key=lambda row: (_words_found(row[0]), -places[row[1]][1], -row[1]))
        return " ".join(unspaced(text).split()), places[best][0]

    def _one(self, statement: str, *values: object) -> Any:
        with self._lock:
            return self._connection.execute(statement, values).fetchone()

    def _insert(self, document: Document, stamp: str, reason: str) -> None:
        name = document.path.replace("/", " / ")
        notes = msgspec.json.encode(document.notes).decode()
        cursor = self._connection.execute(
            "INSERT INTO documents (path, stamp, title, kind, name, notes, reason, chars) VALUES (?,?,?,?,?,?,?,?)",
            (document.path, stamp, document.title, document.kind, name, notes, reason, document.chars),
        )
        if reason:
            return
        key = cursor.lastrowid
        texts = [spaced(passage.text) for passage in document.passages]
        self._connection.executemany(
            "INSERT INTO passages (document, place, heading, text) VALUES (?,?,?,?)",
            ((key, p.place, p.heading, text) for p, text in zip(document.passages, texts, strict=True)),
        )
        self._connection.execute(
            "INSERT INTO part (rowid, text) SELECT id, text FROM passages WHERE document = ?", (key,)
        )
        self._connection.execute(
            "INSERT INTO whole (rowid, title, name, text) VALUES (?,?,?,?)",
            (key, spaced(document.title), spaced(name), "\n".join(texts)),
        )

    def _drop(self, path: str) -> None:
        row = self._one("SELECT id, title, name, reason FROM documents WHERE path = ?", path)
        if row is None:
            return
        key, title, name, reason = row
        if not reason:
            passages = self._connection.execute(
                "SELECT id, text FROM passages WHERE document = ? ORDER BY id", (key,)
            ).fetchall()
            # External-content tables of FTS5 must be told exactly what they once were given.
            self._connection.executemany("INSERT INTO part (part, rowid, text) VALUES ('delete', ?, ?)", passages)
            self._connection.execute(
                "INSERT INTO whole (whole, rowid, title, name, text) VALUES ('delete', ?,?,?,?)",
                (key, spaced(title), spaced(name), "\n".join(text for _, text in passages)),
            )
            self._connection.execute("DELETE FROM passages WHERE document = ?", (key,))
        self._connection.execute("DELETE FROM documents WHERE id = ?", (key,))

    def _opened(self) -> sqlite3.Connection:
        if self._path is not None:
            for _attempt in range(2):
                try:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    # Made by us first, readable by the user only: it holds the text of their documents.
                    os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
                    return _connect(str(self._path))
                except (sqlite3.OperationalError, OSError) as error:
                    self.trouble = f"{self._path.name}: {error}; the index is kept in memory"
                    break
                except sqlite3.DatabaseError as error:  # damaged or of another format: begin anew
                    self.trouble = f"{self._path.name}: {error}; begun anew"
                    discard(self._path)
        return _connect(":memory:")


def discard(path: Path) -> None:
    """Delete an index with what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _words_found(snippet: str) -> int:
    """How many different words a snippet marks."""
    return len(set(_MARKED.findall(snippet.casefold())))


def stamp_of(fingerprint: Fingerprint, version: int) -> str:
    """A text that changes when a file or the way it is read changes."""
    return f"{version}:{fingerprint.size}:{fingerprint.mtime_ns}:{fingerprint.ctime_ns}:{fingerprint.inode}"


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, timeout=BUSY_MS / 1000)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            connection.executescript(f"BEGIN;{_SCHEMA}COMMIT;")
        elif version != FORMAT:
            raise sqlite3.DatabaseError(f"format {version} where {FORMAT} is due")
        connection.execute("SELECT count(*) FROM documents, whole('x')").fetchone()
    except BaseException:  # whatever stops the opening, the file must not stay locked
        connection.close()
        raise
    return connection
