"""Types from JSON schemas: what another server's tool takes, checked here before it is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union

import msgspec

MAX_DEPTH = 6  # deeper parts of a schema are taken as they come; the server checks them
MAX_FIELDS = 200
MAX_UNION = 12  # alternatives may refer to such alternatives: the work is this to the power of the depth
_PLAIN = {"string": str, "integer": int, "number": float, "boolean": bool, "null": type(None)}
_BOUNDS = {
    "minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt", "minLength": "min_length",
    "maxLength": "max_length", "minItems": "min_length", "maxItems": "max_length",
}  # fmt: skip


def input_struct(title: str, schema: Mapping[str, Any]) -> type[msgspec.Struct]:
    """A struct whose fields are the schema's properties, under their own names; what is unknown is refused."""
    required = set(_list(schema.get("required")))
    properties = _mapping(schema.get("properties"))
    fields: list[Any] = []
    for number, (name, field) in enumerate(list(properties.items())[:MAX_FIELDS]):
        kind = type_of(field, schema, MAX_DEPTH)
        own = (
            msgspec.field(name=str(name)) if name in required else msgspec.field(name=str(name), default=msgspec.UNSET)
        )
        fields.append((f"a{number}", kind if name in required else _or(kind, msgspec.UnsetType), own))
    made = msgspec.defstruct(re.sub(r"\W", "_", title), fields, kw_only=True, frozen=True, forbid_unknown_fields=True)
    try:
        msgspec.json.Decoder(made)
    except (TypeError, NotImplementedError):  # msgspec cannot tell a union apart, or keep a huge number; the server can
        loose = [(one[0], Any, one[2]) for one in fields]
        made = msgspec.defstruct(made.__name__, loose, kw_only=True, frozen=True, forbid_unknown_fields=True)
    return made


def type_of(schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    """The type of what fits a schema, or Any where Python's types cannot say it."""
    if not isinstance(schema, Mapping) or depth <= 0:
        return Any
    if "$ref" in schema:
        return type_of(_resolved(str(schema["$ref"]), root), root, depth - 1)
    if "const" in schema or "enum" in schema:
        values = _list(schema.get("enum", [schema.get("const")]))
        return Literal[tuple(values)] if values and all(type(one) in (str, int) for one in values) else Any
    for word in ("anyOf", "oneOf"):
        if word in schema:
            kinds = _list(schema[word])
            return _union([type_of(one, root, depth - 1) for one in kinds]) if len(kinds) <= MAX_UNION else Any
    kind = schema.get("type")
    if isinstance(kind, list):
        return _union([type_of({**schema, "type": one}, root, depth - 1) for one in kind])
    if kind == "array":
        return _bounded(list[type_of(schema.get("items"), root, depth - 1)], schema, ("minItems", "maxItems"))  # type: ignore[misc]
    if kind == "object":
        return dict[str, Any]
    if kind == "string":
        return _bounded(str, schema, ("minLength", "maxLength"))
    if kind in ("integer", "number"):
        return _bounded(_PLAIN[kind], schema, ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"))
    return _PLAIN.get(str(kind), Any)


def _bounded(kind: Any, schema: Mapping[str, Any], words: tuple[str, ...]) -> Any:
    bounds = {
        _BOUNDS[word]: schema[word]
        for word in words
        if isinstance(schema.get(word), int | float) and not isinstance(schema[word], bool)
    }
    try:
        return Annotated[kind, msgspec.Meta(**bounds)] if bounds else kind
    except (TypeError, ValueError):  # a length of -1 or 2.0, a bound twice: the server checks it
        return kind


def _union(kinds: list[Any]) -> Any:
    if not kinds or any(kind is Any for kind in kinds):
        return Any
    return Union[tuple(kinds)]  # noqa: UP007 - of a list that is not known before


def _or(kind: Any, other: Any) -> Any:
    return Any if kind is Any else Union[kind, other]  # noqa: UP007 - of types made at run time


def _resolved(reference: str, root: Mapping[str, Any]) -> Any:
    node: Any = root
    for part in reference.removeprefix("#/").split("/"):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
