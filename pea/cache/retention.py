"""Records kept by age: hot as objects, warm packed in memory, cold compressed on disk (threats, histories)."""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from pea.cache.batches import Batches, BatchStats
from pea.cache.counts import TierStats
from pea.cache.ordered import Ordered
from pea.cache.values import Open, hold
from pea.cache.weigh import weigh
from pea.cache.wire import Codec
from pea.config import RetentionSettings
from pea.telemetry import Tracer

T = TypeVar("T")

COMPRESS_ABOVE = 256
_SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, at REAL NOT NULL, label TEXT NOT NULL, data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS kept_label ON kept (label, at);
CREATE INDEX IF NOT EXISTS kept_at ON kept (at);
"""
_INSERT = "INSERT OR REPLACE INTO kept (key, at, label, data) VALUES (?, ?, ?, ?)"
_BEYOND_ROWS = "DELETE FROM kept WHERE rowid IN (SELECT rowid FROM kept ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?)"
_BEYOND_AGE = "DELETE FROM kept WHERE at < ?"
_OLDEST_TENTH = (
    "DELETE FROM kept WHERE rowid IN"
    " (SELECT rowid FROM kept ORDER BY at, rowid LIMIT (SELECT count(*) / 10 + 1 FROM kept))"
)
_SINCE = "SELECT key, data FROM kept WHERE at >= ? ORDER BY at, rowid LIMIT ?"
_RECENT = "SELECT key, data FROM kept ORDER BY at DESC, rowid DESC LIMIT ?"
_RECENT_OF = "SELECT key, data FROM kept WHERE label = ? ORDER BY at DESC, rowid DESC LIMIT ?"


class Retention(Generic[T]):
    """A record goes into all three tiers when it comes, and leaves each at that tier's bounds.

    Looking up an older one brings it back. ``declared`` is the records' type, as for a `Namespace`. Without a ``path``
    there is no cold tier.
    """

    def __init__(
        self,
        path: Path | None,
        declared: Any,
        terms: RetentionSettings | None = None,
        *,
        tracer: Tracer | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        own = RetentionSettings() if terms is None else terms
        self._terms = own
        self._codec = Codec(declared)
        self._wall = wall
        self._hot: Ordered[str, tuple[Any, Open | None]] = Ordered(
            int(own.hot_size), own.hot_entries, float(own.hot_age), policy="lru", clock=clock
        )
        self._warm: Ordered[str, bytes] = Ordered(
            int(own.warm_size), own.warm_entries, float(own.warm_age), policy="lru", clock=clock
        )
        #: Label and key of the latest, oldest first: which records `recent` is asked for.
        self._latest: deque[tuple[str, str]] = deque(maxlen=own.warm_entries)
        self._cold = None if path is None else Batches(path, _SCHEMA, _INSERT, self._prune, tracer)

    async def keep(self, key: str, record: T, label: str = "") -> bool:
        """Keep a record; False when cold could not take it. Raises Uncacheable or Unportable when it cannot be kept.

        ``label`` is what `recent` can choose by. A full queue before the disk makes this wait.
        """
        packed = self._codec.pack(record, COMPRESS_ABOVE)
        self._heat(key, record)
        self._warm.put(key, packed, weigh(packed))
        self._latest.append((label, key))
        return self._cold is None or await self._cold.put((key, self._wall(), label, packed))

    async def get(self, key: str) -> T | None:
        """The record, from the nearest tier that has it; what is too damaged to read is as good as lost (Garbage)."""
        found = self._in_memory(key)
        if found is None and self._cold is not None:
            rows = await self._cold.query("SELECT data FROM kept WHERE key = ?", (key,))
            if rows:
                found = self._warmed(key, bytes(rows[0][0]))
        return found

    async def recent(self, count: int = 100, label: str = "") -> list[tuple[str, T]]:
        """Keys and records, those with this label or all, the latest first; cold is asked for what memory has not."""
        keys = [key for own, key in reversed(self._latest) if not label or own == label][:count]
        found = [(key, self._in_memory(key)) for key in keys]
        held = [(key, record) for key, record in found if record is not None]
        if self._cold is None or len(held) == count:
            return held
        query, values = (_RECENT_OF, (label, count)) if label else (_RECENT, (count,))
        rows = await self._cold.query(query, values)
        return [(key, self._codec.unpack(bytes(data))) for key, data in rows]

    async def since(self, at: float, count: int = 1_000) -> list[tuple[str, T]]:
        """Keys and records that cold has from a second since the epoch on, the oldest first."""
        if self._cold is None:
            return []
        rows = await self._cold.query(_SINCE, (at, count))
        return [(key, self._codec.unpack(bytes(data))) for key, data in rows]

    async def flush(self) -> bool:
        """Have everything written."""
        return self._cold is None or await self._cold.flush()

    async def aclose(self) -> bool:
        """Write what is queued and close; False when some could not be written."""
        return self._cold is None or await self._cold.aclose()

    def stats(self) -> tuple[TierStats, TierStats, BatchStats | None]:
        """Hot, warm and cold."""
        return self._hot.stats("hot"), self._warm.stats("warm"), None if self._cold is None else self._cold.stats()

    def _in_memory(self, key: str) -> T | None:
        held = self._hot.get(key)
        if held is not None:
            value, opened = held
            return value if opened is None else opened(value)  # type: ignore[no-any-return]
        packed = self._warm.get(key)
        return None if packed is None else self._warmed(key, packed, held=True)

    def _warmed(self, key: str, packed: bytes, *, held: bool = False) -> T:
        if not held:
            self._warm.put(key, packed, weigh(packed))
        record: T = self._codec.unpack(packed)
        self._heat(key, record)
        return record

    def _heat(self, key: str, record: T) -> None:
        value, opened, size = hold(record)
        self._hot.put(key, (value, opened), size)

    def _prune(self, connection: sqlite3.Connection) -> None:
        """In cold's thread: delete what is too old, beyond the rows, or beyond the bytes."""
        terms = self._terms
        connection.execute(_BEYOND_AGE, (self._wall() - float(terms.cold_age),))
        connection.execute(_BEYOND_ROWS, (terms.cold_entries,))
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        while True:
            (pages,), (free,) = (
                connection.execute(f"PRAGMA {what}").fetchone() for what in ("page_count", "freelist_count")
            )
            if (pages - free) * page <= int(terms.cold_size) or not connection.execute(_OLDEST_TENTH).rowcount:
                return
