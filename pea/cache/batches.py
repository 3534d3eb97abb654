"""Rows that are written behind the caller's back: queued, and stored as one SQLite transaction per batch.

A batch leaves when it has ``BATCH`` rows, or ``LINGER_S`` after its first; what has piled up goes with it. A full
queue makes writers wait; a disk that takes nothing makes them wait no longer than ``PATIENCE_S``, then rows are dropped
and counted: keeping a record never fails the work that it records.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from pea.telemetry import Tracer, names

T = TypeVar("T")
Row = tuple[Any, ...]

BATCH = 10
MOST_PER_TRANSACTION = 1_000
LINGER_S = 0.1
QUEUE = 10_000
PATIENCE_S = 1.0
RETRY_S = (0.1, 5.0)
PRUNE_EVERY = 1_000  # rows written between two looks at the table's size
_LOCKED_S = 5.0


class BatchStats(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rows; ``written`` in ``transactions``, ``waiting`` now.

    ``shared`` of those written were not alone in their transaction.
    """

    written: int
    shared: int
    transactions: int
    waiting: int
    dropped: int
    faults: int
    last_fault: str


class Batches:
    """One table of an SQLite file, written by one thread. ``schema`` makes it, ``insert`` takes a row.

    ``prune`` is called now and then, in the thread and within a transaction, to delete what is too old or too much.
    With a ``tracer`` each transaction is a span of its own trace: it is nobody's in particular.
    """

    def __init__(
        self,
        path: Path,
        schema: str,
        insert: str,
        prune: Callable[[sqlite3.Connection], object],
        tracer: Tracer | None = None,
    ) -> None:
        self._path = path
        self._schema = schema
        self._insert = insert
        self._prune = prune
        self._tracer = tracer
        self._queue: deque[Row] = deque()
        self._due = asyncio.Event()  # a batch is full, or somebody wants it written
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pea-batches")
        self._connection: sqlite3.Connection | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._unpruned = 0
        self._written = self._shared = self._transactions = self._dropped = self._faults = 0
        self._last_fault = ""

    async def put(self, row: Row) -> bool:
        """Queue a row; False when it was dropped."""
        if len(self._queue) >= QUEUE and not self._closed:
            self._room.clear()
            self._due.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    await self._room.wait()
        if self._closed or len(self._queue) >= QUEUE:
            self._dropped += 1
            return False
        self._queue.append(row)
        self._idle.clear()
        self._some.set()
        if len(self._queue) >= BATCH:
            self._due.set()
        if self._task is None:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._run(), name="pea-batches", context=contextvars.Context())
        return True

    async def flush(self, timeout_s: float = 5.0) -> bool:
        """Have everything written; False when that took too long."""
        if self._idle.is_set():  # nothing is queued: the next batch may gather in peace
            return True
        self._due.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        return self._idle.is_set()

    async def query(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """Rows of the table, what is queued included. Raises sqlite3.Error."""
        await self.flush()
        return await self._aside(lambda: self._open().execute(statement, values).fetchall())

    async def aclose(self, timeout_s: float = 5.0) -> bool:
        """Write what is queued and close; False when some of it could not be written in time."""
        if self._closed:
            return not self._dropped
        done = await self.flush(timeout_s)
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._dropped += len(self._queue)
        self._queue.clear()
        await self._aside(self._close)
        self._thread.shutdown(wait=False)
        return done

    def stats(self) -> BatchStats:
        """What has been counted."""
        return BatchStats(
            written=self._written,
            shared=self._shared,
            transactions=self._transactions,
            waiting=len(self._queue),
            dropped=self._dropped,
            faults=self._faults,
            last_fault=self._last_fault,
        )

    async def _run(self) -> None:
        pause = RETRY_S[0]
        while True:
            await self._some.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_S):
                    await self._due.wait()
            batch = list(islice(self._queue, MOST_PER_TRANSACTION))
            try:
                with self._span(len(batch)):
                    await asyncio.shield(self._aside(lambda batch=batch: self._write(batch)))  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001  sqlite3.Error, OSError: the batch stays, and is tried again
                self._faults += 1
                self._last_fault = f"{type(error).__name__}: {error}"
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_S[1])
                continue
            pause = RETRY_S[0]
            for _ in batch:
                self._queue.popleft()
            self._written += len(batch)
            self._shared += len(batch) if len(batch) > 1 else 0
            self._transactions += 1
            self._room.set()
            if len(self._queue) < BATCH:
                self._due.clear()
            if not self._queue:
                self._some.clear()
                self._idle.set()

    def _span(self, size: int) -> contextlib.AbstractContextManager[object]:
        if self._tracer is None:
            return contextlib.nullcontext()
        return self._tracer.span(names.SPAN_ACTIVITY_WRITE, {names.PEA_BATCH_SIZE: size})

    def _aside(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, work)

    # From here on: in the thread.

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            connection = sqlite3.connect(self._path, timeout=_LOCKED_S, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(self._schema)
            self._connection = connection
        return self._connection

    def _write(self, rows: list[Row]) -> None:
        connection = self._open()
        with connection:  # one transaction: all of the batch or none
            connection.executemany(self._insert, rows)
            self._unpruned += len(rows)
            if self._unpruned >= PRUNE_EVERY:
                self._prune(connection)
                self._unpruned = 0

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
