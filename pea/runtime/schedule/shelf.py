"""Schedules and what became of them, in a database of the state folder that several processes may use at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import msgspec

from pea.errors import Conflict, JournalUnavailable
from pea.runtime.schedule.entries import Entry, Firing

T = TypeVar("T")

MOST_ENTRIES = 1_000
MOST_FIRINGS = 10_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (name TEXT PRIMARY KEY, identity TEXT NOT NULL, entry BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS firing (
    identity TEXT NOT NULL, due REAL NOT NULL, firing BLOB NOT NULL, PRIMARY KEY (identity, due)
);
"""


class Shelf:
    """Each call is one transaction, on the disk when it returns. Raises JournalUnavailable when that cannot be."""

    def __init__(self, state: Path) -> None:
        self.path = state / "schedule.db"

    def entries(self) -> list[Entry]:
        """All schedules, by name."""
        if not self.path.exists():
            return []
        return self._do(
            lambda db: [
                msgspec.json.decode(row[0], type=Entry) for row in db.execute("SELECT entry FROM entry ORDER BY name")
            ]
        )

    def add(self, entry: Entry, *, replace: bool = False) -> None:
        """Put a schedule there. Raises Conflict when its name is taken and it does not ``replace``."""

        def work(db: sqlite3.Connection) -> None:
            if replace:
                db.execute("DELETE FROM entry WHERE name = ?", (entry.name,))
            if db.execute("SELECT count(*) FROM entry").fetchone()[0] >= MOST_ENTRIES:
                raise Conflict(f"there are {MOST_ENTRIES:,} schedules already", where="schedule")
            try:
                db.execute("INSERT INTO entry VALUES (?, ?, ?)", (entry.name, entry.identity, _encoded(entry)))
            except sqlite3.IntegrityError:
                raise Conflict("there is one of this name", where=f"schedule {entry.name}", fix="--replace") from None

        self._do(work)

    def remove(self, name: str) -> bool:
        """Take a schedule away; whether it was there."""
        return self._do(lambda db: db.execute("DELETE FROM entry WHERE name = ?", (name,)).rowcount == 1)

    def settle(self, entry: Entry, until: float, firings: Sequence[Firing]) -> None:
        """Note what became of the times until ``until``; of one that was removed meanwhile, too."""

        def work(db: sqlite3.Connection) -> None:
            rows = [(entry.identity, one.due, _encoded(one)) for one in firings]
            db.executemany("INSERT OR REPLACE INTO firing VALUES (?, ?, ?)", rows)
            settled = _encoded(msgspec.structs.replace(entry, settled=until))
            db.execute(
                "UPDATE entry SET entry = ? WHERE name = ? AND identity = ?", (settled, entry.name, entry.identity)
            )
            db.execute(
                "DELETE FROM firing WHERE rowid NOT IN (SELECT rowid FROM firing ORDER BY due DESC LIMIT ?)",
                (MOST_FIRINGS,),
            )

        self._do(work)

    def firings(self, most: int) -> list[Firing]:
        """What became of the last times, the latest first."""
        if not self.path.exists():
            return []
        query = "SELECT firing FROM firing ORDER BY due DESC LIMIT ?"
        return self._do(lambda db: [msgspec.json.decode(row[0], type=Firing) for row in db.execute(query, (most,))])

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=5.0)) as db:
                db.execute("PRAGMA synchronous = FULL")
                db.executescript(_SCHEMA)
                with db:
                    return work(db)
        except (sqlite3.Error, OSError, msgspec.MsgspecError) as error:
            raise JournalUnavailable(
                f"the schedules cannot be used: {error}", where=str(self.path), fix="make room, or move the file away"
            ) from error


def _encoded(value: Entry | Firing) -> bytes:
    return msgspec.json.encode(value)
