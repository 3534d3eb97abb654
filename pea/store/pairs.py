"""Which common attributes one span has together, so that two that only different spans have are not looked for.

Sketches and sieves know what a trace has, not what one of its spans has: where every trace has both of two attributes,
each on a span of its own, they let every trace pass. What makes that many traces is common, and what is common is
little: a matrix over up to 128 marks says for each stretch of traces which of them one span had together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

MOST_COMMON = 128
COMMON_SHARE = 64  # a mark is common when one chunk in so many has it; what is rarer, the sketches find soon enough
LEARN_CHUNKS = 64  # looked at before it is said what is common
MOST_SHAPES = 4_096  # different sets of common marks; a stretch with more says that all may be together
_LOOK_BITS = 3  # one chunk in eight is looked at
_SPREAD = 0x9E3779B1  # 2^32 over the golden ratio: no rhythm in the traffic is missed

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[list[int], list[bytes]]).decode


class Pairs:
    """The matrix of one stretch; what is common is settled when it begins."""

    def __init__(self, common: Iterable[int] = ()) -> None:
        self._places = {mark: place for place, mark in enumerate(common)}
        self._common = frozenset(self._places)
        self._rows = [0] * len(self._places)
        self._shapes: set[frozenset[int]] = set()
        self._packed: bytes | None = None
        self._anything = not self._places

    def add(self, spans: Iterable[Iterable[int]]) -> None:
        """Note the marks that each span of a chunk has."""
        if self._anything:
            return
        common, shapes = self._common.intersection, self._shapes
        for marks in spans:
            shape = common(marks)
            if shape not in shapes:
                self._note(shape)

    def packed(self) -> bytes | None:
        """The matrix as stored; None when it can rule nothing out."""
        if self._anything:
            return None
        if self._packed is None:
            width = (len(self._rows) + 7) // 8
            self._packed = _encode((list(self._places), [row.to_bytes(width) for row in self._rows]))
        return self._packed

    def _note(self, shape: frozenset[int]) -> None:
        self._anything = len(self._shapes) >= MOST_SHAPES
        self._shapes.add(shape)
        self._packed = None
        bits = sum(1 << self._places[mark] for mark in shape)
        for mark in shape:
            self._rows[self._places[mark]] |= bits


class Common:
    """Learns which marks are common, from a sample of chunks."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._looked = 0

    def look(self, number: int, spans: Iterable[Iterable[int]]) -> None:
        """Count the marks of a chunk's spans if it is in the sample; ``number`` is its own."""
        if not (number * _SPREAD & 0xFFFFFFFF) >> (32 - _LOOK_BITS):
            self._looked += 1
            self._counts.update(set(chain.from_iterable(spans)))

    @property
    def enough(self) -> bool:
        """Whether enough has been looked at."""
        return self._looked >= LEARN_CHUNKS

    def marks(self) -> list[int]:
        """The common ones, most common first."""
        least = max(self._looked / COMMON_SHARE, 2)
        return [mark for mark, count in self._counts.most_common(MOST_COMMON) if count >= least]


def common_of(packed: bytes) -> list[int]:
    """The marks that a stored matrix is about."""
    common, _ = _decode(packed)
    return common


def may_be_together(packed: bytes | None, marks: Sequence[int]) -> bool:
    """Whether one span of the stretch may have all the marks; False is certain."""
    if packed is None:
        return True
    common, rows = _decode(packed)
    asked = [place for place, mark in enumerate(common) if mark in marks]
    bits = sum(1 << place for place in asked)
    return all(int.from_bytes(rows[place]) & bits == bits for place in asked)
