"""A CancelledError that nobody sent: what an agent waited for was cancelled, which is a failure of its own."""

from __future__ import annotations

import asyncio

from pea.errors import PeaError


def being_cancelled() -> bool:
    """Whether the present task is being cancelled, so that a CancelledError in it is meant for it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def cut_off(where: str) -> PeaError:
    """What such a failure is told as."""
    return PeaError("something that it waited for was cancelled", where=where)
