"""One look at the files answers all who asked before it began, and nobody who asked later."""

from __future__ import annotations

import asyncio

import pytest

from pea.agents._reading import Reading


class Files:
    """Counts looks; each lasts until it is let go."""

    def __init__(self) -> None:
        self.looks = 0
        self.failing = False
        self.go = asyncio.Event()

    async def look(self) -> None:
        self.looks += 1
        failing = self.failing
        await self.go.wait()
        if failing:
            raise OSError("no such folder")


async def begun(files: Files, looks: int) -> None:
    while files.looks < looks:
        await asyncio.sleep(0)


async def test_a_hundred_at_once_are_two_looks() -> None:
    """The first look may have begun before the others asked, the second has not."""
    files, reading = Files(), Reading()
    first = asyncio.ensure_future(reading(files.look))
    await begun(files, 1)
    others = [asyncio.ensure_future(reading(files.look)) for _ in range(99)]
    files.go.set()
    await asyncio.gather(first, *others)
    assert files.looks == 2


async def test_who_asks_while_a_look_is_under_way_waits_for_the_next() -> None:
    """A file that changed after the look began is seen by who asked after the change."""
    files, reading = Files(), Reading()
    first = asyncio.ensure_future(reading(files.look))
    await begun(files, 1)
    late = asyncio.ensure_future(reading(files.look))
    files.go.set()
    await first
    assert not late.done()
    await late
    assert files.looks == 2


async def test_who_goes_away_takes_nobody_along() -> None:
    """The one whose look it is is cancelled: the others still get it."""
    files, reading = Files(), Reading()
    asked = [asyncio.ensure_future(reading(files.look)) for _ in range(3)]
    await begun(files, 1)
    asked[0].cancel()
    files.go.set()
    await asyncio.gather(*asked[1:])
    assert asked[0].cancelled()
    assert files.looks == 1


async def test_a_look_that_failed_is_anothers_to_repeat() -> None:
    """Another's failure is not one's own: one looks oneself, and learns why it failed."""
    files, reading = Files(), Reading()
    files.failing = True
    files.go.set()
    asked = [asyncio.ensure_future(reading(files.look)) for _ in range(2)]
    for one in asked:
        with pytest.raises(OSError, match="no such folder"):
            await one
    assert files.looks == 2
