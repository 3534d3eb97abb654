"""The span store's SQLite file: its tables, how it is opened, and what happens to one that is damaged."""

from __future__ import annotations

import logging
import sqlite3
import time
from pathlib import Path

from pea.store.sieve import ALL_TIMES
from pea.store.sieve import TABLE as SIEVE_TABLE

VERSION = 7
PAGE_BYTES = 8_192
ANY = 0  # the id in ``entry`` that stands for every service
OVERFLOW = "(other operations)"  # where operations beyond the bound on names are indexed

_log = logging.getLogger(__name__)

# ``origin.high`` is a trace's id beyond which none refers to the origin.
# One row per trace, service and operation instead of one per span: ``entry`` is the index itself (no rowid), read
# backwards in time. The name 0 stands for any service, an operation of '' for any operation of the service.
_TABLES = """
CREATE TABLE origin (
    id INTEGER PRIMARY KEY, high INTEGER NOT NULL, digest BLOB NOT NULL UNIQUE, data BLOB NOT NULL
);
CREATE TABLE name (
    id INTEGER PRIMARY KEY, service TEXT NOT NULL, operation TEXT NOT NULL, kinds INTEGER NOT NULL,
    seen_us INTEGER NOT NULL, UNIQUE (service, operation)
);
CREATE TABLE trace (
    id INTEGER PRIMARY KEY, trace_id BLOB NOT NULL UNIQUE, start_us INTEGER NOT NULL, first_ns INTEGER NOT NULL,
    last_ns INTEGER NOT NULL, spans INTEGER NOT NULL, errors INTEGER NOT NULL, about BLOB NOT NULL
);
CREATE TABLE chunk (id INTEGER PRIMARY KEY, trace INTEGER NOT NULL, marks BLOB NOT NULL, data BLOB NOT NULL);
CREATE INDEX chunk_trace ON chunk (trace, marks);
CREATE TABLE entry (
    name INTEGER, start_us INTEGER, trace INTEGER, shortest_us INTEGER NOT NULL, longest_us INTEGER NOT NULL,
    flags INTEGER NOT NULL, PRIMARY KEY (name, start_us, trace)
) WITHOUT ROWID;
CREATE TABLE tag (
    hash INTEGER, start_us INTEGER, trace INTEGER, PRIMARY KEY (hash, start_us, trace)
) WITHOUT ROWID;
CREATE TABLE link (trace_id BLOB, other BLOB, PRIMARY KEY (trace_id, other)) WITHOUT ROWID;
CREATE TABLE rate (
    minute INTEGER, name INTEGER, kind INTEGER, calls INTEGER NOT NULL, errors INTEGER NOT NULL,
    buckets BLOB NOT NULL, PRIMARY KEY (name, kind, minute)
) WITHOUT ROWID;
"""

_ORIGINS_IN_USE = """
ALTER TABLE origin ADD COLUMN high INTEGER NOT NULL DEFAULT 0;
UPDATE origin SET high = (SELECT ifnull(max(id), 0) FROM trace);
"""
# How files of older versions are taken over.
UPGRADES = {
    5: SIEVE_TABLE + ALL_TIMES + _ORIGINS_IN_USE,
    6: "ALTER TABLE sieve ADD COLUMN pairs BLOB;" + _ORIGINS_IN_USE,
}


def open_writer(path: Path, size_bytes: int) -> sqlite3.Connection:
    """Open, or begin, the file for its one writer; a file that cannot be used is set aside first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _open(path, size_bytes)
    except sqlite3.DatabaseError as error:
        unusable = damaged(error) or getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_ERROR  # a table is missing
        if not unusable:
            raise
        set_aside(path, str(error))
        return _open(path, size_bytes)


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads, for one thread at a time."""
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA query_only = 1")
    return connection


def damaged(error: sqlite3.Error) -> bool:
    """Whether an error means that the file itself is broken, not that the moment is bad."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def full(error: sqlite3.Error) -> bool:
    """Whether there is no room, in the file's own bound or on the disk."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def set_aside(path: Path, why: str) -> Path:
    """Move a file that cannot be used out of the way, its log with it, and say so."""
    aside = path.with_name(
        f"{path.name}.broken-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{time.time_ns() % 10**9:09}"
    )
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    _log.error("%s cannot be used (%s): it was moved to %s and a new one is begun", path, why, aside.name)
    return aside


def _open(path: Path, size_bytes: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # survives kill -9; a power cut may cost the last commits
        connection.execute("PRAGMA cache_size = -16384")
        connection.execute(f"PRAGMA journal_size_limit = {16 << 20}")
        connection.execute(f"PRAGMA max_page_count = {(size_bytes + max(size_bytes // 8, 4 << 20)) // PAGE_BYTES}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version in UPGRADES:
            connection.executescript(f"BEGIN; {UPGRADES[version]} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version not in {0, VERSION}:
            raise _OtherVersion(f"it has version {version}, this is version {VERSION}")
        if version == 0:
            connection.executescript(f"BEGIN; {_TABLES} {SIEVE_TABLE} PRAGMA user_version = {VERSION}; COMMIT;")
        connection.execute("SELECT count(*) FROM (SELECT 1 FROM trace LIMIT 1)")
    except BaseException:  # whatever stops the opening, the file must not stay locked
        connection.close()
        raise
    return connection


class _OtherVersion(sqlite3.DatabaseError):
    """The file was written by another version of PEA."""

    sqlite_errorcode = sqlite3.SQLITE_NOTADB


class Damaged(sqlite3.DatabaseError):
    """A check found the file damaged."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


class Transaction:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self._db.execute("COMMIT")
                return
            except sqlite3.Error:
                self._rollback()
                raise
        self._rollback()

    def _rollback(self) -> None:
        if self._db.in_transaction:  # SQLite has rolled back by itself after some errors
            self._db.execute("ROLLBACK")
