"""Settings of agreement: which calls are put to the vote without being asked to."""

from __future__ import annotations

from typing import Annotated

import msgspec


class AgreementSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an agent has at least four replicas (``runtime.replicas``), its idempotent capabilities can be voted on."""

    critical: bool = True  # calls made by tasks of critical priority are
    agents: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 2  # so are those of tasks that touch more agents than this
    never: tuple[str, ...] = ()  # agents and capabilities whose answers differ by nature: the time, a random choice
