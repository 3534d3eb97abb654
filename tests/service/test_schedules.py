"""The route of the schedules: the next times by the user's clock over its changes, and what became of the last ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from pea import Runtime
from pea.config import load
from pea.runtime.schedule import Cron, Firing, Outcome, Shelf, made
from pea.service import Service

Get = Callable[[str], Awaitable[tuple[int, Any]]]
NOW = "2026-03-28T12:00"


@pytest.fixture
async def get(tmp_path: Path) -> AsyncIterator[Get]:
    """Ask a service in Berlin on the day before the clocks change."""
    overrides = {"service.port": 0, "state": str(tmp_path), "user.timezone": "Europe/Berlin", "today": NOW}
    overrides["journal.on"] = False  # nothing is fired here
    runtime = Runtime(load(environ={}, overrides=overrides), agents=[])
    async with Service(runtime) as service, aiohttp.ClientSession() as session:
        await service.ready()

        async def ask(query: str) -> tuple[int, Any]:
            async with session.get(f"{service.url}/v1/schedules{query}") as response:
                return response.status, await response.json()

        yield ask


def put(tmp_path: Path, name: str, cron: str, zone: str) -> None:
    now = datetime.fromisoformat(f"{NOW}+01:00").timestamp()
    Shelf(tmp_path).add(made(name, cron, zone, "calendar.agenda", b'{"days":2}', identity=name, now=now))


async def test_next_times_by_the_users_clock(get: Get, tmp_path: Path) -> None:
    """Half past two does not exist on the day of the change; New York's morning is Berlin's afternoon."""
    put(tmp_path, "night", "30 2 * * *", "Europe/Berlin")
    put(tmp_path, "there", "0 9 * * *", "America/New_York")
    status, told = await get("?count=2")
    assert (status, told["zone"]) == (200, "Europe/Berlin")
    night, there = told["schedules"]
    assert (night["name"], night["cron"], night["input"], night["problem"]) == (
        "night",
        "30 2 * * *",
        {"days": 2},
        None,
    )
    assert night["next"] == ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
    assert there["next"] == ["2026-03-28T14:00:00+01:00", "2026-03-29T15:00:00+02:00"]


async def test_what_became_of_the_last(get: Get, tmp_path: Path) -> None:
    """The latest first, as many as asked for."""
    put(tmp_path, "night", "30 2 * * *", "Europe/Berlin")
    shelf = Shelf(tmp_path)
    (entry,) = shelf.entries()
    for number, outcome in enumerate((Outcome.MISSED, Outcome.FIRED)):
        due = entry.created + number
        shelf.settle(entry, due, [Firing(schedule="night", due=due, at=due, outcome=outcome, task=f"t{number}")])
    _, told = await get("?limit=1")
    (last,) = told["firings"]
    assert (last["outcome"], last["task"], last["due"]) == ("fired", "t1", "2026-03-28T12:00:01+01:00")


async def test_none(get: Get) -> None:
    """No schedules are an empty list; a wrong query is told."""
    assert await get("") == (200, {"zone": "Europe/Berlin", "schedules": [], "firings": []})
    assert (await get("?count=0"))[0] == 400


async def test_a_zone_that_is_gone(get: Get, tmp_path: Path) -> None:
    """It is named, and hides no other schedule; so is a file that cannot be read."""
    put(tmp_path, "night", "30 2 * * *", "Europe/Berlin")
    shelf = Shelf(tmp_path)
    (entry,) = shelf.entries()
    shelf.add(msgspec.structs.replace(entry, name="lost", identity="lost", cron=Cron("0 * * * *", "Mars/Olympus")))
    lost, night = (await get(""))[1]["schedules"]
    assert (lost["next"], lost["problem"]) == ([], "no time zone is called 'Mars/Olympus' on this machine")
    assert len(night["next"]) == 5
    shelf.path.write_bytes(b"no database" * 1_000)
    status, told = await get("")
    assert status == 503
    assert "the schedules cannot be used" in told["detail"]
