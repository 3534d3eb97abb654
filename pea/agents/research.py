"""The research agent: questions answered by cited sentences of the user's own papers, or "not found"."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import msgspec

from pea import Agent, Context, Settings, capability
from pea.agents._reading import place, reading_s
from pea.agents._research_views import Answer, Digest, RelatedPapers, Timeline

if TYPE_CHECKING:
    from pea.agents._research_desk import Desk

Asked = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class Research(Agent):
    """Reads documents and mail. What it answers is quoted; what a paper tells its reader to do is never done."""

    name = "research"

    def __init__(self) -> None:
        self._desk: Desk | None = None
        self._opening = asyncio.Lock()

    async def stop(self) -> None:
        """Let go of the papers."""
        if self._desk is not None:
            self._desk.close()
            self._desk = None

    async def cache_version(self, ctx: Context) -> str:
        """Which papers there are, in which state."""
        return (await self._read(ctx)).version

    @capability("research.answer", timeout="20s", cache="15m")
    async def answer(self, ctx: Context, question: Asked) -> Answer:
        """Answer a question by sentences of documents and mail, with their places; "not found" when none answers."""
        desk = await self._read(ctx)
        return await ctx.compute(desk.answer, question)

    @capability("research.digest", timeout="20s", cache="15m")
    async def digest(
        self, ctx: Context, topic: Asked, sentences: Annotated[int, msgspec.Meta(ge=1, le=50)] = 6
    ) -> Digest:
        """Tell what documents and mails say about a topic, in their own most central sentences."""
        desk = await self._read(ctx)
        return await ctx.compute(desk.digest, topic, sentences)

    @capability("research.timeline", timeout="20s", cache="15m")
    async def timeline(self, ctx: Context, topic: Asked) -> Timeline:
        """Put the days that papers name beside a topic, and the mails about it, in order."""
        desk = await self._read(ctx)
        return await ctx.compute(desk.timeline, topic, ctx.now().tzinfo)

    @capability("research.related", timeout="20s", cache="15m")
    async def related(
        self, ctx: Context, document: Asked, limit: Annotated[int, msgspec.Meta(ge=1, le=24)] = 8
    ) -> RelatedPapers:
        """Find documents and mails that are about the same as one document, with the words that say so."""
        desk = await self._read(ctx)
        return await ctx.compute(desk.related, document, limit)

    async def _read(self, ctx: Context) -> Desk:
        """The papers, read as far as the time allows."""
        async with self._opening:
            if self._desk is None:
                self._desk = await ctx.compute(_open, ctx.settings)
        desk = self._desk
        with ctx.step("papers.read"):
            await ctx.compute(desk.refresh, reading_s(ctx))
        return desk


def _open(settings: Settings) -> Desk:
    # Imported at the first call and off the event loop: what reads documents takes a tenth of a second to load.
    from pea.agents._research_desk import Desk

    return Desk(*place(settings))
