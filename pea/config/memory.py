"""Settings of the agents' memory: what they are told to remember, by namespace and key."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pea.config.units import Bytes, Seconds


class MemorySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds of what is remembered; past one, what was used least recently is forgotten."""

    entries: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 100_000
    size: Bytes = Bytes(64 << 20)
    value: Bytes = Bytes(256 << 10)  # of one value, as JSON
    age: Seconds = Seconds(365 * 86_400.0)  # of an entry stored without a time to live
