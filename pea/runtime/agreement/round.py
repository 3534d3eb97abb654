"""One round: all voters are asked at once, and the answer is there as soon as enough of them agree."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context, copy_context
from typing import Any

from pea.errors import said
from pea.runtime.agreement.ballot import Agreement, Ballot, Side, Vote
from pea.runtime.agreement.equality import Equality, Incomparable
from pea.runtime.agreement.tally import Outcome, Tally

Ask = Callable[[], Coroutine[Any, Any, Any]]
Extract = Callable[[Any], Any]

_leaving: set[asyncio.Task[Any]] = set()  # told to stop when their round was over; nobody waits for them


async def hold(
    capability: str,
    voters: Mapping[str, Ask],
    *,
    faults: int,
    equality: Equality,
    by: Extract | None = None,
    clock: Callable[[], float],
    prepare: Callable[[Context], None] | None = None,
) -> tuple[Agreement[Any], Outcome]:
    """Ask all ``voters`` and return what they agree on; ``by`` picks the part of an answer that is voted on.

    ``prepare`` may change the context that each voter's call runs in. A voter that does not let go when its round is
    over is left to itself: a hanging voter delays nobody. Raises Conflict when the voters cannot bear ``faults`` liars.
    """
    tally = Tally(voters, faults, equality)
    began = clock()
    heard: dict[str, tuple[Any, str | None, float]] = {}
    tasks: dict[asyncio.Task[Any], str] = {}
    for name, ask in voters.items():
        context = copy_context()
        if prepare is not None:
            prepare(context)
        tasks[asyncio.get_running_loop().create_task(ask(), name=f"vote {name}", context=context)] = name
    waiting = set(tasks)
    try:
        while waiting and not tally.settled:
            ended, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(ended, key=lambda one: tasks[one]):
                heard[tasks[task]] = _count(tally, tasks[task], task, by, clock() - began)
    finally:
        for task in waiting:
            _leaving.add(task)
            task.add_done_callback(_left)
            task.cancel("the round is over")
    return _told(capability, tally, faults, heard, list(voters), clock() - began), tally.outcome


def _count(
    tally: Tally, voter: str, task: asyncio.Task[Any], by: Extract | None, elapsed_s: float
) -> tuple[Any, str | None, float]:
    """Hear what a voter said: its value, or why there is none."""
    if task.cancelled():
        tally.silent(voter)
        return None, "was cancelled", elapsed_s
    error = task.exception()
    if error is not None:
        tally.silent(voter)
        return None, said(error) or type(error).__name__, elapsed_s
    try:
        value = task.result() if by is None else by(task.result())
        tally.hear(voter, value)
    except Incomparable as cannot:
        return None, str(cannot), elapsed_s
    except Exception as wrong:  # noqa: BLE001 - an answer that `by` stumbles over is no vote
        tally.silent(voter)
        return None, f"its answer cannot be read: {type(wrong).__name__}: {wrong}", elapsed_s
    return value, None, elapsed_s


def _told(
    capability: str,
    tally: Tally,
    faults: int,
    heard: Mapping[str, tuple[Any, str | None, float]],
    voters: list[str],
    elapsed_s: float,
) -> Agreement[Any]:
    sides = [Side(side, heard[side[0]][0]) for side in tally.sides()]
    winners = frozenset(sides[0].voters) if tally.decided else frozenset()
    ballots = []
    for voter in voters:
        value, error, took_s = heard.get(voter, (None, None, elapsed_s))
        if voter not in heard:
            vote = Vote.UNHEARD
        elif error is not None:
            vote = Vote.FAILED
        else:
            vote = Vote.AGREED if voter in winners else Vote.DISSENTED
        ballots.append(Ballot(voter=voter, vote=vote, value=value, error=error, elapsed_s=took_s))
    return Agreement(
        capability=capability,
        decided=tally.decided,
        value=sides[0].value if tally.decided else None,
        faults=faults,
        quorum=tally.quorum,
        ballots=tuple(ballots),
        sides=tuple(sides),
        elapsed_s=elapsed_s,
    )


def _left(task: asyncio.Task[Any]) -> None:
    _leaving.discard(task)
    if not task.cancelled():
        task.exception()  # looked at, or asyncio would complain of it
