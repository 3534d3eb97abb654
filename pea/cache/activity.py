"""What agents did: an activity log, hot and warm in memory, written to disk in batches behind their backs."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from opentelemetry.trace import format_trace_id, get_current_span

from pea.cache.batches import BatchStats
from pea.cache.counts import TierStats
from pea.cache.retention import Retention
from pea.config import RetentionSettings
from pea.errors import InputError
from pea.telemetry import Tracer

MOST_BYTES = 1 << 20  # of one activity's fields, as JSON
MOST_KIND = 100  # characters


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an agent did, ``at`` seconds since the epoch; ``trace_id`` is the trace it was done in, or ""."""

    at: float
    agent: str
    kind: str
    fields: dict[str, Any] = {}
    capability: str = ""
    trace_id: str = ""


class ActivityStats(msgspec.Struct, frozen=True, kw_only=True):
    """The tiers as counted; ``batched`` is the share of written rows that shared a transaction, None before any."""

    hot: TierStats
    warm: TierStats
    cold: BatchStats | None
    batched: float | None


class ActivityLog:
    """The log of one process; what is asked of it by one agent goes through `AgentLog`."""

    def __init__(
        self,
        path: Path | None,
        terms: RetentionSettings | None = None,
        *,
        tracer: Tracer | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._kept: Retention[Activity] = Retention(path, Activity, terms, tracer=tracer, clock=clock, wall=wall)
        self._wall = wall
        self._run = os.urandom(6).hex()  # keys of one run never meet another's
        self._numbers = itertools.count()

    async def append(self, agent: str, kind: str, fields: dict[str, Any], capability: str = "") -> bool:
        """Log an activity; False when the disk could not take it and it is in memory only (`stats` counts them).

        Returns as soon as it is queued; a full queue makes it wait, a second at most. ``fields`` are what JSON can say.
        Raises InputError for others, for more than 1 MiB, and for a kind that is empty or too long.
        """
        if not kind or len(kind) > MOST_KIND:
            raise InputError(f"a kind of 1 to {MOST_KIND} characters is expected", where="ctx.store.append")
        span = get_current_span().get_span_context()
        activity = Activity(
            at=self._wall(),
            agent=agent,
            kind=kind,
            fields=_plain(fields, kind),
            capability=capability,
            trace_id=format_trace_id(span.trace_id) if span.is_valid else "",
        )
        return await self._kept.keep(f"{self._run}:{next(self._numbers)}", activity, agent)

    async def recent(self, count: int = 100, *, agent: str = "", kind: str = "") -> list[Activity]:
        """The latest activities, of one agent or of all, of one kind or of all, the latest first.

        With a ``kind`` the latest 10,000 are looked through.
        """
        if not kind:
            return [activity for _, activity in await self._kept.recent(count, agent)]
        found = await self._kept.recent(10_000, agent)
        return [activity for _, activity in found if activity.kind == kind][:count]

    async def flush(self) -> bool:
        """Have everything written."""
        return await self._kept.flush()

    async def aclose(self) -> bool:
        """Write what is queued and close; False when some could not be written."""
        return await self._kept.aclose()

    def stats(self) -> ActivityStats:
        """What has been counted."""
        hot, warm, cold = self._kept.stats()
        batched = cold.shared / cold.written if cold is not None and cold.written else None
        return ActivityStats(hot=hot, warm=warm, cold=cold, batched=batched)


class AgentLog:
    """``ctx.store``: the activity log as one agent's capability writes to it."""

    __slots__ = ("_agent", "_capability", "_log")

    def __init__(self, log: ActivityLog, agent: str, capability: str) -> None:
        self._log = log
        self._agent = agent
        self._capability = capability

    async def append(self, kind: str, /, **fields: Any) -> bool:
        """Write down what was done: ``await ctx.store.append("mail.sent", to=3)``. See `ActivityLog.append`."""
        return await self._log.append(self._agent, kind, fields, self._capability)

    async def recent(self, count: int = 100, *, kind: str = "") -> list[Activity]:
        """What this agent has written down, the latest first."""
        return await self._log.recent(count, agent=self._agent, kind=kind)


def _plain(fields: dict[str, Any], kind: str) -> dict[str, Any]:
    """The fields as JSON would give them back: what is logged is a picture of that moment."""
    place = f"activity {kind!r}"
    try:
        data = msgspec.json.encode(fields)
        if len(data) > MOST_BYTES:
            raise InputError(f"{len(data):,} bytes of fields; at most {MOST_BYTES:,} are kept", where=place)
        return msgspec.json.decode(data, type=dict[str, Any])
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"cannot be written down: {error}", where=place, fix="give what JSON can say") from error
