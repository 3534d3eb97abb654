"""What was read from files, kept in one SQLite file so that a new process need not read 50,000 of them again.

Rows hold msgpack of the reader's structs, keyed by reader and version, workspace and path, and are only used while the
file's fingerprint is the same. It is a cache and nothing else: rows that do not decode are missed, a damaged file is
set aside and begun anew, a full disk or a busy database costs time and never an answer.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from pea.workspace.files import Fingerprint, Outcome

T = TypeVar("T")

FORMAT = 1
MAX_ROWS = 200_000
MAX_BYTES = 512 << 20
WAITING_ROWS = 500
BUSY_MS = 1_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS parsed (
    scope TEXT NOT NULL, path TEXT NOT NULL, fingerprint BLOB NOT NULL, outcome BLOB NOT NULL,
    PRIMARY KEY (scope, path)
);
"""


class ReadCache:
    """One SQLite file of outcomes, shared by the folders of a workspace; bounded by rows and bytes, oldest out first.

    ``trouble`` is the last reason why something could not be kept or recalled, for the user's diagnosis.
    """

    def __init__(self, path: Path, *, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._usable = True
        self.trouble = ""

    def memory(self, kind: Any, *, reader: str, workspace: Path) -> FolderMemory[Any]:
        """The part of the cache that holds values of type ``kind`` made by ``reader`` (a name with its version)."""
        return FolderMemory(self, kind, f"{reader}\0{workspace.resolve()}")

    def close(self) -> None:
        """Close the file; a later use opens it again."""
        with self._lock:
            self._close()

    def select(self, scope: str, path: str) -> tuple[bytes, bytes] | None:
        """The fingerprint and outcome kept for a path, still encoded."""

        def work(connection: sqlite3.Connection) -> tuple[bytes, bytes] | None:
            row = connection.execute(
                "SELECT fingerprint, outcome FROM parsed WHERE scope = ? AND path = ?", (scope, path)
            ).fetchone()
            return None if row is None else (bytes(row[0]), bytes(row[1]))

        return self._tried(work)

    def write(self, scope: str, rows: Iterable[tuple[str, bytes, bytes]], gone: Iterable[str]) -> None:
        """Replace and delete rows as one transaction, then drop the oldest that are over the limits."""
        kept, dropped = [(scope, *row) for row in rows], [(scope, path) for path in gone]

        def work(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany("DELETE FROM parsed WHERE scope = ? AND path = ?", dropped)
                connection.executemany("INSERT OR REPLACE INTO parsed VALUES (?, ?, ?, ?)", kept)
                self._trim(connection)

        self._tried(work)

    def _trim(self, connection: sqlite3.Connection) -> None:
        (rows,) = connection.execute("SELECT count(*) FROM parsed").fetchone()
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        over = max(0, rows - self._max_rows)
        if (pages - free) * size > self._max_bytes:
            over = max(over, rows // 4)
        if over:
            # rowids grow with every replacement: the smallest were written longest ago
            connection.execute(
                "DELETE FROM parsed WHERE rowid IN (SELECT rowid FROM parsed ORDER BY rowid LIMIT ?)", (over,)
            )

    def _tried(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """What ``work`` returns; None when the cache is no help. A damaged file is set aside, and work tried once more.

        A busy, full or read-only file is noted and passed over; one that cannot even be opened is not tried again.
        """
        with self._lock:
            for _ in range(2):
                if not self._usable:
                    return None
                try:
                    return work(self._open())
                except (sqlite3.OperationalError, OSError) as error:
                    self.trouble = f"{self._path.name}: {error}"
                    self._usable = self._connection is not None
                    return None
                except (sqlite3.DatabaseError, TypeError, ValueError) as error:
                    self.trouble = f"{self._path.name}: {error}; set aside and begun anew"
                    self._set_aside()
        return None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Created by us first, readable by the user only: it holds parts of their mail.
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            connection = sqlite3.connect(self._path, check_same_thread=False, timeout=BUSY_MS / 1000)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                if connection.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
                    connection.execute("DROP TABLE IF EXISTS parsed")
                    connection.execute(f"PRAGMA user_version = {FORMAT}")
                connection.executescript(_SCHEMA)
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _set_aside(self) -> None:
        self._close()
        try:
            self._path.replace(self._path.with_name(self._path.name + ".damaged"))
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        except OSError:
            self._usable = False

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class FolderMemory(Generic[T]):
    """One reader's part of a ``ReadCache``: the ``Memory`` of a ``Folder``; writes wait and go together."""

    def __init__(self, cache: ReadCache, kind: Any, scope: str) -> None:
        self._cache = cache
        self._scope = scope
        self._encoder = msgspec.msgpack.Encoder()
        self._outcomes: msgspec.msgpack.Decoder[Outcome[T]] = msgspec.msgpack.Decoder(Outcome[kind])
        self._waiting: list[tuple[str, bytes, bytes]] = []
        self._gone: list[str] = []

    def recall(self, path: str, fingerprint: Fingerprint) -> Outcome[T] | None:
        """What was read from this very version of the file, or None."""
        row = self._cache.select(self._scope, path)
        if row is None or row[0] != self._encoder.encode(fingerprint):
            return None
        try:
            return self._outcomes.decode(row[1])
        except msgspec.DecodeError:  # ValidationError too: written by another version of the reader, or damaged
            return None

    def keep(self, path: str, fingerprint: Fingerprint, outcome: Outcome[T]) -> None:
        """Remember an outcome; written with others."""
        self._waiting.append((path, self._encoder.encode(fingerprint), self._encoder.encode(outcome)))
        if len(self._waiting) >= WAITING_ROWS:
            self.flush()

    def forget(self, paths: Iterable[str]) -> None:
        """Drop what was read from files that are gone."""
        self._gone.extend(paths)

    def flush(self) -> None:
        """Write what is waiting as one transaction."""
        if self._waiting or self._gone:
            rows, gone, self._waiting, self._gone = self._waiting, self._gone, [], []
            self._cache.write(self._scope, rows, gone)
