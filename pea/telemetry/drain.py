"""The one drain: takes finished spans from the buffer and gives them to every consumer, in slices.

On an event loop a slice works for at most about a fifth of a millisecond before others have their turn: what is
folded, stored and encoded costs CPU, but never a visible pause. Without a loop a thread does the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from pea.telemetry.buffer import Buffer
from pea.telemetry.span import Span

SLICE_S = 0.000_2
CHUNK = 4  # spans given to consumers at once; a slice is as many chunks as fit into its time
LOG_EVERY_S = 60.0
ROUND_SPANS = 500  # drained at a time: spans that wait longer would grow old to the garbage collector
SHORTEST_S = 0.005

_log = logging.getLogger(__name__)


class SpanConsumer(Protocol):
    """Whatever wants every finished span: metrics, exporters, stores, windows."""

    def consume(self, batch: Sequence[Span]) -> None:
        """Take some finished spans; called on the drain, so be quick and never block."""


@runtime_checkable
class Settling(Protocol):
    """A consumer that gathers and wants to know when the buffer has been emptied."""

    def settle(self) -> None:
        """The drain has given out all there is for now."""


class _Consumer:
    __slots__ = ("consumer", "failures", "logged_at", "name")

    def __init__(self, consumer: SpanConsumer) -> None:
        self.consumer = consumer
        self.name = type(consumer).__name__
        self.failures = 0
        self.logged_at = -LOG_EVERY_S


class Drain:
    """Moves spans from a buffer to consumers: `run` on a loop, `start_thread` without one, `drain_all` at once."""

    def __init__(
        self,
        buffer: Buffer,
        interval_s: float,
        *,
        on_slice: Callable[[float], None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.buffer = buffer
        self._interval_s = interval_s
        self._on_slice = on_slice
        self._clock = clock
        self._consumers: list[_Consumer] = []
        self._left: list[Span] = []
        self._turn = threading.Lock()  # one slice at a time, whoever drains
        self._stop = threading.Event()
        self._hurry: Callable[[], None] | None = None

    def add(self, consumer: SpanConsumer) -> Callable[[], None]:
        """Give every span that is drained from now on to ``consumer``; returns a function that ends it."""
        entry = _Consumer(consumer)
        self._consumers = [*self._consumers, entry]

        def remove() -> None:
            self._consumers = [other for other in self._consumers if other is not entry]

        return remove

    @property
    def failures(self) -> dict[str, int]:
        """How often each consumer has failed, by its class; those that never did are left out."""
        return {entry.name: entry.failures for entry in self._consumers if entry.failures}

    def slice(self, seconds: float = SLICE_S) -> bool:
        """Work for about ``seconds``; whether there is more to do."""
        with self._turn:
            began = now = self._clock()
            while now - began < seconds:
                if not self._left:
                    self._left = self.buffer.take()
                    self._left.reverse()  # taken from the end below, oldest first
                    if not self._left:
                        break
                chunk = self._left[: -CHUNK - 1 : -1]
                del self._left[-CHUNK:]
                for entry in self._consumers:
                    self._give(entry, chunk)
                now = self._clock()
            if self._on_slice is not None and now > began:
                self._on_slice(now - began)
            return bool(self._left or self.buffer.items)

    def settle(self) -> None:
        """Tell the consumers that gather that the buffer is empty for now."""
        for entry in self._consumers:
            if isinstance(entry.consumer, Settling):
                try:
                    entry.consumer.settle()
                except Exception as error:  # noqa: BLE001 - one consumer's fault must not stop the others
                    self._failed(entry, error)

    def drain_all(self) -> None:
        """Give out everything now, without pauses; for a thread, or when the process ends."""
        while self.slice(0.05):
            pass
        self.settle()

    async def drain_politely(self) -> None:
        """Give out everything now, pausing for others after each slice."""
        await self._hand_out()
        self.settle()

    async def _hand_out(self) -> None:
        while self.slice():  # noqa: ASYNC110 - nothing is waited for: others get their turn
            await asyncio.sleep(0)

    async def run(self) -> None:
        """Drain at every interval, or sooner when there are many spans, until cancelled.

        Consumers that gather are told at every interval only, so that they hand on in pieces worth the trouble.
        """
        loop = asyncio.get_running_loop()
        hurried = asyncio.Event()
        settled = loop.time()
        pause_s = self._interval_s

        def hurry() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has closed: the final flush empties the buffer
                loop.call_soon_threadsafe(hurried.set)

        self.buffer.on_half_full(hurry)
        while True:
            waiting = loop.call_later(pause_s, hurried.set)
            try:
                await hurried.wait()
            finally:
                waiting.cancel()
            hurried.clear()
            pause_s = paced(pause_s, len(self.buffer), self._interval_s)
            await self._hand_out()
            if loop.time() - settled >= self._interval_s:
                settled = loop.time()
                self.settle()

    def start_thread(self) -> threading.Thread:
        """Drain from a thread of its own, until `stop`."""
        wake = threading.Event()
        self._stop.clear()
        self._hurry = wake.set
        self.buffer.on_half_full(wake.set)

        def work() -> None:
            while not self._stop.is_set():
                wake.wait(self._interval_s)
                wake.clear()
                self.drain_all()

        thread = threading.Thread(target=work, name="pea-drain", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """End the thread after its present round."""
        self._stop.set()
        if self._hurry is not None:
            self._hurry()

    def _give(self, entry: _Consumer, chunk: Sequence[Span]) -> None:
        try:
            entry.consumer.consume(chunk)
        except Exception as error:  # noqa: BLE001 - one consumer's fault must not stop the others
            self._failed(entry, error)

    def _failed(self, entry: _Consumer, error: Exception) -> None:
        entry.failures += 1
        now = self._clock()
        if now - entry.logged_at >= LOG_EVERY_S:
            entry.logged_at = now
            _log.error("%s failed to take spans (%d times so far)", entry.name, entry.failures, exc_info=error)


def paced(pause_s: float, waiting: int, interval_s: float) -> float:
    """How long to let spans gather when ``waiting`` of them came in ``pause_s``: at most the interval.

    So long that about `ROUND_SPANS` come, but never more than twice as long as the last time.
    """
    wanted = pause_s * min(ROUND_SPANS / waiting, 2.0) if waiting else pause_s * 2.0
    return min(max(wanted, SHORTEST_S), interval_s)
