"""Leaves: child spans without children of their own, recorded as tuples on their parent.

A cache lookup or a wait in a queue takes less time than a span costs. Such a piece of work is written down as
``(name, start_ns, end_ns, attributes)`` and becomes a real child span, with an id of its own, when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from opentelemetry.util.types import AnyValue

#: Name, start and end (ns since the epoch), attributes. The attributes are kept, not copied: do not change them.
Leaf: TypeAlias = tuple[str, int, int, Mapping[str, AnyValue] | None]

_MASK = (1 << 64) - 1
_STRIDE = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: odd, so no two of a parent's leaves share an id


def leaf_id(parent_id: int, index: int) -> int:
    """The span id of a span's ``index``-th leaf: the same whenever it is asked for, as random as the parent's id."""
    return (parent_id + (index + 1) * _STRIDE) & _MASK or _STRIDE
