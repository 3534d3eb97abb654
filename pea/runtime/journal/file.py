"""The journal's file on disk: one process has it, and a damaged one is set aside after what can be read is saved."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from pathlib import Path

from pea.errors import JournalUnavailable
from pea.runtime.journal.tables import OtherVersion, Tables, transaction
from pea.telemetry import get_logger

NAME = "journal.db"
_SAVED = ("task", "event", "step")

log = get_logger("pea.runtime")


class JournalFile:
    """Holds the lock of a folder's journal, from construction until `close`.

    Raises JournalUnavailable when another process has it, OSError when the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / NAME
        self._lock = os.open(folder / "journal.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise JournalUnavailable(
                "another PEA works on this state folder", where=str(folder), fix="stop it, or give --state another one"
            ) from None

    def open(self) -> Tables:
        """The tables; a file that cannot be used is set aside first. Raises sqlite3.Error or OSError."""
        try:
            return Tables.open(self.path)
        except sqlite3.DatabaseError as error:
            if not (damaged(error) or isinstance(error, OtherVersion) or _lacks_a_table(error)):
                raise
            return self.replace(str(error))

    def replace(self, why: str) -> Tables:
        """Set the file aside and begin a new one with what can still be read of the old. Its tables must be closed."""
        aside = self.path.with_name(
            f"{NAME}.broken-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{time.time_ns() % 10**9:09}"
        )
        for suffix in ("", "-wal", "-shm"):
            part = self.path.with_name(NAME + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        tables = Tables.open(self.path)
        saved = _save(aside, tables.db)
        log.error(
            "the journal cannot be used: it was set aside and a new one is begun",
            reason=why,
            aside=str(aside),
            **{f"{table}s_saved": count for table, count in saved.items()},
        )
        return tables

    def close(self) -> None:
        """Let others have the journal."""
        os.close(self._lock)


def damaged(error: sqlite3.Error) -> bool:
    """Whether an error means that the file itself is broken, not that the moment is bad."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _lacks_a_table(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_ERROR


def _save(old: Path, db: sqlite3.Connection) -> dict[str, int]:
    """Copy rows into a new journal until the damage is met; how many of each table."""
    saved = dict.fromkeys(_SAVED, 0)
    source: sqlite3.Connection | None = None
    with contextlib.suppress(sqlite3.Error):
        source = sqlite3.connect(old, isolation_level=None)
    if source is None:
        return saved
    with contextlib.closing(source), transaction(db):
        for table in _SAVED:
            with contextlib.suppress(sqlite3.Error):
                for row in source.execute(f"SELECT * FROM {table}"):  # noqa: S608  our own names
                    marks = ", ".join("?" * len(row))
                    db.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)  # noqa: S608
                    saved[table] += 1
    return saved
