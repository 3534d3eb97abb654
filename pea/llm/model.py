"""One language model: asked within budgets, with what is personal masked, cached, traced, and streamed."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import msgspec
from opentelemetry import propagate
from opentelemetry.trace import Span, SpanKind, StatusCode

from pea.cache import Namespace
from pea.config import LlmSettings
from pea.errors import ConfigError, InputError, PeaError
from pea.llm.budget import Budget, Spent
from pea.llm.errors import LlmFailed, LlmOff
from pea.llm.redact import Redaction
from pea.llm.wire import Piece, RetryLater, exchange
from pea.telemetry import Tracer, names

if TYPE_CHECKING:
    import aiohttp

PAUSE_S, LONGEST_PAUSE_S = 0.5, 20.0  # between attempts, doubling; no longer than the server says
CHARACTERS_PER_TOKEN = 3  # fewer than any tokenizer's mean for European languages: an estimate from above
TOKENS_PER_MESSAGE = 8  # roles and marks


class Message(msgspec.Struct, frozen=True):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the model wrote. ``cut`` says that it did not come to its end: it ran into a limit of length."""

    text: str
    model: str
    input_tokens: int
    output_tokens: int
    cost: float
    cut: bool = False
    cached: bool = False
    masked: int = 0


class _Told(msgspec.Struct):
    """What has come of an answer so far, still masked."""

    text: str = ""
    finish: str = ""
    model: str = ""
    id: str = ""
    usage: tuple[int, int] | None = None
    cut: bool = False


class LanguageModel:
    """The configured model; `on` says whether there is one. Connections are opened at the first request."""

    def __init__(
        self,
        settings: LlmSettings,
        state: str,
        tracer: Tracer,
        today: Callable[[], date],
        kept: Callable[[], Namespace[Any]] | None = None,
        pause: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self.settings = settings
        self._budget = Budget(Path(state) / "llm.sqlite" if state else None, settings, today)
        self._tracer = tracer
        self._kept = kept
        self._pause = pause
        self._client: aiohttp.ClientSession | None = None
        self._places = asyncio.Semaphore(settings.concurrency)

    @property
    def on(self) -> bool:
        """Whether a model is configured."""
        return bool(self.settings.url and self.settings.model)

    async def complete(
        self, messages: Sequence[Message], *, purpose: str, max_tokens: int | None = None, task: str | None = None
    ) -> Answer:
        """Ask and wait for the whole answer, from the cache if it was asked before.

        Raises LlmOff, LlmBudgetSpent, LlmRefused, LlmFailed, or InputError for a prompt that is too long.
        """
        redaction, sent = await asyncio.to_thread(self._prepared, messages)
        most = max_tokens or self.settings.max_tokens
        asked = False

        async def compute() -> dict[str, Any]:
            nonlocal asked
            asked = True
            return msgspec.structs.asdict(await self._asked(sent, redaction, purpose, most, task))

        if self._kept is not None and float(self.settings.cache):
            told = await self._kept().get_or_compute(self._key(sent, most), compute, ttl_s=float(self.settings.cache))
        else:
            told = await compute()
        found = msgspec.convert(told, Answer)
        text = redaction.unmask(found.text)
        if asked:
            return msgspec.structs.replace(found, text=text, masked=redaction.masked)
        with self._span(purpose, most) as span:
            span.set_attribute(names.PEA_LLM_CACHED, True)
        return msgspec.structs.replace(
            found, text=text, masked=redaction.masked, cached=True, input_tokens=0, output_tokens=0, cost=0.0
        )

    async def write(self, system: str, request: str, *, purpose: str, task: str | None = None) -> Answer:
        """`complete` for the usual two messages: what the model is to be, and what is asked of it."""
        return await self.complete([Message("system", system), Message("user", request)], purpose=purpose, task=task)

    async def stream(
        self, messages: Sequence[Message], *, purpose: str, max_tokens: int | None = None, task: str | None = None
    ) -> AsyncIterator[str]:
        """Ask and give the answer as it comes, with what was masked back in its place. Raises as `complete` does.

        It is tried again only while nothing has been given.
        """
        redaction, sent = await asyncio.to_thread(self._prepared, messages)
        most = max_tokens or self.settings.max_tokens
        held = ""
        async with self._spending(sent, redaction, purpose, most, task) as (told, span):
            async for text in self._attempts(sent, most, told, span, again=False):
                held += text
                waits = redaction.held_back(held)
                ready, held = held[: len(held) - waits], held[len(held) - waits :]
                if ready:
                    yield redaction.unmask(ready)
            if held:
                yield redaction.unmask(held)

    async def spent(self) -> Spent:
        """What today has cost."""
        return await asyncio.to_thread(self._budget.spent)

    async def aclose(self) -> None:
        """Close the connections and the sums."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
        await asyncio.to_thread(self._budget.close)

    def _prepared(self, messages: Sequence[Message]) -> tuple[Redaction, list[Message]]:
        if not self.on:
            raise LlmOff
        limit, size = int(self.settings.prompt_size), sum(len(one.content.encode()) for one in messages)
        if size > limit:
            raise InputError(f"a prompt of {size:,} bytes; at most {limit:,} are sent", where="llm.prompt_size")
        redaction = Redaction()
        if not self.settings.redact:
            return redaction, list(messages)
        return redaction, [Message(one.role, redaction.mask(one.content)) for one in messages]

    def _key(self, sent: list[Message], most: int) -> str:
        own = self.settings
        data = msgspec.json.encode((own.url, own.model, own.temperature, most, sent))
        return hashlib.blake2b(data, digest_size=16).hexdigest()

    async def _asked(
        self, sent: list[Message], redaction: Redaction, purpose: str, most: int, task: str | None
    ) -> Answer:
        async with self._spending(sent, redaction, purpose, most, task) as (told, span):
            async for _ in self._attempts(sent, most, told, span, again=True):
                pass
        usage = told.usage or (0, 0)
        return Answer(
            text=told.text,
            model=told.model or self.settings.model,
            input_tokens=usage[0],
            output_tokens=usage[1],
            cost=self._budget.price(*usage),
            cut=told.cut or told.finish == "length",
        )

    @asynccontextmanager
    async def _spending(
        self, sent: list[Message], redaction: Redaction, purpose: str, most: int, task: str | None
    ) -> AsyncIterator[tuple[_Told, Span]]:
        """A place among the requests at once, a span, and the budget: set aside before, settled after."""
        reserved = (_estimate(sent), most)
        await asyncio.to_thread(self._budget.reserve, task, *reserved)
        told = _Told()
        try:
            async with self._places:
                with self._span(purpose, most) as span:
                    span.set_attribute(names.PEA_LLM_MASKED, redaction.masked)
                    try:
                        yield told, span
                    except PeaError as error:
                        span.set_attribute(names.ERROR_TYPE, error.code)
                        span.set_status(StatusCode.ERROR)
                        raise
                    finally:
                        self._tell(span, told, sent)
        finally:
            used = told.usage or (reserved[0] if told.text else 0, 0)
            await asyncio.shield(asyncio.to_thread(self._budget.settle, task, reserved, used))

    def _span(self, purpose: str, most: int) -> Any:
        own = self.settings
        attributes: dict[str, Any] = {
            names.GEN_AI_OPERATION_NAME: "chat",
            names.GEN_AI_PROVIDER_NAME: "openai",
            names.GEN_AI_REQUEST_MODEL: own.model,
            names.GEN_AI_REQUEST_MAX_TOKENS: most,
            names.GEN_AI_REQUEST_TEMPERATURE: own.temperature,
            names.SERVER_ADDRESS: urlsplit(own.url).hostname or "",
            names.PEA_LLM_PURPOSE: purpose,
        }
        return self._tracer.span(f"{names.SPAN_CHAT} {own.model}", attributes, kind=SpanKind.CLIENT)

    def _tell(self, span: Span, told: _Told, sent: list[Message]) -> None:
        if told.usage is None and told.text:  # the server does not count: an estimate is better than nothing
            told.usage = (_estimate(sent), len(told.text) // CHARACTERS_PER_TOKEN + 1)
        usage = told.usage or (0, 0)
        span.set_attribute(names.GEN_AI_USAGE_INPUT_TOKENS, usage[0])
        span.set_attribute(names.GEN_AI_USAGE_OUTPUT_TOKENS, usage[1])
        span.set_attribute(names.PEA_LLM_COST, self._budget.price(*usage))
        if told.model:
            span.set_attribute(names.GEN_AI_RESPONSE_MODEL, told.model)
        if told.id:
            span.set_attribute(names.GEN_AI_RESPONSE_ID, told.id)
        if told.finish:
            span.set_attribute(names.GEN_AI_RESPONSE_FINISH_REASONS, [told.finish])

    async def _attempts(
        self, sent: list[Message], most: int, told: _Told, span: Span, *, again: bool
    ) -> AsyncIterator[str]:
        """The pieces of the answer; tried again while nothing came, or (``again``) while nobody has seen a piece."""
        pause = PAUSE_S
        for attempt in range(self.settings.retries + 1):
            try:
                async for text in self._pieces(sent, most, told):
                    yield text
                return
            except LlmFailed as error:
                if attempt == self.settings.retries or (told.text and not again):
                    raise
                wait = pause * random.uniform(0.5, 1.0)  # noqa: S311 - so that many do not come at once
                if isinstance(error, RetryLater) and error.after_s is not None:
                    wait = error.after_s
                span.add_event("retry", {names.ERROR_TYPE: error.code, names.PEA_ATTEMPT: attempt + 1})
                told.text = told.finish = ""
                await self._pause(min(wait, LONGEST_PAUSE_S))
                pause *= 2

    async def _pieces(self, sent: list[Message], most: int, told: _Told) -> AsyncIterator[str]:
        own = self.settings
        body = {
            "model": own.model,
            "messages": sent,
            "max_tokens": most,
            "temperature": own.temperature,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        async for piece in exchange(self._session(), own, body, self._headers()):
            _take(told, piece)
            room = int(own.answer_size) - len(told.text)
            text = piece.text[: max(0, room)]
            told.text += text
            if text:
                yield text
            if len(piece.text) > room:
                told.cut = True
                return
        if not told.finish:
            raise LlmFailed("broke off in the middle of its answer", where=own.url)

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
        key = self.settings.key
        if key:
            name = key.removeprefix("$")
            if key.startswith("$") and name not in os.environ:
                raise ConfigError(f"the environment variable {name} is not set", where="llm.key")
            headers["Authorization"] = f"Bearer {os.environ[name] if key.startswith('$') else key}"
        propagate.inject(headers)
        return headers

    def _session(self) -> aiohttp.ClientSession:
        if self._client is None:
            import aiohttp

            self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=self.settings.concurrency))
        return self._client


def _take(told: _Told, piece: Piece) -> None:
    told.finish = piece.finish or told.finish
    told.model = piece.model or told.model
    told.id = piece.id or told.id
    told.usage = piece.usage or told.usage


def _estimate(messages: Sequence[Message]) -> int:
    """How many tokens messages have, at the most."""
    return sum(len(one.content) // CHARACTERS_PER_TOKEN + TOKENS_PER_MESSAGE for one in messages)
