"""Records kept by age: hot as objects, warm packed in memory, cold compressed on disk for good (threats, histories)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from pea.cache.batches import Batches, BatchStats
from pea.cache.counts import TierStats
from pea.cache.ordered import Ordered
from pea.cache.values import Open, hold
from pea.cache.weigh import weigh
from pea.cache.wire import Codec

T = TypeVar("T")

_SCHEMA = "CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, at REAL NOT NULL, data BLOB NOT NULL)"
_INSERT = "INSERT OR REPLACE INTO kept (key, at, data) VALUES (?, ?, ?)"
_PRUNE = "DELETE FROM kept WHERE rowid IN (SELECT rowid FROM kept ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?)"


class RetentionTerms(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept how long; ages in seconds."""

    hot_entries: int = 100
    hot_age_s: float = 3_600.0
    hot_bytes: int = 16 << 20
    warm_entries: int = 1_000
    warm_age_s: float = 86_400.0
    warm_bytes: int = 64 << 20
    cold_entries: int = 1_000_000


class Retention(Generic[T]):
    """A record goes into all three tiers when it comes, and leaves each at that tier's bounds; cold keeps the last.

    Looking up an older one brings it back. ``declared`` is the records' type, as for a `Namespace`.
    """

    def __init__(
        self,
        path: Path,
        declared: Any,
        terms: RetentionTerms | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        own = RetentionTerms() if terms is None else terms
        self._codec = Codec(declared)
        self._wall = wall
        self._hot: Ordered[str, tuple[Any, Open | None]] = Ordered(
            own.hot_bytes, own.hot_entries, own.hot_age_s, policy="lru", clock=clock
        )
        self._warm: Ordered[str, bytes] = Ordered(
            own.warm_bytes, own.warm_entries, own.warm_age_s, policy="lru", clock=clock
        )
        self._cold = Batches(path, _SCHEMA, _INSERT, _PRUNE, own.cold_entries)

    async def keep(self, key: str, record: T) -> bool:
        """Keep a record; False when cold could not take it. Raises Uncacheable or Unportable when it cannot be kept."""
        packed = self._codec.pack(record, 256)
        self._heat(key, record)
        self._warm.put(key, packed, weigh(packed))
        return await self._cold.put((key, self._wall(), packed))

    async def get(self, key: str) -> T | None:
        """The record, from the nearest tier that has it; what is too damaged to read is as good as lost (Garbage)."""
        held = self._hot.get(key)
        if held is not None:
            value, opened = held
            return value if opened is None else opened(value)  # type: ignore[no-any-return]
        packed = self._warm.get(key)
        if packed is None:
            rows = await self._cold.query("SELECT data FROM kept WHERE key = ?", (key,))
            if not rows:
                return None
            packed = bytes(rows[0][0])
            self._warm.put(key, packed, weigh(packed))
        record = self._codec.unpack(packed)
        self._heat(key, record)
        return record  # type: ignore[no-any-return]

    async def since(self, at: float, count: int = 1_000) -> list[tuple[str, T]]:
        """Keys and records that came at or after a second since the epoch, the oldest first."""
        rows = await self._cold.query(
            "SELECT key, data FROM kept WHERE at >= ? ORDER BY at, rowid LIMIT ?", (at, count)
        )
        return [(key, self._codec.unpack(bytes(data))) for key, data in rows]

    async def aclose(self) -> bool:
        """Write what is queued and close; False when some could not be written."""
        return await self._cold.aclose()

    def stats(self) -> tuple[TierStats, TierStats, BatchStats]:
        """Hot, warm and cold."""
        return self._hot.stats("hot"), self._warm.stats("warm"), self._cold.stats()

    def _heat(self, key: str, record: T) -> None:
        value, opened, size = hold(record)
        self._hot.put(key, (value, opened), size)
