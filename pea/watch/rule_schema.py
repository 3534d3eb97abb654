"""The rules' JSON Schema, made from their structs: editors complete and check rule files with it."""

from __future__ import annotations

from typing import Any

import msgspec

from pea.config import Seconds
from pea.watch.rule import Amount, Frequency, RuleFile, Share
from pea.watch.signals import listing

_SHAPES: dict[type, dict[str, Any]] = {
    Seconds: {
        "anyOf": [
            {"type": "number", "minimum": 0},
            {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d)?\s*$"},
        ],
        "examples": ["30s", "5m", "1h"],
    },
    Amount: {"type": ["number", "string"], "examples": ["1s", "900ms", "1GiB", "5%", "2/s"]},
    Frequency: {
        "type": "string",
        "pattern": r"^\s*\d+(\.\d+)?\s*/\s*(day|week|month|year)\s*$",
        "examples": ["1/month", "1/week"],
    },
    Share: {
        "anyOf": [
            {"type": "number", "minimum": 0, "maximum": 1},
            {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*%\s*$"},
        ],
        "examples": ["99.9%"],
    },
}


def schema() -> dict[str, Any]:
    """The schema of a rule file (JSON Schema 2020-12)."""
    made: dict[str, Any] = msgspec.json.schema(RuleFile, schema_hook=_shape)
    made["$defs"]["Rule"]["properties"]["signal"]["examples"] = [one.name for one in listing()]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "PEA alert rules", **made}


def _shape(kind: type) -> dict[str, Any]:
    return _SHAPES[kind]
