"""Settings of the HTTP connections that agents share."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pea.config.units import Seconds


class HttpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``ctx.http``: one pool for the whole fleet."""

    per_host: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 5
    connections: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 20
    idle: Seconds = Seconds(30.0)  # before a connection that nobody uses is closed
    acquire: Seconds = Seconds(5.0)  # what a request waits for a connection, free or new
    timeout: Seconds = Seconds(30.0)  # of a whole request; the caller's deadline is usually nearer
