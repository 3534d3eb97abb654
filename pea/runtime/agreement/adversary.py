"""An adversary for trying out agreement: it sees every honest answer before it lies, and orders the messages.

Used by the tests and by ``pea bench agree``; nothing of PEA runs it otherwise.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from random import Random
from typing import Any, Literal

from pea.runtime.agreement.equality import Exact, Incomparable, Tolerance
from pea.runtime.agreement.tally import Tally

End = Literal["right", "wrong", "none"]
SILENT = object()
_LOOK_ALIKES: tuple[Callable[[int], Any], ...] = (
    lambda truth: truth + 1,
    float,
    str,
    lambda truth: [truth],
    lambda truth: truth == 1,
    lambda _: None,
    lambda _: math.nan,
    lambda _: object(),
)


def lies(chance: Random, truth: int, liars: int) -> list[Any]:
    """What the liars say once they know the truth: one lie together, sides of their own, silence, or even the truth."""
    one = chance.choice(_LOOK_ALIKES)(truth)
    match chance.randrange(5):
        case 0:
            return [one] * liars
        case 1:
            return [chance.choice(_LOOK_ALIKES)(truth) for _ in range(liars)]
        case 2:
            return [SILENT] * liars
        case 3:
            return [truth] * liars
        case _:
            return [chance.choice([one, truth, SILENT]) for _ in range(liars)]


def play(chance: Random, *, faults: int, liars: int) -> End:
    """One round among 3 * ``faults`` + 1 voters, ``liars`` of which are the adversary's: what was decided."""
    voters = 3 * faults + 1
    truth = chance.randrange(3)
    said = [truth] * (voters - liars) + lies(chance, truth, liars)
    value = _round(chance, Tally(map(str, range(voters)), faults, Exact()), said, voters - liars)
    if value is SILENT:
        return "none"
    return "right" if type(value) is int and value == truth else "wrong"


def play_numbers(chance: Random, *, faults: int, liars: int, absolute: float = 1.0) -> End:
    """The same with numbers; right is what lies between two honest ones."""
    voters = 3 * faults + 1
    low = chance.uniform(-1e6, 1e6)
    honest = [low + chance.uniform(0, absolute) for _ in range(voters - liars)]
    near = [min(honest) - absolute * 0.1, max(honest) + absolute * 0.1, max(honest) - absolute, min(honest) + absolute]
    bad = [chance.choice([*near, *near, low + 1e9, math.nan, math.inf, SILENT, "1"]) for _ in range(liars)]
    if chance.randrange(2):
        bad = [chance.choice(near)] * liars
    tally = Tally(map(str, range(voters)), faults, Tolerance(absolute * (1 + 1e-9)))
    value = _round(chance, tally, honest + bad, voters - liars)
    if value is SILENT:
        return "none"
    return "right" if min(honest) <= value <= max(honest) else "wrong"


def _round(chance: Random, tally: Tally, said: list[Any], honest: int) -> Any:
    """Deliver the votes in an order of the adversary's and return what was decided, or SILENT."""
    order = list(range(len(said)))
    chance.shuffle(order)
    match chance.randrange(3):
        case 0:
            order.sort(key=lambda voter: voter < honest)  # lies first
        case 1:
            order.sort(key=lambda voter: voter >= honest)
        case _:
            pass
    for voter in order:
        if tally.settled:
            break
        if said[voter] is SILENT:
            if chance.randrange(2):
                tally.silent(str(voter))  # it crashed; else it hangs, and is never heard of
            continue
        with contextlib.suppress(Incomparable):
            tally.hear(str(voter), said[voter])
    return said[int(tally.sides()[0][0])] if tally.decided else SILENT
