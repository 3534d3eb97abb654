"""What an agent raises that is no Exception and yet a failure of its own: it must not end more than the call.

A CancelledError that nobody sent: what the agent waited for was cancelled. And SystemExit: some library's way to give
up, which asyncio lets through until the whole process has ended. (KeyboardInterrupt is the user's.)
"""

from __future__ import annotations

import asyncio

from pea.errors import PeaError


def being_cancelled() -> bool:
    """Whether the present task is being cancelled, so that a CancelledError in it is meant for it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def cut_off(where: str) -> PeaError:
    """What a CancelledError that nobody sent is told as."""
    return PeaError("something that it waited for was cancelled", where=where)


def contained(error: BaseException, where: str) -> BaseException:
    """The error, or what it is told as when it is a failure of the agent's own."""
    if isinstance(error, SystemExit):
        return PeaError(f"asked for the process to end, with {error.code!r}", where=where, fix="raise an error instead")
    if isinstance(error, asyncio.CancelledError) and not being_cancelled():
        return cut_off(where)
    return error
