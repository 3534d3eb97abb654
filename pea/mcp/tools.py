"""A capability as a tool: a name that every host takes, schemas with an object at the root, what it changes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from pea.errors import did_you_mean
from pea.runtime import Capability

MAX_NAME = 64  # characters; hosts that hand tools to a language model take no more
RESULT = "result"  # the field of a result that is no object by itself
_ROUGH = re.compile(r"[^A-Za-z0-9_-]")

Schema = dict[str, Any]


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One tool as it is listed. ``wrapped`` says that its result stands in the field ``result``."""

    name: str
    capability: str
    description: str
    input: Schema
    output: Schema | None
    wrapped: bool
    writes: bool
    idempotent: bool


class Toolbox:
    """The tools that a fleet's capabilities make, found by the tool's name or the capability's own."""

    def __init__(self, capabilities: Mapping[str, Capability]) -> None:
        self._capabilities = capabilities
        self._seen: tuple[Capability, ...] = ()
        self._tools: dict[str, Tool] = {}

    def listed(self) -> list[Tool]:
        """Every tool, by name."""
        return list(self._fresh().values())

    def find(self, name: str) -> Tool | None:
        """The tool of this name; a capability's own name is understood as well."""
        tools = self._fresh()
        return tools.get(name) or next((tool for tool in tools.values() if tool.capability == name), None)

    def hint(self, name: str) -> str:
        """What to do about a name that is no tool's."""
        return did_you_mean(name, self._fresh()) or "list the tools again"

    def _fresh(self) -> dict[str, Tool]:
        """The tools, made anew when the capabilities are others than the last time."""
        seen = tuple(self._capabilities.values())
        if seen != self._seen:
            self._tools, self._seen = _named(self._capabilities), seen
        return self._tools


def _named(capabilities: Mapping[str, Capability]) -> dict[str, Tool]:
    tools: dict[str, Tool] = {}
    for name in sorted(capabilities):
        short = _ROUGH.sub("_", name)[:MAX_NAME]
        free, number = short, 2
        while free in tools:  # `a.b_c` and `a_b.c` are one name to those who take no dots
            free, number = f"{short[: MAX_NAME - 4]}_{number}", number + 1
        tools[free] = _tool(free, capabilities[name])
    return tools


def _tool(name: str, capability: Capability) -> Tool:
    try:
        given, answered = capability.schemas()
    except (TypeError, ValueError, RecursionError):  # a stranger's exotic type must not take the list with it
        given, answered = {"type": "object"}, {}
    output = _at_root(answered)
    wrapped = output.get("type") != "object"
    if wrapped:
        definitions = output.pop("$defs", None)
        output = {"type": "object", "properties": {RESULT: output}, "required": [RESULT]}
        if definitions:
            output["$defs"] = definitions
    declared = capability.declared
    return Tool(
        name=name,
        capability=capability.name,
        description=capability.description or capability.name,
        input={"type": "object", **_at_root(given)},
        output=output,
        wrapped=wrapped,
        writes=declared.writes,
        idempotent=declared.idempotent,
    )


def _at_root(schema: Schema) -> Schema:
    """The schema with what its root refers to written out there; MCP wants to see an object's type at once."""
    reference = schema.get("$ref")
    definitions: Mapping[str, Schema] = schema.get("$defs", {})
    if reference is None:
        return dict(schema)
    root = reference.rsplit("/", 1)[-1]
    found = dict(definitions.get(root, {}))
    others = {name: one for name, one in definitions.items() if name != root}
    if reference.encode() in msgspec.json.encode([found, others]):
        others[root] = definitions[root]  # it contains itself
    return {**found, "$defs": others} if others else found
