"""OpenAI's chat completions over HTTP: one request, and its answer piece by piece as server-sent events.

With aiohttp, which is here anyway: the protocol is one POST and a stream of JSON, and the official client would add
pydantic, httpx and half a second to say it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import msgspec

from pea.config import LlmSettings
from pea.llm.errors import LlmFailed, LlmRefused

if TYPE_CHECKING:
    import aiohttp

MAX_EVENT = 1 << 20  # bytes of one event
MAX_ERROR = 2_000  # characters of a refusal that are shown
REFUSED = frozenset({400, 401, 402, 403, 404, 405, 413, 415, 422})


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an answer: text, or what is told about it at its end."""

    text: str = ""
    finish: str = ""
    model: str = ""
    id: str = ""
    usage: tuple[int, int] | None = None  # tokens in and out


class Delta(msgspec.Struct, frozen=True):
    """What is new of the answer."""

    content: str | None = None


class Choice(msgspec.Struct, frozen=True):
    """One of the answers; the others are never asked for."""

    delta: Delta = Delta()
    message: Delta = Delta()
    finish_reason: str | None = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens, as the server counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Event(msgspec.Struct, frozen=True):
    """One event of the stream, or the whole answer of a server that does not stream."""

    choices: list[Choice] = []
    usage: Usage | None = None
    model: str = ""
    id: str = ""
    error: Any = None


_DECODER = msgspec.json.Decoder(Event)


class RetryLater(LlmFailed):
    """The server says that it will do it later."""

    def __init__(self, what: str, after_s: float | None, where: str) -> None:
        super().__init__(what, where=where)
        self.after_s = after_s


async def exchange(
    client: aiohttp.ClientSession, settings: LlmSettings, body: dict[str, Any], headers: dict[str, str]
) -> AsyncIterator[Piece]:
    """Send a request and give its answer as it comes. Raises LlmRefused, RetryLater or LlmFailed."""
    import aiohttp

    url = settings.url.rstrip("/") + "/chat/completions"
    limit = aiohttp.ClientTimeout(total=float(settings.timeout), sock_read=float(settings.first_token))
    try:
        async with client.post(
            url, data=msgspec.json.encode(body), headers=headers, timeout=limit, allow_redirects=False
        ) as response:
            if response.status != 200:
                raise await _refusal(response, settings.url)
            if response.content_type == "application/json":
                yield _piece(await _whole(response, int(settings.answer_size) + MAX_EVENT), settings.url)
                return
            async for data in _events(response.content, settings.url):
                if data == b"[DONE]":
                    return
                yield _piece(data, settings.url)
    except TimeoutError as error:
        raise LlmFailed("the model was silent for too long", where=settings.url) from error
    except aiohttp.ClientError as error:
        raise LlmFailed(f"cannot be reached: {str(error) or type(error).__name__}", where=settings.url) from error


async def _whole(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, of which nothing beyond ``limit`` bytes is kept or waited for."""
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) >= limit:
            break
    return bytes(data[:limit])


async def _events(content: aiohttp.StreamReader, where: str) -> AsyncIterator[bytes]:
    """The data of each event of a stream (HTML standard, section 9.2.6), bounded in size."""
    held = b""
    data: list[bytes] = []
    async for chunk in content.iter_any():
        held += chunk
        *lines, held = held.replace(b"\r\n", b"\n").split(b"\n")
        if len(held) > MAX_EVENT or sum(map(len, data)) > MAX_EVENT:
            raise LlmFailed("sends an event without end", where=where)
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[5:].strip())
            elif not line and data:
                yield b"\n".join(data)
                data = []
    if data:
        yield b"\n".join(data)


def _piece(data: bytes, where: str) -> Piece:
    try:
        event = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise LlmFailed(f"answers with what is no chat completion: {error}", where=where) from error
    if event.error is not None:
        raise LlmFailed(f"broke off: {str(event.error)[:MAX_ERROR]}", where=where)
    choice = event.choices[0] if event.choices else Choice()
    usage = event.usage
    return Piece(
        text=choice.delta.content or choice.message.content or "",
        finish=choice.finish_reason or "",
        model=event.model[:200],
        id=event.id[:200],
        usage=None if usage is None else (max(0, usage.prompt_tokens), max(0, usage.completion_tokens)),
    )


async def _refusal(response: aiohttp.ClientResponse, where: str) -> Exception:
    text = (await _whole(response, MAX_ERROR)).decode("utf-8", "replace")
    what = f"answered {response.status}: {' '.join(text.split())}"
    if response.status in REFUSED:
        return LlmRefused(what, where=where, fix="check llm.url, llm.model and llm.key")
    after = response.headers.get("Retry-After", "")
    return RetryLater(what, float(after) if after.isascii() and after.isdigit() else None, where)
