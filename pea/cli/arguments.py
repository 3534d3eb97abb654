"""Input for a capability from the command line: ``key=value`` words, read by the types its schema declares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pea.errors import InputError


def parse(words: Iterable[str], text: str | None, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The input that ``key=value`` words and a JSON object ``text`` make; the words win.

    A value is taken as text where the schema of its field allows text, else as JSON; a list of texts may be written as
    ``a,b``. ``key:=value`` always means JSON.
    Raises InputError for a word that is not of this form or text that is not a JSON object.
    """
    found: dict[str, Any] = {}
    if text is not None:
        found.update(_object(text))
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.rstrip(":"):
            raise InputError(f"{word!r} is not of the form key=value", where="input", fix="for example: day=2026-05-12")
        if key.endswith(":"):
            found[key[:-1]] = _json(value, key[:-1])
        else:
            found[key] = _value(value, key, _field(schema, key), schema.get("$defs", {}))
    return found


def _value(value: str, key: str, field: Mapping[str, Any] | None, definitions: Mapping[str, Any]) -> Any:
    """A field that is not declared is taken as text, so that its refusal names it."""
    if field is None or _is_text(field, definitions):
        return value
    if value != "null" and not value.lstrip().startswith("[") and _is_text_list(field, definitions):
        return [part.strip() for part in value.split(",") if part.strip()]
    return _json(value, key)


def _object(text: str) -> dict[str, Any]:
    value = _json(text, "input")
    if not isinstance(value, dict):
        raise InputError("must be a JSON object", where="--input")
    return value


def _json(text: str, key: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise InputError(f"{text[:60]!r} is not JSON: {error}", where=key) from None


def _field(schema: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    root = schema
    if "$ref" in root:
        root = schema.get("$defs", {}).get(root["$ref"].rsplit("/", 1)[-1], {})
    found: Mapping[str, Any] | None = root.get("properties", {}).get(key)
    return found


def _is_text_list(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> bool:
    options = field.get("anyOf", [field])
    items = [one.get("items") for one in options if one.get("type") == "array"]
    return any(item and _is_text(item, definitions) for item in items)


def _is_text(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> bool:
    if "$ref" in field:
        return _is_text(definitions.get(field["$ref"].rsplit("/", 1)[-1], {}), definitions)
    if "anyOf" in field:
        return any(_is_text(option, definitions) for option in field["anyOf"])
    if "enum" in field:
        return all(isinstance(value, str) for value in field["enum"])
    kind = field.get("type", "string")
    return "string" in kind if isinstance(kind, list) else kind == "string"
