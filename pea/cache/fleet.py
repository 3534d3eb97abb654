"""What the processes that share a Redis tell each other: numbered invalidations, each confirmed by all who listen.

Messages go by pub/sub, which may lose them. So each has a number, and whoever misses one (at the next message, at the
heartbeat, or after a broken connection) drops everything it holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from redis.asyncio import Redis

HEARTBEAT_S = 1.0
ACKNOWLEDGE_S = 2.0  # how long confirmations are waited for
RECONNECT_S = (0.05, 2.0)
MAX_PATTERNS = 10_000


class Hearer(Protocol):
    """Holds copies that other processes' events make stale."""

    async def heard(self, patterns: Sequence[str]) -> None:
        """Drop what matches, from memory before anything is waited for."""

    async def missed(self) -> None:
        """Something has been missed: drop everything."""

    def cut_off(self, *, alone: bool) -> None:
        """Nothing can be heard any longer; ``alone`` if no other process was there to be heard."""

    def back(self) -> None:
        """Everything is heard again."""


class _Message(msgspec.Struct, frozen=True, array_like=True):
    origin: bytes
    answer_to: bytes
    patterns: list[str]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Message).decode


class Fleet:
    """This process's place among the others."""

    def __init__(self, client: Redis, prefix: str, hearer: Hearer | None, memo: Path | None = None) -> None:
        """``memo`` is a file that keeps the last number over an orderly restart."""
        self.channel = f"{prefix}:events"
        self.number_key = f"{prefix}:number"
        self._epoch_key = f"{prefix}:epoch"
        self.missed = self.heard = 0
        self._client = client
        self._prefix = prefix
        self._hearer = hearer
        self._me = os.urandom(8)
        self._memo = memo
        self._epoch, self._number = _recall(memo)
        self._others = 0
        self._closed = False
        self._listening = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen from now on."""
        if self._task is None and self._hearer is not None:
            self._task = asyncio.get_running_loop().create_task(self._listen(), name="pea-cache-fleet")
        elif self._hearer is None:
            self._listening.set()

    async def joined(self) -> None:
        """Wait until this process hears the others: until then it must take nothing from them."""
        if not self._listening.is_set():
            await self._listening.wait()

    def message(self, patterns: Sequence[str]) -> bytes:
        """An invalidation, to be published behind its number."""
        return _encode(_Message(self._me, os.urandom(8), list(patterns)[:MAX_PATTERNS]))

    async def acknowledged(self, message: bytes, number: int, hearers: int) -> bool:
        """Wait for the confirmation of all ``hearers``; False when one is missing."""
        mine = self._task is not None and self._listening.is_set()
        if number and hearers <= mine:
            return True
        answer = f"{self._prefix}:answer:{_decode(message).answer_to.hex()}"
        with contextlib.suppress(Exception):  # no confirmation, whatever the reason
            async with asyncio.timeout(ACKNOWLEDGE_S):
                for _ in range(hearers):
                    while await self._client.blpop([answer], timeout=0.5) is None:
                        pass
                return bool(number)
        return False

    async def aclose(self) -> None:
        """Stop listening."""
        self._closed = True
        while self._task is not None and not self._task.done():
            self._task.cancel()  # redis-py may take it for a timeout of its own
            await asyncio.wait([self._task], timeout=0.2)
        if self._memo is not None and self._listening.is_set() and self._number is not None:
            with contextlib.suppress(OSError):
                self._memo.write_text(f"{self._epoch} {self._number}", encoding="ascii")

    async def _listen(self) -> None:
        assert self._hearer is not None
        pause = RECONNECT_S[0]
        while not self._closed:
            pubsub = self._client.pubsub(ignore_subscribe_messages=True)
            try:
                await pubsub.subscribe(self.channel)
                await self._agree()
                self._hearer.back()
                self._listening.set()
                pause = RECONNECT_S[0]
                while not self._closed:
                    got = await pubsub.get_message(timeout=HEARTBEAT_S)
                    if got is None:
                        await self._agree()
                    elif got["type"] == "message":
                        await self._take(got["data"])
            except Exception:  # noqa: BLE001  redis-py's errors, OSError, garbage: in each case nothing is heard
                if self._listening.is_set():
                    self._listening.clear()
                    self._hearer.cut_off(alone=not self._others)
            finally:
                with contextlib.suppress(Exception):  # it may be broken already; another is made
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
            await asyncio.sleep(pause)
            pause = min(pause * 2, RECONNECT_S[1])

    async def _agree(self) -> None:
        """Compare numbers with the server, see who else listens."""
        await self._client.set(self._epoch_key, os.urandom(8).hex(), nx=True)  # another one in an emptied server
        found: Any = await self._client.mget([self._epoch_key, self.number_key])
        epoch, number = bytes(found[0] or b"").decode(), int(found[1] or 0)
        if (epoch, number) != (self._epoch, self._number):
            await self._gap()
        self._epoch, self._number = epoch, number
        counts: Any = await self._client.pubsub_numsub(self.channel)
        self._others = max(int(counts[0][1]) - 1, 0) if counts else 0

    async def _take(self, data: bytes) -> None:
        assert self._hearer is not None
        number, _, body = data.partition(b" ")
        message = _decode(body)
        told = int(number)
        if message.origin != self._me:
            self.heard += 1
            await self._hearer.heard(message.patterns)
        if not told or self._number is None or told > self._number + 1:
            await self._gap()
        self._number = max(told, self._number or 0)
        answer = f"{self._prefix}:answer:{message.answer_to.hex()}"
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.rpush(answer, 1)
            pipeline.pexpire(answer, int(2 * ACKNOWLEDGE_S * 1000))
            await pipeline.execute(raise_on_error=False)

    async def _gap(self) -> None:
        assert self._hearer is not None
        self.missed += 1
        await self._hearer.missed()


def _recall(memo: Path | None) -> tuple[str, int | None]:
    """The epoch and number of the last orderly stop; the file is gone then, so that a crash leaves none."""
    if memo is None:
        return "", None
    try:
        epoch, number = memo.read_text(encoding="ascii")[:100].split()
        memo.unlink()
        return epoch, int(number)
    except (OSError, ValueError):
        return "", None
