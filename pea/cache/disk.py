"""L4: records on disk, kept over restarts, shared by the processes of one machine, written and read by one thread."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec

from pea.cache.breaker import Breaker
from pea.cache.counts import TierStats
from pea.cache.outer import ALL, Reading, Record, decode, encode
from pea.cache.patterns import REST, group_over
from pea.config import L4Settings

T = TypeVar("T")

MOST_WAITING = 256  # jobs of the thread; what would be one more is not done
RESERVE_BYTES = 256 << 10  # freed when the disk is full, so that an invalidation can still be written
SQLITE_TIMEOUT_S = 5.0
LONG_KEY = 200

_GENERATION, _VALUE = "g:", "v:"


class _Stamp(msgspec.Struct, frozen=True):
    """The generations of a key's groups, and the wall-clock second at which they were read."""

    generations: tuple[bytes, ...]
    at: float


class _Row(msgspec.Struct, frozen=True, array_like=True):
    """A record as it lies on disk. Without a record it is a tombstone: what was begun before ``at`` is not written."""

    generations: tuple[bytes, ...]
    at: float
    record: bytes | None


_decode_row = msgspec.msgpack.Decoder(_Row).decode


class Disk:
    """The tier; opened at its first use. Records are evicted from the oldest on once they exceed the size."""

    tier: ClassVar[str] = "l4"

    def __init__(
        self,
        settings: L4Settings,
        directory: Path,
        *,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.breaker = Breaker(clock)
        self.hits = self.misses = self.writes = self.wiped = self.refused = self.dropped = 0
        self._settings = settings
        self._directory = directory
        self._wall = wall
        self._thread: ThreadPoolExecutor | None = None
        self._waiting = 0
        self._cache: Any = None
        self._closed = False

    async def read(self, key: str, groups: tuple[str, ...], *, anew: bool = False) -> Reading:
        """See `Outer.read`; a fault is a miss."""
        work = partial(self._read, _row(key), (ALL, *groups), anew=anew)
        reading, fault = await self._try(work, float(self._settings.budget))
        if reading is None:
            self.misses += 1
            return Reading(fault=fault)
        if reading.record is None:
            self.misses += 1
        else:
            self.hits += 1
        return reading

    async def write(self, key: str, record: Record, stamp: object) -> bool:
        """See `Outer.write`."""
        if not isinstance(stamp, _Stamp):
            return False
        done, _ = await self._try(partial(self._write, _row(key), record, stamp), None)
        self.writes += bool(done)
        return bool(done)

    async def release(self, key: str, stamp: object) -> None:
        """Nothing: this tier gives no leases."""

    async def invalidate(self, patterns: Sequence[str]) -> bool:
        """See `Outer.invalidate`. If it cannot be written, even after making room, the whole tier is wiped."""
        done, _ = await self._try(partial(self._invalidate, list(patterns)), None, always=True)
        return bool(done)

    async def aclose(self) -> None:
        """Finish what is waiting and close the files."""
        self._closed = True
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown(wait=False)

    def stats(self) -> TierStats:
        """What has been counted; size and entries are the database's own figures."""
        cache, entries, size = self._cache, 0, 0
        if cache is not None and not self._closed:
            with contextlib.suppress(sqlite3.Error, OSError):
                entries, size = len(cache), int(cache.volume())
        return TierStats(
            tier=self.tier,
            policy="ttl",
            hits=self.hits,
            misses=self.misses,
            entries=entries,
            size_bytes=size,
            limit_bytes=int(self._settings.size),
            dropped=self.dropped,
            refused=self.refused,
            faults=self.breaker.faults,
            open=self.breaker.open,
        )

    async def _try(
        self, work: Callable[[], T], budget_s: float | None, *, always: bool = False
    ) -> tuple[T | None, str | None]:
        """Do ``work`` in the thread: its result, or None and why there is none."""
        if self._closed:
            return None, "closed"
        if not always and not self.breaker.admits():
            return None, "breaker open"
        if not always and self._waiting >= MOST_WAITING:
            self.refused += 1
            return None, "too much waiting"
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="pea-cache-disk")
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work)
        future.add_done_callback(self._done)
        try:
            async with asyncio.timeout(budget_s):
                result, fault = await asyncio.shield(future)
        except TimeoutError:
            fault = "slower than its budget"
            result = None
        if fault is None:
            self.breaker.succeeded()
        else:
            self.breaker.failed(fault)
        return result, fault

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()

    # From here on: in the thread.

    def _guarded(self, work: Callable[[], T]) -> tuple[T | None, str | None]:
        """``work``'s result, or why it failed; a database that is no longer one is wiped."""
        try:
            return work(), None
        except sqlite3.OperationalError as error:  # full, read-only, locked, unreadable
            return None, f"{type(error).__name__}: {error}"
        except (sqlite3.DatabaseError, ValueError, TypeError, msgspec.DecodeError) as error:
            self._wipe()
            return None, f"{type(error).__name__}: {error}"
        except Exception as error:  # noqa: BLE001  diskcache's Timeout, OSError and what else a broken disk brings
            return None, f"{type(error).__name__}: {error}"

    def _open(self) -> Any:
        if self._cache is None:
            import diskcache

            from pea.cache.disk_format import BytesDisk

            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._cache = diskcache.Cache(
                str(self._directory),
                timeout=SQLITE_TIMEOUT_S,
                disk=BytesDisk,
                size_limit=int(self._settings.size),
                eviction_policy="least-recently-stored",
                statistics=0,
                tag_index=0,
                sqlite_mmap_size=0,  # a file that shrinks while it is mapped ends the whole process, by SIGBUS
            )
            reserve = self._directory / "reserve"
            if not reserve.exists():
                with contextlib.suppress(OSError):
                    reserve.write_bytes(os.urandom(RESERVE_BYTES))
        return self._cache

    def _close(self) -> None:
        cache, self._cache = self._cache, None
        if cache is not None:
            with contextlib.suppress(sqlite3.Error, OSError):
                cache.close()

    def _wipe(self) -> None:
        self.wiped += 1
        self._close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _generations(self, groups: tuple[str, ...]) -> list[bytes | None]:
        cache = self._open()
        return [cache.get(_GENERATION + group) for group in groups]

    def _read(self, row_key: str, groups: tuple[str, ...], *, anew: bool) -> Reading:
        cache, at = self._open(), self._wall()
        generations = self._generations(groups)
        if not anew and None not in generations:
            data = cache.get(row_key)
            row = None if data is None else _decode_row(data)
            if row is not None and row.record is not None and list(row.generations) == generations:
                return Reading(record=decode(row.record))
        for place, group in enumerate(groups):
            if generations[place] is None:  # an absent generation never matches: what it had stamped is void
                cache.add(_GENERATION + group, _token(), expire=2 * float(self._settings.age))
                generations[place] = cache.get(_GENERATION + group)
        if None in generations:
            return Reading(fault="generations cannot be kept")
        return Reading(stamp=_Stamp(tuple(g for g in generations if g is not None), at))

    def _write(self, row_key: str, record: Record, stamp: _Stamp) -> bool:
        cache = self._open()
        row = encode(_Row(stamp.generations, stamp.at, encode(record)))
        age = min(record.ttl_s + record.stale_s, float(self._settings.age)) - max(self._wall() - record.made, 0.0)
        if age <= 0 or len(row) > int(self._settings.size) // 8:
            self.refused += 1
            return False
        with cache.transact():
            there = cache.get(row_key)
            if there is not None:
                other = _decode_row(there)
                if other.record is None and other.at >= stamp.at:
                    return False
            return bool(cache.set(row_key, row, expire=age))

    def _invalidate(self, patterns: list[str]) -> bool:
        for attempt in (self._bump, self._make_room, self._bump):
            with contextlib.suppress(sqlite3.Error, OSError, ValueError):
                if attempt(patterns):
                    return True
        self._wipe()
        return not (self._directory / "cache.db").exists()

    def _make_room(self, _: list[str]) -> bool:
        (self._directory / "reserve").unlink(missing_ok=True)
        return False

    def _bump(self, patterns: list[str]) -> bool:
        cache, now = self._open(), self._wall()
        lasting = 2 * float(self._settings.age)
        with cache.transact():
            for pattern in patterns:
                group = group_over(pattern) or ALL
                if (_GENERATION + group) in cache:
                    self.dropped += 1
                    cache.set(_GENERATION + group, _token(), expire=lasting)
                if REST not in pattern:
                    cache.set(_row(pattern), encode(_Row((), now, None)), expire=float(self._settings.age))
        return True


def _token() -> bytes:
    return os.urandom(8)


def _row(key: str) -> str:
    if len(key) > LONG_KEY or not key.isprintable():
        key = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return _VALUE + key
