"""What was approved to be sent, and how far that came: on the disk before the server can have taken it.

ready ──about to hand over──▶ handing ──server took it──▶ sent
  ▲                             │
  └────server said no───────────┘          a crash here: handing for ever, never sent again
"""

from __future__ import annotations

import enum
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import msgspec

from pea.errors import JournalUnavailable

T = TypeVar("T")

_AGE_S = 400 * 86_400.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS mail (
    key TEXT PRIMARY KEY, message_id TEXT NOT NULL, state TEXT NOT NULL, at REAL NOT NULL, note TEXT NOT NULL
) WITHOUT ROWID
"""


class Handing(enum.StrEnum):
    """How far a mail has come."""

    READY = "ready"  # the server has not been given it, or has said no
    HANDING = "handing"  # it is being given to the server, which may have taken it
    SENT = "sent"  # the server has taken it


class Sending(msgspec.Struct, frozen=True):
    """One mail's line; ``at`` is Unix seconds."""

    key: str
    message_id: str
    state: Handing
    at: float
    note: str


class Outbox:
    """The lines of one state folder; each change is on the disk when it returns. Raises JournalUnavailable."""

    def __init__(self, path: Path, wall: Callable[[], float] = time.time) -> None:
        self._path, self._wall = path, wall

    def enter(self, key: str, message_id: str) -> Sending:
        """The line of this approval; made if there is none."""

        def work(db: sqlite3.Connection) -> Sending:
            db.execute("DELETE FROM mail WHERE state = 'sent' AND at < ?", (self._wall() - _AGE_S,))
            entered = (key, message_id, Handing.READY, self._wall(), "")
            db.execute("INSERT OR IGNORE INTO mail VALUES (?, ?, ?, ?, ?)", entered)
            row = db.execute("SELECT key, message_id, state, at, note FROM mail WHERE key = ?", (key,)).fetchone()
            return Sending(row[0], row[1], Handing(row[2]), row[3], row[4])

        return self._do(work)

    def change(self, key: str, old: Handing, new: Handing, note: str = "") -> bool:
        """Whether the line stood as ``old`` says, and now stands as ``new``."""

        def work(db: sqlite3.Connection) -> bool:
            done = db.execute(
                "UPDATE mail SET state = ?, at = ?, note = ? WHERE key = ? AND state = ?",
                (new, self._wall(), note, key, old),
            )
            return done.rowcount == 1

        return self._do(work)

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with closing(sqlite3.connect(self._path, timeout=5.0)) as db:
                db.execute("PRAGMA synchronous = FULL")
                with db:
                    db.execute(_SCHEMA)
                    return work(db)
        except (sqlite3.Error, OSError) as error:
            raise JournalUnavailable(
                f"the outbox cannot be written: {error}", where=str(self._path), fix="nothing was sent; make room"
            ) from error
