"""Policies: what a call between agents may cost, and what happens when it fails; per agent and per capability.

`runtime.policies` maps an agent's name (``travel``), a capability's (``travel.itinerary``) or ``"*"`` to a policy. What
is said of a capability goes before what is said of its agent, that before what the capability declares in code, and
that before ``"*"``. A setting left out is inherited.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from pea.config.units import Seconds

Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


class BreakerPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When to stop calling what keeps failing; on for every capability."""

    on: bool = True
    failure_rate: Share = 0.5  # of the calls in the window
    slow_after: Seconds = Seconds(0.0)  # a call that took longer counts as slow; 0: none does
    slow_rate: Share = 0.8
    window: Seconds = Seconds(10.0)
    min_calls: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 20  # below that a rate says nothing
    open_for: Seconds = Seconds(2.0)  # before the first probe; doubles while probes fail
    open_at_most: Seconds = Seconds(60.0)
    probes: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 3  # that must succeed, and that may run at once


class BulkheadPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many calls may run at once; others wait, so many and so long."""

    concurrent: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    waiting: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 100
    wait: Seconds = Seconds(0.1)


class RatePolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many calls a second, on average; ``burst`` so many at once."""

    per_second: Annotated[float, msgspec.Meta(gt=0, le=1e6)]
    burst: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1


class RetryBudgetPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many retries the calls that succeed pay for: ``ratio`` each, saved up to ``burst``."""

    ratio: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.2
    burst: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 10


class HedgePolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a second, equal call is sent beside one that is late; for idempotent capabilities only."""

    quantile: Annotated[float, msgspec.Meta(ge=0.5, lt=1)] = 0.95  # of the recent calls: later than that is late
    at_least: Seconds = Seconds(0.01)  # never earlier than this
    share: Share = 0.1  # of the calls, at most, may be sent twice


class FallbackPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to answer when all attempts failed: a value of the declared type, or another capability's answer."""

    value: Any = msgspec.UNSET
    capability: str = ""


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How calls to a capability are made; None is inherited."""

    deadline: Seconds | None = None  # the whole call, retries and pauses included; never extends the caller's
    timeout: Seconds | None = None  # each attempt
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] | None = None
    retry_base: Seconds | None = None
    retry_cap: Seconds | None = None
    retry_budget: RetryBudgetPolicy | None = None
    breaker: BreakerPolicy | None = None
    bulkhead: BulkheadPolicy | None = None
    rate: RatePolicy | None = None
    hedge: HedgePolicy | None = None
    fallback: FallbackPolicy | None = None
