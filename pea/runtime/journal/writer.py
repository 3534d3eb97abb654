"""The journal's one writer: a thread that turns all that waits into one transaction, and so into one fsync.

It commits whenever it is free and something waits, so one task alone waits for one fsync, and a thousand share a few.
What nobody waits for goes along with the next that somebody does, so that it is in nobody's way; `nudge` has it written
when no such comes. What was promised before must be written: it is tried until it succeeds.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from pea.errors import JournalUnavailable
from pea.runtime.journal.entries import Entry
from pea.runtime.journal.file import JournalFile, damaged
from pea.runtime.journal.tables import Tables
from pea.telemetry import get_logger

BATCH_ITEMS = 2_000
BATCH_BYTES = 8 << 20
TRIM_EVERY_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 1.0
LOG_EVERY_S = 30.0

log = get_logger("pea.runtime")


class Item(msgspec.Struct, eq=False):
    """Entries that are written together, for whom ``done`` is the sign.

    ``must``: they belong to what was promised, and are tried again until they are written. Those that are not
    ``urgent`` wait for others, or for a nudge.
    """

    entries: Sequence[Entry]
    must: bool
    done: asyncio.Future[None]
    size_bytes: int
    urgent: bool = True


class Bounds(msgspec.Struct, frozen=True):
    """How much of what has ended is kept."""

    entries: int
    age_s: float
    size_bytes: int


class WriterStatus(msgspec.Struct, frozen=True):
    """Counts since the start. ``problem`` is why the last transaction failed, None when it did not."""

    commits: int = 0
    written: int = 0
    deleted: int = 0
    failures: int = 0
    set_aside: int = 0
    used_bytes: int = 0
    problem: str | None = None


class Writer:
    """Owns the only connection that writes; `put` may be called from any thread and never blocks.

    ``open_file`` takes the journal's file and lock, again and again until it succeeds. Called in the writer's thread:
    ``on_open`` with the tables when they have been opened, ``on_end`` with items and why they failed (None: they are
    on the disk), ``on_commit`` with the seconds and the number of items of a transaction.
    """

    def __init__(
        self,
        open_file: Callable[[], JournalFile],
        bounds: Bounds,
        *,
        on_open: Callable[[Tables], None],
        on_end: Callable[[list[Item], Exception | None], None],
        on_commit: Callable[[float, int], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._open_file, self._bounds = open_file, bounds
        self._on_open, self._on_end, self._on_commit = on_open, on_end, on_commit
        self._clock = clock
        self._file: JournalFile | None = None
        self._tables: Tables | None = None
        self._queue: deque[Item] = deque()
        self._due = False  # something in the queue is to be written now
        self._owed: list[Item] = []
        self._condition = threading.Condition()
        self._closing = False
        self._trimmed_at = time.monotonic()
        self._logged_at = -LOG_EVERY_S
        self.pending_bytes = 0
        self.tried = threading.Event()  # the file was opened, or could not be
        self.status = WriterStatus()
        self._thread = threading.Thread(target=self._run, name="pea-journal", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Queue an item. Raises JournalUnavailable after `close`."""
        with self._condition:
            if self._closing:
                raise JournalUnavailable("the journal is closed", where="journal")
            self._queue.append(item)
            self.pending_bytes += item.size_bytes
            if item.urgent:
                self._due = True
                self._condition.notify()

    def nudge(self) -> None:
        """Have written what waits, urgent or not."""
        with self._condition:
            self._due = True
            self._condition.notify()

    def close(self, timeout_s: float) -> bool:
        """Write what waits and end; False when the time did not suffice."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause = 0.0
        while True:
            batch, closing = self._next(pause)
            written = self._write(batch) if batch or self._tables is None else True
            pause = 0.0 if written else min(LONGEST_PAUSE_S, 2 * pause or FIRST_PAUSE_S)
            if closing and not (written and self._queue):
                break
            if written:
                self._trim()
        left = [*self._owed, *self._queue]
        if left:
            log.error("the journal was closed before all was written", items=len(left), reason=self.status.problem)
            self._on_end(left, JournalUnavailable(f"the journal was closed: {self.status.problem}", where="journal"))
        if self._tables is not None:
            self._tables.close()
        if self._file is not None:
            self._file.close()

    def _next(self, pause: float) -> tuple[list[Item], bool]:
        """What is owed and what waits, as soon as there is some; after a failure not before ``pause`` seconds."""
        with self._condition:
            if pause and not self._closing:
                self._condition.wait_for(lambda: self._closing or self._hopeful(), pause)
            elif self._tables is not None:
                self._condition.wait_for(lambda: self._closing or self._due or self._owed, TRIM_EVERY_S)
            batch, size = self._owed, sum(item.size_bytes for item in self._owed)
            self._owed = []
            while self._queue and len(batch) < BATCH_ITEMS and size < BATCH_BYTES:
                batch.append(item := self._queue.popleft())
                size += item.size_bytes
            self._due = bool(self._queue)
            return batch, self._closing

    def _hopeful(self) -> bool:
        """Whether somebody waits who will not wait long: a task to be accepted or refused."""
        return any(not item.must for item in self._queue)

    def _write(self, batch: list[Item]) -> bool:
        """One transaction; whether it succeeded. After a failure the items that must be written are owed."""
        began = time.perf_counter()
        try:
            self._apply(batch)
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError, TypeError, ValueError) as error:
            return self._one_by_one(batch, error)
        except (sqlite3.Error, OSError, JournalUnavailable) as error:
            self._failed(batch, error)
            return False
        self._count(problem=None)
        if batch:
            self._on_commit(time.perf_counter() - began, len(batch))
            self._count(commits=1, written=sum(len(item.entries) for item in batch))
            self._tell(batch, None)
        return True

    def _apply(self, batch: list[Item]) -> None:
        entries = [entry for item in batch for entry in item.entries]
        try:
            self._open().apply(entries)
        except sqlite3.DatabaseError as error:
            if not damaged(error) or self._file is None:
                raise
            self._replace(str(error))
            self._open().apply(entries)

    def _open(self) -> Tables:
        if self._tables is None:
            try:
                if self._file is None:
                    self._file = self._open_file()
                self._tables = self._file.open()
                self._on_open(self._tables)
            finally:
                self.tried.set()
        return self._tables

    def _replace(self, why: str) -> None:
        if self._tables is not None:
            self._tables.close()
            self._tables = None
        assert self._file is not None
        self._tables = self._file.replace(why)
        self._count(set_aside=1)
        self._on_open(self._tables)

    def _one_by_one(self, batch: list[Item], error: Exception) -> bool:
        """One of the items contradicts the journal: find it and tell its owner; the others are none the worse."""
        if len(batch) == 1:
            log.error("an entry contradicts the journal", reason=str(error))
            self._count(failures=1)
            self._tell(batch, error)
            return True
        written = [self._write([item]) for item in batch]
        return all(written)

    def _failed(self, batch: list[Item], error: Exception) -> None:
        self._count(failures=1, problem=str(error))
        now = time.monotonic()
        if now - self._logged_at >= LOG_EVERY_S:
            self._logged_at = now
            log.error("the journal cannot be written: no tasks are accepted until it can", reason=str(error))
        told = error if isinstance(error, JournalUnavailable) else _unavailable(error, self._file)
        self._tell([item for item in batch if not item.must], told)
        self._owed += [item for item in batch if item.must]

    def _tell(self, batch: list[Item], error: Exception | None) -> None:
        with self._condition:
            self.pending_bytes -= sum(item.size_bytes for item in batch)
        if batch:
            self._on_end(batch, error)

    def _trim(self) -> None:
        """Keep to the bounds; a little at a time, and only when nobody waits."""
        if self._queue or self._tables is None or time.monotonic() - self._trimmed_at < TRIM_EVERY_S:
            return
        bounds = self._bounds
        try:
            gone = self._tables.trim(
                before=self._clock() - bounds.age_s, entries=bounds.entries, size_bytes=bounds.size_bytes
            )
            self._count(deleted=gone, used_bytes=self._tables.used_bytes())
        except sqlite3.Error as error:
            self._failed([], error)
            gone = 0
        if not gone:
            self._trimmed_at = time.monotonic()

    def _count(self, **more: int | str | None) -> None:
        status = self.status
        replaced = {"used_bytes", "problem"}
        new = {name: value if name in replaced else getattr(status, name) + value for name, value in more.items()}
        self.status = msgspec.structs.replace(status, **new)


def _unavailable(error: Exception, file: JournalFile | None) -> JournalUnavailable:
    return JournalUnavailable(
        f"the journal cannot be written: {error}",
        where="journal" if file is None else str(file.path),
        fix="make room on the disk, or make the state folder writable; PEA tries again by itself",
    )
