"""Settings of broadcasts and topics."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pea.config.units import Bytes, Seconds


class BroadcastSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question to many agents, and messages to those who subscribed."""

    reply_timeout: Seconds = Seconds(1.0)  # of each reply, and of each further item of a stream
    cached: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 1_000  # replies that are kept; 0: none
    cached_size: Bytes = Bytes(16 << 20)
    cached_age: Seconds = Seconds(5.0)
    subscriptions: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1_000
    publish_wait: Seconds = Seconds(1.0)  # for room with a subscriber; then it misses the message, and is told
