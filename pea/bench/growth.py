"""How the cost of one unit changes as there are more of them: measured at several sizes in turns, fitted as a power."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from pea.bench.figure import Figure

ROUNDS = 7
SLICE_S = 0.01
DRAWS = 500

Work = Callable[[], int]  # does something once; so many units of it


class Power(msgspec.Struct, frozen=True):
    """``cost of a unit ~ size ** exponent``, with the 95 % interval that the rounds' scatter gives."""

    exponent: float
    low: float
    high: float


def rounds(works: Mapping[int, Work], count: int = ROUNDS, slice_s: float = SLICE_S) -> dict[int, list[float]]:
    """CPU nanoseconds of a unit by size, a value each round; the sizes take turns."""
    costs: dict[int, list[float]] = {size: [] for size in works}
    for turn in range(count + 1):
        for size, work in works.items():
            units, began, spent = 0, time.process_time(), 0.0
            while spent < slice_s:
                units += work()
                spent = time.process_time() - began
            if turn:  # the first of each warms up
                costs[size].append(1e9 * spent / units)
    return costs


def together(families: Mapping[str, Mapping[int, Work]], count: int = ROUNDS) -> dict[str, dict[int, list[float]]]:
    """The `rounds` of several kinds of work, which take turns: what else the machine does falls on all alike."""
    costs: dict[str, dict[int, list[float]]] = {name: {size: [] for size in works} for name, works in families.items()}
    for _ in range(count):
        for name, works in families.items():
            for size, found in rounds(works, 1).items():
                costs[name][size] += found
    return costs


def power(costs: Mapping[int, Sequence[float]], seed: int = 1) -> Power:
    """Least squares over the logarithms of each size's median; the interval is of a bootstrap over the rounds."""
    sizes = np.log(np.array(sorted(costs), np.float64))
    dice = np.random.default_rng(seed)

    def exponent(pick: Callable[[np.ndarray], np.ndarray]) -> float:
        medians = [math.log(float(np.median(pick(np.array(costs[size]))))) for size in sorted(costs)]
        return float(np.polyfit(sizes, medians, 1)[0])

    drawn = [exponent(lambda values: dice.choice(values, len(values))) for _ in range(DRAWS)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Power(exponent(lambda values: values), float(low), float(high))


def allowed(sizes: Sequence[int]) -> float:
    """The exponent that a unit's cost may have: that of log n over these sizes, and never less than a tenth."""
    least, most = max(min(sizes), 2), max(sizes)
    return max(0.1, math.log(math.log(most) / math.log(least)) / math.log(most / least))


def figures(
    what: str, unit: str, costs: Mapping[int, Sequence[float]], floor: Mapping[int, Sequence[float]] | None = None
) -> list[Figure]:
    """The cost of a unit at the largest size, and the exponent; worse than n log n for certain misses the budget.

    ``floor`` are the costs of the least that can be done, which grow too where memory is farther away than a cache:
    its exponent is allowed on top.
    """
    found = power(costs)
    sizes = sorted(costs)
    least = 0.0 if floor is None else max(power(floor).exponent, 0.0)
    bound = allowed(sizes) + least
    told = ", ".join(f"{brief(statistics.median(costs[size]))} at {size:,}" for size in sizes)
    interval = f"95 % interval {found.low:+.2f} to {found.high:+.2f}; log n would be {bound - least:.2f}"
    if floor is not None:
        interval += f", a dict's {least:+.2f}"
    count = sum(len(one) for one in costs.values())
    most = sizes[-1]
    return [
        Figure(
            f"{what}: {unit} at {most:,}", statistics.median(costs[most]) / 1e3, "µs", len(costs[most]), None, told,
            samples=(tuple(costs[most]),),
        ),
        Figure(
            "  grows as a power of", found.exponent, "", count, bound + (found.exponent - found.low), interval
        ),
    ]  # fmt: skip


def brief(nanoseconds: float) -> str:
    """A time in the unit that makes it short."""
    for name, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {name}"
    return f"{nanoseconds:.3g} ns"
