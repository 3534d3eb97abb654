"""The journal's SQLite file: its tables, what an entry does to them, and what can be read back.

WAL with ``synchronous = FULL``: a transaction is on the disk when COMMIT returns. The tables hold the journal's promise
by themselves: a task that has ended takes no further state, and no state has a number twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import msgspec

from pea.runtime.journal.entries import Accepted, Changed, Entry, Noted, Step, StepState
from pea.runtime.task import Task, TaskState
from pea.telemetry import get_logger

VERSION = 1
PAGE_BYTES = 4_096
CHECKPOINT_PAGES = 2_000
BUSY_S = 5.0

_TABLES = """
CREATE TABLE task (
    id TEXT PRIMARY KEY, state TEXT NOT NULL, priority INTEGER NOT NULL, agent TEXT NOT NULL, capability TEXT NOT NULL,
    created REAL NOT NULL, ended REAL, key TEXT, span_id BLOB NOT NULL, size INTEGER NOT NULL, head BLOB NOT NULL,
    input BLOB NOT NULL, result BLOB
) WITHOUT ROWID;
CREATE INDEX task_open ON task (created) WHERE ended IS NULL;
CREATE INDEX task_ended ON task (ended) WHERE ended IS NOT NULL;
CREATE INDEX task_created ON task (created, id);
CREATE INDEX task_key ON task (key) WHERE key IS NOT NULL;
CREATE TABLE event (
    task TEXT, number INTEGER, state TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (task, number)
) WITHOUT ROWID;
CREATE TABLE step (
    task TEXT, key TEXT, capability TEXT NOT NULL, state TEXT NOT NULL, at REAL NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (task, key)
) WITHOUT ROWID;
"""
_COLUMNS = {"state", "priority", "agent", "capability"}
_NOTHING = msgspec.Raw(b"null")
_decode_head = msgspec.json.Decoder(Task).decode


log = get_logger("pea.runtime")


class Open(msgspec.Struct, frozen=True):
    """A task that has not ended, with the id of its first span."""

    task: Task
    span_id: int


class Tables:
    """One connection to the file. Not for two threads at once."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    @classmethod
    def open(cls, path: Path) -> Tables:
        """Open, or begin, the file for its one writer. Raises sqlite3.Error or OSError when it cannot be used."""
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            db.execute(f"PRAGMA journal_size_limit = {16 << 20}")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
            elif version != VERSION:
                raise OtherVersion(f"it has version {version}, this PEA reads version {VERSION}")
            for table in ("task", "event", "step"):
                db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()  # noqa: S608  our own names
        except BaseException:  # whatever stops the opening, the file must not stay locked
            db.close()
            raise
        return cls(db)

    @classmethod
    def open_to_read(cls, path: Path) -> Tables:
        """A connection that changes nothing, beside the writer's."""
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S, check_same_thread=False)
        return cls(db)

    def apply(self, entries: Iterable[Entry]) -> None:
        """Write the entries as one transaction: all of them are on the disk when this returns, or none.

        Raises sqlite3.IntegrityError for what contradicts the journal, such as a second end of a task.
        """
        with transaction(self.db):
            for entry in entries:
                _apply(self.db, entry)

    def open_tasks(self) -> list[Open]:
        """The tasks that have not ended, oldest first."""
        query = "SELECT id, head, input, result, span_id FROM task WHERE ended IS NULL ORDER BY created, id"
        read = [(_readable(*row[:4]), row[4]) for row in self.db.execute(query)]
        return [Open(task, int.from_bytes(span_id, "big")) for task, span_id in read if task is not None]

    def ended_tasks(self, since: float, most: int, size_bytes: int) -> list[Task]:
        """The tasks that ended last, at most so many and so large, in the order of their ends."""
        found: list[Task] = []
        rows = self.db.execute(
            "SELECT id, head, input, result FROM task WHERE ended >= ? ORDER BY ended DESC, id LIMIT ?", (since, most)
        )
        for row in rows:
            task = _readable(*row)
            if task is None:
                continue
            size_bytes -= task.size_bytes
            if size_bytes < 0:
                break
            found.append(task)
        return found[::-1]

    def steps(self, task: str) -> list[Step]:
        """What is known of a task's steps."""
        rows = self.db.execute("SELECT task, key, capability, state, at, data FROM step WHERE task = ?", (task,))
        return [
            Step(task=task, key=key, capability=name, state=StepState(state), at=at, data=data)
            for task, key, name, state, at, data in rows
        ]

    def find(self, identity: str) -> Task | None:
        """The task of this id."""
        row = self.db.execute("SELECT id, head, input, result FROM task WHERE id = ?", (identity,)).fetchone()
        return None if row is None else _readable(*row)

    def by_key(self, key: str) -> Task | None:
        """The latest task that was submitted with this idempotency key."""
        query = "SELECT head, input, result FROM task WHERE key = ? ORDER BY created DESC LIMIT 1"
        row = self.db.execute(query, (key,)).fetchone()
        return None if row is None else _task(*row)

    def page(self, before: tuple[float, str] | None, most: int, wanted: dict[str, object]) -> list[Task]:
        """Tasks without results, newest first, below the place ``before``; ``wanted`` are values of columns.

        Rows that another version wrote are passed over, with a line in the log.
        """
        clauses, values = ["1"], []
        for name, value in wanted.items():
            if name not in _COLUMNS:
                raise ValueError(f"no column is called {name!r}")
            clauses.append(f"{name} = ?")
            values.append(value)
        if before is not None:
            clauses.append("(created, id) < (?, ?)")
            values += before
        query = f"SELECT id, head FROM task WHERE {' AND '.join(clauses)} ORDER BY created DESC, id DESC"  # noqa: S608  columns are checked
        return _first_readable(self.db.execute(query, values), most)

    def after(self, place: tuple[float, str], most: int) -> list[Task]:
        """Whole tasks above a place in the order of creation, oldest first."""
        query = "SELECT id, head, input, result FROM task WHERE (created, id) > (?, ?) ORDER BY created, id"
        return _first_readable(self.db.execute(query, place), most)

    def used_bytes(self) -> int:
        """What the file's rows take: its pages but for the free ones."""
        pages, free = (self.db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
        return int(pages - free) * PAGE_BYTES

    def trim(self, *, before: float, entries: int, size_bytes: int, most: int = 200) -> int:
        """Delete at most ``most`` ended tasks beyond the bounds, those that ended first; how many it were."""
        count = self.db.execute("SELECT count(*) FROM task WHERE ended IS NOT NULL").fetchone()[0]
        crowded = min(most, max(count - entries, most if self.used_bytes() > size_bytes else 0))
        rows = self.db.execute(
            "SELECT id, ended FROM task WHERE ended IS NOT NULL ORDER BY ended LIMIT ?", (most,)
        ).fetchall()
        gone = [(identity,) for number, (identity, ended) in enumerate(rows) if number < crowded or ended < before]
        if gone:
            with transaction(self.db):
                for table, column in (("step", "task"), ("event", "task"), ("task", "id")):
                    self.db.executemany(f"DELETE FROM {table} WHERE {column} = ?", gone)  # noqa: S608  our own names
            self.db.execute("PRAGMA incremental_vacuum(256)").fetchall()
        return len(gone)

    def close(self) -> None:
        """Close the connection; the last one empties the write-ahead log into the file."""
        self.db.close()


class OtherVersion(sqlite3.DatabaseError):
    """The file was written by another version of PEA."""

    sqlite_errorcode = sqlite3.SQLITE_NOTADB


class transaction:  # noqa: N801  reads as a statement: with transaction(db)
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK when the body or the commit raises."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:  # after some errors SQLite has rolled back by itself
                self._db.execute("ROLLBACK")


def _readable(identity: str, head: bytes, given: bytes = b"null", result: bytes | None = None) -> Task | None:
    """The task, or None, with a line in the log, for a row that another version wrote: it stays in the file."""
    try:
        return _task(head, given, result)
    except msgspec.MsgspecError as error:
        log.error("a task in the journal cannot be read", task=identity, reason=str(error))
        return None


def _first_readable(rows: Iterable[tuple[str, bytes]], most: int) -> list[Task]:
    read = (_readable(*row) for row in rows)
    return list(islice((task for task in read if task is not None), most))


def _task(head: bytes, given: bytes, result: bytes | None) -> Task:
    task = _decode_head(head)
    raw = None if result is None else msgspec.Raw(result)
    return msgspec.structs.replace(task, input=msgspec.Raw(given), result=raw)


def _head(task: Task) -> bytes:
    """The task but for its input and result, which may be large and are written once."""
    return msgspec.json.encode(msgspec.structs.replace(task, input=_NOTHING, result=None))


def _insert(db: sqlite3.Connection, task: Task, span_id: int) -> None:
    db.execute(
        "INSERT INTO task VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(task.id, task.state, int(task.priority), task.agent, task.capability, task.created, task.ended),
            *(task.idempotency_key, span_id.to_bytes(8, "big"), task.size_bytes, _head(task), bytes(task.input)),
            None if task.result is None else bytes(task.result),
        ),
    )


def _apply(db: sqlite3.Connection, entry: Entry) -> None:
    match entry:
        case Accepted():
            _accept(db, entry)
        case Changed():
            _change(db, entry)
        case Noted():
            _update(db, entry.task)
        case Step():
            _step(db, entry)


def _accept(db: sqlite3.Connection, entry: Accepted) -> None:
    task = entry.task
    _insert(db, task, entry.span_id)
    db.execute("INSERT INTO event VALUES (?, 1, ?, ?)", (task.id, TaskState.QUEUED, task.created))


def _change(db: sqlite3.Connection, entry: Changed) -> None:
    task = entry.task
    _update(db, task)
    state, at = task.life[-1]
    db.execute("INSERT INTO event VALUES (?, ?, ?, ?)", (task.id, len(task.life) + 1, state, at))
    db.executemany("DELETE FROM step WHERE task = ? AND key = ?", [(task.id, key) for key in entry.released])


def _update(db: sqlite3.Connection, task: Task) -> None:
    result = None if task.result is None else bytes(task.result)
    changed = db.execute(
        "UPDATE task SET state = ?, ended = ?, size = ?, head = ?, result = ? WHERE id = ? AND ended IS NULL",
        (task.state, task.ended, task.size_bytes, _head(task), result, task.id),
    )
    if changed.rowcount:
        return
    if db.execute("SELECT 1 FROM task WHERE id = ?", (task.id,)).fetchone():
        raise sqlite3.IntegrityError(f"task {task.id} has ended already and cannot become {task.state}")
    _insert(db, task, 0)  # the file that had it was damaged and set aside


def _step(db: sqlite3.Connection, entry: Step) -> None:
    db.execute(
        "INSERT INTO step VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (task, key) DO UPDATE SET state = excluded.state, "
        "at = excluded.at, data = excluded.data",
        (entry.task, entry.key, entry.capability, entry.state, entry.at, entry.data),
    )
