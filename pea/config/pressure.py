"""Settings of what happens when memory gets short."""

from __future__ import annotations

import msgspec

from pea.config.units import Bytes, Seconds


class PressureSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The process's resident memory: above ``steady`` it gives way step by step, at ``peak`` in all it can."""

    on: bool = True
    steady: Bytes = Bytes(512_000_000)
    peak: Bytes = Bytes(1_000_000_000)
    interval: Seconds = Seconds(1.0)  # between two looks, and so between two steps
