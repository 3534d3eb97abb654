"""Agreement against an adversary: how often a wrong value is decided, and what a round costs."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from random import Random
from typing import Any, Protocol

from pea.bench.figure import Figure
from pea.config import RuntimeSettings, Settings
from pea.runtime import Agent, Context, Runtime, capability
from pea.runtime.agreement.adversary import play, play_numbers
from pea.runtime.agreement.ballot import Vote

RUNS = 10_000
ROUNDS = 500


def lie(value: int) -> int:
    """What a liar says instead."""
    return value + 1


class Game(Protocol):
    """Plays one round and says what was decided."""

    def __call__(self, chance: Random, *, faults: int, liars: int) -> str:
        """``liars`` of 3 * ``faults`` + 1 voters are the adversary's."""


class Judge(Agent):
    """One of several replicas that answer a question, or do what their fault is."""

    name = "judge"

    def __init__(self, fault: str = "") -> None:
        self._fault = fault

    @capability("judge.weigh", idempotent=True, timeout="1s", retries=0)
    async def weigh(self, ctx: Context, seed: int) -> dict[str, int]:  # noqa: ARG002
        """An answer that follows from the question."""
        match self._fault:
            case "lies":
                return {"weight": lie(seed)}
            case "crashes":
                raise ConnectionError("gone")
            case "hangs":
                await asyncio.Event().wait()
        return {"weight": seed}


def agree() -> list[Figure]:
    """Random runs of the counting, then rounds in a fleet."""
    return [*_counting(), *asyncio.run(_fleets())]


def _counting() -> list[Figure]:
    found = []
    games: tuple[tuple[str, Game, int], ...] = (
        ("f liars of 3f + 1", play, 0),
        ("f liars, numbers", play_numbers, 0),
        ("f + 1 to 2f liars", play, 1),
    )
    for what, game, more in games:
        ends: Counter[str] = Counter()
        for seed in range(RUNS):
            faults = 1 + seed % 3
            liars = faults + more + (more and seed // 3 % faults)
            ends[game(Random(seed), faults=faults, liars=liars)] += 1
        found.append(Figure(f"{what}: decided wrongly", ends["wrong"], "runs", RUNS, 0.0))
        found.append(Figure(f"{what}: said that it cannot tell", ends["none"], "runs", RUNS, None if more else 0.0))
    return found


async def _fleets() -> list[Figure]:
    found = []
    quiet = 0.0
    for faults in ([""] * 4, ["lies", "", "", ""], ["hangs", "", "", ""], ["lies", "hangs", *[""] * 5]):
        took, right, agreed, heard = await _rounds(faults)
        name = " and ".join(one for one in faults if one) or "nobody is faulty"
        quiet = quiet or took
        found += [
            Figure(f"{len(faults)} voters, {name}: decided rightly", 100 * right, "%", ROUNDS, 100.0, at_least=True),
            Figure(
                f"{len(faults)} voters, {name}: a round",
                took * 1e6,
                "µs",
                ROUNDS,
                note=f"{took / quiet:.2f} × four that are well; {agreed / heard:.0%} of the answers heard agreed",
            ),
        ]
    return found


async def _rounds(faults: list[str]) -> tuple[float, float, int, int]:
    """Seconds of a round, the share decided rightly, answers that agreed, answers heard."""
    settings = Settings(runtime=RuntimeSettings(replicas={"judge": len(faults)}))
    async with Runtime(settings, agents=[Judge(fault) for fault in faults]) as runtime:
        panels, clock = runtime.dispatcher.panels, runtime.dispatcher.clock
        right = agreed = heard = 0
        began = time.perf_counter()
        for seed in range(ROUNDS):
            round_: Any = await panels.agree("judge.weigh", {"seed": seed}, clock() + 1.0, None)
            right += round_.value == {"weight": seed}
            agreed += sum(one.vote is Vote.AGREED for one in round_.ballots)
            heard += sum(one.vote in (Vote.AGREED, Vote.DISSENTED) for one in round_.ballots)
        took = time.perf_counter() - began
    return took / ROUNDS, right / ROUNDS, agreed, heard
