"""Says in words, with the field's name, why a value did not fit a struct."""

from __future__ import annotations

import enum
import re
import typing
from typing import Any, NamedTuple

import msgspec

from pea.errors import did_you_mean

_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>.*?)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<field>.*)`$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<field>.*)`$", re.DOTALL)


class Misfit(NamedTuple):
    """Why a value does not fit: what is wrong, the field it is wrong at, and what would be right, if that is known."""

    what: str
    where: str | None
    fix: str | None


def misfit(error: msgspec.ValidationError, kind: type[msgspec.Struct]) -> Misfit:
    """What a validation error of a struct of this kind says."""
    match = _AT.match(str(error))
    what, where = (match["what"], match["where"]) if match else (str(error), None)
    unknown, missing = _UNKNOWN.match(what), _MISSING.match(what)
    if unknown:
        field = unknown["field"]
        fix = None if where else did_you_mean(field, kind.__struct_encode_fields__)
        return Misfit("there is no field of this name", f"{where}.{field}" if where else field, fix)
    if missing:
        field = missing["field"]
        return Misfit("is required", f"{where}.{field}" if where else field, None)
    words = choices(kind, where or "")
    return Misfit(what[:1].lower() + what[1:], where or None, f"one of {', '.join(words)}" if words else None)


def choices(kind: type[msgspec.Struct], name: str) -> list[str]:
    """The words that a field may have, when they are enumerated; else nothing."""
    for field in msgspec.structs.fields(kind):
        if field.encode_name == name:
            return _words(field.type)
    return []


def _words(kind: Any) -> list[str]:
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        return [str(member.value) for member in kind]
    if typing.get_origin(kind) is typing.Literal:
        return [str(word) for word in typing.get_args(kind)]
    return [word for part in typing.get_args(kind) for word in _words(part)]
