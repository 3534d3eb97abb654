"""What callers hold: one kind of cached value, looked up tier by tier, computed once, kept as long as it is right."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec
from opentelemetry.util.types import AnyValue

from pea.cache.entry import Entry
from pea.cache.flights import Flight
from pea.cache.ordered import Held, Ordered
from pea.cache.patterns import groups_of
from pea.cache.values import Uncacheable
from pea.cache.wire import Codec
from pea.telemetry import ActiveSpan, names
from pea.telemetry.context import SPAN_KEY, Context, current
from pea.telemetry.leaf import Leaf

if TYPE_CHECKING:
    from pea.cache.stack import Stack

T = TypeVar("T")

_TICK_BITS = 20  # of the wall clock's nanoseconds: a millisecond
_TICK_S = (1 << _TICK_BITS) * 1e-9
#: In place of a value where None could be one.
ABSENT: Final = object()
TIERS = names.PEA_CACHE_TIER_VALUES


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How long a namespace's values count; durations in seconds.

    ``stale_s``: how long after ``ttl_s`` a value is still served while one computation replaces it. ``beta``: how early
    values are replaced before that, in multiples of what they cost (`entry.early_s`; 0: never early).
    ``negative_ttl_s`` holds for None, and for the errors in ``negative_errors``, which are remembered and raised again.
    """

    ttl_s: float
    stale_s: float = 0.0
    beta: float = 1.0
    negative_ttl_s: float = 30.0
    negative_errors: tuple[type[Exception], ...] = ()
    portable: bool = True  # may leave the process, to Redis and disk


class NamespaceStats(msgspec.Struct, frozen=True, kw_only=True):
    """One namespace's lookups by the tier that answered (``none``: a computation did), and what computing took."""

    name: str
    owner: str
    lookups: dict[str, int]
    waits: int
    computed: int
    failed: int
    refreshed: int
    uncacheable: int
    unportable: int
    compute_s: float

    @property
    def hit_ratio(self) -> float | None:
        """Lookups that a tier answered; None before the first."""
        asked = sum(self.lookups.values())
        return (asked - self.lookups["none"]) / asked if asked else None


class Counts:
    """What a namespace counts as it goes."""

    __slots__ = (
        "compute_s", "computed", "failed", "l2", "l3", "l4", "none", "refreshed", "uncacheable", "unportable",
        "waits",
    )  # fmt: skip

    def __init__(self) -> None:
        self.l2 = self.l3 = self.l4 = self.none = 0
        self.waits = self.computed = self.failed = self.refreshed = self.uncacheable = self.unportable = 0
        self.compute_s = 0.0


class Namespace(Generic[T]):
    """Made by `Caches.namespace`. Every value that is returned is the caller's own, or cannot be changed.

    Keys are text, without the namespace's name; their parts are parted by ``:``, so that rules can name groups of them.
    What L1 answers is over before a clock could be read again: its leaf starts and ends at the one time that is read.
    What is asked for again within a tick of the clock (a millisecond) stays where it is in L1's order of use.
    """

    __slots__ = (
        "_above", "_clock", "_context", "_hit", "_l1", "_leaves", "_moves", "_near", "_now", "_prefix", "_processors",
        "_room", "_stack", "_tick", "_tick_s", "_tracer", "_turn", "_used", "attributes", "codec", "compress_above",
        "counts", "l1_hits", "name", "owner", "span_name", "terms",
    )  # fmt: skip

    def __init__(
        self,
        stack: Stack,
        name: str,
        owner: str,
        l1: Ordered[str, Entry],
        terms: Terms,
        declared: Any,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.name = name
        self.owner = owner
        self.terms = terms
        self.codec = Codec(declared)
        self.counts = Counts()
        self.compress_above = 4096
        self.span_name = f"{names.SPAN_CACHE_LOOKUP} {name}"
        self.attributes: dict[str, dict[str, AnyValue]] = {
            tier: {names.PEA_CACHE_NAME: name, names.PEA_CACHE_TIER: tier, names.PEA_CACHE_HIT: tier != "none"}
            for tier in TIERS
        }
        self._stack = stack
        self._l1 = l1
        self._prefix = name + ":"
        self._near: dict[str, Held[str, Entry]] = {}  # what L1 holds of this namespace, by the caller's key
        self._used, self._moves, self._clock = l1.used, l1.policy == "lru", clock
        self._tick_s = _TICK_S if self._clock is monotonic else 0.0  # another clock need not go with the wall's
        self._tick = 0
        self._turn = 0  # counts the looks at the clock
        self._now = 0.0
        self.l1_hits = 0
        self._hit = self.attributes["l1"]
        self._tracer = stack.tracer
        self._processors, self._room = stack.tracer.span_processor, stack.tracer.limits.leaves
        self._context: Context | None = None  # the last hit's, its span and its leaves: most often the next hit's too
        self._above: ActiveSpan
        self._leaves: list[Leaf]

    async def get_or_compute(
        self,
        key: str,
        compute: Callable[[], Awaitable[T]],
        *,
        tags: Iterable[str] = (),
        ttl_s: float | None = None,
    ) -> T:
        """The cached value, else that of ``compute``, which runs once however many ask, and is kept under ``tags``.

        Raises what ``compute`` raises, in every caller that waited for it; nothing is kept then, unless the namespace
        remembers such errors. ``ttl_s`` is for this value, in place of the namespace's.
        """
        value = self.get(key, below=False)
        if value is not ABSENT:
            return value  # type: ignore[no-any-return]
        began = time_ns()
        full = self._prefix + key
        stack = self._stack
        found = stack.memory(full, self)
        if found is not None:
            self.counts.l2 += 1
            self._tell(began, self.attributes["l2"])
            if stack.due(found) and stack.flights.get(full) is None:
                self.counts.refreshed += 1
                self._begin(full, compute, tags, ttl_s, anew=True)
            return found.fresh()  # type: ignore[no-any-return]
        flight = stack.flights.get(full)
        if flight is not None:
            self.counts.waits += 1
        else:
            flight = self._begin(full, compute, tags, ttl_s)
        if flight.told or not stack.outers or not self.terms.portable:
            self.counts.none += 1
            self._tell(began, self.attributes["none"])
        else:
            flight.told = True  # the flight's own span is this lookup's
        return (await stack.flights.wait(flight)).fresh()  # type: ignore[no-any-return]

    def get(self, key: str, *, below: bool = True) -> Any:
        """What memory holds, else None; nothing is computed and nothing outside the process is asked.

        With ``below=False`` L1 alone is asked, and what it has not got is `ABSENT`, and no lookup yet.
        """
        began = time_ns()
        if began >> _TICK_BITS != self._tick:
            self._look(began)
        held = self._near.get(key)
        if held is not None and self._now < held.until:
            if self._moves and held.moved != self._turn:
                held.moved = self._turn
                self._used(held.key)
            self.l1_hits += 1
            if current() is self._context:
                leaves = self._leaves  # `Span.leaf`, without the call
                if self._above.end_time is None and len(leaves) < self._room and not self._processors._span_processors:
                    leaves.append((self.span_name, began, began, self._hit))
                else:
                    self._above.leaf(self.span_name, began, began, self._hit)
            else:
                self._tell_hit(began)
            entry = held.value
            return entry.payload if entry.plain else entry.fresh()
        if not below:
            return ABSENT
        full = self._prefix + key
        found = self._stack.memory(full, self)
        if found is None:
            self.counts.none += 1
            self._tell(began, self.attributes["none"])
            return None
        self.counts.l2 += 1
        self._tell(began, self.attributes["l2"])
        return found.fresh()

    def put(self, key: str, value: T, *, tags: Iterable[str] = (), ttl_s: float | None = None) -> bool:
        """Keep a value in memory; False when it cannot be held."""
        full = self._prefix + key
        groups = groups_of(full, tags)
        self._stack.flights.doom(full)
        try:
            entry = self._stack.entry(self, value, groups, ttl_s, 0.0)
        except Uncacheable:
            self.counts.uncacheable += 1
            return False
        return self._stack.place(full, entry, self)

    async def invalidate(self, pattern: str = "*") -> int:
        """Drop a key, or all that match a pattern, of this namespace, with their dependents; how many left memory."""
        return (await self._stack.invalidate([self._prefix + pattern])).removed

    def stats(self) -> NamespaceStats:
        """What has been counted."""
        counts = self.counts
        return NamespaceStats(
            name=self.name,
            owner=self.owner,
            lookups={"l1": self.l1_hits, "l2": counts.l2, "l3": counts.l3, "l4": counts.l4, "none": counts.none},
            waits=counts.waits,
            computed=counts.computed,
            failed=counts.failed,
            refreshed=counts.refreshed,
            uncacheable=counts.uncacheable,
            unportable=counts.unportable,
            compute_s=counts.compute_s,
        )

    def hold(self, full: str, entry: Entry, size_bytes: int, ttl_s: float) -> bool:
        """Put an entry of this namespace into its L1; False when that has not taken it."""
        return self._l1.put(full, entry, size_bytes, ttl_s, (self._near, full[len(self._prefix) :]))

    def missed(self, full: str) -> None:
        """L1 has nothing that counts under this key."""
        self._l1.miss(full)

    def _tell_hit(self, began: int) -> None:
        """Record L1's hit on the current span, and note the span if the next can be written to it directly."""
        self._tracer.leaf(self.span_name, began, began, self._hit)
        context = current()
        above = context.get(SPAN_KEY)
        self._context = None
        if type(above) is ActiveSpan and above.tracer is self._tracer and above.leaves is not None:
            self._context, self._above, self._leaves = context, above, above.leaves

    def _look(self, wall_ns: int) -> None:
        """Read the clock of ages, once a tick of the wall clock: until the next, no later time can be reached.

        So an entry leaves L1 up to a tick early, never late; after a wall clock set back, by a tick at most.
        """
        if self._tick_s:
            self._tick = wall_ns >> _TICK_BITS
        self._turn += 1
        self._now = self._clock() + self._tick_s

    def _tell(self, began: int, attributes: dict[str, AnyValue]) -> None:
        """Record a lookup on the current span."""
        self._tracer.leaf(self.span_name, began, time_ns(), attributes)

    def _begin(
        self,
        full: str,
        compute: Callable[[], Awaitable[T]],
        tags: Iterable[str],
        ttl_s: float | None,
        *,
        anew: bool = False,
    ) -> Flight:
        stack, groups = self._stack, groups_of(full, tags)
        return stack.flights.start(
            full, groups, lambda flight: stack.fly(flight, self, compute, ttl_s, anew=anew), wanted=anew
        )
