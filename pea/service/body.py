"""Reads a request's body as JSON, bounded in size, depth and time, and refuses what two readers could read differently.

Python's own parser is used because it reports line and column and lets duplicate keys, NaN and overflowing numbers be
refused (RFC 8259, sections 4 and 6, leaves them open).
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from typing import Any, NoReturn, TypeVar

import msgspec
from aiohttp import hdrs, web

from pea.errors import InputError
from pea.service.fields import misfit
from pea.service.refusals import BodyTooLarge, BodyTooSlow, MalformedJson, MalformedRequest, UnsupportedMedia

T = TypeVar("T", bound=msgspec.Struct)

MAX_DEPTH = 64
MAX_EXACT_FLOAT = 1 << 53  # above it, neighbouring whole numbers are one float
MAX_KEY_SHOWN = 60
READ_TIMEOUT_S = 30.0

_TOO_DEEP = f"is nested deeper than {MAX_DEPTH} levels"
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


async def read_struct(request: web.Request, kind: type[T]) -> T:
    """The body as a struct; raises InputError that names the field, and what `read_json` raises."""
    value = await read_json(request)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        what, where, fix = misfit(error, kind)
        raise InputError(what, where=where or "body", fix=fix) from None


async def read_json(request: web.Request) -> Any:
    """The body's value. Raises UnsupportedMedia, BodyTooLarge, BodyTooSlow, MalformedRequest or MalformedJson."""
    if request.content_type != "application/json":
        given = request.headers.get(hdrs.CONTENT_TYPE)
        raise UnsupportedMedia(
            f"the body is {given!a}" if given else "the body's type is not given",
            where="Content-Type",
            fix="send Content-Type: application/json",
            headers={"Accept-Post": "application/json"},
        )
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMedia(
            f"a body encoded as {encoding!a} is not read here",
            where="Content-Encoding",
            fix="send the body as it is",
            headers={"Accept-Encoding": "identity"},  # RFC 9110, section 12.5.3
        )
    return parse(await _read(request))


async def _read(request: web.Request) -> bytes:
    limit = request.client_max_size
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    try:
        if request.content.is_eof():  # it came with the headers
            return await request.read()
        async with asyncio.timeout(READ_TIMEOUT_S):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(limit) from None
    except TimeoutError:
        raise BodyTooSlow(f"the body did not arrive within {READ_TIMEOUT_S:g} s") from None
    except web.RequestPayloadError as error:
        raise MalformedRequest(f"the body is broken: {error}") from None


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"the body is larger than {limit:,} bytes", fix="send less, or raise the setting service.max_body"
    )


def parse(data: bytes) -> Any:
    """The value of a JSON text in UTF-8; MalformedJson says what is wrong and where."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJson("is not UTF-8", where=f"body, byte {error.start}") from None
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        what = error.msg[:1].lower() + error.msg[1:]
        raise MalformedJson(what, where=f"body, line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise MalformedJson(_TOO_DEEP, where="body") from None
    except ValueError as error:  # an integer of more digits than Python converts
        raise MalformedJson(f"a number is too long: {error}", where="body") from None
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise MalformedJson(_TOO_DEEP, where="body")
    if _ESCAPED_SURROGATE.search(data):
        _refuse_lone_surrogates(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise MalformedJson("an object has this key twice", where=f"key {twice[:MAX_KEY_SHOWN]!a}")
    return found


def _no_constant(word: str) -> NoReturn:
    raise MalformedJson(f"{word} is not JSON", where="body", fix="write null, or leave the field out")


def _finite(digits: str) -> float | int:
    """``3.0`` is the whole number 3, as JSON Schema has it; a field for fractions takes whole numbers too."""
    number = float(digits)
    if not math.isfinite(number):
        raise MalformedJson(f"{digits[:MAX_KEY_SHOWN]} is beyond what a number can hold", where="body")
    whole = number.is_integer() and abs(number) <= MAX_EXACT_FLOAT and (number or math.copysign(1.0, number) > 0)
    return int(number) if whole else number


def _depth(value: Any) -> int:
    """How deep lists and objects are nested, without recursion."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


def _refuse_lone_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedJson("half of a surrogate pair is not a character", where="body") from None
