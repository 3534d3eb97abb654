"""The one policy that holds for a capability, put together from configuration, declaration and defaults."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from pea.config import RuntimeSettings
from pea.config.policies import (
    BreakerPolicy,
    BulkheadPolicy,
    FallbackPolicy,
    HedgePolicy,
    Policy,
    RatePolicy,
    RetryBudgetPolicy,
)
from pea.errors import ConfigError, did_you_mean
from pea.runtime.contract import Capability

EVERYTHING = "*"
_PLACE = "runtime.policies"


class Effective(msgspec.Struct, frozen=True, kw_only=True):
    """How calls to one capability are made; times in seconds, None is off."""

    timeout_s: float
    retries: int
    retry_base_s: float
    retry_cap_s: float
    retry_budget: RetryBudgetPolicy
    breaker: BreakerPolicy
    deadline_s: float | None = None
    bulkhead: BulkheadPolicy | None = None
    rate: RatePolicy | None = None
    hedge: HedgePolicy | None = None
    fallback: FallbackPolicy | None = None


def effective(capability: Capability, settings: RuntimeSettings) -> Effective:
    """What holds for this capability. Only what is idempotent is retried or hedged, whatever ``"*"`` or its agent say.

    Raises ConfigError when its own entry asks for what it cannot have.
    """
    declared, policies = capability.declared, settings.policies
    own = policies.get(capability.name)
    if own is not None and not declared.idempotent and (own.retries or own.hedge is not None):
        what = f"{capability.name} is not idempotent: it can be neither retried nor hedged"
        fix = "leave out retries and hedge, or declare it with idempotent=True"
        raise ConfigError(what, where=f"{_PLACE}.{capability.name}", fix=fix)
    layers = (
        own,
        policies.get(capability.agent),
        Policy(timeout=declared.timeout_s, retries=declared.retries),  # type: ignore[arg-type]
        policies.get(EVERYTHING),
    )

    def first(field: str, default: Any) -> Any:
        found = (getattr(layer, field) for layer in layers if layer is not None)
        return next((value for value in found if value is not None), default)

    deadline = first("deadline", None)
    return Effective(
        timeout_s=float(first("timeout", settings.timeout)),
        retries=first("retries", settings.retries) if declared.idempotent else 0,
        retry_base_s=float(first("retry_base", settings.retry_base)),
        retry_cap_s=float(first("retry_cap", settings.retry_cap)),
        retry_budget=first("retry_budget", RetryBudgetPolicy()),
        breaker=first("breaker", BreakerPolicy()),
        deadline_s=None if deadline is None else float(deadline),
        bulkhead=first("bulkhead", None),
        rate=first("rate", None),
        hedge=first("hedge", None) if declared.idempotent else None,
        fallback=first("fallback", None),
    )


def check_policies(
    settings: RuntimeSettings, capabilities: Mapping[str, Capability], agents: Collection[str], *, unloaded: bool
) -> None:
    """Raise ConfigError for a policy that could never hold, before the first call finds out.

    With ``unloaded`` some agents could not be loaded: what their capabilities are is not known, so any name may be.
    """
    known = {EVERYTHING, *capabilities, *agents}
    for name, policy in settings.policies.items():
        where = f"{_PLACE}.{name}"
        if name not in known and not unloaded:
            raise ConfigError(f"no agent or capability is called {name!r}", where=where, fix=did_you_mean(name, known))
        if policy.fallback is not None:
            _check_fallback(policy.fallback, where, capabilities, unloaded=unloaded)
    for capability in capabilities.values():
        fallback = effective(capability, settings).fallback
        if fallback is not None:
            stand_in(capability, fallback)
            _check_circle(capability, settings, capabilities)


def stand_in(capability: Capability, fallback: FallbackPolicy) -> Any:
    """The fallback's value as the capability's type, UNSET for a capability's; ConfigError if it does not fit."""
    if fallback.value is msgspec.UNSET:
        return msgspec.UNSET
    try:
        return msgspec.convert(fallback.value, capability.output_type)
    except msgspec.ValidationError as error:
        where = f"{_PLACE}.{capability.name}.fallback.value"
        raise ConfigError(f"is not what {capability.name} returns: {error}", where=where) from None


def _check_fallback(
    fallback: FallbackPolicy, where: str, capabilities: Mapping[str, Capability], *, unloaded: bool
) -> None:
    if (fallback.value is msgspec.UNSET) == (not fallback.capability):
        raise ConfigError("a fallback is a value or a capability, one of them", where=f"{where}.fallback")
    if fallback.capability and fallback.capability not in capabilities and not unloaded:
        fix = did_you_mean(fallback.capability, capabilities)
        raise ConfigError(f"no agent offers {fallback.capability!r}", where=f"{where}.fallback", fix=fix)


def _check_circle(capability: Capability, settings: RuntimeSettings, capabilities: Mapping[str, Capability]) -> None:
    seen, at = {capability.name}, capability
    while (fallback := effective(at, settings).fallback) is not None and fallback.capability in capabilities:
        if fallback.capability in seen:
            fix = "let one of them fall back on a value, or on nothing"
            raise ConfigError("its fallbacks go in a circle", where=f"{_PLACE}.{capability.name}.fallback", fix=fix)
        seen.add(fallback.capability)
        at = capabilities[fallback.capability]
