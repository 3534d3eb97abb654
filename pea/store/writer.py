"""The span store's one writer: a thread that turns what waits into one transaction, and keeps the file in bounds.

Whatever goes wrong is counted and said, never raised to those who record: a full disk costs the batch, a damaged file
is set aside and a new one begun.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from pea.store.database import Damaged, Transaction, damaged, full, open_writer, set_aside
from pea.store.draft import TraceDraft
from pea.store.insert import Inserter
from pea.store.rates import Cell as RateCell
from pea.store.rates import Key, Rates, write_rates
from pea.store.trim import (
    LOW_WATER,
    at_bound,
    delete_old_names,
    delete_old_origins,
    delete_oldest,
    give_back,
    used_bytes,
)

BATCH_DRAFTS = 500
BATCH_BYTES = 1 << 20  # a quarter of the room above the bound: a transaction has to fit into it
RATES_EVERY_S = 2.0
BOUNDS_EVERY_S = 1.0
NAMES_EVERY_S = 60.0
MAX_STEPS = 64  # of deletion at once, when a batch finds no room
REST_S = 0.005  # between two steps of deletion
LOG_EVERY_S = 60.0
PINS = 1_000  # traces that are deleted last

_log = logging.getLogger(__name__)


class WriterStatus(msgspec.Struct, frozen=True):
    """Counts since the start and the file's state; ``dropped`` are spans that found no room or could not be written."""

    spans: int
    traces: int
    dropped: int
    deleted_traces: int
    deleted_spans: int
    transactions: int
    waiting_bytes: int
    used_bytes: int
    failures: int
    last_error: str
    set_aside: int


class Writer:
    """Owns the file's only writing connection; `put` may be called from any thread and never blocks."""

    def __init__(
        self,
        path: Path,
        *,
        size_bytes: int,
        age_s: float,
        waiting_bytes: int,
        rates: Rates | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._size_bytes, self._age_s, self._waiting_limit = size_bytes, age_s, waiting_bytes
        self._rates = rates
        self._clock = clock
        self._queue: deque[TraceDraft | _Errand] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._lock = threading.Lock()
        self.ready = threading.Event()  # the file can be read
        self.generation = 0  # rises when another file takes the place of a damaged one
        self._waiting = self._spans = self._traces = self._dropped = 0
        self._deleted_traces = self._deleted_spans = self._transactions = self._used = 0
        self._failures = self._aside = 0
        self._last_error, self._logged_at = "", -LOG_EVERY_S
        self._suspect = False
        self._pinned: list[bytes] = []
        self._names_at = time.monotonic()
        self._db: sqlite3.Connection | None = None
        self._inserter: Inserter | None = None
        self._thread = threading.Thread(target=self._run, name="pea-store", daemon=True)
        self._thread.start()

    def put(self, draft: TraceDraft) -> bool:
        """Queue a draft; False, and its spans are counted as dropped, when too much is waiting."""
        with self._lock:
            if self._closing or self._waiting + draft.size_bytes > self._waiting_limit:
                self._dropped += draft.spans
                return False
            self._waiting += draft.size_bytes
            self._queue.append(draft)
        self._wake.set()
        return True

    @property
    def pressed(self) -> bool:
        """Whether more than half of what may wait is waiting."""
        return self._waiting > self._waiting_limit // 2

    def pin(self, trace_id: int) -> None:
        """Delete this trace after all that are not pinned; of more than `PINS` the first are pinned no longer."""
        with self._lock:
            key = trace_id.to_bytes(16)
            self._pinned = [*(one for one in self._pinned if one != key), key][-PINS:]

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all that was put before is written; False when the time did not suffice."""
        return self._run_errand(self._write_rates, timeout_s)

    def trim(self, timeout_s: float = 10.0) -> bool:
        """Delete whatever is beyond the bounds, now; False when the time did not suffice."""
        return self._run_errand(self._keep_all_bounds, timeout_s)

    def _run_errand(self, work: Callable[[], None], timeout_s: float) -> bool:
        errand = _Errand(work)
        self._queue.append(errand)
        self._wake.set()
        return errand.done.wait(timeout_s)

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until the file can be read; at once False when it could not be opened."""
        return self.ready.is_set() or (not self._failures and self.ready.wait(timeout_s))

    def suspect(self) -> None:
        """A reader found the file damaged: look, and set it aside if so."""
        self._suspect = True
        self._wake.set()

    def close(self, timeout_s: float = 10.0) -> bool:
        """Write what waits and end; False when the time did not suffice."""
        with self._lock:
            self._closing = True
        self._wake.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def status(self) -> WriterStatus:
        """Counts and sizes."""
        return WriterStatus(
            spans=self._spans,
            traces=self._traces,
            dropped=self._dropped,
            deleted_traces=self._deleted_traces,
            deleted_spans=self._deleted_spans,
            transactions=self._transactions,
            waiting_bytes=self._waiting,
            used_bytes=self._used,
            failures=self._failures,
            last_error=self._last_error,
            set_aside=self._aside,
        )

    def _run(self) -> None:
        rates_at = bounds_at = time.monotonic()
        pause: float | None = 0.0
        while True:
            self._wake.wait(pause)
            self._wake.clear()
            closing = self._closing
            self._attempt(self._check)
            while self._queue:
                self._write_some()
                self._hold_bound()
            now = time.monotonic()
            if closing or now - rates_at >= RATES_EVERY_S:
                rates_at = now
                self._write_rates()
            pause = min(RATES_EVERY_S, BOUNDS_EVERY_S)
            if now - bounds_at >= BOUNDS_EVERY_S and not closing:
                if self._attempt(self._keep_bounds):
                    pause = REST_S  # there is more to delete; whoever waits to write or read goes first
                else:
                    bounds_at = now
            if closing:
                self._attempt(self._finish)
                break
        if self._db is not None:
            self._db.close()
            self._db = None

    def _write_some(self) -> None:
        """One transaction of what waits, up to the next errand; then the errand."""
        batch: list[TraceDraft] = []
        size = 0
        while self._queue and len(batch) < BATCH_DRAFTS:
            item = self._queue[0]
            if isinstance(item, _Errand) or (batch and size + item.size_bytes > BATCH_BYTES):
                break
            self._queue.popleft()
            batch.append(item)
            size += item.size_bytes
        if batch:
            written = self._attempt(lambda: self._insert(batch), again=True)
            spans = sum(draft.spans for draft in batch)
            with self._lock:
                self._waiting -= size
                self._spans += written or 0
                self._traces += len(batch) if written else 0
                self._dropped += spans - (written or 0)
        while self._queue and isinstance(errand := self._queue[0], _Errand):
            self._queue.popleft()
            errand.work()
            errand.done.set()

    def _write_rates(self) -> None:
        cells = self._rates.swap() if self._rates is not None else {}
        if cells:
            self._attempt(lambda: self._insert_rates(cells), again=True)

    def _insert(self, batch: list[TraceDraft]) -> int:
        with Transaction(self._open()):
            assert self._inserter is not None
            written = sum(map(self._inserter.insert, batch))
            self._inserter.stretches.finish()
        self._transactions += 1
        return written

    def _insert_rates(self, cells: dict[Key, RateCell]) -> int:
        db = self._open()
        with Transaction(db):
            assert self._inserter is not None
            write_rates(db, self._inserter, cells)
        return len(cells)

    def _finish(self) -> int:
        db = self._open()
        with Transaction(db):
            assert self._inserter is not None
            self._inserter.stretches.finish(closing=True)
        return 0

    def _check(self) -> int:
        db = self._open()
        if self._suspect:
            self._suspect = False
            found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise Damaged(found)
        return 0

    def _keep_bounds(self) -> int:
        """One step of deletion if a bound is crossed; whether there may be more to do."""
        db = self._open()
        self._used = used_bytes(db)
        now_ns = int(self._clock() * 1e9)
        before_ns = now_ns - int(self._age_s * 1e9)
        with Transaction(db):
            crowded = self._used > self._size_bytes * LOW_WATER
            traces, spans = delete_oldest(db, before_ns=None if crowded else before_ns, pinned=frozenset(self._pinned))
            if not traces and time.monotonic() - self._names_at > NAMES_EVERY_S:
                self._names_at = time.monotonic()
                assert self._inserter is not None
                delete_old_names(db, self._inserter, before_ns // 1_000)
                delete_old_origins(db, self._inserter, frozenset(self._pinned))
        self._deleted_traces += traces
        self._deleted_spans += spans
        more = give_back(db)
        return int(bool(traces) or more)

    def _hold_bound(self) -> None:
        """While much waits, let no more be written than is deleted, once the file is as large as it may be."""
        if self._db is not None:
            self._used = used_bytes(self._db)
        while self._used > self._size_bytes and self._attempt(self._keep_bounds):
            pass

    def _keep_all_bounds(self) -> None:
        while self._attempt(self._keep_bounds):
            pass

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = open_writer(self._path, self._size_bytes)
            self._inserter = Inserter(self._db)
            self._used = used_bytes(self._db)
            self.ready.set()
        return self._db

    def _attempt(self, work: Callable[[], int], *, again: bool = False, steps: int = 1) -> int | None:
        """Do work on the file; None when it failed. A damaged file is replaced, a full one emptied a little."""
        try:
            return work()
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, sqlite3.Error) and full(error) and self._make_room(steps):
                self._reset_names()
                return self._attempt(work, again=again, steps=2 * steps)
            self._failed(error)
            again = again and isinstance(error, sqlite3.Error) and damaged(error)
            if isinstance(error, sqlite3.Error) and damaged(error):
                self._replace(str(error))
        except Exception as error:  # noqa: BLE001  the thread must go on, whatever a span holds
            self._failed(error)
            again = False
        self._reset_names()
        return self._attempt(work) if again else None

    def _make_room(self, steps: int) -> bool:
        """Delete a little when the file has reached its own bound; deleting would not help a disk that others fill."""
        db = self._db
        traces = spans = 0
        try:
            if db is None or steps > MAX_STEPS or not at_bound(db, self._size_bytes):
                return False
            for _ in range(steps):
                with Transaction(db):
                    gone = delete_oldest(db, pinned=frozenset(self._pinned))
                traces, spans = traces + gone[0], spans + gone[1]
        except sqlite3.Error as error:
            self._failed(error)
            return False
        self._deleted_traces += traces
        self._deleted_spans += spans
        return traces > 0

    def _replace(self, why: str) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
        try:
            set_aside(self._path, why)
        except OSError as error:
            self._failed(error)
            return
        self._aside += 1
        self.generation += 1

    def _reset_names(self) -> None:
        """After a rollback the file may not have names that were given out."""
        if self._db is not None:
            try:
                self._inserter = Inserter(self._db)
            except sqlite3.Error as error:
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        self._last_error = f"{type(error).__name__}: {error}"
        now = time.monotonic()
        if now - self._logged_at >= LOG_EVERY_S:
            self._logged_at = now
            _log.error("the span store could not write (%d failures so far): %s", self._failures, self._last_error)


class _Errand:
    """Work for the writer's thread, in its turn among the drafts."""

    __slots__ = ("done", "work")

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work
        self.done = threading.Event()
