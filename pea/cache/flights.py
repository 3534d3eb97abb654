"""One computation per key, however many ask for it: a task of its own, which its waiters share and cannot break."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from pea.cache.entry import Entry
from pea.cache.index import Index
from pea.errors import PeaError


class ComputationCancelled(PeaError):
    """The computation that this call waited for cancelled itself; ask again."""

    code = "computation_cancelled"
    retryable = True


class Flight:
    """A computation under way. ``doomed`` says that what it works from has been invalidated: it must not be kept."""

    __slots__ = ("doomed", "groups", "key", "task", "told", "waiters", "wanted")

    def __init__(self, key: str, groups: tuple[str, ...], *, wanted: bool) -> None:
        self.key = key
        self.groups = groups
        self.task: asyncio.Task[Entry] | None = None
        self.waiters = 0
        self.wanted = wanted  # a refresh in the background goes on without waiters
        self.doomed = False
        self.told = False  # somebody's lookup is already told by the flight's own span


class Flights:
    """The computations of one event loop, by key."""

    __slots__ = ("_by_key", "_index", "_tasks", "cancelled", "started")

    def __init__(self) -> None:
        self._by_key: dict[str, Flight] = {}
        self._index = Index()
        self._tasks: set[asyncio.Task[Entry]] = set()  # also of those that are doomed
        self.started = self.cancelled = 0

    def __len__(self) -> int:
        return len(self._by_key)

    def get(self, key: str) -> Flight | None:
        """The computation to join, if there is one."""
        return self._by_key.get(key)

    def start(
        self,
        key: str,
        groups: tuple[str, ...],
        work: Callable[[Flight], Coroutine[None, None, Entry]],
        *,
        wanted: bool = False,
    ) -> Flight:
        """Begin a computation in a task of its own, in the caller's context; ``wanted`` even if nobody waits."""
        flight = Flight(key, groups, wanted=wanted)
        self._by_key[key] = flight
        self._index.add(key, groups)
        self.started += 1
        flight.task = asyncio.get_running_loop().create_task(work(flight), name=f"cache {key[:80]}")
        self._tasks.add(flight.task)
        flight.task.add_done_callback(lambda task: self._landed(flight, task))
        return flight

    async def wait(self, flight: Flight) -> Entry:
        """The computation's entry, or its error. Cancelling the last waiter cancels the computation, no other does."""
        task = flight.task
        assert task is not None
        flight.waiters += 1
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            here = asyncio.current_task()
            if task.cancelled() and here is not None and not here.cancelling():
                raise ComputationCancelled("the computation that this call waited for was cancelled") from None
            raise
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.wanted and not task.done():
                self.cancelled += 1
                self._forget(flight)  # who asks from now on must not join what is being cancelled
                task.cancel()

    def doom(self, pattern: str) -> int:
        """Have what is under way for these keys kept nowhere, and computed anew for whoever asks from now on."""
        keys = self._index.matching(pattern)
        for key in keys:
            flight = self._by_key[key]
            flight.doomed = True
            self._forget(flight)
        return len(keys)

    async def aclose(self) -> None:
        """Cancel everything and wait for its end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _forget(self, flight: Flight) -> None:
        if self._by_key.get(flight.key) is flight:
            del self._by_key[flight.key]
            self._index.discard(flight.key)

    def _landed(self, flight: Flight, task: asyncio.Task[Entry]) -> None:
        self._forget(flight)
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen, even if every waiter has gone
