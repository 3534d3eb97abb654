"""Input for a capability from the command line: ``key=value`` words, read by the types its schema declares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pea.errors import InputError


def parse(words: Iterable[str], text: str | None, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The input that ``key=value`` words and a JSON object ``text`` make; the words win.

    A value is taken as text where the schema of its field allows text, else as JSON. ``key:=value`` always means JSON.
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
            found[key] = value if _takes_text(schema, key) else _json(value, key)
    return found


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


def _takes_text(schema: Mapping[str, Any], key: str) -> bool:
    """Whether a field may hold text; a field that is not declared does, so that its refusal names it."""
    definitions = schema.get("$defs", {})
    root = schema
    if "$ref" in root:
        root = definitions.get(root["$ref"].rsplit("/", 1)[-1], {})
    field = root.get("properties", {}).get(key)
    return True if field is None else _is_text(field, definitions)


def _is_text(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> bool:
    if "$ref" in field:
        return _is_text(definitions.get(field["$ref"].rsplit("/", 1)[-1], {}), definitions)
    if "anyOf" in field:
        return any(_is_text(option, definitions) for option in field["anyOf"])
    if "enum" in field:
        return all(isinstance(value, str) for value in field["enum"])
    kind = field.get("type", "string")
    return "string" in kind if isinstance(kind, list) else kind == "string"
