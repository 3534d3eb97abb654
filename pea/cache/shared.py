"""L3: records in Redis, shared by a fleet, with a lease so that the fleet computes a key once."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import importlib.util
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import msgspec

from pea.cache import scripts
from pea.cache.breaker import Breaker
from pea.cache.counts import TierStats
from pea.cache.fleet import Fleet, Hearer
from pea.cache.mget import Coalescer
from pea.cache.outer import ALL, Reading, Record, decode, encode
from pea.cache.patterns import REST, group_over
from pea.config import L3Settings
from pea.errors import MissingExtra

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")

SOCKET_TIMEOUT_S = 1.0
WRITE_BUDGET_S = 1.0  # behind the caller's back
CONNECTIONS = 20
LONG_KEY = 200


class _Stamp(msgspec.Struct, frozen=True):
    """Our lease's token and the generations of the key's groups when the computation began."""

    token: bytes
    generations: tuple[bytes, ...]


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    generations: tuple[bytes, ...]
    record: bytes


_decode_stored = msgspec.msgpack.Decoder(_Stored).decode


class Shared:
    """The tier; connects at its first use. Eviction and size are the server's (maxmemory, allkeys-lru)."""

    tier: ClassVar[str] = "l3"

    def __init__(
        self, settings: L3Settings, *, memo: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises MissingExtra without the Redis client."""
        if importlib.util.find_spec("redis") is None:
            raise MissingExtra("cache.l3.url needs the Redis client", fix="pip install 'pea[redis]'")
        self._memo = memo
        self.breaker = Breaker(clock)
        self.hits = self.misses = self.writes = self.dropped = 0
        self._settings = settings
        self._prefix = settings.prefix
        self._reads = Coalescer(self._mget)
        self._client: Redis | None = None
        self._hearer: Hearer | None = None
        self.fleet: Fleet | None = None
        self._closed = False

    def attach(self, hearer: Hearer) -> None:
        """Say who is to hear of other processes' invalidations."""
        self._hearer = hearer

    async def read(self, key: str, groups: tuple[str, ...], *, anew: bool = False) -> Reading:
        """See `Outer.read`; a fault is a miss. Reads that come together leave as one command."""
        reading, fault = await self._try(
            lambda: self._read(key, (ALL, *groups), anew=anew), float(self._settings.budget)
        )
        if reading is not None and reading.record is not None:
            self.hits += 1
            return reading
        self.misses += 1
        return Reading(fault=fault) if reading is None else reading

    async def write(self, key: str, record: Record, stamp: object) -> bool:
        """See `Outer.write`: only with the lease."""
        if not isinstance(stamp, _Stamp):
            return False
        lasting = int(min(record.ttl_s + record.stale_s, float(self._settings.age)) * 1000)
        data = encode(_Stored(stamp.generations, encode(record)))
        keys = (self._name("l", key), self._name("v", key))
        if lasting <= 0:
            await self.release(key, stamp)
            return False
        done, _ = await self._try(lambda: self._run(scripts.WRITE, keys, (stamp.token, data, lasting)), WRITE_BUDGET_S)
        self.writes += bool(done)
        return bool(done)

    async def release(self, key: str, stamp: object) -> None:
        """See `Outer.release`."""
        if isinstance(stamp, _Stamp):
            await self._try(lambda: self._run(scripts.RELEASE, (self._name("l", key),), (stamp.token,)), WRITE_BUDGET_S)

    async def invalidate(self, patterns: Sequence[str]) -> bool:
        """See `Outer.invalidate`; certain once every process that listens has dropped its own."""
        if self._closed:
            return False
        names = []
        for pattern in patterns:
            names.append(self._name("g", group_over(pattern) or ALL))
            if REST not in pattern:
                names += [self._name("v", pattern), self._name("l", pattern)]
        if self.fleet is None:
            await asyncio.to_thread(importlib.import_module, "redis.asyncio")
        fleet = self._connected()
        message = fleet.message(patterns)
        keys = (fleet.number_key, *names)
        sent, _ = await self._try(
            lambda: self._run(scripts.INVALIDATE, keys, (fleet.channel, message)), WRITE_BUDGET_S, always=True
        )
        if sent is None:
            return False
        self.dropped += 1
        number, hearers = sent
        return await fleet.acknowledged(message, int(number), int(hearers))

    async def aclose(self) -> None:
        """Close the connections."""
        if self._closed:
            return
        self._closed = True
        await self._reads.aclose()
        if self.fleet is not None:
            await self.fleet.aclose()
        if self._client is not None:
            await self._client.aclose()

    def stats(self) -> TierStats:
        """What has been counted by this process; what the server holds it says itself."""
        return TierStats(
            tier=self.tier,
            policy="ttl+lru",
            hits=self.hits,
            misses=self.misses,
            dropped=self.dropped,
            faults=self.breaker.faults,
            open=self.breaker.open,
        )

    async def _try(
        self, work: Callable[[], Awaitable[T]], budget_s: float, *, always: bool = False
    ) -> tuple[T | None, str | None]:
        if self._closed:
            return None, "closed"
        if not always and not self.breaker.admits():
            return None, "breaker open"
        try:
            async with asyncio.timeout(budget_s):
                if self.fleet is None:
                    await asyncio.to_thread(importlib.import_module, "redis.asyncio")  # too long for the event loop
                self._connected()
                result = await work()
        except TimeoutError:
            fault = "slower than its budget"
            if self.fleet is None:
                return None, "connecting"
        except Exception as error:  # noqa: BLE001  redis-py's errors, OSError, and what a server's garbage makes it raise
            fault = f"{type(error).__name__}: {error}"
        else:
            self.breaker.succeeded()
            return result, None
        self.breaker.failed(fault)
        return None, fault

    def _connected(self) -> Fleet:
        if self.fleet is None:
            self._client = _client(self._settings.url)
            self.fleet = Fleet(self._client, self._prefix, self._hearer, self._memo)
        self.fleet.start()
        return self.fleet

    async def _read(self, key: str, groups: tuple[str, ...], *, anew: bool) -> Reading:
        assert self.fleet is not None
        await self.fleet.joined()
        names = [self._name("g", group) for group in groups]
        if not anew:
            value, *generations = await self._reads.get([self._name("v", key), *names])
            record = _current(value, generations)
            if record is not None:
                return Reading(record=record)
        lease, lasting = int(self._settings.lease * 1000), int(2 * self._settings.age * 1000)
        stamp = os.urandom(8)
        keys = (self._name("l", key), self._name("v", key), *names)
        ours, value, held = await self._run(scripts.BEGIN, keys, (stamp, lease, lasting))
        if not ours:
            return Reading(busy=True)
        if not anew and (record := _current(value, held)) is not None:
            # Its computation ended between our look and our lease: the fleet has computed it once already.
            await self._run(scripts.RELEASE, keys[:1], (stamp,))
            return Reading(record=record)
        return Reading(stamp=_Stamp(stamp, tuple(held)))

    async def _mget(self, keys: list[str]) -> list[bytes | None]:
        assert self._client is not None
        found: Any = await self._client.mget(keys)
        return list(found)

    async def _run(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        assert self._client is not None
        return await self._client.eval(script, len(keys), *keys, *arguments)

    def _name(self, kind: str, name: str) -> str:
        if len(name) > LONG_KEY:
            name = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{self._prefix}:{kind}:{name}"


def _current(value: bytes | None, generations: Sequence[bytes | None]) -> Record | None:
    """The record that stands under a key, unless one of its groups has been invalidated since it was computed."""
    if value is None or None in generations:
        return None
    stored = _decode_stored(value)
    return decode(stored.record) if list(stored.generations) == list(generations) else None


def _client(url: str) -> Redis:
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    client: Redis = Redis.from_url(
        url,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        max_connections=CONNECTIONS,
        retry=Retry(NoBackoff(), 0),
    )
    return client
