"""The memory keeps what it is told, finds it again, forgets what is old or too much, and survives a restart."""

import asyncio
import sqlite3
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from pea.config import Bytes, MemorySettings, Seconds
from pea.errors import InputError, ShuttingDown
from pea.memory import Memories
from pea.memory.tables import Damaged


class Clock:
    """Seconds since the epoch, as the test says."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def value(found):
    return None if found is None else msgspec.json.decode(found.value)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def memories(tmp_path, clock):
    found = Memories(tmp_path / "memory.sqlite", MemorySettings(), wall=clock)
    yield found
    await found.aclose()


async def test_what_is_stored_is_retrieved(memories):
    """A value comes back as it was, under its namespace and key alone."""
    await memories.store("travel:prefs", "seat", {"seat": "aisle", "n": [1, None, "ü"]})
    assert value(await memories.retrieve("travel:prefs", "seat")) == {"seat": "aisle", "n": [1, None, "ü"]}
    assert await memories.retrieve("travel", "seat") is None
    assert await memories.retrieve("travel:prefs", "Seat") is None


async def test_storing_again_replaces_and_keeps_the_first_moment(memories, clock):
    """The second value stands; when the first was stored is still known."""
    await memories.store("a", "k", 1)
    clock.now += 60
    await memories.store("a", "k", 2)
    found = await memories.retrieve("a", "k")
    assert (value(found), found.created, found.updated) == (2, 1_000_000.0, 1_000_060.0)
    assert (await memories.totals())[0] == 1


async def test_entries_expire_at_their_time(memories, clock):
    """An entry is there until its time to live has passed, and neither found nor counted after the next write."""
    await memories.store("a", "k", "short", ttl_s=10)
    clock.now += 9.9
    assert value(await memories.retrieve("a", "k")) == "short"
    clock.now += 0.2
    assert await memories.retrieve("a", "k") is None
    assert await memories.search("a") == []
    await memories.store("a", "other", 1)
    assert (await memories.totals())[0] == 1


async def test_search_stays_in_its_namespace_and_below(memories):
    """`travel` contains `travel:prefs` and not `travels`; no namespace means all."""
    for namespace in ("travel", "travel:prefs", "travels", "home"):
        await memories.store(namespace, "seat", "aisle")
    assert {one.namespace for one in await memories.search("travel")} == {"travel", "travel:prefs"}
    assert len(await memories.search(query="aisle")) == 4
    assert [one.namespace for one in await memories.search("home", "aisles")] == ["home"]


async def test_search_finds_words_in_keys_and_values_and_beginnings_of_keys(memories):
    """Words are found in any form, keys count more than values, a prefix is taken literally."""
    await memories.store("p", "anna_seat", "prefers the aisle")
    await memories.store("p", "aisle", "where Anna sits")
    await memories.store("p", "annaXseat", 1)
    assert [one.key for one in await memories.search("p", "aisles")] == ["aisle", "anna_seat"]
    assert [one.key for one in await memories.search("p", prefix="anna_")] == ["anna_seat"]
    assert await memories.search("p", "zeppelin") == []


@pytest.mark.parametrize("query", ['"', "a OR", "NEAR(", "*", "-", "key:x", "'; DROP TABLE memories; --", "\x00"])
async def test_a_query_is_never_syntax(memories, query):
    """Whatever is typed is words to look for."""
    await memories.store("p", "k", "v")
    assert isinstance(await memories.search("p", query), list)
    assert (await memories.totals())[0] == 1


@pytest.mark.parametrize(
    ("namespace", "key", "kept"),
    [
        *(("", "k", 1), ("a b", "k", 1), (":a", "k", 1), ("a::b", "k", 1), ("n" * 201, "k", 1), ("a", "", 1)),
        *(("a", " ", 1), ("a", "k" * 501, 1), ("a", "\x00", 1), ("a", "k", "v" * 300_000), ("a", "k", object())),
    ],
)
async def test_what_is_out_of_bounds_is_refused(memories, namespace, key, kept):
    """Names and values out of bounds are refused by the field's name, and nothing is written."""
    with pytest.raises(InputError) as refusal:
        await memories.store(namespace, key, kept)
    assert refusal.value.where in {"namespace", "key", "value"}
    assert await memories.totals() == (0, 0)


@pytest.mark.parametrize("ttl_s", [0, -1, float("nan"), float("inf"), 1e12])
async def test_a_time_to_live_lies_within_bounds(memories, ttl_s):
    """Nothing is kept for ever, or for less than no time."""
    with pytest.raises(InputError, match="ttl_s"):
        await memories.store("a", "k", 1, ttl_s=ttl_s)


async def test_the_least_recently_used_leave_first(tmp_path, clock):
    """Past the bound of entries what nobody asked for goes; what was read stays."""
    memories = Memories(None, MemorySettings(entries=3), wall=clock)
    for key in "abc":
        await memories.store("n", key, key)
        clock.now += 100
    await memories.retrieve("n", "a")
    clock.now += 100
    await memories.store("n", "d", "d")
    assert {one.key for one in await memories.search("n")} == {"a", "c", "d"}
    await memories.aclose()


async def test_bytes_are_bounded(clock):
    """However long the values, all together stay within the size."""
    memories = Memories(None, MemorySettings(size=Bytes(10_000)), wall=clock)
    for number in range(100):
        await memories.store("n", str(number), "x" * 900)
        clock.now += 1
    entries, size = await memories.totals()
    assert entries == 11
    assert size <= 10_000
    await memories.aclose()


async def test_memory_outlives_the_process(tmp_path, clock):
    """What was stored is there after a restart, and another process with the same folder sees it."""
    path = tmp_path / "memory.sqlite"
    first, second = Memories(path, MemorySettings(), wall=clock), Memories(path, MemorySettings(), wall=clock)
    await first.store("a", "k", 1)
    assert value(await second.retrieve("a", "k")) == 1
    await second.store("a", "k", 2)
    assert value(await first.retrieve("a", "k")) == 2
    await first.aclose()
    await second.aclose()
    third = Memories(path, MemorySettings(), wall=clock)
    assert value(await third.retrieve("a", "k")) == 2
    await third.aclose()
    with pytest.raises(ShuttingDown):
        await third.retrieve("a", "k")
    assert path.stat().st_mode & 0o077 == 0


async def test_a_damaged_file_is_told_and_left(tmp_path):
    """A file that is no memory is refused with what to do, and not overwritten."""
    path = tmp_path / "memory.sqlite"
    path.write_bytes(b"not a database, but the only copy of something" * 100)
    before = path.read_bytes()
    memories = Memories(path, MemorySettings())
    with pytest.raises(Damaged, match="move it away"):
        await memories.retrieve("a", "k")
    await memories.aclose()
    assert path.read_bytes() == before


async def test_of_another_format_it_is_refused(tmp_path):
    """A newer PEA's file is not written by an older one."""
    path = tmp_path / "memory.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    memories = Memories(path, MemorySettings())
    with pytest.raises(Damaged, match="format 99"):
        await memories.totals()
    await memories.aclose()


async def test_a_change_that_cannot_be_committed_is_none(memories):
    """What fails at its commit leaves nothing behind, not even a transaction that the next one would stumble over."""
    await memories.totals()
    memories._connection.executescript(
        "PRAGMA foreign_keys = ON; CREATE TABLE one (id INTEGER PRIMARY KEY);"
        "CREATE TABLE other (id REFERENCES one DEFERRABLE INITIALLY DEFERRED)"
    )
    with pytest.raises(sqlite3.IntegrityError):
        await memories._run(lambda db: db.execute("INSERT INTO other VALUES (1)"))
    await memories.store("a", "k", 1)
    assert value(await memories.retrieve("a", "k")) == 1


async def test_many_at_once(memories):
    """Calls side by side each have their effect."""
    await asyncio.gather(*(memories.store("n", str(number % 50), number) for number in range(500)))
    assert (await memories.totals())[0] == 50
    assert {value(one) for one in await memories.search("n", limit=1_000)} == set(range(450, 500))


KEYS = st.tuples(st.sampled_from(["a", "a:b", "c"]), st.sampled_from(["k", "l", "kk"]))


class Against(RuleBasedStateMachine):
    """The memory against a dict, over any order of storing, forgetting, waiting and restarting."""

    entries = Bundle("entries")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.runner = asyncio.Runner()
        self.model = {}
        self.open()

    def open(self):
        path = Path(self.folder.name) / "memory.sqlite"
        self.memories = Memories(path, MemorySettings(age=Seconds(1_000)), wall=self.clock)

    def teardown(self):
        self.runner.run(self.memories.aclose())
        self.runner.close()
        self.folder.cleanup()

    @rule(target=entries, where=KEYS, kept=st.integers() | st.text(max_size=5), ttl=st.sampled_from([None, 5, 50]))
    def store(self, where, kept, ttl):
        self.runner.run(self.memories.store(*where, kept, ttl))
        self.model[where] = (kept, self.clock.now + (1_000 if ttl is None else ttl))
        return where

    @rule(where=consumes(entries))
    def forget(self, where):
        held = self.model.pop(where, None)
        forgotten = self.runner.run(self.memories.forget(*where))
        assert forgotten or held is None or held[1] <= self.clock.now

    @rule(seconds=st.sampled_from([1, 10, 100]))
    def wait(self, seconds):
        self.clock.now += seconds

    @rule()
    def restart(self):
        self.runner.run(self.memories.aclose())
        self.open()

    @invariant()
    def agree(self):
        living = {where: kept for where, (kept, expires) in self.model.items() if expires > self.clock.now}
        found = self.runner.run(self.memories.search(limit=1_000))
        assert {(one.namespace, one.key): value(one) for one in found} == living


Against.TestCase.settings = limits(max_examples=15, stateful_step_count=20, deadline=None)
test_against_a_dict = Against.TestCase
