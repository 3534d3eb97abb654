"""A figure that has a limit instead of a peer: a time to be ready, a size, a rate."""

from __future__ import annotations

import msgspec


class Figure(msgspec.Struct, frozen=True, tag_field="kind", tag="figure"):
    """``value`` in ``unit`` from ``count`` measurements; ``budget`` is the most (``at_least``: the least) allowed.

    ``samples`` are the measurements themselves by launch of the suite, where an earlier run may be compared with them;
    fewer of the unit are better, unless ``at_least``.
    """

    what: str
    value: float
    unit: str
    count: int = 1
    budget: float | None = None
    note: str = ""
    at_least: bool = False
    samples: tuple[tuple[float, ...], ...] = ()

    @property
    def passed(self) -> bool | None:
        """Whether the budget is met; None when there is none."""
        if self.budget is None:
            return None
        return self.value >= self.budget if self.at_least else self.value <= self.budget
