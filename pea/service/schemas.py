"""JSON schemas of capabilities' inputs and outputs, from the types that check them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

from pea.runtime import Capability

_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9._-]")  # OpenAPI 3.1, section 4.8.7: keys of components


@lru_cache(maxsize=1_000)  # working them out takes milliseconds each, and every page that is opened asks for all
def input_and_output(capability: Capability) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both schemas, each complete in itself and not to be changed; a type that JSON Schema cannot say is left open."""
    try:
        return capability.schemas()
    except (TypeError, ValueError, RecursionError):
        # A stranger's agent with an exotic type must not take the list of all capabilities with it.
        return {"type": "object"}, {}


def input_components(capability: Capability) -> tuple[dict[str, Any], dict[str, Any]]:
    """The input's schema for an OpenAPI document, and the components it refers to, under names of its own."""
    prefix = component_name(capability.name)
    try:
        (schema,), components = msgspec.json.schema_components(
            [capability.input_type], ref_template=f"#/components/schemas/{prefix}.{{name}}"
        )
    except (TypeError, ValueError, RecursionError):
        return {"type": "object"}, {}
    return schema, {f"{prefix}.{name}": component for name, component in components.items()}


def component_name(capability: str) -> str:
    """A capability's name as the key of a component; two names never become one, for no name contains a hyphen."""
    return _NOT_IN_KEYS.sub(lambda found: f"-{ord(found[0]):x}-", capability)


def accepts_nothing(capability: Capability) -> bool:
    """Whether the capability can be called without any input."""
    return not any(field.required for field in msgspec.structs.fields(capability.input_type))
