"""The activity log and tiered retention: batched, bounded, and never in the way."""

import asyncio
import sqlite3

import msgspec
import pytest

from pea.cache import batches
from pea.cache.activity import ActivityLog
from pea.cache.retention import Retention, RetentionTerms


class Threat(msgspec.Struct, frozen=True):
    kind: str
    where: tuple[str, ...] = ()


@pytest.fixture
async def log(tmp_path):
    """An activity log of this test's own."""
    made = ActivityLog(tmp_path / "activity.sqlite", most_rows=1_500)
    yield made
    await made.aclose()


async def test_many_rows_are_few_transactions(log):
    """More than nine of ten writes share a transaction with others, and order is kept."""
    for number in range(1_000):
        assert await log.store("calendar", "read", {"n": number})
    assert [activity.data["n"] for activity in await log.recent(1_000)] == list(range(999, -1, -1))
    assert log.stats().transactions <= 100
    assert log.stats().written == 1_000


async def test_a_single_row_is_written_soon(log, tmp_path):
    """What is alone in its batch is written when its time comes, without anybody asking."""
    await log.store("calendar", "read")
    async with asyncio.timeout(10):
        await log._batches._idle.wait()
    connection = sqlite3.connect(tmp_path / "activity.sqlite")
    assert connection.execute("SELECT count(*) FROM activity").fetchone() == (1,)
    connection.close()


async def test_closing_writes_the_rest(tmp_path):
    """Nothing that was stored before an orderly end is lost."""
    log = ActivityLog(tmp_path / "activity.sqlite")
    for number in range(7):
        await log.store("mail", "sent", number)
    assert await log.aclose()
    assert not await log.store("mail", "sent", 8)
    again = ActivityLog(tmp_path / "activity.sqlite")
    assert [activity.data for activity in await again.recent()] == [6, 5, 4, 3, 2, 1, 0]
    await again.aclose()


async def test_the_table_is_bounded(log):
    """Beyond its rows the oldest are deleted."""
    for number in range(4_000):
        await log.store("calendar", "read", number)
    rows = await log.recent(10_000)
    assert len(rows) <= 1_500 + batches.PRUNE_EVERY + batches.MOST_PER_TRANSACTION
    assert rows[0].data == 3_999


async def test_a_disk_that_takes_nothing(log, monkeypatch):
    """Rows wait in a bounded queue, then are dropped and counted; when the disk works again the rest is written."""
    monkeypatch.setattr(batches, "QUEUE", 20)
    monkeypatch.setattr(batches, "PATIENCE_S", 0.0)
    monkeypatch.setattr(batches, "RETRY_S", (0.0, 0.0))
    well, fault = log._batches._write, sqlite3.OperationalError("database or disk is full")

    def full(_):
        raise fault

    log._batches._write = full
    kept = [await log.store("calendar", "read", number) for number in range(30)]
    assert kept == [True] * 20 + [False] * 10
    assert not await log._batches.flush(0.01)
    log._batches._write = well
    assert len(await log.recent()) == 20
    assert (log.stats().dropped, log.stats().faults > 0) == (10, True)


async def test_too_much_data_is_refused(log):
    """An activity beyond 1 MiB is an error of its author."""
    with pytest.raises(ValueError, match="1,048,576"):
        await log.store("calendar", "read", "x" * (1 << 20))
    await log.store("calendar", "read", "x" * 100_000)
    assert (await log.recent())[0].data == "x" * 100_000


async def test_retention_by_age(tmp_path, clock):
    """Hot, then warm, then cold: a record is found as long as any tier keeps it, and comes back hot."""
    kept = Retention(tmp_path / "threats.sqlite", Threat, clock=clock, wall=clock)
    for number in range(150):
        await kept.keep(f"t{number}", Threat("phishing", ("mail", str(number))))
    hot, warm, _ = kept.stats()
    assert (hot.entries, warm.entries) == (100, 150)
    assert await kept.get("t0") == Threat("phishing", ("mail", "0"))
    clock.turn(3_601)
    assert await kept.get("t1") == Threat("phishing", ("mail", "1"))
    assert kept.stats()[1].hits == 2
    clock.turn(86_401)
    assert await kept.get("t149") == Threat("phishing", ("mail", "149"))
    assert await kept.get("nothing") is None
    await kept.aclose()


async def test_cold_survives_and_is_bounded(tmp_path, clock):
    """Another process reads what one kept; beyond its bound the oldest go."""
    terms = RetentionTerms(cold_entries=1_200)
    first = Retention(tmp_path / "threats.sqlite", Threat, terms, clock=clock, wall=clock)
    for number in range(3_000):
        clock.turn(0.001)
        await first.keep(f"t{number}", Threat("x" * 2_000, (str(number),)))
    assert await first.aclose()
    second = Retention(tmp_path / "threats.sqlite", Threat, terms, clock=clock, wall=clock)
    records = await second.since(0, 10_000)
    assert records[-1] == ("t2999", Threat("x" * 2_000, ("2999",)))
    assert 1_200 <= len(records) <= 1_200 + batches.PRUNE_EVERY + batches.MOST_PER_TRANSACTION
    assert sum(len(key) for key, _ in records)
    assert (tmp_path / "threats.sqlite").stat().st_size < 3_000 * 500  # compressed
    await second.aclose()
