"""L4: kept over restarts, safe against whatever its files have become, never the reason for a failed call."""

import asyncio
import datetime as dt
import pickle
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from pea.cache.disk import Disk
from pea.cache.outer import Record
from pea.config import L1Settings, L2Settings, L4Settings

OFF = {"l1": L1Settings(on=False), "l2": L2Settings(on=False)}
PATIENT = L4Settings(budget=30.0)  # a loaded machine is no fault here


class Meeting(msgspec.Struct, frozen=True):
    at: dt.datetime
    people: tuple[str, ...]


BERLIN = Meeting(dt.datetime(2026, 3, 29, 1, 30, tzinfo=ZoneInfo("Europe/Berlin")), ("a", "b"))


async def never():
    raise AssertionError("computed again")


def giving(value):
    async def compute():
        return value

    return compute


@pytest.fixture
async def make_disk(tmp_path, clock):
    """Disk tiers on one directory, closed at the end."""
    made = []

    def make(**settings):
        disk = Disk(L4Settings(**{"budget": 30.0} | settings), tmp_path / "cache", clock=clock, wall=clock)
        made.append(disk)
        return disk

    yield make
    for disk in made:
        await disk.aclose()


def record(data=b"p\x01", ttl_s=60.0, made=1_000.0):
    return Record(data, made, ttl_s, 0.0, 0.1)


async def fill(disk, key="calendar:day", groups=("calendar:*",), **about):
    reading = await disk.read(key, groups)
    assert await disk.write(key, record(**about), reading.stamp)


async def test_a_new_process_finds_values_with_their_types(make_caches, tmp_path):
    """What one process computed another reads, structs, tuples and time zones included."""
    first = make_caches(state=tmp_path, l4=PATIENT)
    space = first.namespace("calendar", type=Meeting | None)
    await space.get_or_compute("day", giving(BERLIN), tags=["person:a"])
    await first.aclose()
    second = make_caches(state=tmp_path, l4=PATIENT).namespace("calendar", type=Meeting | None)
    got = await second.get_or_compute("day", never, tags=["person:a"])
    assert got == BERLIN
    assert got.at.tzinfo is BERLIN.at.tzinfo
    assert second.stats().lookups["l4"] == 1
    assert await second.get_or_compute("day", never, tags=["person:a"]) is got  # it has filled the tiers above


async def test_a_changed_type_is_a_miss(make_caches, tmp_path):
    """Values that were written for other fields are computed anew, not misread."""
    caches = make_caches(state=tmp_path, l4=PATIENT)
    await caches.namespace("calendar", type=Meeting).get_or_compute("day", giving(BERLIN))
    await caches.aclose()
    space = make_caches(state=tmp_path, l4=PATIENT).namespace("calendar", type=int)
    assert await space.get_or_compute("day", giving(5)) == 5


@pytest.mark.parametrize(
    "pattern", ["calendar:*", "calendar:day", "person:a", "*", "person:*", "*:day", "calendar:*:x"]
)
async def test_invalidation_reaches_what_memory_never_held(make_caches, tmp_path, pattern):
    """After an invalidation no value written before it is read, even in a process that starts later."""
    key = "day:x" if pattern.endswith("x") else "day"
    first = make_caches(state=tmp_path, l4=PATIENT)
    await first.namespace("calendar").get_or_compute(key, giving("old"), tags=["person:a"])
    await first.aclose()
    second = make_caches(state=tmp_path, l4=PATIENT)
    assert (await second.invalidate(pattern)).acknowledged
    await second.aclose()
    third = make_caches(state=tmp_path, l4=PATIENT).namespace("calendar")
    assert await third.get_or_compute(key, giving("new"), tags=["person:a"]) == "new"


async def test_a_write_begun_before_an_invalidation_is_not_read(make_disk):
    """Neither a dropped group nor a dropped key comes back through a computation that was under way, in any process."""
    one, other = make_disk(), make_disk()
    for pattern in ("calendar:*", "calendar:day"):
        reading = await one.read("calendar:day", ("calendar:*",))
        assert await other.invalidate([pattern])
        await one.write("calendar:day", record(), reading.stamp)
        assert (await other.read("calendar:day", ("calendar:*",))).record is None


async def test_after_a_dropped_key_it_can_be_written_again(make_disk, clock):
    """A tombstone stops only what began before it."""
    disk = make_disk()
    await fill(disk)
    await disk.invalidate(["calendar:day"])
    clock.turn(0.001)
    await fill(disk, made=clock())
    assert (await disk.read("calendar:day", ("calendar:*",))).record is not None


async def test_age_counts_from_the_computation(make_disk, clock):
    """A record whose time has passed when it is written is not kept."""
    disk = make_disk(age=30)
    reading = await disk.read("a", ())
    clock.turn(100)
    assert not await disk.write("a", record(), reading.stamp)


class Boom:
    """Runs a command when unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (Path(self.mark),))


def poison(directory, statement, *values):
    with sqlite3.connect(directory / "cache" / "cache.db") as connection:
        connection.execute(statement, values)
    connection.close()


@pytest.mark.parametrize("where", ["value", "value file", "generation", "key", "outside", "setting"])
async def test_poisoned_rows_run_nothing(make_disk, tmp_path, where):
    """Rows that say they are pickled, have pickled keys, or name files outside, run no code and end as misses."""
    disk, mark, secret = make_disk(), tmp_path / "mark", tmp_path / "secret.val"
    secret.write_bytes(b"secret")
    await fill(disk)
    await disk.aclose()
    payload = pickle.dumps(Boom(str(mark)))
    rows = {
        "value": ("UPDATE Cache SET mode=4, value=? WHERE key LIKE 'v:%'", payload),
        "value file": ("UPDATE Cache SET mode=4, value=NULL, filename=? WHERE key LIKE 'v:%'", "../payload.val"),
        "generation": ("UPDATE Cache SET mode=4, value=? WHERE key LIKE 'g:%'", payload),
        "key": ("UPDATE Cache SET raw=0, key=?, mode=4, value=?1 WHERE key LIKE 'v:%'", payload),
        "outside": ("UPDATE Cache SET mode=2, value=NULL, filename=? WHERE key LIKE 'v:%'", "../secret.val"),
        "setting": ("INSERT OR REPLACE INTO Settings VALUES ('disk_pickle_protocol', ?)", "x"),
    }
    (tmp_path / "payload.val").write_bytes(payload)
    poison(tmp_path, *rows[where])
    again = make_disk()
    reading = await again.read("calendar:day", ("calendar:*",))
    if where != "setting":
        assert reading.record is None
    if where == "key":
        with pytest.raises(ValueError, match="not text"):
            list(again._cache)
    await again.invalidate(["calendar:*"])
    assert not mark.exists()
    assert secret.read_bytes() == b"secret"


@pytest.mark.parametrize("damage", [b"", b"not a database" * 1000, None])
async def test_a_damaged_file_is_replaced(make_disk, tmp_path, damage):
    """A database that is no longer one costs its content, not the calls."""
    disk = make_disk()
    await fill(disk)
    await disk.aclose()
    file = tmp_path / "cache" / "cache.db"
    data = file.read_bytes()
    for rest in file.parent.glob("cache.db-*"):
        rest.unlink()
    file.write_bytes(data[:1024] + b"\xff" * (len(data) - 1024) if damage is None else damage)
    again = make_disk()
    assert (await again.read("calendar:day", ("calendar:*",))).record is None
    await fill(again)
    assert (await again.read("calendar:day", ("calendar:*",))).record is not None


async def test_a_file_that_is_truncated_while_open_ends_no_process(make_disk, tmp_path):
    """Were the file mapped, a read beyond its end would be SIGBUS, which no handler sees: so a process of its own."""
    code = f"""
        import asyncio, os, sqlite3
        from pathlib import Path
        from pea.cache.disk import Disk
        from pea.cache.outer import Record
        from pea.config import L4Settings

        folder = Path({str(tmp_path / "cache")!r})
        keys = [f"calendar:{{number}}" for number in range(300)]

        async def main():
            disk = Disk(L4Settings(budget=30.0), folder, clock=lambda: 1_000.0, wall=lambda: 1_000.0)
            record = Record(b"p\\x01" + bytes(2_000), 1_000.0, 60.0, 0.0, 0.1)
            for key in keys:
                reading = await disk.read(key, ())
                await disk.write(key, record, reading.stamp)
            with sqlite3.connect(folder / "cache.db") as other:
                other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            other.close()
            assert None not in [(await disk.read(key, ())).record for key in keys]
            os.truncate(folder / "cache.db", 8_192)
            for key in keys:
                assert (await disk.read(key, ())).record in (None, record)
            await disk.aclose()

        asyncio.run(main())
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    again = make_disk()
    await again.read("calendar:day", ("calendar:*",))
    await fill(again)
    assert (await again.read("calendar:day", ("calendar:*",))).record == record()


async def test_a_slow_disk_is_a_miss_within_its_budget(make_disk, clock):
    """A read that outlasts its budget is a miss; three in a row keep the tier out for a while."""
    disk = make_disk(budget=0.001)
    gate, well = threading.Event(), disk._read
    disk._read = lambda *_, **__: gate.wait(30)
    assert [(await disk.read("a", ())).fault for _ in range(4)] == ["slower than its budget"] * 3 + ["breaker open"]
    assert disk.stats().open
    gate.set()
    disk._read = well
    disk._settings = L4Settings(budget=30.0)
    clock.turn(1)
    assert (await disk.read("a", ())).fault is None
    assert not disk.stats().open


async def test_a_full_disk(make_disk, monkeypatch):
    """When nothing can be written an invalidation still holds: the tier is wiped."""
    disk = make_disk()
    await fill(disk)

    def full(*_, **__):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(type(disk._cache), "set", full)
    assert not await disk.write("b", record(), (await disk.read("b", ())).stamp)
    assert disk.breaker.faults
    assert await disk.invalidate(["calendar:*"])
    monkeypatch.undo()
    assert (await disk.read("calendar:day", ("calendar:*",))).record is None


async def test_a_directory_that_cannot_be_made(make_caches, tmp_path):
    """Without a usable directory calls are answered, and the fault is told."""
    (tmp_path / "file").write_text("")
    caches = make_caches(l4=L4Settings(directory=str(tmp_path / "file" / "below"), budget=30.0), state=tmp_path)
    assert await caches.namespace("calendar").get_or_compute("day", giving(1)) == 1
    assert caches.stats().tiers[-1].faults


async def test_large_records_have_files_and_are_bounded(make_disk, tmp_path):
    """Records beyond 32 KiB are files; all together stay within the size."""
    disk = make_disk(size=2_000_000)
    for number in range(40):
        await fill(disk, key=f"big:{number}", groups=("big:*",), data=bytes(100_000))
    assert list((tmp_path / "cache").glob("*/*/*.val"))
    assert disk.stats().size_bytes <= 2_000_000 + 200_000


async def test_two_processes_share_a_directory(make_disk, tmp_path):
    """A process that writes and invalidates beside another leaves it a sound database."""
    script = """
        import asyncio, sys, time
        from pathlib import Path
        from pea.cache.disk import Disk
        from pea.cache.outer import Record
        from pea.config import L4Settings
        async def main():
            disk = Disk(L4Settings(budget=30.0), Path(sys.argv[1]))
            for n in range(50):
                reading = await disk.read(f"calendar:{n}", ("calendar:*",))
                record = Record(b"p\\x01", time.time(), 60., 0., .1)
                if reading.stamp: await disk.write(f"calendar:{n}", record, reading.stamp)
                if n % 10 == 9: assert await disk.invalidate(["calendar:*"])
            assert not disk.breaker.faults, disk.breaker.last
            await disk.aclose()
        asyncio.run(main())
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "cache")]
    others = [subprocess.Popen(command, cwd=Path(__file__).parents[2]) for _ in range(2)]
    assert [await asyncio.to_thread(other.wait, 60) for other in others] == [0, 0]
    disk = make_disk()
    assert (await disk.read("calendar:1", ("calendar:*",))).fault is None
