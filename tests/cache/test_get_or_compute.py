"""One computation per key, its value to all who wait, and never a changed or doomed one to others."""

import asyncio
import sys
from types import ModuleType

import msgspec
import numpy as np
import pytest

from pea.cache import Caches, ComputationCancelled
from pea.config import CacheSettings, L1Settings, L2Settings, L4Settings, Settings
from tests.cache.conftest import Clock


def counting(value, calls, gate=None):
    """A computation that counts its calls and waits for ``gate``."""

    async def compute():
        calls.append(1)
        if gate is not None:
            await gate.wait()
        if isinstance(value, Exception):
            raise value
        return value() if callable(value) else value

    return compute


async def test_one_computation_for_a_thousand(make_caches):
    """A thousand tasks that ask for one cold key cause one computation."""
    space, calls, gate = make_caches().namespace("calendar"), [], asyncio.Event()
    asking = [asyncio.create_task(space.get_or_compute("day", counting(7, calls, gate))) for _ in range(1000)]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*asking) == [7] * 1000
    assert len(calls) == 1
    assert space.stats().waits == 999


async def test_cancelling_one_leaves_the_others(make_caches):
    """The first waiter's cancellation reaches neither the computation nor the other waiters."""
    space, calls, gate = make_caches().namespace("calendar"), [], asyncio.Event()
    first, second = (asyncio.create_task(space.get_or_compute("day", counting(7, calls, gate))) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    gate.set()
    assert await second == 7
    assert first.cancelled()
    assert len(calls) == 1


async def test_cancelling_all_cancels_the_computation(make_caches):
    """A computation for which nobody waits any longer is cancelled, and the next to ask begins another."""
    caches = make_caches()
    space, calls, gate = caches.namespace("calendar"), [], asyncio.Event()
    asking = [asyncio.create_task(space.get_or_compute("day", counting(7, calls, gate))) for _ in range(3)]
    await asyncio.sleep(0)
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)
    assert caches.stats().cancelled == 1
    gate.set()
    assert await space.get_or_compute("day", counting(8, calls)) == 8
    assert len(calls) == 2


async def test_an_error_reaches_all_and_is_not_kept(make_caches):
    """An error is raised in every waiter; the next to ask computes again."""
    space, calls, gate = make_caches().namespace("calendar"), [], asyncio.Event()
    asking = [asyncio.create_task(space.get_or_compute("day", counting(OSError("x"), calls, gate))) for _ in range(5)]
    await asyncio.sleep(0)
    gate.set()
    ended = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(error) for error in ended] == [OSError] * 5
    assert await space.get_or_compute("day", counting(1, calls)) == 1
    assert len(calls) == 2


async def test_a_computation_that_cancels_itself(make_caches):
    """It is told as an error that may be retried, not as the waiter's own cancellation."""
    space = make_caches().namespace("calendar")

    async def compute():
        raise asyncio.CancelledError

    with pytest.raises(ComputationCancelled):
        await space.get_or_compute("day", compute)


async def test_remembered_errors(make_caches, clock):
    """An error that the namespace names is raised again without computing, until its time has passed."""
    space = make_caches().namespace("people", negative_errors=(LookupError,), negative_ttl_s=10)
    calls = []
    for _ in range(3):
        with pytest.raises(LookupError, match="nobody"):
            await space.get_or_compute("x", counting(LookupError("nobody"), calls))
    assert len(calls) == 1
    clock.turn(10)
    assert await space.get_or_compute("x", counting("found", calls)) == "found"


async def test_none_is_kept_for_the_negative_time(make_caches, clock):
    """None is an answer, kept for less long."""
    space, calls = make_caches().namespace("people", ttl_s=100, negative_ttl_s=10), []
    assert await space.get_or_compute("x", counting(None, calls)) is None
    assert await space.get_or_compute("x", counting(None, calls)) is None
    assert len(calls) == 1
    clock.turn(11)
    assert await space.get_or_compute("x", counting(3, calls)) == 3


async def test_stale_is_served_while_one_refreshes(make_caches, clock):
    """Between its time to live and its stale time a value is served at once, and one computation replaces it."""
    space, calls, gate = make_caches().namespace("calendar", ttl_s=10, stale_s=10, beta=0), [], asyncio.Event()
    assert await space.get_or_compute("day", counting("old", calls)) == "old"
    clock.turn(11)
    for _ in range(5):
        assert await space.get_or_compute("day", counting("new", calls, gate)) == "old"
        await asyncio.sleep(0)
    assert len(calls) == 2
    gate.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert await space.get_or_compute("day", counting("newest", calls)) == "new"
    assert space.stats().refreshed == 1


async def test_too_stale_is_computed(make_caches, clock):
    """After the stale time nothing old is served."""
    space, calls = make_caches().namespace("calendar", ttl_s=10, stale_s=10, beta=0), []
    await space.get_or_compute("day", counting("old", calls))
    clock.turn(20)
    assert await space.get_or_compute("day", counting("new", calls)) == "new"


class Frozen(msgspec.Struct, frozen=True):
    rows: tuple[int, ...]


class Open(msgspec.Struct):
    rows: list[int]


@pytest.mark.parametrize(
    ("make", "spoil"),
    [
        (lambda: {"a": [1, 2], "b": {"c": []}}, lambda v: v["b"]["c"].append(1)),
        (lambda: [1, [2]], lambda v: v[1].clear()),
        (lambda: {1: {2}}, lambda v: v[1].add(3)),
        (lambda: Open([1]), lambda v: v.rows.append(2)),
        (lambda: ([1],), lambda v: v[0].append(2)),
        (lambda: Frozen([1]), lambda v: v.rows.append(2)),
        (lambda: bytearray(b"x"), lambda v: v.extend(b"y")),
    ],
)
async def test_callers_cannot_change_what_is_cached(make_caches, make, spoil):
    """Whatever a caller does to a value, the computing one included, the next one gets it as it was computed."""
    space = make_caches().namespace("calendar")
    for _ in range(3):
        got = await space.get_or_compute("day", counting(make, []))
        assert got == make()
        assert type(got) is type(make())
        spoil(got)


async def test_the_computation_cannot_change_it_afterwards(make_caches):
    """A value that its computation keeps and changes later stays in the cache as it was."""
    space, mine = make_caches().namespace("calendar"), {"rows": [1]}
    await space.get_or_compute("day", counting(mine, []))
    mine["rows"].append(2)
    assert await space.get_or_compute("day", counting(mine, [])) == {"rows": [1]}


async def test_frozen_values_are_shared(make_caches):
    """What cannot be changed is handed out as the same object."""
    space = make_caches().namespace("calendar")
    one = await space.get_or_compute("day", counting(lambda: Frozen((1,)), []))
    assert await space.get_or_compute("day", counting(None, [])) is one


async def test_arrays_are_read_only(make_caches):
    """An array is shared, and nobody can make it writeable."""
    space = make_caches().namespace("series")
    mine = np.arange(5.0)
    got = await space.get_or_compute("x", counting(mine, []))
    mine[0] = 99
    assert got[0] == 0
    with pytest.raises(ValueError, match="WRITEABLE"):
        got.setflags(write=True)


async def test_numpy_may_be_half_imported(make_caches, monkeypatch):
    """While another thread imports numpy, its module is there without what is in it: values are kept all the same."""
    monkeypatch.setitem(sys.modules, "numpy", ModuleType("numpy"))
    assert make_caches().namespace("calendar").put("day", {"a": [1]})


async def test_what_cannot_be_held_is_handed_over(make_caches):
    """A value that can neither be shared, encoded nor copied is returned and not cached."""
    space, calls = make_caches().namespace("odd"), []
    deep = []
    for _ in range(5000):
        deep = [deep]
    for value in ((n for n in ()), deep):
        assert await space.get_or_compute(str(id(value)), counting(lambda value=value: value, calls)) is not None
    assert space.stats().uncacheable == 2


async def test_an_invalidation_dooms_what_is_being_computed(make_caches):
    """A computation begun before an invalidation serves those who asked before it, and is kept for nobody after it."""
    caches = make_caches()
    space, calls, gate = caches.namespace("calendar"), [], asyncio.Event()
    before = asyncio.create_task(space.get_or_compute("day", counting("old", calls, gate)))
    await asyncio.sleep(0)
    await caches.emit("meeting-created")
    after = asyncio.create_task(space.get_or_compute("day", counting("new", calls)))
    assert await after == "new"
    gate.set()
    assert await before == "old"
    assert await space.get_or_compute("day", counting("newest", calls)) == "new"


async def test_l1_serves_nothing_too_old(make_caches, monkeypatch, clock):
    """Ages are read once a millisecond of the wall clock: an entry may leave that much early, but never late."""
    wall = Clock(5_000_000.0)
    monkeypatch.setattr("pea.cache.namespace.monotonic", clock)
    monkeypatch.setattr("pea.cache.namespace.time_ns", lambda: int(wall() * 1e9))
    space = make_caches(l1=L1Settings(age=5)).namespace("calendar", ttl_s=60)
    space.put("day", 1)

    def answered_by_l1():
        before = space.stats().lookups["l1"]
        assert space.get("day") == 1
        return space.stats().lookups["l1"] > before

    for step, fresh in ((0.0, True), (0.0002, True), (4.99, True), (0.0089, False), (0.01, True), (5.1, False)):
        clock.turn(step)
        wall.turn(step)
        assert answered_by_l1() is fresh
    clock.turn(6)
    wall.turn(-86_400)  # the clock on the wall is set back meanwhile
    assert not answered_by_l1()


async def test_a_hit_is_a_leaf_wherever_it_happens(make_caches, telemetry):
    """L1's leaf is counted beyond the limit, made a span when there is none above, and is no part of an ended one."""
    space = make_caches().namespace("calendar")
    space.put("day", 1)
    limit = telemetry.provider.limits.leaves
    with telemetry.tracer.span("work") as span:
        for _ in range(limit + 3):
            space.get("day")
        span.end()
        space.get("day")
    space.get("day")
    assert len(span.leaves) == limit
    assert span.dropped_leaves == 3
    assert [each.name for each in telemetry.provider.buffer.take()] == ["work", *["cache.lookup calendar"] * 2]


async def test_spans_say_which_tier(make_caches, telemetry, clock):
    """Each lookup is a child of what asked for it, named after the namespace, with tier and hit and never the key."""
    space = make_caches(l1=L1Settings(age=5)).namespace("calendar", ttl_s=60)
    with telemetry.tracer.span("work") as span:
        await space.get_or_compute("secret", counting(1, []))
        await space.get_or_compute("secret", counting(1, []))
        clock.turn(6)
        await space.get_or_compute("secret", counting(1, []))
    seen = [(name, attributes["pea.cache.tier"], attributes["pea.cache.hit"]) for name, _, _, attributes in span.leaves]
    assert seen == [("cache.lookup calendar", tier, tier != "none") for tier in ("none", "l1", "l2")]
    assert "secret" not in repr(span.leaves)
    assert space.stats().hit_ratio == pytest.approx(2 / 3)


@pytest.mark.parametrize("real", [False, True])
async def test_what_is_used_stays_in_l1(make_caches, telemetry, real):
    """Who was used least recently leaves, whichever clock ages go by."""
    terms = {"l1": L1Settings(entries=3), "l2": L2Settings(on=False)}
    off = L4Settings(on=False)
    caches = Caches(Settings(cache=CacheSettings(l4=off, **terms)), telemetry.tracer) if real else make_caches(**terms)
    space = caches.namespace("calendar", ttl_s=60)
    for key in "abc":
        space.put(key, key)
    assert space.get("a") == "a"
    space.put("d", "d")
    assert [space.get(key) for key in "abcd"] == ["a", None, "c", "d"]
    await caches.aclose()
