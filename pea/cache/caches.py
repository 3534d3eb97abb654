"""All caches of a process: made from the settings, asked through namespaces, emptied by events."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from pea.cache.activity import ActivityLog
from pea.cache.ceiling import Ceiling
from pea.cache.counts import TierStats
from pea.cache.duel import Duel
from pea.cache.entry import Entry
from pea.cache.namespace import Namespace, NamespaceStats, Terms
from pea.cache.ordered import Ordered
from pea.cache.outer import Outer
from pea.cache.rules import Rules
from pea.cache.shared import Shared
from pea.cache.stack import Invalidation, Stack
from pea.cache.two_queues import TwoQueues
from pea.config import CacheSettings, Settings
from pea.errors import Conflict
from pea.telemetry import Tracer


class CacheStats(msgspec.Struct, frozen=True, kw_only=True):
    """Every tier and every namespace as they stand; ``in_flight`` computations, ``not_written`` for want of room."""

    tiers: tuple[TierStats, ...]
    namespaces: tuple[NamespaceStats, ...]
    in_flight: int
    computations: int
    cancelled: int
    not_written: int
    indexed: int
    fenced: bool

    @property
    def memory_bytes(self) -> int:
        """What the memory tiers account for; an entry that several of them hold counts in each."""
        return sum(tier.size_bytes for tier in self.tiers if tier.tier in ("l1", "l2"))


class Caches:
    """The caches of one event loop, and the log of what agents did.

    ``outers`` replaces the outer tiers that the settings name (none: memory only).
    """

    def __init__(
        self,
        settings: Settings,
        tracer: Tracer,
        *,
        outers: list[Outer] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Raises ConfigError for rules that could never do anything. Opens neither files nor connections."""
        own = settings.cache
        self.settings = own
        self._clock = clock
        self._spaces: dict[str, Namespace[Any]] = {}
        self._l1s: dict[str, Ordered[str, Entry]] = {}
        made = (_outers(settings, clock, wall) if outers is None else outers) if own.on else []
        log = Path(settings.state) / "activity.sqlite" if settings.state else None
        self.activity = ActivityLog(log, settings.activity, tracer=tracer, clock=clock, wall=wall)
        self.stack = Stack(tracer, Rules(own.invalidation), made, Ceiling(int(own.memory)), clock=clock, wall=wall)
        for outer in made:
            if isinstance(outer, Shared):
                outer.attach(self.stack)
        if own.on and own.l2.on:
            self.stack.l2 = TwoQueues(
                int(own.l2.size),
                own.l2.entries,
                float(own.l2.age),
                policy="tinylfu" if own.l2.policy == "adaptive" else own.l2.policy,
                judge=Duel() if own.l2.policy == "adaptive" else None,
                clock=clock,
                left=self.stack.left,
            )
            self.stack.ceiling.add(self.stack.l2, int(own.l2.size))

    def namespace(
        self,
        name: str,
        *,
        owner: str = "",
        type: Any = Any,  # noqa: A002  the word for it
        ttl_s: float | None = None,
        stale_s: float | None = None,
        beta: float = 1.0,
        negative_ttl_s: float | None = None,
        negative_errors: tuple[type[Exception], ...] = (),
        portable: bool = True,
    ) -> Namespace[Any]:
        """The namespace of this name, made at the first call; ``owner`` is the agent whose L1 holds its values.

        ``type`` is what its values are declared as: what structs, dataclasses and enums may be read back from outside
        the process. See `Terms` for the rest. Raises Conflict when it exists on other terms.
        """
        own = self.settings
        terms = Terms(
            ttl_s=float(own.ttl) if ttl_s is None else ttl_s,
            stale_s=float(own.stale) if stale_s is None else stale_s,
            beta=beta,
            negative_ttl_s=float(own.negative_ttl) if negative_ttl_s is None else negative_ttl_s,
            negative_errors=negative_errors,
            portable=portable,
        )
        found = self._spaces.get(name)
        if found is None:
            found = Namespace(self.stack, name, owner, self._l1(owner), terms, type, self._clock)
            found.compress_above = int(min(own.l3.compress_above, own.l4.compress_above))
            self._spaces[name] = found
        elif (found.terms, found.owner) != (terms, owner):
            raise Conflict(f"the cache namespace {name!r} exists on other terms", fix="give each kind of value its own")
        return found

    def squeeze(self, share: float) -> None:
        """Hold at most this share of what is configured for all memory tiers together; 1 gives it back."""
        self.stack.ceiling.lower(int(share * self.settings.memory))

    async def emit(self, event: str, /, **variables: object) -> Invalidation:
        """Drop what an event makes stale, by the rules of the settings, in every tier and process.

        An event that no rule names drops nothing. ``variables`` fill the rules' patterns (``agent:{agent}:*``).
        """
        given = {name: str(value) for name, value in variables.items()}
        return await self.stack.invalidate(self.stack.rules.patterns(event, given), event)

    async def invalidate(self, *patterns: str) -> Invalidation:
        """Drop patterns (``calendar:*``, a full key, or a tag) and their dependents."""
        return await self.stack.invalidate(patterns)

    async def clear(self) -> Invalidation:
        """Drop everything."""
        return await self.stack.invalidate(["*"])

    def bytes_by_owner(self) -> dict[str, int]:
        """What each agent's L1 accounts for (`pea.agent.memory`)."""
        return {owner: l1.size_bytes for owner, l1 in self._l1s.items()}

    def stats(self) -> CacheStats:
        """What has been counted."""
        stack = self.stack
        tiers = []
        for owner, l1 in self._l1s.items():
            own = l1.stats("l1", owner)
            hits = own.hits + sum(space.l1_hits for space in self._spaces.values() if space.owner == owner)
            tiers.append(msgspec.structs.replace(own, hits=hits))
        if stack.l2 is not None:
            tiers.append(stack.l2.stats("l2"))
        tiers += [outer.stats() for outer in stack.outers]
        return CacheStats(
            tiers=tuple(tiers),
            namespaces=tuple(space.stats() for space in self._spaces.values()),
            in_flight=len(stack.flights),
            computations=stack.flights.started,
            cancelled=stack.flights.cancelled,
            not_written=stack.not_written,
            indexed=len(stack.index),
            fenced=stack.fenced,
        )

    async def aclose(self) -> None:
        """Cancel computations, finish what is being written, close files and connections."""
        await self.stack.aclose()
        await self.activity.aclose()

    def _l1(self, owner: str) -> Ordered[str, Entry]:
        found = self._l1s.get(owner)
        if found is None:
            own = self.settings.l1
            entries = own.entries if own.on and self.settings.on else 0
            found = Ordered(
                int(own.size), entries, float(own.age), policy=own.policy, clock=self._clock, left=self.stack.left
            )
            self._l1s[owner] = found
            self.stack.l1s.append(found)
            self.stack.ceiling.add(found, int(own.size))
        return found


def _outers(settings: Settings, clock: Callable[[], float], wall: Callable[[], float]) -> list[Outer]:
    """The outer tiers that the settings name; their libraries are imported at their first use."""
    own: CacheSettings = settings.cache
    outers: list[Outer] = []
    if own.l3.url:
        memo = Path(settings.state) / "cache-number" if settings.state else None
        outers.append(Shared(own.l3, memo=memo, clock=clock))
    if own.l4.on and (own.l4.directory or settings.state):
        from pea.cache.disk import Disk

        directory = Path(own.l4.directory or Path(settings.state) / "cache")
        outers.append(Disk(own.l4, directory, clock=clock, wall=wall))
    return outers
