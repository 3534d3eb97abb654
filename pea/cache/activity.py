"""What agents did: an activity log, written in batches behind their backs."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from pea.cache.batches import Batches, BatchStats

MOST_ROWS = 1_000_000
MOST_BYTES = 1 << 20  # of one activity's data
COMPRESS_ABOVE = 4_096

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS activity"
    " (id INTEGER PRIMARY KEY, at REAL NOT NULL, agent TEXT NOT NULL, kind TEXT NOT NULL, data BLOB NOT NULL)"
)
_INSERT = "INSERT INTO activity (at, agent, kind, data) VALUES (?, ?, ?, ?)"
_PRUNE = "DELETE FROM activity WHERE id <= (SELECT max(id) FROM activity) - ?"
_RECENT = "SELECT at, agent, kind, data FROM activity WHERE (?1 = '' OR agent = ?1) ORDER BY id DESC LIMIT ?2"


class Activity(msgspec.Struct, frozen=True):
    """One thing that an agent did, ``at`` seconds since the epoch."""

    at: float
    agent: str
    kind: str
    data: Any


class ActivityLog:
    """Queued, batched, bounded by rows; the oldest are deleted."""

    def __init__(self, path: Path, *, most_rows: int = MOST_ROWS, wall: Callable[[], float] = time.time) -> None:
        self._batches = Batches(path, _SCHEMA, _INSERT, _PRUNE, most_rows)
        self._wall = wall

    async def store(self, agent: str, kind: str, data: Any = None) -> bool:
        """Log an activity; False when it was dropped (`stats` counts them). Raises ValueError for data beyond 1 MiB.

        ``data`` is what JSON can say, or structs of it.
        """
        packed = msgspec.json.encode(data)
        if len(packed) > MOST_BYTES:
            raise ValueError(f"an activity's data of {len(packed):,} bytes; at most {MOST_BYTES:,} are kept")
        if len(packed) > COMPRESS_ABOVE:
            packed = b"z" + zlib.compress(packed, 1)
        return await self._batches.put((self._wall(), agent, kind, packed))

    async def recent(self, count: int = 100, agent: str = "") -> list[Activity]:
        """The latest activities, of one agent or of all, the latest first."""
        rows = await self._batches.query(_RECENT, (agent, count))
        return [Activity(at, who, kind, _unpacked(data)) for at, who, kind, data in rows]

    async def flush(self) -> bool:
        """Have everything written."""
        return await self._batches.flush()

    async def aclose(self) -> bool:
        """Write what is queued and close; False when some could not be written."""
        return await self._batches.aclose()

    def stats(self) -> BatchStats:
        """What has been counted."""
        return self._batches.stats()


def _unpacked(data: bytes) -> Any:
    if data[:1] == b"z":
        data = zlib.decompressobj().decompress(data[1:], MOST_BYTES)
    return msgspec.json.decode(data)
