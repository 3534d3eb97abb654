"""What the fleet offers, as an agent may see it to choose from: names, descriptions, inputs, and what writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pea.runtime.contract import Capability


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One capability. ``fields`` are the JSON schemas of its arguments by name, those it must have in ``required``."""

    name: str
    agent: str
    description: str
    fields: dict[str, Any]
    required: tuple[str, ...]
    writes: bool


def offers(capabilities: Mapping[str, Capability]) -> tuple[Offer, ...]:
    """Every capability by name; one whose types JSON Schema cannot say is left out."""
    return tuple(offer for _, one in sorted(capabilities.items()) if (offer := _offer(one)) is not None)


def _offer(capability: Capability) -> Offer | None:
    try:
        schema = capability.schemas()[0]
    except (TypeError, ValueError, RecursionError):
        return None
    root = schema
    if "$ref" in schema:
        root = schema["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    return Offer(
        name=capability.name,
        agent=capability.agent,
        description=capability.description,
        fields=root.get("properties", {}),
        required=tuple(root.get("required", ())),
        writes=capability.declared.writes,
    )
