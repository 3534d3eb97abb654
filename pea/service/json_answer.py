"""Writes a value as a JSON answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

_ENCODER = msgspec.json.Encoder()


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """The value as JSON; structs, dates and enumerations as msgspec writes them."""
    return web.Response(status=status, body=_ENCODER.encode(value), headers=headers, content_type="application/json")
