"""The SQLite tables of the memory: entries, their full-text index, and running totals that bound them in O(1)."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from pea.errors import PeaError

FORMAT = 1
BUSY_MS = 2_000
_SCHEMA = """
CREATE TABLE memories (
    id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, size INTEGER NOT NULL,
    created REAL NOT NULL, updated REAL NOT NULL, used REAL NOT NULL, expires REAL NOT NULL, UNIQUE (namespace, key)
);
CREATE INDEX memories_used ON memories (used);
CREATE INDEX memories_expires ON memories (expires);
CREATE INDEX memories_updated ON memories (updated);
CREATE TABLE totals (entries INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO totals VALUES (0, 0);
CREATE VIRTUAL TABLE words USING fts5(
    key, value, content='memories', content_rowid='id', tokenize='porter unicode61 remove_diacritics 2', prefix='2 3'
);
CREATE TRIGGER memories_in AFTER INSERT ON memories BEGIN
    UPDATE totals SET entries = entries + 1, bytes = bytes + new.size;
    INSERT INTO words (rowid, key, value) VALUES (new.id, new.key, new.value);
END;
CREATE TRIGGER memories_out AFTER DELETE ON memories BEGIN
    UPDATE totals SET entries = entries - 1, bytes = bytes - old.size;
    INSERT INTO words (words, rowid, key, value) VALUES ('delete', old.id, old.key, old.value);
END;
PRAGMA user_version = 1;
"""


class Damaged(PeaError):
    """The memory's file cannot be read; it is left as it is, for it holds what nobody else has."""

    code = "memory_damaged"


def connect(path: Path | None) -> sqlite3.Connection:
    """The tables in this file, made if need be, or in memory; Damaged when the file is none of ours."""
    if path is None:
        return _prepared(sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made by us first, readable by the user only.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        return _prepared(sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=BUSY_MS / 1_000))
    except (sqlite3.DatabaseError, OSError) as error:
        fix = "move it away, and what was remembered begins anew"
        raise Damaged(f"cannot be used: {error}", where=str(path), fix=fix) from error


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")  # two processes may come first at once
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _statements(_SCHEMA):
                connection.execute(statement)
        elif version != FORMAT:
            raise sqlite3.DatabaseError(f"it has format {version} where {FORMAT} is due")
        connection.execute("COMMIT")
    except BaseException:  # whatever stops the opening, the file must not stay locked
        connection.close()
        raise
    return connection


def _statements(script: str) -> list[str]:
    """A script's statements one by one: `executescript` would commit before the first."""
    found: list[str] = []
    held = ""
    for line in script.splitlines(keepends=True):
        held += line
        if sqlite3.complete_statement(held):
            found.append(held)
            held = ""
    return found
