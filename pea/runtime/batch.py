"""How a capability's calls are collected into batches."""

from __future__ import annotations

from pea.config import Seconds


class Batch:
    """So many calls at most, or those that came within ``window`` (``"10ms"``; 0: in one turn of the event loop)."""

    __slots__ = ("size", "window_s")

    def __init__(self, size: int = 10, window: str | float = "10ms") -> None:
        """TypeError or ValueError for a batch that could not be."""
        if not 2 <= size <= 100_000:
            raise ValueError(f"a batch has 2 to 100,000 calls, not {size}")
        self.size = size
        self.window_s = float(Seconds.parse(window))
