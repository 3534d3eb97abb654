"""The activity log and tiered retention: batched, bounded, and never in the way."""

import asyncio
import random
import sqlite3

import msgspec
import pytest

from pea.cache import batches
from pea.cache.activity import ActivityLog
from pea.cache.retention import Retention
from pea.config import RetentionSettings
from pea.errors import InputError


class Threat(msgspec.Struct, frozen=True):
    kind: str
    where: tuple[str, ...] = ()


@pytest.fixture
async def log(tmp_path):
    """An activity log of this test's own."""
    made = ActivityLog(tmp_path / "activity.sqlite", RetentionSettings(cold_entries=1_500))
    yield made
    await made.aclose()


async def test_many_rows_are_few_transactions(log):
    """More than nine of ten writes share a transaction with others, and order is kept."""
    for number in range(1_000):
        assert await log.append("calendar", "read", {"n": number})
    assert [activity.fields["n"] for activity in await log.recent(2_000)] == list(range(999, -1, -1))
    stats = log.stats()
    assert stats.cold.transactions <= 100
    assert stats.cold.written == 1_000
    assert stats.batched >= 0.9


async def test_a_single_row_is_written_soon(log, tmp_path):
    """What is alone in its batch is written when its time comes, without anybody asking."""
    await log.append("calendar", "read", {})
    async with asyncio.timeout(10):
        await log._kept._cold._idle.wait()
    connection = sqlite3.connect(tmp_path / "activity.sqlite")
    assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1,)
    connection.close()


async def test_asking_breaks_up_no_batch(log, monkeypatch):
    """A question while nothing is queued leaves the next rows to gather as ever."""
    monkeypatch.setattr(batches, "LINGER_S", 60.0)
    assert await log.recent() == []
    for number in range(2):
        await log.append("calendar", "read", {"n": number})
        await asyncio.sleep(0)
        assert not log._kept._cold._due.is_set()
    await log.flush()
    assert log.stats().cold.transactions == 1


async def test_closing_writes_the_rest(tmp_path):
    """Nothing that was stored before an orderly end is lost."""
    log = ActivityLog(tmp_path / "activity.sqlite")
    for number in range(7):
        await log.append("mail", "sent", {"n": number})
    assert await log.aclose()
    assert not await log.append("mail", "sent", {"n": 8})
    again = ActivityLog(tmp_path / "activity.sqlite")
    assert [activity.fields["n"] for activity in await again.recent()] == [6, 5, 4, 3, 2, 1, 0]
    await again.aclose()


async def test_the_table_is_bounded(log):
    """Beyond its rows the oldest are deleted."""
    for number in range(4_000):
        await log.append("calendar", "read", {"n": number})
    rows = await log.recent(10_000)
    assert len(rows) <= 1_500 + batches.PRUNE_EVERY + batches.MOST_PER_TRANSACTION
    assert rows[0].fields == {"n": 3_999}


async def test_a_disk_that_takes_nothing(log, monkeypatch):
    """Rows wait in a bounded queue, then are dropped and counted; when the disk works again the rest is written."""
    monkeypatch.setattr(batches, "QUEUE", 20)
    monkeypatch.setattr(batches, "PATIENCE_S", 0.0)
    monkeypatch.setattr(batches, "RETRY_S", (0.0, 0.0))
    well, fault = log._kept._cold._write, sqlite3.OperationalError("database or disk is full")

    def full(_):
        raise fault

    log._kept._cold._write = full
    kept = [await log.append("calendar", "read", {"n": number}) for number in range(30)]
    assert kept == [True] * 20 + [False] * 10
    assert not await log._kept._cold.flush(0.01)
    log._kept._cold._write = well
    assert await log.flush()
    cold = log.stats().cold
    assert (cold.written, cold.dropped, cold.faults > 0) == (20, 10, True)
    assert len(await log.recent(30)) == 30  # the lost ones are in memory still


@pytest.mark.parametrize("fields", [{"x": "x" * (1 << 20)}, {"x": object()}, {"x": "\ud800"}])
async def test_what_cannot_be_written_down_is_refused(log, fields):
    """Too much, or what JSON cannot say, is an error of its author, told at once."""
    with pytest.raises(InputError, match="activity 'read'"):
        await log.append("calendar", "read", fields)
    assert await log.recent() == []


@pytest.mark.parametrize("kind", ["", "x" * 101])
async def test_a_kind_is_a_word(log, kind):
    """Without one, nobody could ask for it."""
    with pytest.raises(InputError, match="1 to 100"):
        await log.append("calendar", kind, {})


async def test_a_picture_of_the_moment(log):
    """What the author does to its lists afterwards changes nothing that is written down."""
    people = ["anna"]
    await log.append("mail", "sent", {"to": people})
    people.append("bob")
    (found,) = await log.recent()
    found.fields["to"].append("carl")
    assert (await log.recent())[0].fields == {"to": ["anna"]}


async def test_by_agent_and_by_kind(log):
    """One agent's own activities, or one kind's, the latest first, from memory and beyond it."""
    for number in range(1_200):
        await log.append(("mail", "calendar", "travel")[number % 3], ("read", "sent")[number % 2], {"n": number})
    assert [one.fields["n"] for one in await log.recent(3, agent="mail")] == [1197, 1194, 1191]
    assert [one.fields["n"] for one in await log.recent(2, agent="mail", kind="read")] == [1194, 1188]
    assert [one.fields["n"] for one in await log.recent(2, kind="sent")] == [1199, 1197]
    assert len(await log.recent(1_200)) == 1_200
    assert len(await log.recent(1_000, agent="mail")) == 400
    assert await log.recent(5, agent="nobody") == []


async def test_each_batch_is_a_span_of_its_own(tmp_path, telemetry):
    """A transaction is nobody's child, and the activities name the trace in which they were done."""
    log = ActivityLog(tmp_path / "activity.sqlite", tracer=telemetry.tracer)
    with telemetry.tracer.span("work") as work:
        for number in range(10):
            await log.append("mail", "read", {"n": number})
    await log.aclose()
    spans = telemetry.provider.buffer.take()
    batches_ = [span for span in spans if span.name == "activity.write"]
    assert sum(span.attributes["pea.batch.size"] for span in batches_) == 10
    assert all(span.parent is None for span in batches_)
    again = ActivityLog(tmp_path / "activity.sqlite")
    assert {one.trace_id for one in await again.recent()} == {f"{work.trace_id:032x}"}
    await again.aclose()


async def test_without_a_folder_the_latest_are_kept_in_memory(clock):
    """No state folder: hot and warm hold what fits into them, and nothing is said to be lost."""
    log = ActivityLog(None, RetentionSettings(hot_entries=5, warm_entries=20), clock=clock)
    for number in range(50):
        assert await log.append("mail", "read", {"n": number})
    assert [one.fields["n"] for one in await log.recent(100)] == list(range(49, 29, -1))
    assert (log.stats().cold, log.stats().batched) == (None, None)
    assert await log.flush()
    assert await log.aclose()


async def test_cold_is_bounded_by_age_and_by_bytes(tmp_path, clock, monkeypatch):
    """What is too old goes first, then the oldest beyond the bytes."""
    monkeypatch.setattr(batches, "PRUNE_EVERY", 50)
    terms = RetentionSettings(cold_age=100.0, cold_size=400_000)
    kept = Retention(tmp_path / "cold.sqlite", bytes, terms, clock=clock, wall=clock)
    for number in range(60):
        await kept.keep(f"old{number}", b"x")
    clock.turn(101)
    dice = random.Random(1)
    for number in range(600):
        clock.turn(0.01)
        await kept.keep(f"new{number}", dice.randbytes(2_000))
    await kept.flush()
    keys = [key for key, _ in await kept.since(0, 10_000)]
    assert keys[-1] == "new599"
    assert not [key for key in keys if key.startswith("old")]
    assert 50 <= len(keys) <= 400_000 // 2_000 + batches.MOST_PER_TRANSACTION // 10
    await kept.aclose()


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
    terms = RetentionSettings(cold_entries=1_200)
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
