"""What a tier outside the process can do: read, write and invalidate records, in bounded time and never raising."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

import msgspec

from pea.cache.counts import TierStats

#: A group that every record belongs to: giving it a new generation empties the tier.
ALL = "*"


class Record(msgspec.Struct, frozen=True, array_like=True):
    """A packed value with the wall-clock second it was computed at, its times to live and its cost, in seconds."""

    data: bytes
    made: float
    ttl_s: float
    stale_s: float
    cost_s: float


class Reading(msgspec.Struct, frozen=True):
    """What a lookup found. ``stamp`` is needed to write what is computed after it; None when it could not be had.

    ``busy`` says that another process computes the value just now; ``fault`` why the tier could not answer.
    """

    record: Record | None = None
    stamp: object | None = None
    busy: bool = False
    fault: str | None = None


class Outer(Protocol):
    """A tier outside the process. A record is read only while each of its groups has the generation it was written in.

    So an invalidation is one small write per group, and a value computed before it is never read after it, wherever
    and however late it is written.
    """

    tier: ClassVar[str]

    async def read(self, key: str, groups: tuple[str, ...], *, anew: bool = False) -> Reading:
        """Look a key up; ``anew`` only takes a stamp, for a value that is to be replaced."""

    async def write(self, key: str, record: Record, stamp: object) -> bool:
        """Keep a record under the stamp of the reading before its computation; False if it could not be kept."""

    async def release(self, key: str, stamp: object) -> None:
        """The computation after a reading has failed: another may begin it."""

    async def invalidate(self, patterns: Sequence[str]) -> bool:
        """Make what the patterns match unreadable, at the latest when this returns; True if that is certain."""

    async def aclose(self) -> None:
        """Let go of files and connections."""

    def stats(self) -> TierStats:
        """What has been counted."""


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Record).decode
