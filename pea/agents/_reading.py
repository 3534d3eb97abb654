"""Where an agent reads, and how long it may: the workspace, the folder of its state, a share of the time left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from pea import Context, InputError, Settings

READING_SHARE = 0.6  # of the time left may be spent on reading what is new before answering
MAX_READING_S = 10.0


def place(settings: Settings) -> tuple[Path, Path | None]:
    """The workspace, and the folder that keeps what was read of it, if there is one. InputError without a workspace."""
    if not settings.workspace:
        raise InputError("no workspace is set", where="workspace", fix="give --workspace, or workspace in pea.yaml")
    return Path(settings.workspace), Path(settings.state) if settings.state else None


def reading_s(ctx: Context, *, share: float = READING_SHARE, most_s: float = MAX_READING_S) -> float:
    """How many seconds reading may take now; what is not read by then is said to be pending."""
    return max(0.0, min(most_s, share * ctx.remaining_s))


class Reading:
    """Looks at files for all who asked before it began to look; who asks later may mean a newer file, and waits.

    So a hundred questions at once cost two looks, and each is answered from files as they were after it was asked.
    """

    def __init__(self) -> None:
        self._under_way: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def __call__(self, look: Callable[[], Awaitable[object]]) -> None:
        """Have ``look`` done, or that of another who asks for the same; raises what one's own look raises."""
        if self._next is None:
            self._next = mine = asyncio.create_task(self._do(look, self._under_way))
            mine.add_done_callback(_seen)
            await asyncio.shield(mine)
            return
        theirs = self._next
        await asyncio.wait([theirs])
        if theirs.cancelled() or theirs.exception() is not None:  # theirs had less time, or was given up
            await look()

    async def _do(self, look: Callable[[], Awaitable[object]], before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        self._under_way, self._next = self._next, None
        await look()


def _seen(looked: asyncio.Task[None]) -> None:
    """Who asked may have gone away: an error is then nobody's."""
    if not looked.cancelled():
        looked.exception()
