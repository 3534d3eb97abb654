"""What a memory tier holds under a key: a value as `pea.cache.values` keeps it, and how long it counts."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable
from typing import Any

from pea.cache.values import Open, hold

#: Bytes of an `Entry` itself: nine slots and three floats of their own.
ENTRY_BYTES = 200


class Entry:
    """Times are of the cache's monotonic clock, in seconds.

    From ``refresh_at`` on the value is computed anew, by one, while it is still served until ``expires``.
    """

    __slots__ = ("cost_s", "error", "expires", "groups", "made", "open", "payload", "plain", "refresh_at", "size_bytes")

    payload: Any
    open: Open | None
    plain: bool  # the payload is what every caller gets
    error: Exception | None
    groups: tuple[str, ...]
    size_bytes: int
    made: float
    cost_s: float
    refresh_at: float
    expires: float

    def fresh(self) -> Any:
        """The caller's own value, or the remembered error, raised."""
        if self.open is not None:
            return self.open(self.payload)
        if self.error is not None:
            raise _again(self.error)
        return self.payload


def _again(error: Exception) -> Exception:
    """A copy, so that each raising has a traceback of its own; some exceptions cannot be copied."""
    try:
        twin = copy.copy(error)
    except Exception:  # noqa: BLE001  whatever its constructor raises
        twin = error
    return twin.with_traceback(None)


def early_s(cost_s: float, beta: float, draw: Callable[[], float] = random.random) -> float:
    """How much sooner than due a value is computed anew: 0 on the average of cheap ones, more for costly ones.

    Cost times beta times -ln U: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention"
    (VLDB 2015). Drawn once per process and entry, so that a hit costs a comparison; in a process one runs anyhow.
    """
    return -cost_s * beta * math.log(1.0 - draw()) if beta > 0 else 0.0


def make(
    value: Any,
    groups: tuple[str, ...],
    *,
    now: float,
    ttl_s: float,
    stale_s: float,
    cost_s: float,
    early: float = 0.0,
    error: Exception | None = None,
) -> Entry:
    """An entry for a value, or for an ``error`` in its place. Raises `values.Uncacheable`."""
    entry = Entry()
    entry.payload, entry.open, size = (None, None, 512) if error is not None else hold(value)
    entry.error = error
    entry.plain = entry.open is None and error is None
    entry.size_bytes = size + ENTRY_BYTES
    entry.groups = groups
    entry.made = now
    entry.cost_s = cost_s
    entry.expires = now + ttl_s + stale_s
    entry.refresh_at = now + max(ttl_s - early, ttl_s * 0.5)
    return entry
