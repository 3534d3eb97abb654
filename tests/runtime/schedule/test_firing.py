"""A time that is due fires once: over restarts, crashes between any two writes, set clocks and long times down."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.errors import Conflict, InputError, JournalUnavailable, Overloaded, UnknownCapability
from pea.runtime.schedule import Clockwork, Cron, Entry, Shelf, made
from pea.runtime.schedule import shelf as shelf_module
from pea.telemetry import TracerProvider

START = datetime(2026, 3, 28, tzinfo=UTC).timestamp()
HOUR = 3_600.0
TRACER: Any = TracerProvider().get_tracer("test")


class Tasks:
    """Accepts tasks as a journal does: the same key gives the same task."""

    def __init__(self) -> None:
        self.by_key: dict[str, str] = {}
        self.error: Exception | None = None

    async def __call__(self, capability: str, given: bytes, key: str) -> str:
        if self.error is not None:
            raise self.error
        return self.by_key.setdefault(key, f"task-{len(self.by_key)}")


class Wall:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


def hourly(**more: Any) -> Entry:
    own = {"identity": "one", "now": START} | more
    return made("news", "0 * * * *", "Europe/Berlin", "briefing.morning", b"{}", **own)


async def test_fires_once_when_due(tmp_path: Path) -> None:
    """Not before, once when, not again after."""
    shelf, tasks, wall = Shelf(tmp_path), Tasks(), Wall()
    shelf.add(hourly())
    clockwork = Clockwork(shelf, tasks, TRACER, wall=wall)
    assert await clockwork.look() == []
    wall.now += HOUR
    (fired,) = await clockwork.look()
    assert (fired.schedule, fired.outcome, fired.due, fired.task) == ("news", "fired", START + HOUR, "task-0")
    assert await clockwork.look() == []
    assert [one.task for one in shelf.firings(5)] == ["task-0"]


async def test_down_for_a_while(tmp_path: Path) -> None:
    """What was due while the process was down fires once, the last time of it, and says that it is late."""
    shelf, tasks, wall = Shelf(tmp_path), Tasks(), Wall()
    shelf.add(hourly())
    wall.now += 3 * HOUR + 600
    *missed, late = await Clockwork(shelf, tasks, TRACER, wall=wall).look()
    assert [one.outcome for one in missed] == ["missed", "missed"]
    assert (late.outcome, late.due, len(tasks.by_key)) == ("late", START + 3 * HOUR, 1)


async def test_down_for_too_long(tmp_path: Path) -> None:
    """Beyond the grace it does not fire, and that is noted with the reason."""
    shelf, tasks, wall = Shelf(tmp_path), Tasks(), Wall()
    shelf.add(hourly(grace="5m"))
    wall.now += HOUR + 600
    (missed,) = await Clockwork(shelf, tasks, TRACER, wall=wall).look()
    assert (missed.outcome, tasks.by_key) == ("missed", {})
    assert missed.note == "it was 600 s ago, more than the grace of 300 s"


async def test_no_room(tmp_path: Path) -> None:
    """Where no task can be accepted now, it is tried again; where it never can, that is noted."""
    shelf, tasks, wall = Shelf(tmp_path), Tasks(), Wall()
    shelf.add(hourly())
    clockwork = Clockwork(shelf, tasks, TRACER, wall=wall)
    wall.now += HOUR
    for error in (Overloaded("full", retry_after_s=1.0), JournalUnavailable("full")):
        tasks.error = error
        assert await clockwork.look() == []
    tasks.error = None
    assert [one.outcome for one in await clockwork.look()] == ["fired"]
    tasks.error = UnknownCapability("gone")
    wall.now += HOUR
    assert [(one.outcome, one.note) for one in await clockwork.look()] == [("refused", "gone")]


async def test_one_that_cannot_be_reckoned_holds_up_no_other(tmp_path: Path) -> None:
    """Its zone is gone, say; what comes after it by name fires all the same."""
    shelf, tasks, wall = Shelf(tmp_path), Tasks(), Wall()
    lost = msgspec.structs.replace(hourly(identity="lost"), name="a-first", cron=Cron("0 * * * *", "Mars/Olympus"))
    shelf.add(lost)
    shelf.add(hourly())
    clockwork = Clockwork(shelf, tasks, TRACER, wall=wall)
    wall.now += HOUR
    assert [(one.schedule, one.outcome) for one in await clockwork.look()] == [("news", "fired")]
    assert await clockwork.look() == []


async def test_the_clock_is_set_back(tmp_path: Path) -> None:
    """What has fired does not fire again."""
    shelf, tasks, wall = Shelf(tmp_path), Tasks(), Wall()
    shelf.add(hourly())
    clockwork = Clockwork(shelf, tasks, TRACER, wall=wall)
    wall.now += 2 * HOUR
    await clockwork.look()
    wall.now -= HOUR
    assert await clockwork.look() == []
    wall.now += HOUR + 1
    assert await clockwork.look() == []
    assert len(tasks.by_key) == 1


class Crash(BaseException):
    """The process ends here."""


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 90), st.sampled_from(["", "before", "between"])), min_size=1, max_size=25))
async def test_crashes_anywhere(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]]) -> None:
    """However the process dies, before the task is accepted or before that is noted, each time fires at most once."""
    shelf, tasks, wall = Shelf(tmp_path_factory.mktemp("state")), Tasks(), Wall()
    shelf.add(hourly(grace="2h"))
    for minutes, crash in steps:
        wall.now += 60.0 * minutes
        await _life(shelf, tasks, wall, crash)
    await _life(shelf, tasks, wall, "")
    dues = Counter(key.rpartition(":")[2] for key in tasks.by_key)
    hours = [START + HOUR * number for number in range(1, int((wall.now - START) // HOUR) + 1)]
    noted = {one.due: one for one in shelf.firings(1_000)}
    assert set(dues.values()) <= {1}
    assert {float(due) for due in dues} <= set(hours)
    assert set(noted) == set(hours)
    for due, one in noted.items():
        assert (one.outcome in ("fired", "late")) <= (f"{due:.0f}" in dues)


async def _life(shelf: Shelf, tasks: Tasks, wall: Wall, crash: str) -> None:
    async def submit(capability: str, given: bytes, key: str) -> str:
        if crash == "before":
            raise Crash
        task = await tasks(capability, given, key)
        if crash == "between":
            raise Crash
        return task

    try:
        await Clockwork(shelf, submit, TRACER, wall=wall).look()
    except Crash:
        return


def test_names(tmp_path: Path) -> None:
    """A name is taken once, may be replaced and removed; the new one does not count what the old one did."""
    shelf = Shelf(tmp_path)
    assert (shelf.entries(), shelf.firings(3), shelf.remove("news")) == ([], [], False)
    shelf.add(hourly())
    with pytest.raises(Conflict):
        shelf.add(hourly(identity="two"))
    shelf.add(hourly(identity="two"), replace=True)
    assert [entry.identity for entry in shelf.entries()] == ["two"]
    assert shelf.remove("news")
    with pytest.raises(InputError):
        made("../x", "0 * * * *", "UTC", "a.b", b"{}", identity="x", now=START)


def test_a_broken_file(tmp_path: Path) -> None:
    """It is told, not taken for no schedules."""
    (tmp_path / "schedule.db").write_bytes(b"no database" * 1_000)
    with pytest.raises(JournalUnavailable, match="schedules cannot be used"):
        Shelf(tmp_path).entries()


def test_a_full_shelf_still_takes_what_replaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one more is too many."""
    monkeypatch.setattr(shelf_module, "MOST_ENTRIES", 1)
    shelf = Shelf(tmp_path)
    shelf.add(hourly())
    shelf.add(hourly(identity="two"), replace=True)
    with pytest.raises(Conflict, match="there are 1 schedules already"):
        shelf.add(made("other", "0 * * * *", "UTC", "a.b", b"{}", identity="three", now=START))
    assert [one.identity for one in shelf.entries()] == ["two"]
