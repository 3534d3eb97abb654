"""The routes of the caches: what each tier holds and answers, and the events that make entries stale."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from pea.cache import NamespaceStats, TierStats
from pea.cache.activity import MOST_KIND
from pea.service.access.scopes import Scope
from pea.service.body import read_struct
from pea.service.json_answer import json_answer
from pea.service.operation import Answer, Operation
from pea.service.state import STATE

Ratio = Annotated[float, Meta(ge=0, le=1)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
Variable = Annotated[str, Meta(max_length=200)]


class TierJson(msgspec.Struct, frozen=True, kw_only=True):
    """One tier; ``hit_ratio`` is null before the first lookup."""

    hit_ratio: Ratio | None
    counts: TierStats


class NamespaceJson(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of cached value, with its lookups by the tier that answered."""

    hit_ratio: Ratio | None
    counts: NamespaceStats


class CachesJson(msgspec.Struct, frozen=True, kw_only=True):
    """All tiers and kinds of values; ``memory_bytes`` is what the tiers in memory account for."""

    memory_bytes: int
    computations: int
    in_flight: int
    tiers: list[TierJson]
    namespaces: list[NamespaceJson]


class CacheEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that happened, such as ``meeting-created``; ``variables`` fill the patterns of its rules."""

    event: Text
    variables: Annotated[dict[str, Variable], Meta(max_length=20)] = {}


class CachePattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to drop: ``calendar:*``, a whole key, or a tag; with all that depends on it."""

    pattern: Text


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """What became stale: the patterns with their dependents, and how many entries left memory.

    ``acknowledged``: every tier and every other process has confirmed; none serves an older value from now on.
    """

    patterns: tuple[str, ...]
    removed: int
    acknowledged: bool


async def show(request: web.Request) -> web.Response:
    """Every tier and kind of value as counted so far."""
    found = request.app[STATE].runtime.dispatcher.caches.stats()
    return json_answer(
        CachesJson(
            memory_bytes=found.memory_bytes,
            computations=found.computations,
            in_flight=found.in_flight,
            tiers=[TierJson(hit_ratio=tier.hit_ratio, counts=tier) for tier in found.tiers],
            namespaces=[NamespaceJson(hit_ratio=space.hit_ratio, counts=space) for space in found.namespaces],
        )
    )


async def tell(request: web.Request) -> web.Response:
    """Drop what an event makes stale, by the rules of the configuration; the activity log has the event."""
    body = await read_struct(request, CacheEvent)
    request.app[STATE].scheduler()  # 503 while the agents start
    caches = request.app[STATE].runtime.dispatcher.caches
    await caches.activity.append("service", body.event[:MOST_KIND], dict(body.variables))
    found = await caches.emit(body.event, **body.variables)
    return json_answer(Dropped(patterns=found.patterns, removed=found.removed, acknowledged=found.acknowledged))


async def drop(request: web.Request) -> web.Response:
    """Drop what a pattern names."""
    body = await read_struct(request, CachePattern)
    request.app[STATE].scheduler()
    found = await request.app[STATE].runtime.dispatcher.caches.invalidate(body.pattern)
    return json_answer(Dropped(patterns=found.patterns, removed=found.removed, acknowledged=found.acknowledged))


ROUTES = (
    Operation(
        method="GET",
        path="/v1/caches",
        handler=show,
        name="getCaches",
        tag="caches",
        scope=Scope.READ,
        summary="Show every cache tier with hits, bytes and evictions",
        answers={200: Answer("The caches.", CachesJson)},
    ),
    Operation(
        method="POST",
        path="/v1/events",
        handler=tell,
        name="tellEvent",
        tag="caches",
        scope=Scope.SUBMIT,
        summary="Tell that something happened, so that what depends on it is dropped",
        description="Which entries an event makes stale is configured in `cache.invalidation`.",
        body=CacheEvent,
        answers={200: Answer("What was dropped.", Dropped)},
        problems=(408, 413, 415),
    ),
    Operation(
        method="POST",
        path="/v1/caches/invalidate",
        handler=drop,
        name="invalidateCaches",
        tag="caches",
        scope=Scope.ADMIN,
        summary="Drop what a pattern or tag names",
        body=CachePattern,
        answers={200: Answer("What was dropped.", Dropped)},
        problems=(408, 413, 415),
    ),
)
