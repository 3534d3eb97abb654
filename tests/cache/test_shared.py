"""L3: one computation in a fleet, invalidations heard by all, and a Redis that may do whatever it likes."""

import asyncio
import contextlib
import socket
from types import SimpleNamespace

import pytest
from redis import Redis

from pea.cache.shared import Shared
from pea.config import L3Settings
from tests.cache.leases import note_taken

pytestmark = pytest.mark.service
PATIENT = 20.0  # seconds: a loaded machine is no fault here


def giving(value, calls=None):
    async def compute():
        if calls is not None:
            calls.append(value)
        return value

    return compute


async def until(says):
    """Wait for what follows when the server, another program, goes or comes back: it has no event to tell of that."""
    async with asyncio.timeout(30):
        while not says():
            await asyncio.sleep(0.005)


@pytest.fixture
def make_process(make_caches, redis_server):
    """Caches as another process would have them: nothing shared but Redis."""

    def make(budget=PATIENT, **settings):
        return make_caches(l3=L3Settings(url=redis_server.url, budget=budget, lease=PATIENT), **settings)

    return make


async def joined(*processes):
    """Each has asked once, and hears the others."""
    for caches in processes:
        await caches.namespace("warm").get_or_compute("up", giving(1))
        await caches.stack.outers[0].fleet.joined()
        await caches.stack.settle()


async def test_a_value_of_one_process_serves_another(make_process):
    """What one computed the other reads, under its type."""
    one, two = make_process(), make_process()
    await one.namespace("rates").get_or_compute("EUR", giving((1, {2})))
    await one.stack.settle()
    space = two.namespace("rates")
    assert await space.get_or_compute("EUR", giving("new")) == (1, {2})
    assert space.stats().lookups["l3"] == 1


async def test_a_fleet_computes_a_key_once(make_process):
    """While one process computes, the others wait for its value: two times 500 tasks, one computation."""
    one, two = make_process(), make_process()
    await joined(one, two)
    calls, gate, taken = [], asyncio.Event(), asyncio.Event()
    for caches in (one, two):
        note_taken(caches.stack.outers[0], taken)

    async def compute():
        calls.append(1)
        await gate.wait()
        return 7

    asking = [
        asyncio.create_task(caches.namespace("rates").get_or_compute("EUR", compute))
        for caches in (one, two)
        for _ in range(500)
    ]
    async with asyncio.timeout(30):
        await taken.wait()  # one has the lease, and the other has found that
    gate.set()
    assert await asyncio.gather(*asking) == [7] * 1000
    assert len(calls) == 1


async def test_a_value_written_between_look_and_lease(make_process):
    """Who looks before another's value is there, and gets the lease after it, takes the value and gives it back."""
    one, two = make_process(), make_process()
    await joined(one, two)
    outer = two.stack.outers[0]
    look, looked = outer._reads.get, []

    async def look_then_let_the_other_finish(keys):
        found = await look(keys)
        if not looked:
            looked.append(found)
            await one.namespace("rates").get_or_compute("EUR", giving(1))
            await one.stack.settle()
        return found

    outer._reads = SimpleNamespace(get=look_then_let_the_other_finish, aclose=outer._reads.aclose)
    assert await two.namespace("rates").get_or_compute("EUR", giving(2)) == 1
    assert looked[0][0] is None
    await one.invalidate("rates:EUR")
    async with asyncio.timeout(3):  # the lease is free
        assert await one.namespace("rates").get_or_compute("EUR", giving(3)) == 3


async def test_a_failed_computation_gives_its_lease_back(make_process):
    """After an error another process computes at once, not when the lease runs out."""
    one, two = make_process(), make_process()

    async def fail():
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await one.namespace("rates").get_or_compute("EUR", fail)
    await one.stack.settle()
    async with asyncio.timeout(3):
        assert await two.namespace("rates").get_or_compute("EUR", giving(2)) == 2


@pytest.mark.parametrize("pattern", ["calendar:*", "calendar:day", "person:a", "*"])
async def test_no_stale_read_after_an_acknowledged_invalidation(make_process, pattern):
    """Once one process's invalidation is acknowledged, no process serves an older value, from no tier."""
    one, two = make_process(), make_process()
    for caches in (one, two):
        await caches.namespace("calendar").get_or_compute("day", giving("old"), tags=["person:a"])
        await caches.stack.settle()
    await joined(one, two)
    assert (await one.invalidate(pattern)).acknowledged
    for caches in (two, one):
        got = await caches.namespace("calendar").get_or_compute("day", giving("new"), tags=["person:a"])
        assert got == "new"
        await caches.stack.settle()


async def test_a_computation_begun_before_is_not_kept_after(make_process):
    """A value computed from what was true before an invalidation reaches neither this process's tiers nor Redis."""
    one, two = make_process(), make_process()
    await joined(one, two)
    for pattern in ("calendar:*", "calendar:day"):
        gate, begun = asyncio.Event(), asyncio.Event()

        async def compute(gate=gate, begun=begun):
            begun.set()
            await gate.wait()
            return "old"

        asking = asyncio.create_task(one.namespace("calendar").get_or_compute("day", compute))
        await begun.wait()
        assert (await two.invalidate(pattern)).acknowledged
        gate.set()
        assert await asking == "old"
        await one.stack.settle()
        for caches in (two, one):
            assert await caches.namespace("calendar").get_or_compute("day", giving("new")) == "new"
            await caches.stack.settle()
        await one.invalidate("calendar:*")


async def test_a_missed_message_heals(make_process, redis_server):
    """A process that missed a numbered message drops everything when it hears the next."""
    one, two = make_process(), make_process()
    await two.namespace("calendar").get_or_compute("day", giving("old"))
    await joined(one, two)
    with contextlib.closing(Redis.from_url(redis_server.url)) as plain:
        plain.incr("pea:number")  # as if a message had been sent that nobody got
    await one.invalidate("something:else")
    assert two.namespace("calendar").get("day") is None


async def test_reads_leave_as_one_command(make_process):
    """Lookups that come together are one MGET, and a group's generation is asked for once."""
    one, two = make_process(), make_process()
    await joined(one, two)
    for number in range(100):
        await one.namespace("rates").get_or_compute(str(number), giving(number))
    await one.stack.settle()
    before = two.stack.outers[0]._reads.commands
    space = two.namespace("rates")
    got = await asyncio.gather(*(space.get_or_compute(str(number), giving(None)) for number in range(100)))
    assert got == list(range(100))
    assert two.stack.outers[0]._reads.commands - before == 1


async def test_frozen_killed_and_started_again(make_process, redis_server, clock):
    """A Redis that hangs, dies and comes back fails no call; it is used again by itself."""
    caches = make_process(budget=0.005)
    space = caches.namespace("rates")
    outer = caches.stack.outers[0]
    await space.get_or_compute("before", giving(1))
    redis_server.freeze()
    for number in range(20):
        assert await space.get_or_compute(f"frozen{number}", giving(number)) == number
    assert outer.breaker.open
    redis_server.kill()
    for number in range(20):
        clock.turn(1)
        assert await space.get_or_compute(f"dead{number}", giving(number)) == number
    assert outer.stats().faults >= 3
    redis_server.start()
    outer._settings = L3Settings(url=redis_server.url, budget=PATIENT)

    async def answers():
        clock.turn(20)
        return (await outer.read("after", ())).fault is None

    async with asyncio.timeout(30):
        while not await answers():  # a dead connection of the pool fails once
            pass
    assert not outer.stats().open


async def test_a_full_redis(make_process, redis_server):
    """A server that takes no more writes fails no call, and still invalidates what it holds."""
    one = make_process()
    await one.namespace("calendar").get_or_compute("day", giving("old"))
    await one.stack.settle()
    with contextlib.closing(Redis.from_url(redis_server.url)) as plain:
        plain.config_set("maxmemory", 1)
        plain.config_set("maxmemory-policy", "noeviction")
        assert await one.namespace("calendar").get_or_compute("other", giving("x")) == "x"
        await one.invalidate("calendar:*")
        plain.config_set("maxmemory", 0)
    two = make_process()
    assert await two.namespace("calendar").get_or_compute("day", giving("new")) == "new"


@pytest.mark.parametrize("spoil", ["value", "generation", "type", "number", "message"])
async def test_garbage_in_redis(make_process, redis_server, spoil):
    """Whatever stands under PEA's keys is at worst a miss."""
    one, two = make_process(), make_process()
    await one.namespace("calendar").get_or_compute("day", giving("old"))
    await one.stack.settle()
    with contextlib.closing(Redis.from_url(redis_server.url)) as plain:
        if spoil == "value":
            plain.set("pea:v:calendar:day", b"\xc1garbage")
        elif spoil == "generation":
            plain.set("pea:g:calendar:*", b"x")
        elif spoil == "type":
            plain.delete("pea:v:calendar:day", "pea:l:calendar:day")
            plain.rpush("pea:v:calendar:day", 1)
        elif spoil == "number":
            plain.set("pea:number", "many")
        else:
            await joined(two)
            plain.publish("pea:events", b"nonsense")
    two.stack.outers[0]._settings = L3Settings(url=redis_server.url, budget=0.2)
    assert await two.namespace("calendar").get_or_compute("day", giving("new")) in ("old", "new")


async def test_an_answer_that_is_not_redis(make_caches):
    """A server that talks something else is a fault, within the budget, for every call."""

    async def babble(reader, writer):
        with contextlib.suppress(ConnectionError):
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 3)
            await writer.drain()
            await reader.read()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    caches = make_caches(l3=L3Settings(url=f"redis://127.0.0.1:{port}"))
    for number in range(5):
        assert await caches.namespace("rates").get_or_compute(str(number), giving(number)) == number
    assert caches.stats().tiers[-1].faults
    await caches.aclose()
    server.close()
    await server.wait_closed()


async def test_cut_off_from_others_nothing_is_kept(make_process, redis_server):
    """A process that can no longer hear the others serves nothing from memory that they may have made stale."""
    one, two = make_process(), make_process()
    await joined(one, two, one)
    await until(lambda: one.stack.outers[0].fleet._others == 1)
    await one.namespace("calendar").get_or_compute("day", giving("old"))
    redis_server.kill()
    await until(lambda: one.stats().fenced)
    one.stack.outers[0]._settings = L3Settings(url=redis_server.url, budget=0.005)
    assert await one.namespace("calendar").get_or_compute("day", giving("new")) == "new"
    assert one.stats().memory_bytes == 0
    redis_server.start()
    await until(lambda: not one.stats().fenced)


async def test_nobody_there(make_caches):
    """Without a server every call is answered by its computation."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    caches = make_caches(l3=L3Settings(url=f"redis://127.0.0.1:{port}"))
    assert await caches.namespace("rates").get_or_compute("EUR", giving(1)) == 1
    assert not (await caches.invalidate("rates:*")).acknowledged


def test_the_tier_is_made_without_connecting():
    """Building the tier opens nothing."""
    assert Shared(L3Settings(url="redis://nowhere.invalid")).stats().faults == 0
