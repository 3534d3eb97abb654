"""The journal as the event loop sees it: entries go in and are durable when their future is done."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from pea.config import JournalSettings
from pea.errors import JournalUnavailable
from pea.runtime.journal.entries import Entry, Step
from pea.runtime.journal.file import NAME, JournalFile
from pea.runtime.journal.tables import Open, Tables
from pea.runtime.journal.writer import Bounds, Item, Writer, WriterStatus
from pea.runtime.task import Task

CLOSE_TIMEOUT_S = 10.0
LINGER_S = 0.005  # what nobody waits for waits so long for something to be written with
OPEN_PATIENCE_S = 2.0  # how long a start waits for a file that is slow; it is opened later then

T = TypeVar("T")


class Kept(msgspec.Struct, frozen=True):
    """What the journal had when it was opened: tasks that go on, and the last that ended, oldest first."""

    open: tuple[Open, ...] = ()
    ended: tuple[Task, ...] = ()


class Remembered(msgspec.Struct, frozen=True):
    """How many ended tasks are brought back into memory: so many, so large, that ended since (Unix seconds)."""

    entries: int
    size_bytes: int
    since: float


class Journal:
    """The tasks of one state folder. Made on the event loop that uses it; `close` it at the end.

    ``opened`` is done, with what there was, once the file could be opened: at once as a rule, later on a disk that is
    full or that another process holds.
    """

    def __init__(
        self,
        folder: Path,
        settings: JournalSettings,
        remembered: Remembered,
        *,
        on_commit: Callable[[float, int], None] = lambda _seconds, _items: None,
    ) -> None:
        self.settings = settings
        self.path = folder / NAME
        self._loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[Kept] = self._loop.create_future()
        self._remembered = remembered
        self._reader: Tables | None = None
        self._read_from = 0
        self._nudging: asyncio.TimerHandle | None = None
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="pea-journal-read")
        self._writer = Writer(
            lambda: JournalFile(folder),
            Bounds(settings.entries, float(settings.age), settings.size),
            on_open=self._load,
            on_end=self._end,
            on_commit=on_commit,
        )

    @property
    def ready(self) -> bool:
        """Whether what it has is known."""
        return self.opened.done()

    @property
    def pending_bytes(self) -> int:
        """What waits to be written."""
        return self._writer.pending_bytes

    @property
    def status(self) -> WriterStatus:
        """Counts, and the problem if there is one."""
        return self._writer.status

    async def tried(self) -> None:
        """Wait until the file has been opened or has shown that it cannot be, but not for long."""
        tried = self._writer.tried
        await self._loop.run_in_executor(self._reading, tried.wait, OPEN_PATIENCE_S)
        await asyncio.sleep(0)  # what the writer's thread found out is told on the loop

    def append(self, *entries: Entry, must: bool = True, urgent: bool = True) -> asyncio.Future[None]:
        """Have entries written; done when they are on the disk.

        Those that are not ``urgent`` go along with the next that are, if such come within 5 ms. Those that ``must`` be
        written are tried until that succeeds; others fail with JournalUnavailable when they cannot be written now.
        Raises JournalUnavailable when it is closed or, for others, when too much waits.
        """
        size = sum(entry.size_bytes for entry in entries)
        if not must and self._writer.pending_bytes + size > self.settings.waiting:
            raise JournalUnavailable("too much waits to be written", where="journal", fix="try again in a second")
        future: asyncio.Future[None] = self._loop.create_future()
        self._writer.put(Item(entries, must, future, size, urgent))
        if not urgent and self._nudging is None:
            self._nudging = self._loop.call_later(LINGER_S, self._nudge)
        return future

    def _nudge(self) -> None:
        self._nudging = None
        self._writer.nudge()

    async def steps(self, task: str) -> list[Step]:
        """What is known of a task's steps."""
        return await self._read(lambda tables: tables.steps(task))

    async def find(self, identity: str) -> Task | None:
        """The task of this id."""
        return await self._read(lambda tables: tables.find(identity))

    async def by_key(self, key: str) -> Task | None:
        """The task that was submitted with this idempotency key."""
        return await self._read(lambda tables: tables.by_key(key))

    async def page(self, before: tuple[float, str] | None, most: int, wanted: dict[str, object]) -> list[Task]:
        """Tasks without results, newest first; see `Tables.page`."""
        return await self._read(lambda tables: tables.page(before, most, wanted))

    async def close(self) -> None:
        """Write what waits, and let go of the file."""
        if self._nudging is not None:
            self._nudging.cancel()
        await self._loop.run_in_executor(self._reading, self._writer.close, CLOSE_TIMEOUT_S)
        self._reading.shutdown(wait=True, cancel_futures=True)
        if self._reader is not None:
            self._reader.close()
        if not self.opened.done():
            self.opened.cancel()

    async def _read(self, work: Callable[[Tables], T]) -> T:
        if not self.ready:
            raise JournalUnavailable("the journal is not open", where=str(self.path), fix="try again in a second")
        try:
            return await self._loop.run_in_executor(self._reading, self._with_reader, work)
        except sqlite3.Error as error:
            raise JournalUnavailable(f"the journal cannot be read: {error}", where=str(self.path)) from error

    def _with_reader(self, work: Callable[[Tables], T]) -> T:
        """In the reading thread; the connection is made anew after an error, since the file may be another one."""
        generation = self._writer.status.set_aside
        if self._reader is not None and generation != self._read_from:
            self._reader.close()
            self._reader = None
        if self._reader is None:
            self._reader, self._read_from = Tables.open_to_read(self.path), generation
        try:
            return work(self._reader)
        except sqlite3.Error:
            self._reader.close()
            self._reader = None
            raise

    def _load(self, tables: Tables) -> None:
        """In the writer's thread, when the file has been opened."""
        wanted = self._remembered
        kept = Kept(
            tuple(tables.open_tasks()), tuple(tables.ended_tasks(wanted.since, wanted.entries, wanted.size_bytes))
        )
        self._call(lambda: None if self.opened.done() else self.opened.set_result(kept))

    def _end(self, items: list[Item], error: Exception | None) -> None:
        def tell() -> None:
            for item in items:
                if item.done.done():
                    continue
                if error is None:
                    item.done.set_result(None)
                else:
                    item.done.set_exception(error)
                    item.done.exception()  # it has been logged: there may be nobody who waits for it

        self._call(tell)

    def _call(self, what: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:  # the loop has closed: nobody is left to be told
            return
